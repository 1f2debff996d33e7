"""A model of whole songs on a sound that is still being made: a window slides along with it.

Each time another hop of sound is there, the model is run on the newest window, and of what it gives
only the part is taken that lies the look-ahead behind the newest sample: there the model heard what
comes after. Neighbouring parts are crossfaded, the older run's estimate into the newer one's::

    time        ─────────────────────────────────────────────▶ newest sample
    window  ├────────────────────────────────────────────────┤
                                       ├─── hop ───┤ ahead   │
    taken                             ╱‾‾‾‾‾‾‾‾‾‾‾‾‾╲

A sample waits for its hop to be complete and for the look-ahead: that is the latency, to which the
time for one run comes. The cost is window / hop, five times that of the song at once.
"""

from collections.abc import Iterable, Iterator

import numpy as np

from .audio import Resampler
from .overlap_add import Queue, Separator, run

#: All in s. The window is as much as a voice needs to be told from its surroundings; what the hop
#: and the look-ahead leave to 1 s is for the model's time and the sound device.
WINDOW_SECONDS = 2.0
HOP_SECONDS = 0.4
AHEAD_SECONDS = 0.25
_FADE_SECONDS = 0.05
#: What resampling there and back keeps waiting, at most, in samples of the lower rate: measured.
_RESAMPLING_FRAMES = 2000


def latency(model: Separator, sample_rate: int) -> float:
    """How far what is given out is behind what came in, at most, in s, without computing time."""
    hop, _, ahead, _ = _geometry(model)
    rate = int(model.sample_rate)
    waiting = _RESAMPLING_FRAMES / min(rate, sample_rate) if rate != sample_rate else 0.0
    return (hop + ahead) / rate + waiting


def slide(
    model: Separator, blocks: Iterable[np.ndarray], sample_rate: int, channels: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Separate a sound while it is being made, in constant memory.

    Args:
        model: As in :func:`asteroid_karaoke.separation.separate`.
        blocks: The sound's samples ``(channels, n)``, float32, n as it comes; the shorter, the
            closer the latency is kept.
        sample_rate: Of the blocks, in Hz.
        channels: Number of channels of the blocks.

    Yields:
        Pairs of mixture and vocals, float32 ``(channels, n)``, aligned with each other and not
        shifted: together they are as long as the sound. They come :func:`latency` after the blocks
        that they are made of, the rest when the blocks end.

    Raises:
        RuntimeError: The model gives NaN.
    """
    rate = int(model.sample_rate)
    there = Resampler(sample_rate, rate, channels)
    back = Resampler(rate, sample_rate, channels)
    mixture, vocals = Queue(channels), Queue(channels)
    voice = _Window(model, channels)
    for block in blocks:
        mixture.push(block)
        for part in voice(there(block)):
            vocals.push(back(part))
        ready = min(mixture.frames, vocals.frames)
        if ready:
            yield mixture.pop(ready), vocals.pop(ready)
    for part in voice(there(np.zeros((channels, 0), np.float32), last=True), last=True):
        vocals.push(back(part))
    vocals.push(back(np.zeros((channels, 16), np.float32), last=True))
    # The way there and back may end some samples early; silence makes up for that.
    vocals.push(np.zeros((channels, max(0, mixture.frames - vocals.frames)), np.float32))
    rest = mixture.frames
    if rest:
        yield mixture.pop(rest), vocals.pop(rest)


class _Window:
    """The voice in a sound at the model's rate, hop by hop.

    The window begins at multiples of the model's own hop, as its frames in a whole song do.
    """

    def __init__(self, model: Separator, channels: int) -> None:
        self._model = model
        self._hop, self._length, self._ahead, self._fade = _geometry(model)
        self._heard = Queue(channels)
        # Where the window begins, what came in, what was run, what was given out: all from the
        # sound's beginning.
        self._start = self._received = self._seen = self._given = 0
        # What the last run said of the samples that come next.
        self._older = np.zeros((channels, 0), np.float32)

    def __call__(self, block: np.ndarray, last: bool = False) -> Iterator[np.ndarray]:
        """The parts ``(channels, n)`` that are done after ``block``; after the last, all."""
        while self._received + block.shape[1] >= self._seen + self._hop:
            missing = self._seen + self._hop - self._received
            self._push(block[:, :missing])
            block = block[:, missing:]
            yield self._part(self._ahead)
            self._forget()
        self._push(block)
        if last and self._given < self._received:
            yield self._part(0)

    def _push(self, block: np.ndarray) -> None:
        self._heard.push(np.ascontiguousarray(block))
        self._received += block.shape[1]

    def _part(self, ahead: int) -> np.ndarray:
        """Run the model; give out what was not yet, but for the newest ``ahead`` samples."""
        voice = run(self._model, self._heard.head(self._heard.frames))
        self._seen = self._received
        done = voice[:, self._given - self._start :][:, : max(0, self._seen - ahead - self._given)]
        done = done.copy()
        length = min(self._older.shape[1], done.shape[1])
        rising = (np.arange(length, dtype=np.float32) + 0.5) / max(length, 1)
        done[:, :length] = done[:, :length] * rising + self._older[:, :length] * (1 - rising)
        self._given += done.shape[1]
        self._older = voice[:, self._given - self._start :][:, : self._fade]
        return done

    def _forget(self) -> None:
        """Let go of what the next window will not hold."""
        leaving = max(0, self._heard.frames - (self._length - self._hop))
        self._heard.pop(leaving)
        self._start += leaving


def _geometry(model: Separator) -> tuple[int, int, int, int]:
    """Hop, window, look-ahead and fade in samples at the model's rate, on the model's grid."""
    grid, rate = int(model.grid), int(model.sample_rate)
    hop = max(1, round(HOP_SECONDS * rate / grid)) * grid
    length = max(2, round(WINDOW_SECONDS * rate / grid)) * grid
    return hop, max(length, 2 * hop), round(AHEAD_SECONDS * rate), round(_FADE_SECONDS * rate)
