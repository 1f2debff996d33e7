"""``asteroid-karaoke publish``: a trained model's files and card, and the way to a hub."""

import argparse
from typing import Any

from ..loading import UsageError
from ..terminal import complain, say


def add(commands: Any) -> None:
    """Add the command to argparse's subparsers."""
    parser = commands.add_parser(
        "publish",
        help="make a trained model's card and files, and upload them",
        description="Complete an experiment's publish_dir/ with the weights as safetensors and the "
        "card: data and licences, scores with floor and ceiling, limits, intended use. Nothing is "
        "uploaded unless --hub or --zenodo says so.",
    )
    parser.add_argument(
        "model", metavar="MODEL", help="an experiment's folder, or the name of weights that ship"
    )
    parser.add_argument(
        "-o", "--output", metavar="DIR", help="default: the experiment's publish_dir"
    )
    parser.add_argument(
        "--hub", metavar="USER/NAME", help="upload to this repository of the Hugging Face Hub"
    )
    parser.add_argument("--private", action="store_true", help="make the repository a private one")
    parser.add_argument(
        "--zenodo",
        metavar="YOUR_NAME",
        help="upload by Asteroid's own publisher, which asks before it makes anything public",
    )
    parser.set_defaults(run=publish)


def publish(options: argparse.Namespace) -> int:
    """Complete the folder and upload it; the exit code."""
    from .. import publishing

    try:
        folder = publishing.prepare(options.model, options.output)
        say(f"{folder}: {', '.join(sorted(path.name for path in folder.iterdir()))}")
        if options.hub:
            say(publishing.to_hub(folder, options.hub, options.private))
        if options.zenodo:
            publishing.to_zenodo(folder, options.zenodo)
    except (FileNotFoundError, ValueError) as error:
        raise UsageError(str(error)) from error
    except OSError as error:
        complain(error)
        return 1
    return 0
