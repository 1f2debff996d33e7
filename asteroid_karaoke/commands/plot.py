"""``asteroid-karaoke plot``: pictures of a song and of what it was separated into."""

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .. import audio, loading, manifest
from ..arguments import shown
from ..datasets import SongDataset
from ..loading import DEFAULT_MODEL, DEVICES, UsageError
from ..preview import excerpt, parse_time
from ..results import FILE_NAMES
from ..separation import separate
from ..terminal import complain, quiet_libraries, say

VOICE = "voice"
TITLES = ("mixture", VOICE, "karaoke")
VIEWS = ("spectrograms", "consonants", "waveforms")
EXAMPLES = "examples"


def add(commands: Any) -> None:
    """Add the command to the others."""
    parser = commands.add_parser(
        "plot",
        help="pictures of a song: mixture, voice, karaoke, mask",
        description="Draw a song and what it is separated into. A manifest (.jsonl) of a recipe "
        "stands for all its songs with stems, which are drawn with their true voice and backing.",
    )
    parser.add_argument("input", type=Path, metavar="SONG", help="a song, or a manifest.jsonl")
    parser.add_argument(
        "--stems",
        type=Path,
        metavar="DIR",
        help="folder with the song's vocals.* and karaoke.*, or <song>_vocals.* and so on, as "
        "separate leaves them; default: separate the song now",
    )
    parser.add_argument(
        "--view",
        choices=(*VIEWS, EXAMPLES),
        default="spectrograms",
        help="spectrograms with the voice's mask (default); consonants: the 2 s with the most of "
        "them, close; waveforms: before and after in time; examples: up to "
        "a dozen songs of a manifest in one picture",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="the picture (.png, .webp, .pdf, .svg; default: <song>_<view>.png here), or the "
        "folder for a manifest's pictures",
    )
    for name, what in (("start", "where to begin"), ("end", "where to stop")):
        parser.add_argument(
            f"--{name}", type=shown(parse_time), metavar="TIME", help=f"{what}, in s or m:ss"
        )
    parser.add_argument("--model", help=f"default: {DEFAULT_MODEL}; a shipped name or a path")
    parser.add_argument("--device", choices=DEVICES, default="auto")
    parser.set_defaults(run=plot)


def plot(options: argparse.Namespace) -> int:
    """Draw what the options ask for; the exit code."""
    many = options.input.suffix == ".jsonl"
    if options.view == EXAMPLES and not many:
        raise UsageError(f"--view examples wants a manifest.jsonl, {options.input} is none")
    if many and options.stems:
        raise UsageError("--stems is for one song: a manifest names the stems of its songs itself")
    try:
        with quiet_libraries():
            for path in _manifest(options) if many else [_song(options)]:
                say(str(path))
    except (OSError, ValueError, RuntimeError) as error:
        complain(error)
        return 1
    return 0


def _song(options: argparse.Namespace) -> Path:
    rate = audio.sample_rate(options.input)
    mixture = _cut(audio.read(options.input), rate, options)
    if options.stems:
        found = [_stem(options, *names) for names in FILE_NAMES.values()]
        stems = [_cut(audio.read(path, sample_rate=rate), rate, options) for path in found]
        if any(stem.shape[1] != mixture.shape[1] for stem in stems):
            raise ValueError(f"{options.stems} holds stems of another length than {options.input}")
    else:
        model = loading.load_model(options.model)
        model.to(loading.pick_device(options.device))
        stems = list(separate(model, mixture, rate))
    default = Path(f"{options.input.stem}_{options.view}.png")
    panels = dict(zip(TITLES, (mixture, *stems), strict=True))
    return _draw(options.view, panels, rate, options.output or default, options.start or 0.0)


def _draw(view: str, panels: Mapping[str, np.ndarray], rate: int, path: Path, begin: float) -> Path:
    # Not above: matplotlib would make each start of the other commands half a second longer.
    from .. import plots

    if view == "waveforms":
        return plots.plot_waveforms(panels, rate, path, begin=begin)
    if view == "consonants":
        return plots.plot_consonants(panels, VOICE, rate, path, begin=begin)
    return plots.plot_with_mask(panels, VOICE, rate, path, begin=begin)


def _stem(options: argparse.Namespace, *names: str) -> Path:
    """The file of a stem, by one of its names, alone or behind the song's."""
    known = {known for name in names for known in (name, f"{options.input.stem}_{name}")}
    found = [path for path in sorted(options.stems.glob("*.*")) if path.stem in known]
    if len(found) != 1:
        raise ValueError(
            f"{options.stems} holds {len(found)} files named {' or '.join(sorted(known))}, "
            "expected one"
        )
    return found[0]


def _cut(wav: np.ndarray, rate: int, options: argparse.Namespace) -> np.ndarray:
    """The stretch that was asked for."""
    return wav[:, slice(*excerpt(options.start, options.end, wav.shape[1], rate))]


def _manifest(options: argparse.Namespace) -> Iterator[Path]:
    songs = [song for song in manifest.read(options.input) if song.role == "stems"]
    if not songs:
        raise ValueError(f"{options.input} lists no song with both stems")
    if options.view == EXAMPLES:
        from ..plots.songs import MOST_EXAMPLES, plot_examples

        chosen = songs[:: -(-len(songs) // MOST_EXAMPLES)]
        rate = chosen[0].sample_rate
        alike = {}
        for song in chosen:
            if song.sample_rate == rate:
                panels, begin = _panels(song)
                alike[f"{song.id}, from {begin:.1f} s"] = panels
        path = options.output or Path(f"{options.input.stem}_examples.png")
        yield plot_examples(alike, rate, path)
        return
    folder = options.output or Path(f"{options.input.stem}_{options.view}")
    for song in songs:
        panels, begin = _panels(song)
        path = folder / f"{song.id.replace('/', '-')}.png"
        yield _draw(options.view, panels, song.sample_rate, path, begin)


def _panels(song: manifest.Song) -> tuple[dict[str, np.ndarray], float]:
    """Mixture and true stems, 15 s from where the voice begins, and that place in s."""
    from ..plots import excerpt_with_voice

    mixture, sources = SongDataset([song], song.sample_rate)[0]
    panels = dict(zip(TITLES, (mixture, *sources), strict=True))
    place = slice(*excerpt_with_voice(panels[VOICE].numpy(), song.sample_rate))
    begin = (song.start + place.start) / song.sample_rate
    return {title: wav[:, place].numpy() for title, wav in panels.items()}, begin
