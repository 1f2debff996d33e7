"""The two lists of the YouTube corpus: which tracks are voice, which music, and what to cut off.

Comma-separated, with these first lines, and a track a line::

    "youtube-url","start_buffer","end_buffer","gender","type"      voice without music
    "youtube-url","start_buffer","end_buffer","compilation"        music without voice

``youtube-url`` is a video's id or an address; ``start_buffer`` and ``end_buffer`` are the seconds
to drop at both ends, empty for none; ``y`` says that it is a long compilation, of which 60 s in
every 240 s are taken. ``gender`` and ``type`` are for people to read. Empty lists to fill in are in
``recipes/lists/``.
"""

import csv
import hashlib
import math
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

#: First line of the list of each stem.
COLUMNS = {
    "vocals": ("youtube-url", "start_buffer", "end_buffer", "gender", "type"),
    "accompaniment": ("youtube-url", "start_buffer", "end_buffer", "compilation"),
}
#: Longest entry that is taken for an address.
_LONGEST = 2000
_ID = re.compile(r"[A-Za-z0-9_-]{11}")
_HOSTS = (".youtube.com", ".youtu.be", ".youtube-nocookie.com")
#: Where an address has the id, if not as ?v=ID.
_PLACE = re.compile(rf"(?:youtu\.be|/(?:shorts|embed|live|v|e))/({_ID.pattern})/?$")
_WITHOUT_SCHEME = re.compile(r"(?:\w+\.)?(?:youtube\.com|youtu\.be)/", re.IGNORECASE)


@dataclass(frozen=True)
class Track:
    """One line of a list.

    Args:
        key: Of YouTube's videos the id, of other addresses a hash. It names the track's files,
            since a title may hold anything, and draws its split.
        url: Where to fetch it.
        stem: ``vocals`` or ``accompaniment``.
        where: The list and the line, for messages.
        start_buffer: What to drop at the start, in s.
        end_buffer: What to drop at the end, in s.
        compilation: Whether to cut it into pieces.
    """

    key: str
    url: str
    stem: str
    where: str
    start_buffer: float
    end_buffer: float
    compilation: bool = False


def read_lists(vocals_csv: str | os.PathLike, music_csv: str | os.PathLike) -> list[Track]:
    """Read both lists.

    Returns:
        The voices, then the music, each in the order of its list.

    Raises:
        FileNotFoundError: A list is missing.
        ValueError: A list is no such list, or is empty, or lines are wrong: names all of them.
    """
    tracks: dict[str, Track] = {}
    faults: list[str] = []
    for stem, path in (("vocals", vocals_csv), ("accompaniment", music_csv)):
        rows = _read_rows(path, stem)
        if not rows:
            raise ValueError(f"{path} is empty: add a line for each track")
        for line, row in rows:
            where = f"{Path(path).name}, line {line}"
            try:
                track = _track(row, stem, where)
            except ValueError as error:
                faults.append(f"{where}: {error}")
                continue
            first = tracks.setdefault(track.key, track)
            if first is not track:
                faults.append(
                    f"{where}: {row[0]} stands in {first.where} already: keep one of them"
                )
    if faults:
        raise ValueError(f"{len(faults)} line(s) of the lists are wrong:\n  " + "\n  ".join(faults))
    return list(tracks.values())


def _read_rows(path: str | os.PathLike, stem: str) -> list[tuple[int, list[str]]]:
    """The lines that are not blank, each with its number."""
    if not Path(path).is_file():
        raise FileNotFoundError(
            f"no list at {os.fspath(path)!r}: give --vocals_csv FILE and --music_csv FILE; "
            "recipes/lists/ holds empty ones to fill in"
        )
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            rows = list(_strip(csv.reader(file, skipinitialspace=True)))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} is no comma-separated list in UTF-8: {error}") from error
    expected = COLUMNS[stem]
    found = tuple(rows[0][1]) if rows else ()
    if found != expected:
        raise ValueError(f"{path} has columns {', '.join(found)}; expected {', '.join(expected)}")
    return rows[1:]


def _strip(reader) -> Iterator[tuple[int, list[str]]]:
    for row in reader:
        cells = [cell.strip() for cell in row]
        if any(cells):
            yield reader.line_num, cells


def _track(row: Sequence[str], stem: str, where: str) -> Track:
    if len(row) != len(COLUMNS[stem]):
        raise ValueError(f"has {len(row)} cells, expected {len(COLUMNS[stem])}")
    cells = dict(zip(COLUMNS[stem], row, strict=True))
    compilation = cells.get("compilation", "").lower()
    if compilation not in ("y", "n", ""):
        raise ValueError(f"compilation is {compilation!r}, expected y, n or nothing")
    key, url = locate(cells["youtube-url"])
    return Track(
        key=key,
        url=url,
        stem=stem,
        where=where,
        start_buffer=_seconds(cells, "start_buffer"),
        end_buffer=_seconds(cells, "end_buffer"),
        compilation=compilation == "y",
    )


def _seconds(cells: dict[str, str], name: str) -> float:
    try:
        seconds = float(cells[name] or 0)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise ValueError(f"{name} is {cells[name]!r}, expected seconds, 0 or more")
    return seconds


def locate(entry: str) -> tuple[str, str]:
    """The key and the address of an entry.

    Raises:
        ValueError: It is neither a video's id nor an address of one track.

    >>> locate("https://youtu.be/abcdefghijk?t=30")
    ('abcdefghijk', 'https://www.youtube.com/watch?v=abcdefghijk')
    """
    if _ID.fullmatch(entry):
        return entry, f"https://www.youtube.com/watch?v={entry}"
    parts = urlsplit(f"https://{entry}" if _WITHOUT_SCHEME.match(entry) else entry)
    if parts.scheme not in ("http", "https") or not parts.hostname or len(entry) > _LONGEST:
        raise ValueError(
            f"{entry[:100]!r} is neither a YouTube id (11 letters, digits, - or _) nor an address "
            "that begins with http:// or https://"
        )
    if not f".{parts.hostname}".endswith(_HOSTS):
        return f"web-{hashlib.sha256(entry.encode()).hexdigest()[:16]}", entry
    place = _PLACE.search(f"{parts.hostname}{parts.path}")
    video = parse_qs(parts.query).get("v", [place[1] if place else ""])[0]
    if not _ID.fullmatch(video):
        raise ValueError(f"{entry!r} names no single video, expected an address as youtu.be/ID")
    return locate(video)
