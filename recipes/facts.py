"""What is known of a corpus' songs beside their sound: a folder's index.csv, a song's meta.json."""

import csv
import json
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath, PureWindowsPath

Row = dict[str, str]


def read_index(root: Path) -> dict[str, Row]:
    """The rows of a folder's index.csv by their column ``file``; empty where there is none.

    Paths may be written as on Windows; a cell that is not there is empty.

    Raises:
        ValueError: It is no table in UTF-8, has no such column, or a path leads out of the folder.
    """
    path = root / "index.csv"
    if not path.is_file():
        return {}
    try:
        # Excel puts a mark before the first column's name.
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file)
            rows, columns = list(table), table.fieldnames or []
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no UTF-8 ({error}): save it as such") from error
    except csv.Error as error:
        raise ValueError(f"{path} is no table of commas ({error}): save it as such") from error
    if "file" not in columns:
        raise ValueError(f"{path} has columns {columns}, expected file among them")
    index = {}
    for row in rows:
        # What stands beyond the last column has None for a name, what is missing for a value.
        facts = {name: (cell or "").strip() for name, cell in row.items() if name is not None}
        if facts["file"]:
            index[_place(path, facts["file"])] = facts
    return index


def unused(index: Iterable[str], files: Iterable[PurePath]) -> list[str]:
    """The paths of an index at which there is none of the files, and none below."""
    places = {place.as_posix() for file in files for place in (file, *file.parents)}
    return [path for path in index if path not in places]


def read_meta(path: Path) -> Row:
    """What a song's meta.json says in words and numbers; empty where there is none.

    Raises:
        ValueError: It is no JSON object.
    """
    if not path.is_file():
        return {}
    try:
        meta = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise ValueError(f"{path} is no JSON: {error}") from error
    if not isinstance(meta, dict):
        raise ValueError(f"{path} holds {type(meta).__name__}, expected an object")
    return {
        name: str(value) for name, value in meta.items() if isinstance(value, str | int | float)
    }


def licence(facts: Mapping[str, str]) -> str:
    """A song's licence, spelt either way."""
    return facts.get("licence") or facts.get("license") or "unknown"


def _place(path: Path, name: str) -> str:
    """A path of the index in the form of ours."""
    place = PureWindowsPath(name)
    if place.anchor or ".." in place.parts:
        raise ValueError(f"{path} names {name}, expected paths inside its folder")
    return place.as_posix()
