"""Training curves."""

import csv
import math
import os
from pathlib import Path

from matplotlib.figure import Figure

from .canvas import DPI, save


def plot_curves(csv_path: str | os.PathLike, path: str | os.PathLike) -> Path:
    """Draw the training curves that Lightning's ``CSVLogger`` wrote.

    Every column with numbers is drawn against the step, or the epoch, or the row, whichever there
    is first. Losses share one axis, SDRs (dB) another; every other column has its own.

    Args:
        csv_path: ``metrics.csv``.
        path: The picture; its suffix says the format.

    Returns:
        The path.

    Raises:
        FileNotFoundError: There is no such table.
        ValueError: The table holds no number to draw.
    """
    csv_path = Path(csv_path)
    if not csv_path.is_file():
        raise FileNotFoundError(f"no training log at {csv_path}: expected Lightning's metrics.csv")
    with csv_path.open(newline="", encoding="utf-8") as file:
        rows = [
            {key: _number(cell) for key, cell in row.items() if key} for row in csv.DictReader(file)
        ]
    clock = next((key for key in ("step", "epoch") if rows and key in rows[0]), "row")
    groups: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for index, row in enumerate(rows):
        now = row.get(clock, index)
        for key, value in row.items():
            if key not in ("step", "epoch") and math.isfinite(value) and math.isfinite(now):
                groups.setdefault(_unit(key), {}).setdefault(key, []).append((now, value))
    if not groups:
        raise ValueError(f"{csv_path} holds no number to draw: has the training made a step?")

    figure = Figure(figsize=(9, 0.6 + 2.6 * len(groups)), dpi=DPI, layout="constrained")
    axes = figure.subplots(len(groups), 1, sharex=True, squeeze=False)[:, 0]
    for ax, (unit, curves) in zip(axes, groups.items(), strict=True):
        for name, points in curves.items():
            style = "o-" if len(points) < 40 else "-"
            ax.plot(*zip(*points, strict=True), style, markersize=3, linewidth=1.2, label=name)
        ax.set_ylabel(unit)
        ax.grid(alpha=0.3)
        ax.legend(loc="best", fontsize="small")
    axes[-1].set_xlabel(clock)
    return save(figure, path)


def _number(cell: str | None) -> float:
    try:
        return float(cell or "nan")
    except ValueError:
        return math.nan


def _unit(column: str) -> str:
    """The axis a column belongs to."""
    if "loss" in column:
        return "loss"
    return "SDR (dB)" if "sdr" in column.lower() else column
