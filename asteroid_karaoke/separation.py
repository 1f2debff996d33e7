"""Separate a song of any length, block by block, in memory that does not grow with the song.

The model gives the voice; karaoke is mixture − voice in the time domain, at the file's own rate, so
the two add up to the mixture whatever the model did, and level, length, rate and channels stay the
file's.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import NamedTuple

import numpy as np
import torch

from .audio import Resampler
from .overlap_add import BLOCK_SECONDS, Queue, Separator, overlap_add

#: Samples that an array is handed on in.
_STEP = 1 << 16
#: More channels than any recording has: the array stands on its side.
MOST_CHANNELS = 64
#: The rates that are taken, in Hz: far beyond them a block would fill the memory.
RATES = (1000, 768_000)

Progress = Callable[[float, float], None]


class Estimates(NamedTuple):
    """What a mixture was separated into; the two add up to it.

    Args:
        vocals: The voice, float32, of the mixture's shape.
        accompaniment: The rest, which is the karaoke version.
    """

    vocals: np.ndarray
    accompaniment: np.ndarray


def separate(
    model: Separator,
    mixture: np.ndarray,
    sample_rate: int,
    *,
    block_seconds: float = BLOCK_SECONDS,
    batch: int = 1,
    device: str | torch.device | None = None,
    progress: Progress | None = None,
) -> Estimates:
    """Separate a song that is in memory.

    Args:
        model: A :class:`~asteroid_karaoke.model.KaraokeNet`, or another
            :class:`~asteroid_karaoke.overlap_add.Separator`.
        mixture: Samples as floats, full scale 1.0, ``(channels, time)`` or ``(time,)``. Any number
            of channels: taken by ``model.channels`` at a time, in pairs for a stereo model;
            one that is left over is given to all of the model's inputs, and the outputs are
            averaged.
        sample_rate: Of the mixture, in Hz. The model gets it resampled to its own rate.
        block_seconds: What the model sees at once, in s. Made longer where its context needs that.
        batch: How many blocks it is given at a time: more than 1 is for GPUs, and takes as many
            times the memory.
        device: Where to run. None: where the model is.
        progress: Called with the seconds done and the seconds in all.

    Returns:
        Both estimates, float32, of the mixture's own shape and rate.

    Raises:
        ValueError: The mixture is not such an array, or holds NaN or Inf; or nothing has such a
            rate.
        RuntimeError: The model gives NaN, or another shape than it should.
    """
    song = np.asarray(mixture)
    if song.ndim not in (1, 2) or not song.size or not np.issubdtype(song.dtype, np.floating):
        raise ValueError(
            f"got an array {song.shape} of {song.dtype}, expected floats of shape (channels, time) "
            "or (time,) with at least one sample; divide integers by their full scale"
        )
    rows = np.atleast_2d(song)
    vocals = np.empty(rows.shape, np.float32)
    done, total = 0, rows.shape[1]
    blocks = (rows[:, i : i + _STEP] for i in range(0, total, _STEP))
    pairs = stream(
        model,
        blocks,
        sample_rate,
        len(rows),
        block_seconds=block_seconds,
        batch=batch,
        device=device,
    )
    for _, part in pairs:
        vocals[:, done : done + part.shape[1]] = part
        done += part.shape[1]
        if progress:
            progress(done / sample_rate, total / sample_rate)
    accompaniment = rows.astype(np.float32) - vocals
    return Estimates(vocals.reshape(song.shape), accompaniment.reshape(song.shape))


def stream(
    model: Separator,
    blocks: Iterable[np.ndarray],
    sample_rate: int,
    channels: int,
    *,
    block_seconds: float = BLOCK_SECONDS,
    batch: int = 1,
    device: str | torch.device | None = None,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Separate a song that comes block by block, in constant memory.

    Args:
        model: As in :func:`separate`.
        blocks: The song's samples ``(channels, n)``, n as it comes.
        sample_rate: Of the blocks, in Hz.
        channels: Number of channels of the blocks.
        block_seconds: As in :func:`separate`.
        batch: As in :func:`separate`.
        device: As in :func:`separate`.

    Yields:
        Pairs of mixture and vocals, float32 ``(channels, n)``, aligned with each other. Together
        they are as long as the song. They come some seconds after the blocks that they are made of.

    Raises:
        ValueError: A block does not fit, or holds NaN or Inf; or nothing has such a rate.
        RuntimeError: The model gives NaN, or another shape than it should.

    Examples:
        A player hears the song's karaoke version while the rest is still to be read. Leaving the
        loop is all that it takes to cancel:

        >>> import numpy as np, asteroid_karaoke
        >>> from asteroid_karaoke.separation import stream
        >>> model = asteroid_karaoke.KaraokeNet(size="tiny").eval()
        >>> blocks = (np.zeros((2, 44100), np.float32) for second in range(20))
        >>> played = 0
        >>> for mixture, vocals in stream(model, blocks, 44100, channels=2):
        ...     karaoke = mixture - vocals
        ...     played += karaoke.shape[1]
        >>> played / 44100
        20.0
    """
    if not 1 <= channels <= MOST_CHANNELS:
        raise ValueError(
            f"got {channels} channels, expected 1 to {MOST_CHANNELS}: is this (time, channels)? "
            "Give it as (channels, time)"
        )
    lowest, highest = RATES
    if not lowest <= sample_rate <= highest:
        raise ValueError(f"got a sample rate of {sample_rate} Hz, expected {lowest} to {highest}")
    if device is not None:
        model.to(device)
    rate = int(model.sample_rate)
    mixture, vocals = Queue(channels), Queue(channels)
    song = _resampled(_kept(blocks, mixture, sample_rate), sample_rate, rate, channels)
    voice = overlap_add(model, song, channels, block_seconds, batch)
    # The way there and back may end some samples early; silence at the end makes up for that.
    voice = chain(voice, [np.zeros((channels, 16), np.float32)])
    for part in _resampled(voice, rate, sample_rate, channels):
        vocals.push(part)
        ready = min(mixture.frames, vocals.frames)
        if ready:
            yield mixture.pop(ready), vocals.pop(ready)
    if mixture.frames:
        rest = mixture.pop(mixture.frames)
        yield rest, np.zeros_like(rest)


def _kept(blocks: Iterable[np.ndarray], kept: Queue, sample_rate: int) -> Iterator[np.ndarray]:
    """Look at each block and put it aside before it goes on."""
    position = 0
    for block in blocks:
        if block.ndim != 2 or len(block) != kept.channels:
            raise ValueError(f"got a block {block.shape}, expected ({kept.channels}, n)")
        finite = np.isfinite(block).all(axis=0)
        if not finite.all():
            seconds = (position + int(np.argmin(finite))) / sample_rate
            raise ValueError(f"the mixture holds NaN or Inf at {seconds:.3f} s: export it anew")
        position += block.shape[1]
        samples = np.ascontiguousarray(block, dtype=np.float32)
        kept.push(samples)
        yield samples


def _resampled(
    blocks: Iterable[np.ndarray], from_rate: int, to_rate: int, channels: int
) -> Iterator[np.ndarray]:
    resample = Resampler(from_rate, to_rate, channels)
    for block in blocks:
        yield resample(block)
    yield resample(np.zeros((channels, 0), np.float32), last=True)
