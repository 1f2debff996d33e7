"""A part of a song: from a time to a time, or where the most is sung.

How it is wired, with ``reader`` an :class:`asteroid_karaoke.audio.AudioReader`::

    part = excerpt(start, end, reader.count(), reader.sample_rate)         # --start, --end, in s
    part = most_singing(model, reader.blocks(), reader.sample_rate, channels, 30)  # --preview 30
    pairs = stream(model, read(reader, part), reader.sample_rate, channels)
    pairs = cut(pairs, part.lead(reader.sample_rate), part.frames)

The part is read with :data:`.MARGIN_SECONDS` more before and behind it, so that the model hears
what surrounds it; :func:`cut` takes them away again. A preview reads the song twice, so standard
input must be kept for it.
"""

import math
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from .audio import AudioReader, Resampler
from .overlap_add import MARGIN_SECONDS, Queue, Separator, run

#: What is looked at for singing: so many s out of every so many s. A third of the song costs a
#: third of the time, and ten looks fall into 30 s.
_LOOK_SECONDS, _EVERY_SECONDS = 1.0, 3.0
#: Levels of the voice are taken over so many s, and count from so many dB below the loudest.
_FRAME_SECONDS, _RANGE_DB = 0.1, 30.0

Pair = tuple[np.ndarray, np.ndarray]


class Part(NamedTuple):
    """A part of a song, in samples.

    Args:
        start: The first sample.
        stop: The one behind the last.
    """

    start: int
    stop: int

    @property
    def frames(self) -> int:
        """How long it is."""
        return self.stop - self.start

    def lead(self, sample_rate: int) -> int:
        """How many samples :func:`read` gives before the part."""
        return min(self.start, round(MARGIN_SECONDS * sample_rate))


def parse_time(text: str) -> float:
    """Seconds, from ``75``, ``75.5``, ``1:15.5`` or ``1:02:03``.

    Raises:
        ValueError: It is none of these.

    Examples:
        >>> parse_time("1:15.5")
        75.5
    """
    found = re.fullmatch(r"(?:(?:(\d{1,9}):)?(\d{1,9}):)?(\d{1,9}(?:\.\d+)?)", text.strip())
    if found is None:
        raise ValueError(f"got the time {text!r}: give seconds (75.5), m:ss (1:15) or h:mm:ss")
    hours, minutes, seconds = (float(number or 0) for number in found.groups())
    if (found[2] and seconds >= 60) or (found[1] and minutes >= 60):
        raise ValueError(f"got the time {text!r}: behind a colon stand 0 to 59")
    return 3600 * hours + 60 * minutes + seconds


def excerpt(start: float | None, end: float | None, frames: int, sample_rate: int) -> Part:
    """The part from a time to a time.

    Args:
        start: In s. None: from the beginning.
        end: In s. None: to the end.
        frames: The song's length in samples.
        sample_rate: In Hz.

    Raises:
        ValueError: The part begins behind the song's end, or does not end behind its beginning.
    """
    length = frames / sample_rate
    first = 0 if start is None else round(start * sample_rate)
    stop = frames if end is None else round(end * sample_rate)
    if not 0 <= first < frames:
        raise ValueError(
            f"got the start {start:g} s, the song is {length:.1f} s long: start before its end"
        )
    if stop > frames:
        raise ValueError(
            f"got the end {end:g} s, the song is {length:.1f} s long: leave the end out, or name "
            "an earlier one"
        )
    if stop <= first:
        raise ValueError(
            f"got the end {end:g} s, which is not behind the start {start or 0:g} s: name a later "
            "one"
        )
    return Part(first, stop)


def read(reader: AudioReader, part: Part) -> Iterator[np.ndarray]:
    """The blocks of a part ``(channels, n)``, with what the model shall hear before and behind.

    Raises:
        ValueError: The file is damaged.
    """
    lead = part.lead(reader.sample_rate)
    reader.seek(part.start - lead)
    return reader.blocks(lead + part.frames + round(MARGIN_SECONDS * reader.sample_rate))


def cut(pairs: Iterable[Pair], skip: int, frames: int) -> Iterator[Pair]:
    """Leave out the first samples, and end after so many."""
    for first, second in pairs:
        length = first.shape[1]
        if skip < length and frames > 0:
            kept = slice(skip, min(length, skip + frames))
            frames -= kept.stop - kept.start
            yield first[:, kept], second[:, kept]
        skip = max(0, skip - length)


def most_singing(
    model: Separator,
    blocks: Iterable[np.ndarray],
    sample_rate: int,
    channels: int,
    seconds: float = 30.0,
) -> Part:
    """The part of a song with the most singing.

    One second out of every three is separated, and the voice's level taken in each 0.1 s. What
    counts is how many dB it is above a floor 30 dB below the loudest, so that a part sung all
    through is preferred to one with a shout in it.

    Args:
        model: As in :func:`asteroid_karaoke.separation.separate`.
        blocks: The whole song, ``(channels, n)``, n as it comes. Read once, in constant memory.
        sample_rate: In Hz.
        channels: Number of channels.
        seconds: How long the part shall be, in s; a shorter song is taken whole.

    Raises:
        ValueError: The song is empty, or the length is not above 0.
    """
    if not 0 < seconds < math.inf:
        raise ValueError(f"got a preview of {seconds:g} s, expected more than 0")
    queue, frames = Queue(channels), 0
    every, look = round(_EVERY_SECONDS * sample_rate), round(_LOOK_SECONDS * sample_rate)
    levels: list[np.ndarray] = []
    for block in blocks:
        queue.push(np.ascontiguousarray(block, np.float32))
        frames += block.shape[1]
        while queue.frames >= every:
            levels.append(_levels(model, queue.pop(every)[:, (every - look) // 2 :], sample_rate))
    if not frames:
        raise ValueError("the song holds no samples")
    length = min(frames, max(1, round(seconds * sample_rate)))
    if not levels or length == frames:
        return Part(0, length)
    start = _best(np.array(levels), length / every) * every
    return Part(min(start, frames - length), min(start, frames - length) + length)


def _levels(model: Separator, around: np.ndarray, sample_rate: int) -> np.ndarray:
    """Levels in dB of the voice in each frame of the first second of a sound."""
    look = round(_LOOK_SECONDS * sample_rate)
    seen = Resampler(sample_rate, int(model.sample_rate), len(around))(around[:, :look], last=True)
    voice = run(model, seen)
    count = round(_LOOK_SECONDS / _FRAME_SECONDS)
    frame = max(1, voice.shape[1] // count)
    power = np.square(voice[:, : count * frame], dtype=np.float64).mean(axis=0)
    return 10 * np.log10(power.reshape(count, -1).mean(axis=1) + 1e-12)


def _best(levels: np.ndarray, window: float) -> int:
    """The look at which the loudest window of so many looks begins; ``levels`` is (looks, n)."""
    heard = np.clip(levels - (levels.max() - _RANGE_DB), 0, None).mean(axis=1)
    looks = min(len(heard), max(1, round(window)))
    sums = np.convolve(heard, np.ones(looks), "valid")
    return int(sums.argmax())
