"""The command ``asteroid-karaoke``: separate songs, score estimates, list the models.

Exit codes: 0 all well, 1 a song or the work failed, 2 wrong usage, 130 stopped by Ctrl-C. Results
go to standard output; complaints, a line each, and progress bars to standard error.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import __version__
from .audio import split_source
from .separation import FORMATS, output_paths, separate_file
from .terminal import PROGRAM, complain, quiet_libraries, say, song_progress

if TYPE_CHECKING:
    from .model import KaraokeNet

#: The weights that ``separate`` takes where none are named.
DEFAULT_MODEL = "karaoke-small"
DEVICES = ("auto", "cpu", "cuda", "mps")


class UsageError(Exception):
    """What was asked for can not be done; the message says why and what to do."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: Its arguments. None: those of the process.

    Returns:
        The exit code.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        if arguments[:1] == ["infer"]:
            # Before argparse, which would take infer's options for its own.
            return _infer(arguments[1:])
        options = _parser().parse_args(arguments)
        return options.run(options)
    except UsageError as error:
        complain(error)
        return 2
    except KeyboardInterrupt:
        complain("stopped; no half-written file is left")
        return 130
    except SystemExit as error:
        # argparse ends this way: after --help and --version, and on wrong usage.
        return error.code if isinstance(error.code, int) else int(error.code is not None)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        PROGRAM, description="Take the singing voice out of songs, with a plugin to Asteroid."
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_separate(commands)
    commands.add_parser(
        "infer",
        add_help=False,
        help="asteroid-infer with this package's models (infer --help lists its options)",
    )
    _add_score(commands)
    models = commands.add_parser("models", help="list the models that can be loaded by name")
    models.set_defaults(run=_models)
    return parser


def _add_separate(commands: Any) -> None:
    parser = commands.add_parser(
        "separate",
        help="write <song>_vocals and <song>_karaoke for each song",
        description="Write <song>_vocals.<ext> and <song>_karaoke.<ext> for each song, with its "
        "own level, length, rate and channels; the two add up to the song. Existing files of these "
        "names are replaced.",
    )
    parser.add_argument(
        "inputs",
        nargs="+",
        metavar="INPUT",
        help="an audio or video file of almost any format; FILE#stream=N is its N-th audio stream "
        "(from 0)",
    )
    parser.add_argument(
        "-o", "--output", metavar="DIR", default=".", help="folder for the results (default: here)"
    )
    parser.add_argument(
        "--model",
        metavar="NAME|PATH|HUB_ID",
        help="a name that `models` lists, a model.pth, or an id on the Hugging Face Hub "
        f"(default: {DEFAULT_MODEL})",
    )
    parser.add_argument(
        "--format",
        choices=FORMATS,
        default="wav",
        help="of the results (default: wav). wav keeps the input's 16, 24 or 32 bits or its "
        "floats, flac 16 or 24 bits; inputs without bits, such as mp3, give 16. mp3 has about 250 "
        "kbit/s, ogg (Vorbis) about 220",
    )
    parser.add_argument(
        "--device",
        choices=DEVICES,
        default="auto",
        help="where to run (default: auto, the first there is of cuda, mps and cpu)",
    )
    parser.set_defaults(run=_separate)


def _add_score(commands: Any) -> None:
    parser = commands.add_parser(
        "score",
        help="score estimates against references with museval",
        description="Score song folders that hold vocals.* and accompaniment.* (or karaoke.*) with "
        "museval (BSSEval v4, windows of 1 s). Writes a JSON file a song, all_metrics.csv and "
        "final_metrics.json.",
    )
    for name, what in (("references", "the true stems"), ("estimates", "the estimates")):
        parser.add_argument(
            f"--{name}", metavar="DIR", required=True, help=f"folder of song folders with {what}"
        )
    parser.add_argument(
        "-o", "--output", metavar="DIR", required=True, help="folder for the results"
    )
    parser.add_argument(
        "--jobs", type=_positive, default=1, metavar="N", help="songs scored at once (default: 1)"
    )
    parser.set_defaults(run=_score)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"got {number}, expected 1 or more")
    return number


def _separate(options: argparse.Namespace) -> int:
    _check_outputs(options)
    device = _device(options.device)
    model = _load(options.model).to(device)
    say(f"model {options.model or DEFAULT_MODEL} on {device}")
    failed = 0
    with quiet_libraries():
        for source in options.inputs:
            try:
                with song_progress(source) as progress:
                    paths = separate_file(
                        model, source, options.output, format=options.format, progress=progress
                    )
            except (OSError, ValueError, RuntimeError, MemoryError) as error:
                failed += 1
                complain(error if source in str(error) else f"{source}: {error}")
            else:
                say(f"{paths['karaoke']}  {paths['vocals']}")
    return int(failed > 0)


def _check_outputs(options: argparse.Namespace) -> None:
    """Refuse, before anything is written, songs that would overwrite an input or each other."""
    folder = Path(options.output)
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"-o {folder} is no folder: name another one")
    inputs = {split_source(source)[0].resolve() for source in options.inputs}
    taken: dict[Path, str] = {}
    for source in options.inputs:
        for path in output_paths(source, folder, options.format).values():
            if path.resolve() in inputs:
                raise UsageError(f"{path}, a result for {source}, is an input: name another -o DIR")
            if path in taken:
                raise UsageError(
                    f"{taken[path]} and {source} would both be written to {path}: separate them in "
                    "two runs, with another -o DIR each"
                )
            taken[path] = source


def _device(name: str) -> str:
    import torch

    present = {"cpu": True, "mps": torch.backends.mps.is_available()}
    present["cuda"] = torch.cuda.is_available()
    if name == "auto":
        return next(name for name in ("cuda", "mps", "cpu") if present[name])
    if not present[name]:
        there = " and ".join(sorted(device for device in present if present[device]))
        raise UsageError(f"--device {name}: this machine's torch has only {there}")
    return name


def _load(name: str | None) -> "KaraokeNet":
    from .model import KaraokeNet, shipped

    choices = ", ".join(shipped()) or "none ship with this version"
    hint = f"give --model one of the shipped names ({choices}), or the path of a model.pth"
    if name is None and DEFAULT_MODEL not in shipped():
        raise UsageError(
            f"the default model {DEFAULT_MODEL} does not ship with this version: {hint}, such as "
            "egs/demo/KaraokeNet/run.sh trains"
        )
    try:
        model = KaraokeNet.from_pretrained(name or DEFAULT_MODEL)
    except FileNotFoundError as error:
        raise UsageError(f"{error}; {hint}") from error
    except Exception as error:  # The Hub, the unpickler and torch raise whatever they like.
        raise UsageError(f"--model {name} can not be loaded: {error}; {hint}") from error
    if not isinstance(model, KaraokeNet):
        raise UsageError(
            f"--model {name} is a {type(model).__name__}, which `infer` can run; {hint}"
        )
    return model


def _infer(arguments: Sequence[str]) -> int:
    from .infer import infer

    try:
        infer(arguments)
    except (OSError, ValueError, RuntimeError) as error:
        complain(error)
        return 1
    return 0


def _score(options: argparse.Namespace) -> int:
    from . import scores

    try:
        final = scores.score_folders(
            options.references, options.estimates, options.output, jobs=options.jobs
        )
    except (FileNotFoundError, ValueError) as error:
        raise UsageError(str(error)) from error
    except (OSError, RuntimeError) as error:
        complain(error)
        return 1
    say(scores.table({Path(options.estimates).name: final}))
    return int(bool(final["failed"]))


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
