"""What to do where vocals or karaoke go over full scale: both stems are treated alike.

Stems can be louder than the song they were taken from, and integer formats cut off what is over
full scale. :func:`clip` stands behind :func:`asteroid_karaoke.knobs.turn` and before the writers::

    pairs = clip(mode, pairs, sample_rate, joint=not knobs.stretched, folder=out_dir)

``none`` leaves all as it is. ``rescale`` turns both stems down by one gain, the largest that keeps
the louder one within full scale; known only at the song's end, so the stems wait in an unnamed
temporary file, which takes 8 bytes a sample and channel. ``limit`` turns both down by one gain
curve only where one of them is over, so that vocals + karaoke is the song times that curve.
Neither makes anything louder, and a song that stays within full scale goes through to the bit.
"""

import os
import tempfile
from collections.abc import Iterable, Iterator
from os import PathLike

import numpy as np
from scipy.ndimage import maximum_filter1d, uniform_filter1d

#: Words for what can be done.
MODES = ("none", "rescale", "limit")
#: How far ahead the limiter looks, in s: it goes down smoothly over as long.
_AHEAD_SECONDS = 0.005
#: Time in which a gain reduction falls to 1/e, in s.
_RELEASE_SECONDS = 0.15

Pair = tuple[np.ndarray, np.ndarray]


def clip(
    mode: str,
    pairs: Iterable[Pair],
    sample_rate: int,
    *,
    joint: bool = True,
    folder: str | PathLike[str] | None = None,
) -> Iterator[Pair]:
    """Keep both stems within full scale.

    Args:
        mode: ``none``, ``rescale`` or ``limit``.
        pairs: Vocals and karaoke, float32 ``(channels, n)``.
        sample_rate: In Hz.
        joint: Whether the stems run alongside each other, with blocks of equal length. Where not
            (another key or tempo), ``limit`` gives each its own curve; ``rescale`` is the same.
        folder: Where ``rescale`` keeps the stems meanwhile. None: the system's temporary folder,
            which may be in memory.

    Returns:
        The pairs, blocks of other lengths perhaps.

    Raises:
        ValueError: There is no such mode.
    """
    if mode not in MODES:
        raise ValueError(f"got the mode {mode!r} of clipping, expected one of {', '.join(MODES)}")
    if mode == "rescale":
        return _rescaled(pairs, folder)
    if mode == "limit":
        return _limited_jointly(pairs, sample_rate) if joint else _limited(pairs, sample_rate)
    return iter(pairs)


def _rescaled(pairs: Iterable[Pair], folder: str | PathLike[str] | None) -> Iterator[Pair]:
    shapes: list[list[tuple[int, ...]]] = []
    peak = 1.0
    place = None if folder is None else os.fspath(folder)
    with tempfile.TemporaryFile(dir=place) as file:
        for pair in pairs:
            shapes.append([stem.shape for stem in pair])
            peak = max(peak, *(float(np.abs(stem).max(initial=0)) for stem in pair))
            try:
                file.writelines(np.ascontiguousarray(stem, np.float32).data for stem in pair)
                file.flush()
            except OSError as error:
                raise OSError(
                    f"both stems have to be kept for a while in {place or tempfile.gettempdir()}, "
                    f"which can not be done ({error.strerror}): make room there, or do without "
                    "rescaling"
                ) from error
        file.seek(0)
        gain = np.float32(1 / peak)
        for both in shapes:
            vocals, karaoke = (
                np.frombuffer(file.read(4 * rows * frames), np.float32).reshape(rows, frames)
                for rows, frames in both
            )
            yield vocals * gain, karaoke * gain


def _limited_jointly(pairs: Iterable[Pair], sample_rate: int) -> Iterator[Pair]:
    limiter = Limiter(sample_rate)
    channels = 0
    for pair in pairs:
        channels = len(pair[0])
        done = limiter(np.concatenate(pair))
        yield done[:channels], done[channels:]
    rest = limiter(np.zeros((2 * channels, 0), np.float32), last=True)
    yield rest[:channels], rest[channels:]


def _limited(pairs: Iterable[Pair], sample_rate: int) -> Iterator[Pair]:
    limiters = Limiter(sample_rate), Limiter(sample_rate)
    channels = 0
    for vocals, karaoke in pairs:
        channels = len(vocals)
        yield limiters[0](vocals), limiters[1](karaoke)
    silent = np.zeros((channels, 0), np.float32)
    yield limiters[0](silent, last=True), limiters[1](silent, last=True)


class Limiter:
    """Turn a sound down where it goes over full scale, by one gain curve for all its rows.

    The gain that a sample needs is held ahead of it, let go exponentially, and averaged over the
    time it is held ahead, so that it is reached smoothly and in time.

    Args:
        sample_rate: In Hz.
    """

    def __init__(self, sample_rate: int) -> None:
        self._ahead = max(1, round(_AHEAD_SECONDS * sample_rate))
        self._decay = -1 / (_RELEASE_SECONDS * sample_rate)
        self._waiting: np.ndarray | None = None
        # What the gain lacked to 1, before the average, in the last samples that were given out.
        self._reductions: np.ndarray | None = None

    def __call__(self, block: np.ndarray, last: bool = False) -> np.ndarray:
        """What can be given out after ``block`` ``(rows, n)``; after the last, all there is."""
        if self._waiting is not None:
            block = np.concatenate([self._waiting, block], axis=1)
        ready = block.shape[1] - (0 if last else self._ahead)
        if ready <= 0:
            self._waiting = block
            return block[:, :0]
        self._waiting = block[:, ready:].copy()
        peaks = np.abs(block).max(axis=0, initial=1).astype(np.float64)
        return (block[:, :ready] * self._gain(1 - 1 / peaks, ready)).astype(np.float32)

    def _gain(self, needed: np.ndarray, ready: int) -> np.ndarray:
        """The gain of the first samples, from what each lacks of 1, itself and those ahead."""
        span = self._ahead + 1
        padded = np.pad(needed, (0, self._ahead))
        # The filter looks at both sides; this origin makes it [n, n + ahead].
        held = maximum_filter1d(padded, span, origin=-(span // 2))[:ready]
        # d[n] = max(held[n], d[n - 1] exp(decay)), which in logarithms is a running maximum.
        slope = self._decay * np.arange(1, ready + 1)
        if self._reductions is None:
            # As if it had been as loud before, so that a loud first sample finds the gain down.
            self._reductions = np.full(self._ahead, held[0])
        with np.errstate(divide="ignore"):
            start = np.log(self._reductions[-1])
            logs = np.maximum(np.maximum.accumulate(np.log(held) - slope), start)
        falling = np.exp(logs + slope)
        falling[falling < 1e-7] = 0
        before = np.concatenate([self._reductions, falling])
        self._reductions = before[-self._ahead :]
        return 1 - uniform_filter1d(before, span, origin=-(span // 2))[:ready]
