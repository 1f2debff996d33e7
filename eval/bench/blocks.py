"""Why blocks are as long as they are: block, margin and fade against SDR, time and memory.

    PYTHONPATH=. python eval/bench/blocks.py --song mixture.flac --vocals vocals.flac
    PYTHONPATH=. python eval/bench/blocks.py --model my.pth --blocks 12 24 -o eval/results/blocks

Each row is a process of its own that separates the song's first 90 s with one thread, by the
network as it was trained. The first row's block is longer than the song: how far the voice of the
others is from its, in dB, is what cutting the song up costs. Of margins, a network gets no more
than it can hear (``context``); so one that hears further than the largest margin is cut off there.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

from eval.bench import backends, record

HEADING = """# Blocks, margins and fades

What the network sees at once, what of that is context on each side, and over how long neighbours
are crossfaded, all in s: eval/bench/blocks.py says what is run. *Off* is the difference from the
whole song at once, in dB of the voice; memory is what the process grew by. The defaults are in
bold."""
WHOLE = {"block": 1000.0, "margin": 2.0, "fade": 0.25}
COLUMNS = {
    "block": lambda row: bold(row, "whole song" if row["block"] > 900 else f"{row['block']:g}"),
    "margin": lambda row: f"{row['margin']:g}",
    "fade": lambda row: f"{row['fade']:g}",
    "CPU-s/s": lambda row: f"{row['cpu']:.4f}",
    "memory, MB": lambda row: f"{row['memory']:.0f}",
    "off, dB": lambda row: "–" if row["block"] > 900 else f"{row['voice']:.1f}",
    "vocals SDR, dB": lambda row: f"{row['sdr']:.3f}" if "sdr" in row else "–",
}


def main() -> None:
    """Measure every combination and leave a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", help="as `separate --model`; a small band_cnn without weights")
    parser.add_argument("--song", type=Path, help="its first 90 s are taken")
    parser.add_argument("--vocals", type=Path, help="the song's true voice: gives the SDR")
    parser.add_argument("--blocks", nargs="+", type=float, default=[6, 9, 12, 16, 24])
    parser.add_argument("--margins", nargs="+", type=float, default=[0.25, 0.5, 1, 2])
    parser.add_argument("--fades", nargs="+", type=float, default=[0.05, 0.25, 1])
    parser.add_argument("--repeats", type=int, default=1)
    args = record.options(parser, measure)
    with tempfile.TemporaryDirectory() as folder:
        rows = measured(args, Path(folder))
    table = record.markdown(COLUMNS, rows)
    print(table)
    if args.output:
        record.leave(args.output, HEADING, table, rows)


def settings(args: argparse.Namespace) -> list[dict[str, float]]:
    """One thing changed at a time, from the defaults."""
    found = [WHOLE, defaults()]
    for name, values in (("block", args.blocks), ("margin", args.margins), ("fade", args.fades)):
        found += [{**defaults(), name: value} for value in values]
    return [row for number, row in enumerate(found) if row not in found[:number]]


def defaults() -> dict[str, float]:
    """What users get."""
    from asteroid_karaoke import overlap_add

    return {
        "block": overlap_add.BLOCK_SECONDS,
        "margin": overlap_add.MARGIN_SECONDS,
        "fade": overlap_add.FADE_SECONDS,
    }


def bold(row: record.Row, text: str) -> str:
    """A cell that stands out in the row of the defaults."""
    return f"**{text}**" if all(row[name] == value for name, value in defaults().items()) else text


def measured(args: argparse.Namespace, folder: Path) -> list[dict[str, Any]]:
    """All rows, each compared with the first."""
    reference = str(folder / "voice.npy")
    backends.run({**WHOLE, "way": backends.REFERENCE, "threads": 1, "save": reference})
    rows = []
    for row in settings(args):
        found = backends.run(
            {**row, "way": backends.REFERENCE, "threads": 1, "reference": reference}
        )
        rows.append({**row, **found})
        print(record.markdown(COLUMNS, rows[-1:]).splitlines()[-1], flush=True)
    return rows


def measure(args: argparse.Namespace, margin: float, fade: float, **row: Any) -> dict[str, float]:
    """One row, in this process."""
    from asteroid_karaoke import overlap_add

    overlap_add.MARGIN_SECONDS, overlap_add.FADE_SECONDS = margin, fade
    return backends.measure(args, **row)


if __name__ == "__main__":
    main()
