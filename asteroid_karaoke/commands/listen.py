"""``asteroid-karaoke listen`` and ``unblind``: which of two systems people prefer."""

import argparse
from pathlib import Path
from typing import Any

from ..loading import UsageError
from ..terminal import complain, say


def add(commands: Any) -> None:
    """Add both commands to argparse's subparsers."""
    parser = commands.add_parser(
        "listen",
        help="make a page that compares two folders of estimates blindly",
        description="Make a page, which opens offline, on which somebody hears two versions of "
        "each song in an order that nobody knows, and saves which one is better. The key goes to "
        "PAGE_DIR.key.json, beside the page: do not give it to listeners.",
    )
    parser.add_argument(
        "a", metavar="A_DIR", help="estimates: <song>/karaoke.* or <song>_karaoke.*"
    )
    parser.add_argument("b", metavar="B_DIR", help="estimates of the same songs by another system")
    parser.add_argument(
        "-o", "--output", required=True, metavar="PAGE_DIR", help="the page's folder"
    )
    parser.add_argument(
        "--stem", choices=("karaoke", "vocals"), default="karaoke", help="default: karaoke"
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=15.0,
        metavar="S",
        help="length of what is heard, where the two differ most (default: 15)",
    )
    parser.add_argument("--seed", type=int, help="of the order (default: another one each time)")
    parser.set_defaults(run=listen)
    parser = commands.add_parser(
        "unblind",
        help="count the answers to a page of `listen`",
        description="Count answers that listeners saved, and test by the binomial distribution "
        "whether chance would prefer one as often.",
    )
    parser.add_argument("key", metavar="KEY", help="PAGE_DIR.key.json")
    parser.add_argument("answers", nargs="+", metavar="ANSWERS", help="answers-*.json")
    parser.set_defaults(run=unblind)


def listen(options: argparse.Namespace) -> int:
    """Make the page; the exit code."""
    from ..listening import make_page

    try:
        key = make_page(
            options.a, options.b, options.output, options.stem, options.seconds, options.seed
        )
    except (FileNotFoundError, FileExistsError, ValueError) as error:
        raise UsageError(str(error)) from error
    except OSError as error:
        complain(error)
        return 1
    say(f"{Path(options.output) / 'index.html'}  the key, which listeners do not get: {key}")
    return 0


def unblind(options: argparse.Namespace) -> int:
    """Count answers; the exit code."""
    from .. import listening

    try:
        for line in str(listening.unblind(options.key, options.answers)).splitlines():
            say(line)
    except (OSError, ValueError) as error:
        raise UsageError(str(error)) from error
    return 0
