"""Results: scores of songs as plain files, their medians and means, and tables of them.

A folder of results holds ``test/<song>.json`` (museval's schema, readable by its ``TrackStore`` and
``EvalStore``; what is ours stands beside it under ``"song"``), ``all_metrics.csv`` with a row a
song, and ``final_metrics.json``. The last two hold no NaN: an empty cell, and ``null``. Each file
appears whole or not at all.

As in SiSEC 2018 (https://arxiv.org/abs/1804.06267) a score is the median over frames, then the
median over songs. A frame or a song without a score is left out, and counted.
"""

import csv
import io
import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .parts import write_whole

STEMS = ("vocals", "accompaniment")
#: What the file of each may be called in a folder of stems, without its ending.
FILE_NAMES = {"vocals": ("vocals",), "accompaniment": ("accompaniment", "karaoke")}
#: Measures of each frame, and of a whole song, see `scores.score_song`. In dB but for correlation.
FRAME_METRICS = ("SDR", "SIR", "SAR", "ISR")
SONG_METRICS = ("uSDR", "SI-SDR", "correlation", "silence_dB")
COUNTS = ("frames", "silent_reference_frames", "silent_estimate_frames")

#: The scores of one song, plain, as `scores.score_song` returns them.
Record = dict[str, Any]


def summarise(record: Record) -> dict[str, Any]:
    """A song's row in ``all_metrics.csv``: medians over frames; None where no frame is left."""
    song = record["song"]
    row = {"song": song["name"], "seconds": song["seconds"]}
    for target in record["targets"]:
        stem = target["name"]
        for metric in FRAME_METRICS:
            row[f"{stem}_{metric}"] = _median(f["metrics"][metric] for f in target["frames"])
        for metric in SONG_METRICS:
            row[f"{stem}_{metric}"] = song[stem][metric]
    return row | {count: song[count] for count in COUNTS}


def aggregate(records: Iterable[Record]) -> dict[str, Any]:
    """Scores over songs, as plain floats, which a model file loaded by ``weights_only`` may hold.

    Returns:
        For each stem and metric, such as ``vocals_SDR``: the median over songs of the medians over
        frames, and with ``_mean`` the mean over songs. A song without a score is left out;
        None where no song has one. ``left_out`` counts these songs, by key, where there are any.
        Also ``songs``, and the sums over songs of the frames and of the silent ones.
    """
    return aggregate_rows([summarise(record) for record in records])


def aggregate_rows(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What `aggregate` returns, from what `summarise` returned for each song."""
    final: dict[str, Any] = {"songs": len(rows)}
    final |= {count: sum(row[count] for row in rows) for count in COUNTS}
    left_out = {}
    for key in (f"{stem}_{metric}" for stem in STEMS for metric in FRAME_METRICS + SONG_METRICS):
        scored = [row[key] for row in rows if row[key] is not None]
        final[key] = _median(scored)
        final[f"{key}_mean"] = float(np.mean(scored)) if scored else None
        if len(scored) < len(rows) and not key.endswith("silence_dB"):
            left_out[key] = len(rows) - len(scored)
    return final | {"left_out": left_out}


def save_song(record: Record, output: str | os.PathLike, inputs: Any = None) -> Path:
    """Write a song's scores where museval's ``EvalStore().add_eval_dir(output)`` finds them.

    Args:
        record: As `scores.score_song` returns it.
        output: The folder of results.
        inputs: Anything plain that tells what was scored; `load_song` asks for the same.

    Raises:
        ValueError: The song's name can not be that of a file.
    """
    path = _song_path(output, record["song"]["name"])
    text = json.dumps({**record, "inputs": inputs}, indent=2)
    return write_whole(path, text.encode())


def remove_song(output: str | os.PathLike, name: str) -> None:
    """Forget a song's scores, because they are no longer those of its files."""
    _song_path(output, name).unlink(missing_ok=True)


def load_song(output: str | os.PathLike, name: str, inputs: Any = None) -> Record | None:
    """A song's stored scores; None if there are none, or half of them, or of other ``inputs``.

    Raises:
        ValueError: The song's name can not be that of a file.
    """
    path = _song_path(output, name)
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        whole = record["inputs"] == inputs and [t["name"] for t in record["targets"]] == [*STEMS]
        summarise(record)
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
    return record if whole else None


def write_summary(
    records: Sequence[Record], output: str | os.PathLike, failed: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Write ``all_metrics.csv`` and ``final_metrics.json``.

    Args:
        records: As `scores.score_song` returns them, one a song.
        output: The folder of results, made if need be.
        failed: Songs that could not be scored, and why. They become part of the final metrics.

    Returns:
        What ``final_metrics.json`` holds: `aggregate`, ``failed`` and, by song, ``remarks``.
    """
    ordered = sorted(records, key=lambda record: record["song"]["name"])
    rows = [summarise(record) for record in ordered]
    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    write_whole(Path(output) / "all_metrics.csv", text.getvalue().encode())
    remarks = {r["song"]["name"]: r["song"]["remarks"] for r in ordered if r["song"]["remarks"]}
    final = aggregate(ordered) | {"failed": dict(failed or {}), "remarks": remarks}
    whole = json.dumps(final, indent=2, allow_nan=False)
    write_whole(Path(output) / "final_metrics.json", whole.encode())
    return final


def table(systems: Mapping[str, Mapping[str, Any]], whole_songs: bool = False) -> str:
    """A markdown table, readable as plain text too: a row a system, median SDR and SIR in dB.

    Args:
        systems: For each system's name its scores, as `aggregate` returns them.
        whole_songs: Add the mean uSDR over songs.
    """
    columns = {f"{stem} {x}": f"{stem}_{x}" for stem in STEMS for x in ("SDR", "SIR")}
    if whole_songs:
        columns |= {f"{stem} uSDR": f"{stem}_uSDR_mean" for stem in STEMS}
    cells = [["dB", *columns]]
    for system, final in systems.items():
        scores = [final[key] for key in columns.values()]
        # A bar would end the cell, a line's end the row.
        name = " ".join(system.replace("|", "\\|").split())
        cells.append([name, *("–" if score is None else f"{score:.2f}" for score in scores)])
    widths = [max(len(cell) for cell in column) for column in zip(*cells, strict=True)]
    cells.insert(1, ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])])
    form = " | ".join(f"{{:{'>' if i else '<'}{width}}}" for i, width in enumerate(widths))
    return "\n".join(f"| {form.format(*row)} |" for row in cells)


def _median(values: Iterable[float]) -> float | None:
    finite = [value for value in values if math.isfinite(value)]
    return float(np.median(finite)) if finite else None


def _song_path(output: str | os.PathLike, name: str) -> Path:
    if not name or Path(name).name != name:
        raise ValueError(f"song {name!r}: its name can not be that of a file")
    return Path(output) / "test" / f"{name}.json"
