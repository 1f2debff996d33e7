"""``asteroid-karaoke report``: one HTML file of scores, with pictures and sound."""

import argparse
from typing import Any

from ..loading import UsageError
from ..terminal import complain, say


def add(commands: Any) -> None:
    """Add the command to argparse's subparsers."""
    parser = commands.add_parser(
        "report",
        help="one HTML file of scores, with pictures and sound",
        description="Make one HTML file, which opens offline, of what scoring left: tables with "
        "floor and ceiling, charts over songs, and the worst, the median and the best song to see "
        "and hear.",
    )
    parser.add_argument(
        "results",
        nargs="+",
        metavar="RESULTS",
        help="folders that `score -o` left, an experiment's folder, a folder of scores by system, "
        "a record such as eval/results/*.json, or an all_metrics.csv",
    )
    parser.add_argument(
        "-o", "--output", default="report.html", metavar="FILE", help="default: report.html"
    )
    parser.add_argument(
        "--system",
        metavar="NAME",
        help="whose worst, median and best songs are shown (default: the last system's that is "
        "neither floor nor ceiling)",
    )
    parser.add_argument(
        "--audio",
        metavar="DIR",
        help="estimates to hear: <song>/vocals.* and accompaniment.* (or karaoke.*), or a folder "
        "of such folders for each system",
    )
    parser.add_argument("--markdown", metavar="FILE", help="write the tables for a README as well")
    parser.add_argument("--png", metavar="DIR", help="write the charts as PNG files as well")
    parser.set_defaults(run=report)


def report(options: argparse.Namespace) -> int:
    """Read results and write the page; the exit code."""
    from ..report import collect, write_report

    try:
        scores = collect.collect(options.results, options.audio)
        made = write_report(scores, options.output, options.system, options.markdown, options.png)
    except (FileNotFoundError, ValueError) as error:
        raise UsageError(str(error)) from error
    except OSError as error:
        complain(error)
        return 1
    say(f"{options.output}  {len(made.html.encode()) / 1e6:.1f} MB")
    return 0
