"""Table and picture of the trials that ``search.py`` has written down.

    PYTHONPATH=. python eval/bench/pareto.py eval/results/search.jsonl --picture pareto.png

The picture shows, for each budget, what a trial's voice is worth against what a second of audio
costs to separate; the line joins the trials that no other one beats in both.
"""

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from asteroid_karaoke.plots.canvas import save

#: Titles of the table's columns, and how a trial fills them.
COLUMNS = {
    "network": lambda trial: title(trial),
    "weights, M": lambda trial: f"{trial['weights'] / 1e6:.2f}",
    "CPU-min": lambda trial: f"{trial['cpu_minutes']:g}",
    "steps": lambda trial: f"{trial.get('steps', 0)}",
    "vocals uSDR, dB": lambda trial: decibel(trial, "usdr_vocals"),
    "karaoke uSDR, dB": lambda trial: decibel(trial, "usdr_karaoke"),
    "train, CPU-s/s": lambda trial: number(trial, "train_cpu_per_s", ".3f"),
    "separate, CPU-s/s": lambda trial: number(trial, "separate_cpu_per_s", ".3f"),
    "train, MB": lambda trial: number(trial, "train_peak_mb", ".0f"),
    "separate, MB": lambda trial: number(trial, "separate_peak_mb", ".0f"),
    "note": lambda trial: trial["note"],
}


def title(trial: dict[str, Any]) -> str:
    """The network and what was set, without the defaults."""
    words = (
        f"{name}={value}"
        for group in ("set", "loss", "mixing")
        for name, value in trial[group].items()
    )
    return " ".join([trial["network"], *words])


def number(trial: dict[str, Any], key: str, form: str) -> str:
    """A figure, or a dash where a trial did not come so far."""
    return format(trial[key], form) if key in trial else "–"


def decibel(trial: dict[str, Any], key: str) -> str:
    """A score, or that there is none."""
    return "failed" if "failed" in trial else number(trial, key, ".2f")


def table(trials: Iterable[dict[str, Any]]) -> str:
    """Markdown, the longest budget first, and the best voice first in each."""
    ordered = sorted(trials, key=lambda t: (-t["cpu_minutes"], -t.get("usdr_vocals", -1e9)))
    rows = [[fill(trial) for fill in COLUMNS.values()] for trial in ordered]
    rules = ["---", *["---:"] * (len(COLUMNS) - 2), "---"]
    return "\n".join(f"| {' | '.join(row)} |" for row in [list(COLUMNS), rules, *rows])


def front(trials: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The trials of which none separates both cheaper and better, the cheapest first."""
    best: list[dict[str, Any]] = []
    for trial in sorted(trials, key=lambda t: (t["separate_cpu_per_s"], -t["usdr_vocals"])):
        if not best or trial["usdr_vocals"] > best[-1]["usdr_vocals"]:
            best.append(trial)
    return best


def draw(trials: Iterable[dict[str, Any]], path: Path) -> None:
    """Draw the picture; trials that failed are left out.

    Raises:
        ValueError: No trial was scored.
    """
    scored = [trial for trial in trials if "usdr_vocals" in trial]
    if not scored:
        raise ValueError("no trial was scored: nothing to draw")
    figure = Figure(figsize=(9, 6), dpi=110, layout="constrained")
    ax = figure.subplots()
    for index, minutes in enumerate(sorted({trial["cpu_minutes"] for trial in scored})):
        those = [trial for trial in scored if trial["cpu_minutes"] == minutes]
        costs, voices = ([t[key] for t in those] for key in ("separate_cpu_per_s", "usdr_vocals"))
        ax.plot(costs, voices, "o", color=f"C{index}", label=f"{minutes:g} CPU-minutes of training")
        best = front(those)
        costs, voices = ([t[key] for t in best] for key in ("separate_cpu_per_s", "usdr_vocals"))
        ax.plot(costs, voices, color=f"C{index}", linewidth=1, drawstyle="steps-post")
        for trial in those:
            at = (trial["separate_cpu_per_s"], trial["usdr_vocals"])
            ax.annotate(title(trial), at, (5, 4), textcoords="offset points", fontsize="x-small")
    ax.set_xscale("log")
    ax.margins(x=0.12)  # room for the names of the slowest
    ax.set_xlabel("to separate a second of stereo, CPU-s on one thread")
    ax.set_ylabel("uSDR of the voice, dB")
    ax.legend(loc="best", fontsize="small")
    save(figure, path)


def main() -> None:
    """Print the table, and draw the picture if one is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("results", type=Path, help="lines of JSON, as search.py writes them")
    parser.add_argument("--picture", type=Path, help="where to draw the picture, such as x.png")
    args = parser.parse_args()
    try:
        trials = [
            json.loads(line) for line in args.results.read_text(encoding="utf-8").splitlines()
        ]
        print(table(trials))
        if args.picture:
            draw(trials, args.picture)
    except (OSError, ValueError) as error:
        sys.exit(f"pareto.py: {error}")


if __name__ == "__main__":
    main()
