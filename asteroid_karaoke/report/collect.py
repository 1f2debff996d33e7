"""What scoring leaves, read back: scores of songs by corpus and system, and where their audio is.

Read are a folder of results (``test/<song>.json``, as ``asteroid-karaoke score`` leaves it), a
folder of such folders (what ``eval/score.py`` keeps), an experiment's folder, a record
(``eval/results/*.json``), and an ``all_metrics.csv``. The last two hold no frames and no paths.
"""

import csv
import json
import logging
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..inputs import named
from ..results import COUNTS, FILE_NAMES, FRAME_METRICS, SONG_METRICS, STEMS, summarise

#: Baselines of :mod:`asteroid_karaoke.baselines` that a score is read between.
FLOOR, CEILING = "mixture", "ideal_ratio_mask"
#: A ceiling above that one: its mask gives phases too.
COMPLEX_CEILING = "ideal_complex_mask"
#: How the systems that everybody has are called where people read.
LABELS = {
    FLOOR: "mixture as estimate",
    CEILING: "ideal ratio mask",
    COMPLEX_CEILING: "ideal complex mask",
    "channel_inverted": "one channel inverted",
    "median_filters": "median filters",
    "repet_sim": "REPET-SIM",
    "spleeter": "Spleeter",
    "openunmix": "Open-Unmix",
    "demucs": "Demucs",
}
#: The corpus of songs that no manifest was scored from.
UNNAMED = "songs"

logger = logging.getLogger(__name__)


@dataclass
class Score:
    """One song by one system.

    Args:
        row: Its medians and measures, as `results.summarise` gives them.
        frames: For each stem the SDR of each second, in dB, NaN where there is none. None where
            they were not kept.
        remarks: What looked like a mistake when it was scored.
        audio: Sources of the true stems (``vocals``, ``accompaniment``) and of the estimates
            (``vocals_estimate``, ``accompaniment_estimate``), as far as they were noted.
        span: First sample and the one after the last of the true stems, at their own rate.
    """

    row: dict[str, Any]
    frames: dict[str, list[float]] | None = None
    remarks: list[str] = field(default_factory=list)
    audio: dict[str, tuple[str, ...]] = field(default_factory=dict)
    span: tuple[int, int | None] = (0, None)


#: By corpus, system and song.
Scores = dict[str, dict[str, dict[str, Score]]]


def label(system: str) -> str:
    """What a system is called where people read."""
    return LABELS.get(system, system)


def is_tested(system: str) -> bool:
    """Whether a system is neither floor nor ceiling."""
    return system not in (FLOOR, CEILING, COMPLEX_CEILING)


def collect(results: Iterable[str | os.PathLike], audio: str | os.PathLike | None = None) -> Scores:
    """Read results of any of the kinds above.

    Args:
        results: Files and folders.
        audio: A folder of estimates, ``<song>/vocals.*`` and ``<song>/accompaniment.*`` (or
            ``karaoke.*``), or one of such folders a system.

    Returns:
        The scores. Floor, systems and ceiling come in this order, the corpora as they are found.

    Raises:
        FileNotFoundError: A path does not exist, or there are no results in it.
        ValueError: A file is none of the kinds above, or two results of one name differ.
    """
    if audio is not None and not Path(audio).is_dir():
        raise FileNotFoundError(f"{audio} is no folder, expected one of estimates")
    found: Scores = {}
    for path in map(Path, results):
        for corpus, system, score in _read(path):
            _add(found.setdefault(corpus, {}).setdefault(system, {}), system, score)
    if UNNAMED in found:
        _name_corpora(found)
    for systems in found.values():
        for system, songs in systems.items():
            for song, score in songs.items():
                if audio is not None:
                    score.audio |= _estimates(Path(audio) / system / song)
                    score.audio |= _estimates(Path(audio) / song) if is_tested(system) else {}
    return {
        corpus: dict(sorted(systems.items(), key=lambda item: _place(item[0])))
        for corpus, systems in found.items()
    }


def _name(folder: Path) -> str:
    """A folder's own name, that of a link included, also of "."."""
    return folder.absolute().name if folder.name else folder.resolve().name


def _place(system: str) -> int:
    return {FLOOR: 0, COMPLEX_CEILING: 3, CEILING: 2}.get(system, 1)


def _add(songs: dict[str, Score], system: str, score: Score) -> None:
    name = score.row["song"]
    before = songs.get(name)
    if before is not None and before.row != score.row:
        raise ValueError(
            f"two results called {system!r} have different scores of song {name!r}: rename the "
            "folder of one of them"
        )
    if before is None or before.frames is None:
        songs[name] = score


def _name_corpora(found: Scores) -> None:
    """Songs of no corpus belong to that which has songs of the same names."""
    for corpus, systems in found.items():
        known = {song for songs in systems.values() for song in songs}
        for system, songs in found[UNNAMED].items() if corpus != UNNAMED else ():
            for name in known & songs.keys():
                _add(systems.setdefault(system, {}), system, songs.pop(name))
    found[UNNAMED] = {system: songs for system, songs in found[UNNAMED].items() if songs}
    if not found[UNNAMED]:
        del found[UNNAMED]


def _read(path: Path) -> Iterable[tuple[str, str, Score]]:
    """Corpus, system and score of all that a path holds."""
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist: give what scoring has left")
    if path.is_file() and path.name == "final_metrics.json":
        path = path.parent
    if path.is_file():
        return _read_csv(path) if path.suffix == ".csv" else _read_record(path)
    if (path / "scores").is_dir():
        return _read_experiment(path)
    folders = sorted(p.parent for p in path.glob("*/test"))
    if (path / "test").is_dir():
        # With what `score --floor-and-ceiling` leaves inside.
        folders = [path, *sorted(p.parent for p in path.glob("baselines/*/test"))]
    found = [item for folder in folders for item in _read_folder(folder, _name(folder))]
    if not found:
        raise FileNotFoundError(
            f"no scores in {path}: expected test/<song>.json in it or in a folder a system, such "
            "as `asteroid-karaoke score -o` leaves"
        )
    return found


def _read_experiment(path: Path) -> Iterable[tuple[str, str, Score]]:
    """What ``egs/*/*/run.sh`` leaves: its model goes by the experiment's name."""
    for corpus, system, score in _read(path / "scores"):
        if system == "model":
            system = _name(path)
            score.audio |= _example(path / "examples" / score.row["song"])
        yield corpus, system, score


def _read_folder(folder: Path, system: str) -> Iterable[tuple[str, str, Score]]:
    for path in sorted((folder / "test").glob("*.json")):
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            score = Score(summarise(record), _frames(record), record["song"]["remarks"])
            inputs = record.get("inputs") or {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            # A run that was killed on a full disk, or a file that only bears such a name.
            logger.warning("%s holds no scores and is left out (%r)", path, error)
            continue
        song = inputs.get("song", {})
        if song:
            stems = {stem: tuple(song[stem]) for stem in STEMS if song.get(stem)}
            score.audio, score.span = stems, (song.get("start", 0), song.get("stop"))
        score.audio |= {
            stem: (file,) for stem, file in record["song"].get("files", {}).items() if file
        }
        yield song.get("corpus", UNNAMED), system, score


def _frames(record: Mapping[str, Any]) -> dict[str, list[float]]:
    return {
        target["name"]: [frame["metrics"]["SDR"] for frame in target["frames"]]
        for target in record["targets"]
    }


def _read_record(path: Path) -> Iterable[tuple[str, str, Score]]:
    """What ``eval/score.py -o`` leaves."""
    try:
        corpora = json.loads(path.read_text(encoding="utf-8"))["songs"]
        for corpus, systems in corpora.items():
            for system, rows in systems.items():
                yield from ((corpus, system, Score(_checked(row))) for row in rows)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is no record of scores ({error!r}): make it anew") from error


def _read_csv(path: Path) -> Iterable[tuple[str, str, Score]]:
    """A row a song, with an empty cell where there is no score."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            for cells in csv.DictReader(file):
                row: dict[str, Any] = {
                    key: (float(cell) if cell else None) if key != "song" else cell
                    for key, cell in cells.items()
                }
                row |= {count: int(row[count]) for count in COUNTS}
                yield UNNAMED, _name(path.parent), Score(_checked(row))
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is no all_metrics.csv ({error!r}): score anew") from error


def _checked(row: dict[str, Any]) -> dict[str, Any]:
    wanted = {f"{stem}_{metric}" for stem in STEMS for metric in FRAME_METRICS + SONG_METRICS}
    missing = sorted({"song", "seconds", *COUNTS, *wanted} - row.keys())
    if missing:
        raise KeyError(f"no {missing[0]}")
    return row


def _estimates(folder: Path) -> dict[str, tuple[str, ...]]:
    """The estimates in a song's folder."""
    return _files(folder, {f"{stem}_estimate": names for stem, names in FILE_NAMES.items()})


def _example(folder: Path) -> dict[str, tuple[str, ...]]:
    """The estimates in a folder of an experiment's ``examples/``."""
    names = {"vocals_estimate": ("vocals_estimate",), "accompaniment_estimate": ("karaoke",)}
    return _files(folder, names)


def _files(folder: Path, names: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    there = {key: named(folder, stems) for key, stems in names.items()}
    return {key: (str(found[0]),) for key, found in there.items() if found}
