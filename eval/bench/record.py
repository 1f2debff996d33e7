"""Figures of record: a table to read and the same figures as JSON, with what they were taken on."""

import importlib.metadata
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from asteroid_karaoke.parts import write_whole
from eval.bench.measures import machine

Row = Mapping[str, Any]
#: Packages whose version may move a figure.
PACKAGES = ("torch", "soundfile", "soxr", "av")


def markdown(columns: Mapping[str, Callable[[Row], str]], rows: Sequence[Row]) -> str:
    """A table: a column's title and how a row fills it; all but the first to the right."""
    lines = [list(columns), ["---", *["---:"] * (len(columns) - 1)]]
    lines += [[fill(row) for fill in columns.values()] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def leave(place: Path, text: str, table: str, rows: Sequence[Row]) -> None:
    """Write ``place.md`` and ``place.json``, whole or not at all.

    Args:
        place: Both paths without their endings.
        text: What the table shows and how it was made: a heading, and a paragraph.
        table: As :func:`markdown` makes it.
        rows: The figures.
    """
    facts = {
        "machine": machine(),
        "date": datetime.now(timezone.utc).date().isoformat(),
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
    }
    about = f"{facts['machine']}, {facts['date']}, torch {facts['versions']['torch']}."
    write_whole(place.with_suffix(".md"), f"{text}\n\n{about}\n\n{table}\n".encode())
    data = json.dumps({**facts, "rows": list(rows)}, indent=1) + "\n"
    write_whole(place.with_suffix(".json"), data.encode())
