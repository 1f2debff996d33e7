"""Charts of scores, as SVG in the page's own colours, light or dark, and as PNG.

A chart is a function that draws on a figure. For a page its colours are names that stand in the
SVG for the page's variables; for a PNG they are those of a light page.
"""

import io
import itertools
import math
import re
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Literal

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

#: The page's variables, each with the colour that stands for it in an SVG, and that of a PNG.
COLOURS = {
    "ink": ("#010101", "#1b1f27"),
    "muted": ("#020202", "#5d6673"),
    "line": ("#030303", "#e1e4ea"),
    "wave": ("#040404", "#c9d0dc"),
    "end": ("#050505", "#7b8494"),
    "s0": ("#060606", "#2563c9"),
    "s1": ("#070707", "#c2570c"),
    "s2": ("#080808", "#0d8075"),
    "s3": ("#090909", "#8a3fc4"),
    "s4": ("#0a0a0a", "#a8324f"),
}
SERIES, MARKERS = ("s0", "s1", "s2", "s3", "s4"), "osD^v"
#: Inches to a design pixel: text of 13 is 13 px where a chart is shown in its own size.
_INCH = 72.0
PNG_DPI = 160
#: A chart of seconds ends here.
LOWEST_DB = -30.0

Colour = Callable[[str], str]
Grid = Literal["both", "x", "y"]
#: Draws on a figure in colours by their names.
Chart = Callable[[Figure, Colour], None]


def svg(chart: Chart, size: tuple[int, int], title: str) -> str:
    """A chart as an ``<svg>`` element.

    Args:
        chart: What to draw.
        size: Width and height in px.
        title: What it shows, for those who do not see it.
    """
    content = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "report"}):
        figure = _figure(chart, size, lambda name: COLOURS[name][0])
        FigureCanvasSVG(figure).print_svg(content, metadata={"Date": None, "Creator": None})
    text = content.getvalue()
    text = text[text.index("<svg") :]
    number = next(_numbers)
    # Identifiers must be unique over a page of many charts.
    text = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>c{number}-", text)
    # The style is that of everything on the page, not of the chart alone.
    text = re.sub(r"<(metadata|style)\b.*?</\1>", "", text, flags=re.DOTALL)
    for name, (stand_in, _) in COLOURS.items():
        text = text.replace(stand_in, f"var(--{name})")
    label = f'role="img" aria-label="{escape(title)}"'
    box = f'viewBox="0 0 {size[0]} {size[1]}"'
    start = f'<svg xmlns="http://www.w3.org/2000/svg" {box} {label}>'
    return start + text[text.index(">") + 1 :]


_numbers = itertools.count()


def png(chart: Chart, size: tuple[int, int]) -> bytes:
    """A chart as the content of a PNG file, light, for READMEs."""
    figure = _figure(chart, size, lambda name: COLOURS[name][1])
    figure.set_facecolor("white")
    content = io.BytesIO()
    FigureCanvasAgg(figure).print_figure(content, dpi=PNG_DPI, format="png")
    return content.getvalue()


def _figure(chart: Chart, size: tuple[int, int], colour: Colour) -> Figure:
    figure = Figure(figsize=(size[0] / _INCH, size[1] / _INCH), dpi=72, layout="constrained")
    figure.set_facecolor("none")
    # A title may hold a dollar sign, which would begin a formula.
    with matplotlib.rc_context({"text.parse_math": False, "font.size": 13}):
        chart(figure, colour)
        figure.draw_without_rendering()
    return figure


def boxes(values: Mapping[str, Sequence[float]], colours: Mapping[str, str], unit: str) -> Chart:
    """Box plots, a row a system: quartiles, median and every song as a dot.

    Args:
        values: For each system its songs' scores.
        colours: Of the systems under test, from `SERIES`; the others are grey.
        unit: Of the axis.
    """

    def draw(figure: Figure, colour: Colour) -> None:
        ax = _axes(figure, colour, "x")
        for row, (system, songs) in enumerate(reversed(list(values.items()))):
            hue = colour(colours.get(system, "end"))
            ax.boxplot(
                [songs] if len(songs) else [[]],
                positions=[row],
                orientation="horizontal",
                widths=0.5,
                showfliers=False,
                whis=(0, 100),
                boxprops={"color": hue, "linewidth": 1.2},
                whiskerprops={"color": hue, "linewidth": 1.2},
                capprops={"color": hue, "linewidth": 1.2},
                medianprops={"color": hue, "linewidth": 3},
            )
            # Spread in turn, and not by chance: the same scores give the same file.
            heights = row + 0.12 * np.array([(i % 3) - 1 for i in range(len(songs))])
            ax.plot(songs, heights, "o", color=hue, markersize=7, alpha=0.6, markeredgewidth=0)
        ax.set_yticks(range(len(values)), list(values)[::-1], color=colour("ink"))
        ax.tick_params(axis="y", length=0)
        ax.set_xlabel(unit, color=colour("muted"))
        ax.axvline(0, color=colour("end"), linewidth=1)

    return draw


def scatter(
    floor: Mapping[str, float | None],
    values: Mapping[str, Mapping[str, float | None]],
    colours: Mapping[str, str],
    unit: str,
) -> Chart:
    """Each song's score over that of its mixture: how hard it is, and how well it is done.

    Args:
        floor: The mixture's score of each song.
        values: For each system under test its songs' scores.
        colours: Of these systems, from `SERIES`.
        unit: Of both axes.
    """

    def draw(figure: Figure, colour: Colour) -> None:
        ax = _axes(figure, colour, "both")
        drawn: list[tuple[float, float]] = []
        for system, songs in values.items():
            both = ((floor.get(song), score) for song, score in songs.items())
            pairs = [(x, y) for x, y in both if x is not None and y is not None]
            drawn += pairs
            ax.plot(
                *(zip(*pairs, strict=True) if pairs else ((), ())),
                MARKERS[SERIES.index(colours[system])],
                color=colour(colours[system]),
                markersize=7,
                markeredgewidth=0,
                alpha=0.85,
                label=system,
            )
        flat = [x for x, _ in drawn] or [0.0]
        low, high = min(flat) - 1, max(flat) + 1
        ends = [low, high]
        ax.plot(ends, ends, "--", color=colour("end"), linewidth=1.2, label="nothing done")
        ax.set_xlabel(f"the mixture's {unit}", color=colour("muted"))
        ax.set_ylabel(f"{unit} reached", color=colour("muted"))
        ax.legend(frameon=False, labelcolor=colour("ink"), fontsize=12, loc="best")

    return draw


def timeline(
    envelope: np.ndarray | None,
    frames: Mapping[str, Sequence[float]],
    seconds: float,
    excerpt: tuple[float, float],
) -> Chart:
    """A song's waveform, and over it the SDR of each second.

    Args:
        envelope: Peak levels of the whole song, 1 at most. None where it is not at hand.
        frames: For each stem the SDR of each frame in dB; NaN where there is none.
        seconds: Length of the song.
        excerpt: Start and length of the part that can be heard, in s; a length of 0 for none.
    """

    def draw(figure: Figure, colour: Colour) -> None:
        count = 2 if envelope is not None else 1
        grid = figure.subplots(count, 1, sharex=True, squeeze=False, height_ratios=[3, 1][:count])
        axes = list(grid[:, 0])
        ax = _style(axes[0], colour, "y")
        for index, (stem, values) in enumerate(frames.items()):
            times = (np.arange(len(values)) + 0.5) * (seconds / max(len(values), seconds))
            hue = colour(SERIES[index])
            size = 0 if len(values) > 60 else 4
            ax.plot(times, values, "-o", color=hue, linewidth=1.5, markersize=size, label=stem)
        ax.set_ylabel("SDR (dB)", color=colour("muted"))
        # A second that holds next to nothing of a stem may go down to -80 dB, and says no more.
        ax.set_ylim(bottom=max(ax.get_ylim()[0], LOWEST_DB))
        ax.axhline(0, color=colour("end"), linewidth=1)
        ax.legend(
            frameon=False,
            labelcolor=colour("ink"),
            fontsize=12.5,
            ncols=2,
            loc="lower right",
            bbox_to_anchor=(1, 0.98),
            borderaxespad=0,
        )
        if envelope is not None:
            below = _style(axes[1], colour, None)
            times = np.linspace(0, seconds, len(envelope))
            below.fill_between(times, -envelope, envelope, color=colour("wave"), linewidth=0)
            below.set_ylim(-1.1, 1.1)
            below.set_yticks([])
        for each in axes if excerpt[1] else ():
            each.axvspan(
                excerpt[0], sum(excerpt), color=colour("s0"), alpha=0.12, linewidth=0, zorder=0
            )
        axes[-1].set_xlim(0, seconds)
        axes[-1].xaxis.set_major_formatter(
            lambda value, _: f"{int(value) // 60}:{value % 60:02.0f}"
        )
        axes[-1].xaxis.set_major_locator(_clock_ticks(seconds))

    return draw


def _clock_ticks(seconds: float) -> matplotlib.ticker.MultipleLocator:
    steps = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600)
    step = next((step for step in steps if seconds / step <= 8), math.ceil(seconds / 6))
    return matplotlib.ticker.MultipleLocator(step)


def _axes(figure: Figure, colour: Colour, grid: Grid) -> Axes:
    return _style(figure.subplots(), colour, grid)


def _style(ax: Axes, colour: Colour, grid: Grid | None) -> Axes:
    """No frame but what is read from."""
    ax.set_facecolor("none")
    for side in ("top", "right", "left", "bottom"):
        ax.spines[side].set_visible(False)
    ax.tick_params(colors=colour("muted"), length=0, labelsize=12)
    if grid:
        ax.grid(axis=grid, color=colour("line"), linewidth=1)
        ax.set_axisbelow(True)
    return ax
