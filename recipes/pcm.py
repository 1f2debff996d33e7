"""Stems heard from end to end, and stored as PCM that is fast to seek in."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import numpy as np

from asteroid_karaoke import audio

#: What decoded songs are stored as; the shipped models work at this rate.
SAMPLE_RATE = 44100
CHANNELS = 2
SUBTYPE = "PCM_16"
#: The highest level that a decoded stem may have.
PEAK = 0.99
#: What never gets louder than this (-60 dB below full scale) is silence.
SILENCE = 1e-3
#: Samples read at a time.
BLOCK = 1 << 18


class Heard(NamedTuple):
    """What listening to a stem told, in samples.

    Args:
        frames: Its length.
        peak: Its highest level, full scale being 1.
        first: The first sample that is not silence.
        end: One past the last that is not; 0 where all is silence.
    """

    frames: int
    peak: float
    first: int
    end: int


def blocks(
    sources: Sequence[str], sample_rate: int = SAMPLE_RATE, channels: int = CHANNELS
) -> Iterator[np.ndarray]:
    """The sum of sources of equal length and rate, block by block, `(channels, n)`.

    Args:
        sources: What to sum.
        sample_rate: Rate wanted, in Hz.
        channels: Number of channels wanted; a source of one channel is copied to all.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: A file can not be read, or has neither one channel nor the number wanted.
    """
    with ExitStack() as stack:
        readers = [stack.enter_context(audio.open_audio(source)) for source in sources]
        for reader, source in zip(readers, sources, strict=True):
            if reader.channels not in (1, channels):
                raise ValueError(
                    f"{source} has {reader.channels} channels, expected 1 or {channels}: "
                    "mix it down first"
                )
        resampler = audio.Resampler(readers[0].sample_rate, sample_rate, channels)
        last = False
        while not last:
            total = np.zeros((channels, BLOCK), np.float32)
            for reader in readers:
                part = reader.read(BLOCK)
                total = total[:, : part.shape[1]] + part
            last = total.shape[1] < BLOCK
            yield resampler(total, last=last)


def listen(
    sources: Sequence[str], sample_rate: int = SAMPLE_RATE, channels: int = CHANNELS
) -> Heard:
    """Hear the sum of sources from end to end; arguments and errors as for `blocks`."""
    frames, peak, first, end = 0, 0.0, 0, 0
    for block in blocks(sources, sample_rate, channels):
        level = np.abs(block).max(axis=0)
        sounding = np.flatnonzero(level > SILENCE)
        if sounding.size:
            first = first if end else frames + int(sounding[0])
            end = frames + int(sounding[-1]) + 1
        peak = max(peak, float(level.max(initial=0.0)))
        frames += level.size
    return Heard(frames, peak, first, end)


def gain_for(*peaks: float) -> float:
    """The gain for all of a song's stems that keeps the loudest of them from clipping."""
    return min(1.0, PEAK / max(peaks))


def decode(sources: Sequence[str], path: Path, gain: float) -> str:
    """Store the sum of sources, turned down by a gain, as one file, and name it."""
    with audio.AudioWriter(path, SAMPLE_RATE, CHANNELS, SUBTYPE) as writer:
        for block in blocks(sources):
            writer.write(gain * block)
    return str(path)
