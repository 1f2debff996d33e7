"""The options of ``asteroid-karaoke separate``, and what they mean."""

import argparse
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from .. import knobs, names, preview
from ..arguments import positive, shown
from ..clipping import MODES
from ..formats import FORMATS
from ..loading import BACKENDS, DEFAULT_MODEL, DEVICES
from ..options import LONGEST_SECONDS, STEMS, OutputOptions


def add(commands: Any, run: Callable[[argparse.Namespace], int]) -> None:
    """Add the command to the others."""
    parser = commands.add_parser(
        "separate",
        help="write <song>_vocals and <song>_karaoke for each song",
        description="Write <song>_vocals and <song>_karaoke for each song, as the song is: format, "
        "level, length, rate, channels, bits, tags and cover. The two add up to the song. Nothing "
        "is overwritten unless that is asked for. Where there are many songs, "
        "asteroid-karaoke.jsonl in the output folder keeps count, and the same command goes on "
        "where it was stopped.",
    )
    parser.add_argument(
        "inputs",
        nargs="+",
        metavar="INPUT",
        help="an audio or video file of almost any format; FILE#stream=N is its N-th audio stream "
        "(from 0); a folder, with all below; a glob such as '*.mp3'; a playlist (m3u, m3u8); - for "
        "standard input; an address that yt-dlp knows (extra youtube)",
    )
    _add_outputs(parser.add_argument_group("what is written"))
    _add_knobs(parser)
    _add_running(parser.add_argument_group("how it runs"))
    parser.set_defaults(run=run)


def _add_outputs(group: Any) -> None:
    group.add_argument(
        "-o", "--output", metavar="DIR", default=".", help="folder for the results (default: here)"
    )
    group.add_argument(
        "--format",
        choices=FORMATS,
        default="same",
        help="of the results (default: same, as the input, lossy ones at about its bit rate). wav "
        "keeps the input's 16, 24 or 32 bits or its floats, flac 16 or 24 bits; inputs without "
        "bits, such as mp3, give 16",
    )
    group.add_argument(
        "--bitrate",
        type=shown(_bit_rate),
        metavar="KBIT",
        help="of lossy formats, in kbit/s (default: as the input; else about 250 for mp3, 220 for "
        "ogg, 170 for opus, 190 for m4a)",
    )
    group.add_argument(
        "--stems",
        type=lambda text: tuple(text.split(",")),
        default=STEMS,
        metavar="NAMES",
        help="which files to write (default: vocals,karaoke)",
    )
    group.add_argument(
        "--name",
        metavar="TEMPLATE",
        default=names.DEFAULT,
        help="of the files, such as '{artist} - {title} ({stem})' (default: %(default)s); fields: "
        + ", ".join(names.FIELDS),
    )
    existing = group.add_mutually_exclusive_group()
    existing.add_argument(
        "--overwrite", action="store_true", help="replace files that have a result's name"
    )
    existing.add_argument(
        "--skip-existing",
        action="store_true",
        help="leave songs alone whose results are there; of others, write what is missing",
    )


def _add_knobs(parser: argparse.ArgumentParser) -> None:
    knobs.add_arguments(parser)
    parser.add_argument(
        "--clip",
        choices=MODES,
        default="none",
        help="beyond full scale: leave it (none, the default), turn both files down (rescale), or "
        "only where they are over (limit)",
    )
    for name in ("start", "end"):
        parser.add_argument(
            f"--{name}",
            type=shown(preview.parse_time),
            metavar="TIME",
            help=f"{name} there, in s, m:ss or h:mm:ss",
        )
    parser.add_argument(
        "--preview",
        type=shown(preview.parse_time),
        nargs="?",
        const=30.0,
        metavar="SECONDS",
        help="only so many seconds, those with the most singing (30 if none are given)",
    )


def _add_running(group: Any) -> None:
    group.add_argument(
        "--model",
        metavar="NAME|PATH|HUB_ID",
        help="a name that `models` lists, a model.pth, or an id on the Hugging Face Hub "
        f"(default: {DEFAULT_MODEL})",
    )
    group.add_argument(
        "--device",
        choices=DEVICES,
        default="auto",
        help="where to run (default: auto, the first there is of cuda, mps and cpu)",
    )
    group.add_argument(
        "--backend",
        choices=BACKENDS,
        default="auto",
        help="what runs the network on the cpu: torch, or openvino or onnx (the extras of that "
        "name) (default: auto, the fastest that is installed and can run this model)",
    )
    group.add_argument(
        "--batch",
        type=positive,
        default=1,
        metavar="N",
        help="blocks of the song that the network is given at once: more are faster on a GPU, and "
        "take as many times its memory (default: 1)",
    )
    group.add_argument(
        "--jobs",
        type=positive,
        default=1,
        metavar="N",
        help="songs worked on at a time, each with its share of the cores (default: 1)",
    )
    group.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="of a Dask scheduler, whose workers separate the songs (extra cluster); all machines "
        "must see songs and results under the same paths",
    )
    group.add_argument(
        "--max-duration",
        type=shown(preview.parse_time),
        default=LONGEST_SECONDS,
        metavar="TIME",
        help="refuse songs that are longer, in s, m:ss or h:mm:ss "
        f"(default: {timedelta(seconds=LONGEST_SECONDS)})",
    )
    group.add_argument(
        "--playlists-anywhere",
        action="store_true",
        help="let playlists name files outside their own folder",
    )


def output_options(options: argparse.Namespace) -> OutputOptions:
    """What the options ask to be written.

    Raises:
        ValueError: They make no sense.
    """
    return OutputOptions(
        format=options.format,
        bit_rate=options.bitrate,
        stems=options.stems,
        name=options.name,
        overwrite=options.overwrite,
        max_seconds=options.max_duration,
        knobs=knobs.from_options(options),
        clip=options.clip,
        start=options.start,
        end=options.end,
        preview=options.preview,
    )


def _bit_rate(text: str) -> int:
    found = re.fullmatch(r"(\d{1,9}(?:\.\d+)?)k?", text.strip().lower())
    if found is None:
        raise ValueError(f"got the bit rate {text!r}: give kbit/s, such as 192")
    return round(float(found[1]) * 1000)
