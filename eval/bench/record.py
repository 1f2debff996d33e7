"""Figures of record: a table to read and the same figures as JSON, with what they were taken on."""

import argparse
import importlib.metadata
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from asteroid_karaoke.parts import write_whole
from eval import provenance
from eval.bench.measures import machine

Row = Mapping[str, Any]
#: Packages whose version may move a figure.
PACKAGES = ("torch", "numpy", "scipy", "museval", "soundfile", "soxr", "av")


def options(
    parser: argparse.ArgumentParser, measure: Callable[..., Mapping[str, Any]] | None = None
) -> argparse.Namespace:
    """Parse a benchmark's options, and ``--output``, which all of them have.

    Args:
        parser: With the benchmark's own options.
        measure: Where each row is a process of its own, as :func:`eval.bench.backends.run` starts
            it: what measures a row. Such a process ends here, when it has printed its figures.
    """
    parser.add_argument("-o", "--output", type=Path, help="writes OUTPUT.md and OUTPUT.json")
    if measure is not None:
        parser.add_argument("--row", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if measure is not None and args.row:
        print(json.dumps(measure(args, **json.loads(args.row))))
        raise SystemExit
    return args


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
        "commit": provenance.commit(),
        "machine": machine(),
        "date": provenance.today(),
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
    }
    about = f"{facts['machine']}, {facts['date']}, torch {facts['versions']['torch']}."
    write_whole(place.with_suffix(".md"), f"{text}\n\n{about}\n\n{table}\n".encode())
    data = json.dumps({**facts, "rows": list(rows)}, indent=1) + "\n"
    write_whole(place.with_suffix(".json"), data.encode())
