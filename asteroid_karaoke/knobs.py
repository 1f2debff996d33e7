"""What a singer sets: how much of the voice stays, how hard it is taken out, key and tempo.

Lead and backing voices are not told apart: all of these treat every voice in the song alike.

How it is wired: :class:`Knobs` is checked when it is made, :func:`turn` stands between
:func:`asteroid_karaoke.separation.stream` and the writers, in constant memory::

    knobs = Knobs(vocals_gain=parse_level("-12dB"), strength=1.5, key=-2)
    pairs = stream(model, blocks, sample_rate, channels)        # (mixture, vocals)
    pairs = turn(knobs, pairs, sample_rate, channels)           # (vocals, karaoke)
    pairs = clip(mode, pairs, sample_rate, joint=not knobs.stretched)  # see clipping.py
    for vocals, karaoke in pairs: ...

The defaults give mixture − vocals to the bit. The command line takes its options from
:func:`add_arguments` and hands what they say to :func:`from_options`; :func:`join_level` goes over
``sys.argv`` first, since argparse would take the ``-12dB`` of ``--vocals-level -12dB`` for an
option.
"""

import argparse
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from .arguments import shown
from .stretch import KEYS, TEMPOS, Stretcher, library
from .subtraction import STRENGTHS, over_subtract

Pairs = Iterable[tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Knobs:
    """What is done to the karaoke version; the vocals stay what the model gave.

    Args:
        vocals_gain: How much of the voice stays, as a factor from 0 (none) to 1 (all of it).
        strength: How hard the voice is taken out, from 1 (mixture − vocals) to 3. More than 1 takes
            away what the model left of the voice, and with it some of the backing; see
            :func:`~asteroid_karaoke.subtraction.over_subtract`.
        key: Transposition in semitones, from −12 to 12, fractions too; see
            :class:`~asteroid_karaoke.stretch.Stretcher`.
        tempo: Speed as a factor, from 0.5 (twice as long) to 2 (half as long); the key stays.

    Raises:
        ValueError: A value is out of its range.
    """

    vocals_gain: float = 0.0
    strength: float = 1.0
    key: float = 0.0
    tempo: float = 1.0

    def __post_init__(self) -> None:
        ranges = {
            "vocals_gain": (0.0, 1.0),
            "strength": STRENGTHS,
            "key": KEYS,
            "tempo": TEMPOS,
        }
        for name, (lowest, highest) in ranges.items():
            _check_range(name, getattr(self, name), lowest, highest)

    @property
    def stretched(self) -> bool:
        """Whether the karaoke version is in another key or tempo than the song."""
        return self.key != 0 or self.tempo != 1


def _check_range(name: str, value: float, lowest: float, highest: float) -> float:
    # Written so that NaN fails too.
    if not lowest <= value <= highest:
        raise ValueError(f"{name} is {value:g}, expected {lowest:g} to {highest:g}")
    return value


def parse_level(text: str) -> float:
    """The factor that a level of the voice stands for.

    Args:
        text: ``-inf`` (no voice), decibels (``-12dB``, ``-12``) up to 0, or a percentage of the
            amplitude (``30%``) up to 100 %.

    Raises:
        ValueError: It is none of these, or would make the voice louder than it is.

    Examples:
        >>> parse_level("-inf"), parse_level("30%"), round(parse_level("-12dB"), 4)
        (0.0, 0.3, 0.2512)
    """
    word = text.strip().lower()
    found = re.fullmatch(r"([+-]?(?:\d+(?:\.\d*)?|\.\d+|inf))\s*(db|%)?", word)
    how = "give -inf for no voice, decibels such as -12dB, or a percentage such as 30%"
    if found is None or word in ("inf%", "-inf%", "+inf%"):
        raise ValueError(f"got the level {text!r} of the voice: {how}")
    number = float(found[1])
    if found[2] == "%":
        gain = number / 100
    else:
        gain = 10 ** (min(number, 1000.0) / 20)
    if not 0 <= gain <= 1:
        raise ValueError(
            f"got the level {text!r} of the voice, expected up to 0dB or 0% to 100%, which is all "
            f"of it: {how}"
        )
    return gain


def turn(
    knobs: Knobs, pairs: Pairs, sample_rate: int, channels: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Make the karaoke version that the knobs ask for, block by block, in constant memory.

    Args:
        knobs: What is asked for.
        pairs: Mixture and vocals, float32 ``(channels, n)`` each, as
            :func:`asteroid_karaoke.separation.stream` gives them.
        sample_rate: Of both, in Hz.
        channels: Number of channels of both; any.

    Returns:
        Vocals and karaoke, float32 ``(channels, n)``. The vocals come unchanged; the karaoke's
        blocks are as long as theirs, except where ``knobs.stretched``.

    Raises:
        RuntimeError: Key or tempo is asked for, and the library for it is not installed.
    """
    if knobs.strength > 1:
        stems = over_subtract(pairs, knobs.strength, sample_rate, channels)
    else:
        stems = ((vocals, mixture - vocals) for mixture, vocals in pairs)
    if knobs.vocals_gain:
        gain = np.float32(knobs.vocals_gain)
        stems = ((vocals, backing + gain * vocals) for vocals, backing in stems)
    if knobs.stretched:
        stems = _stretched(stems, Stretcher(sample_rate, channels, knobs.key, knobs.tempo))
    return iter(stems)


def _stretched(pairs: Pairs, stretcher: Stretcher) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    silent = np.zeros((stretcher.channels, 0), np.float32)
    for vocals, karaoke in pairs:
        yield vocals, stretcher(karaoke)
    yield silent, stretcher(silent, last=True)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give a command the options that :func:`from_options` reads."""
    add_level(parser)
    for name, default, bounds, about in (
        (
            "strength",
            1.0,
            STRENGTHS,
            "how hard the voice is taken out: 1 is mixture - vocals; more also takes what is left "
            "of it, and some of the backing. Lead and backing voices are not told apart",
        ),
        ("key", 0.0, KEYS, "semitones by which the karaoke file is transposed"),
        ("tempo", 1.0, TEMPOS, "speed of the karaoke file, as a factor; the key stays"),
    ):
        _add_ranged(parser, name, default, bounds, about)


def add_level(parser: argparse.ArgumentParser) -> None:
    """Give a command the option ``--vocals-level``; its value is a factor."""
    parser.add_argument(
        "--vocals-level",
        type=shown(parse_level),
        default=0.0,
        metavar="LEVEL",
        help="of the voice in the karaoke version: -inf (none, the default), decibels such as "
        "-12dB, or a percentage such as 30%%. Lead and backing voices are not told apart",
    )


def _add_ranged(
    parser: argparse.ArgumentParser,
    name: str,
    default: float,
    bounds: tuple[float, float],
    about: str,
) -> None:
    lowest, highest = bounds

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise ValueError(f"got {text!r}, expected {lowest:g} to {highest:g}") from None
        return _check_range(name, value, lowest, highest)

    parser.add_argument(
        f"--{name}",
        type=shown(parse),
        default=default,
        metavar="X",
        help=f"{about} ({lowest:g} to {highest:g}, default: {default:g})",
    )


def from_options(options: argparse.Namespace) -> Knobs:
    """The knobs as the options of :func:`add_arguments` set them.

    Raises:
        RuntimeError: Key or tempo is asked for, and the library for it is not installed.
    """
    knobs = Knobs(options.vocals_level, options.strength, options.key, options.tempo)
    if knobs.stretched:
        library()
    return knobs


def join_level(arguments: Sequence[str]) -> list[str]:
    """Turn ``--vocals-level -12dB`` into ``--vocals-level=-12dB``, which argparse understands.

    >>> join_level(["a.wav", "--vocals-level", "-12dB", "-o", "out"])
    ['a.wav', '--vocals-level=-12dB', '-o', 'out']
    """
    joined: list[str] = []
    for word in arguments:
        if joined and joined[-1] == "--vocals-level":
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined
