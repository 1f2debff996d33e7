"""The page itself, and the files that are written."""

import itertools
import os
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from ..parts import write_whole
from ..results import STEMS
from . import charts
from .collect import Scores, is_tested, label
from .sections import Pictures, section

#: Metrics of the table, each with the key in `results.aggregate` and what it means.
COLUMNS = {
    "SDR": ("SDR", "distortion of all kinds"),
    "SIR": ("SIR", "what is left of the other stem"),
    "SAR": ("SAR", "artefacts"),
    "uSDR": ("uSDR_mean", "SDR of whole songs, mean over songs"),
}
#: What is above that, such as the SAR of a mixture, is nothing but rounding, in dB.
ROUNDING_DB = 150


@dataclass
class Report:
    """The files of a report.

    Args:
        html: The page, which needs nothing beside it.
        markdown: Its tables, for a README.
        pictures: Charts by the names of PNG files, for a README.
    """

    html: str
    markdown: str
    pictures: Pictures


def write_report(
    scores: Scores,
    path: str | os.PathLike,
    system: str | None = None,
    markdown: str | os.PathLike | None = None,
    png: str | os.PathLike | None = None,
) -> Report:
    """Write the page, and what a README needs where that is asked for.

    Args:
        scores: As `collect.collect` returns them.
        path: The HTML file.
        system: Whose worst, median and best songs are shown. None: the last one's that is neither
            floor nor ceiling.
        markdown: A file for the tables.
        png: A folder for the charts.

    Raises:
        ValueError: There is no such system.
        OSError: A file can not be written.
    """
    report = make_report(scores, system)
    write_whole(Path(path), report.html.encode())
    if markdown is not None:
        write_whole(Path(markdown), report.markdown.encode())
    if png is not None:
        for name, (chart, size) in report.pictures.items():
            write_whole(Path(png) / name, charts.png(chart, size))
    return report


def make_report(scores: Scores, system: str | None = None) -> Report:
    """As `write_report`, without writing anything."""
    from jinja2 import Environment, StrictUndefined

    names = list(dict.fromkeys(name for systems in scores.values() for name in systems))
    tested = [name for name in names if is_tested(name)] or names
    if system is not None and system not in names:
        raise ValueError(f"no scores of a system {system!r}: there are {', '.join(names)}")
    chosen = system or tested[-1]
    pictures: Pictures = {}
    colours = dict(zip(tested, itertools.cycle(charts.SERIES), strict=False))
    # The largest set of songs says most.
    order = sorted(scores, key=lambda corpus: -max(map(len, scores[corpus].values())))
    sections = [section(corpus, scores[corpus], colours, chosen, pictures) for corpus in order]
    # Song names, folder names and remarks come from anybody: all of them are escaped.
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.filters["decibel"] = decibel
    files = resources.files(__package__)
    html = environment.from_string((files / "page.html").read_text(encoding="utf-8")).render(
        style=(files / "page.css").read_text(encoding="utf-8"),
        chosen=label(chosen),
        sections=sections,
        columns=COLUMNS,
        stems=STEMS,
        songs=sum(each["songs"] for each in sections),
    )
    tables = (f"### {each['name']}\n\n{each['markdown']}" for each in sections)
    return Report(html, "\n\n".join(tables) + "\n", pictures)


def decibel(value: float | None) -> str:
    """A score as it is printed, with a true minus sign; no figure of what is rounding noise."""
    if value is not None and value > ROUNDING_DB:
        return f"> {ROUNDING_DB}"
    return "–" if value is None else f"{value:.2f}".replace("-", "−")
