"""The command ``asteroid-karaoke``: separate songs, score estimates, list the models.

Exit codes: 0 all well, 1 a song or the work failed, 2 wrong usage, 130 stopped by Ctrl-C, 143 told
to end. What was done goes to standard output; complaints, a line each, and progress bars to
standard error.
"""

import argparse
import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import __version__, live
from .arguments import positive
from .commands import listen, plot, publish, report, serve
from .commands.separate import separate
from .commands.separate_options import add as add_separate
from .knobs import join_level
from .loading import UsageError
from .terminal import PROGRAM, complain, say


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: Its arguments. None: those of the process.

    Returns:
        The exit code.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    _end_as_by_ctrl_c()
    try:
        if arguments[:1] == ["infer"]:
            # Before argparse, which would take infer's options for its own.
            return _infer(arguments[1:])
        options = _parser().parse_args(join_level(arguments))
        return options.run(options)
    except UsageError as error:
        complain(error)
        return 2
    except KeyboardInterrupt as stop:
        # Other processes may not have come to it; see parts.sweep.
        complain("stopped; what is half-written is removed, by the next run at the latest")
        return 128 + (stop.args[0] if stop.args else signal.SIGINT)
    except SystemExit as error:
        # argparse ends this way: after --help and --version, and on wrong usage.
        return error.code if isinstance(error.code, int) else int(error.code is not None)


def _end_as_by_ctrl_c() -> None:
    """Let a process that is told to end clean up, and end those that work for it."""

    def stop(number: int, _frame: Any) -> None:
        raise KeyboardInterrupt(number)

    # Elsewhere signals are not the main thread's, and nobody asks a process before it is ended.
    if os.name == "posix" and threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, stop)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        PROGRAM, description="Take the singing voice out of songs, with a plugin to Asteroid."
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add_separate(commands, separate)
    live.add_parser(commands)
    serve.add(commands)
    commands.add_parser(
        "infer",
        add_help=False,
        help="asteroid-infer with this package's models (infer --help lists its options)",
    )
    _add_score(commands)
    plot.add(commands)
    report.add(commands)
    listen.add(commands)
    publish.add(commands)
    models = commands.add_parser("models", help="list the models that can be loaded by name")
    models.set_defaults(run=_models)
    return parser


def _add_score(commands: Any) -> None:
    parser = commands.add_parser(
        "score",
        help="score estimates against references as museval does",
        description="Score song folders that hold vocals.* and accompaniment.* (or karaoke.*) as "
        "museval does (BSSEval v4, two sources, windows of 1 s), on signals rounded to 16 bit. "
        "Writes a JSON file a song, all_metrics.csv and final_metrics.json. Songs that were scored "
        "before are not scored again unless their files have changed.",
    )
    for name, what in (("references", "the true stems"), ("estimates", "the estimates")):
        parser.add_argument(
            f"--{name}", metavar="DIR", required=True, help=f"folder of song folders with {what}"
        )
    parser.add_argument(
        "-o", "--output", metavar="DIR", required=True, help="folder for the results"
    )
    parser.add_argument(
        "--jobs", type=positive, default=1, metavar="N", help="songs scored at once (default: 1)"
    )
    parser.add_argument(
        "--engine",
        choices=("fast", "museval"),
        default="fast",
        help="what computes the scores: fast (default), or museval itself, which gives the same "
        "numbers, ten times slower",
    )
    parser.add_argument(
        "--floor-and-ceiling",
        action="store_true",
        help="score the mixture itself and the ideal ratio mask as well, into DIR/baselines",
    )
    parser.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="address of a Dask scheduler whose workers do it (see asteroid_karaoke.cluster)",
    )
    parser.set_defaults(run=_score)


def _infer(arguments: Sequence[str]) -> int:
    from .infer import infer

    try:
        infer(arguments)
    except (OSError, ValueError, RuntimeError) as error:
        complain(error)
        return 1
    return 0


def _score(options: argparse.Namespace) -> int:
    from . import baselines, scores

    output, system = Path(options.output), Path(options.estimates).absolute().name
    systems: dict[str, Any] = {system: (options.estimates, output)}
    if options.floor_and_ceiling:
        for name in ("mixture", "ideal_ratio_mask"):
            if name == system:
                raise UsageError(
                    f"--estimates {options.estimates} is called as what --floor-and-ceiling "
                    "scores: rename the folder"
                )
            systems[name] = (baselines.BASELINES[name], output / "baselines" / name)
    try:
        finals = {
            name: scores.score_folders(
                options.references,
                estimates,
                folder,
                jobs=options.jobs,
                engine=options.engine,
                scheduler=options.scheduler,
            )
            for name, (estimates, folder) in systems.items()
        }
    except (FileNotFoundError, ValueError) as error:
        raise UsageError(str(error)) from error
    except (OSError, RuntimeError) as error:
        complain(error)
        return 1
    for line in scores.table(finals).splitlines():
        say(line)
    return int(any(final["failed"] for final in finals.values()))


def _models(options: argparse.Namespace) -> int:
    from .model import shipped

    for name, path in shipped().items():
        card = path.with_suffix(".json")
        facts = json.loads(card.read_text(encoding="utf-8")) if card.is_file() else {}
        about = ", ".join(str(facts[key]) for key in ("description", "licence") if key in facts)
        say(f"{name}  {path.stat().st_size / 1e6:.1f} MB  {about}".rstrip())
    if not shipped():
        say(
            "No weights ship with this version. Train a model with egs/demo/KaraokeNet/run.sh, or "
            "give --model the path of a model.pth or an id on the Hugging Face Hub."
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
