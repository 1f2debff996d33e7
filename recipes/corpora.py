"""What the recipes share whose corpus a user has on the disk: where it is, and the command line."""

import argparse
import json
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path

from .songs import write_json

_NOTE = "corpus.json"


def locate(
    storage_dir: str | os.PathLike, corpus_dir: str | os.PathLike | None, where: str
) -> Path:
    """Note in the storage folder where the corpus is, so that the next stage finds it.

    Args:
        storage_dir: Where manifests go.
        corpus_dir: The corpus, which stays where it is. None: where it was noted before.
        where: How to get a corpus, for who has none.

    Returns:
        The corpus' folder as an absolute path.

    Raises:
        FileNotFoundError: There is no such folder, or none was given and none noted.
        NotADirectoryError: It is a file.
    """
    noted = _noted(storage_dir)
    if not corpus_dir and not noted:
        raise FileNotFoundError(f"no corpus: {where}")
    folder = Path(corpus_dir or noted).resolve()
    if folder.is_file():
        raise NotADirectoryError(f"{folder} is a file, expected the corpus' folder")
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder at {folder}: {where}")
    write_json(Path(storage_dir).resolve() / _NOTE, {"corpus_dir": str(folder)})
    return folder


def corpus_of(storage_dir: str | os.PathLike) -> Path:
    """The folder that was noted.

    Raises:
        FileNotFoundError: None was, or it is gone.
    """
    noted = _noted(storage_dir)
    if not noted:
        raise FileNotFoundError(
            f"{storage_dir} does not know where the corpus is: run download (stage 0) first"
        )
    if not Path(noted).is_dir():
        raise FileNotFoundError(
            f"the corpus is no longer at {noted}: run download (stage 0) again with its new place"
        )
    return Path(noted)


def _noted(storage_dir: str | os.PathLike) -> str:
    note = Path(storage_dir) / _NOTE
    if not note.is_file():
        return ""
    return json.loads(note.read_text(encoding="utf-8"))["corpus_dir"]


def add_preparing(parser: argparse.ArgumentParser) -> None:
    """Add the options that say where songs are worked on."""
    parser.add_argument("--jobs", type=int, default=1, help="songs at a time; -1: one a core")
    parser.add_argument(
        "--scheduler",
        help="address of a Dask scheduler whose workers do it (see asteroid_karaoke.cluster)",
    )


def add_steps(
    parser: argparse.ArgumentParser,
    download: Callable[..., object],
    prepare: Callable[..., object],
) -> tuple[argparse.ArgumentParser, argparse.ArgumentParser]:
    """Give a command line the steps download (stage 0) and prepare (stage 1).

    Args:
        parser: The command line.
        download: Called with the options of its step.
        prepare: Likewise.

    Returns:
        The parsers of both steps, to add options to.
    """
    steps = parser.add_subparsers(required=True, metavar="download|prepare")
    found = []
    for name, function, words in (
        ("download", download, "find the corpus"),
        ("prepare", prepare, "hear every song, write the manifests"),
    ):
        step = steps.add_parser(name, help=words)
        step.set_defaults(step=function)
        step.add_argument("--storage_dir", type=Path, required=True, help="where manifests go")
        found.append(step)
    add_preparing(found[1])
    return found[0], found[1]


def run_step(parser: argparse.ArgumentParser, arguments: list[str] | None) -> int:
    """Do the step that a command line asks for; a fault is one line on stderr.

    Returns:
        0, or 2 for a fault.
    """
    args = vars(parser.parse_args(arguments))
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    step = args.pop("step")
    try:
        step(**args)
    except (OSError, ValueError) as error:
        print(f"{parser.prog.removeprefix('python -m ')}: {error}", file=sys.stderr)
        return 2
    return 0
