"""Key and tempo, each without the other, of a sound of any length in constant memory.

Time is stretched by Signalsmith Stretch (https://signalsmith-audio.co.uk/code/stretch/, MIT), a
phase vocoder, through the package python-stretch. The key is changed by stretching and resampling:
the library's own transposition misses the pitch of low notes by up to 20 cents, this way it is
exact.

python-stretch takes whole sounds only, so a song goes through it in long pieces that overlap. Two
pieces agree in everything but the phases of their partials; they are joined by a short crossfade at
the place, and with the shift of a few ms, where they differ least::

    piece k    ─────────────────────────┐ spoilt by its end
    piece k+1           spoilt ┌──────────────────────────────
    looked at                   ◀──────▶
"""

import importlib
from types import ModuleType

import numpy as np
import soxr
from scipy.signal import correlate

#: Lowest and highest transposition in semitones, and speed as a factor.
KEYS = (-12.0, 12.0)
TEMPOS = (0.5, 2.0)
#: What the library gets at once, in s, and how far pieces overlap, both of the song's time.
_PIECE_SECONDS = 40.0
_OVERLAP_SECONDS = 4.0
#: What a piece's ends may spoil, in s of its own output: twice the library's window.
_SPOILT_SECONDS = 0.24
#: Crossfade between pieces, and the most that a piece is shifted to fit its neighbour, in s. The
#: shift both ways is a period of 50 Hz.
_FADE_SECONDS = 0.06
_SHIFT_SECONDS = 0.01
#: python-stretch refuses more channels.
_CHANNELS_AT_ONCE = 2


def library() -> ModuleType:
    """The library that stretches.

    Raises:
        RuntimeError: It is not installed.
    """
    try:
        return importlib.import_module("python_stretch")
    except ImportError as error:
        raise RuntimeError(
            "another key or tempo needs the library python-stretch: install it with "
            "pip install 'asteroid-karaoke[stretch]'"
        ) from error


class Stretcher:
    """Change key and tempo of a sound that comes block by block.

    Pitches are exact, and so is the length: ``round(frames / tempo)``. Levels stay within 0.5 dB up
    to 5 semitones or a quarter of the tempo, within 1 dB at twice and half; noise loses more than
    tones. Onsets stay in place to a few ms, plus up to 10 ms behind a seam between pieces, of which
    there is one every 36 s. More than two channels are stretched in pairs.

    Args:
        sample_rate: In Hz.
        channels: Number of channels of each block.
        key: Transposition in semitones, up where positive. Timbre goes along, as on a tape that
            runs faster.
        tempo: Speed as a factor: 2 is half as long.

    Raises:
        RuntimeError: The library is not installed.
    """

    def __init__(self, sample_rate: int, channels: int, key: float, tempo: float) -> None:
        self.channels = channels
        self._library = library()
        self._rate, self._tempo = sample_rate, tempo
        raised = 2 ** (key / 12)
        self._factor = tempo / raised
        self._resampler = None
        if raised != 1:
            self._resampler = soxr.ResampleStream(
                raised * sample_rate, sample_rate, channels, dtype="float32", quality="HQ"
            )
        self._input = np.zeros((channels, 0), np.float32)
        # Where the input's first sample stands in the song, how much came in, how much went out.
        self._start = self._received = self._given = 0
        # The last piece's end, which waits for the next piece, and where it stands in the output.
        self._held, self._held_start = np.zeros((channels, 0), np.float32), 0

    def __call__(self, block: np.ndarray, last: bool = False) -> np.ndarray:
        """What can be given out after ``block``; after the last, all there is.

        Args:
            block: ``(channels, n)`` float32, n as it comes.
            last: Whether none comes after it.

        Returns:
            Samples ``(channels, n)`` float32. They come up to 40 s behind the input.
        """
        self._received += block.shape[1]
        self._input = np.concatenate([self._input, block], axis=1)
        piece = round(_PIECE_SECONDS * self._rate)
        step = piece - round(_OVERLAP_SECONDS * self._rate)
        done = []
        while self._input.shape[1] >= piece:
            done.append(self._joined(self._stretched(self._input[:, :piece])))
            self._input = self._input[:, step:].copy()
            self._start += step
            done.append(self._released())
        if last:
            done += [self._joined(self._stretched(self._input)), self._held]
        samples = np.concatenate([np.zeros((self.channels, 0), np.float32), *done], axis=1)
        return self._fitted(self._resampled(samples, last), last)

    def _stretched(self, piece: np.ndarray) -> np.ndarray:
        rows = []
        for first in range(0, self.channels if piece.shape[1] else 0, _CHANNELS_AT_ONCE):
            some = np.ascontiguousarray(piece[first : first + _CHANNELS_AT_ONCE])
            # The seed is that of the phases it makes up where it stretches beyond twice.
            stretch = self._library.Signalsmith.Stretch(0)
            stretch.preset(len(some), float(self._rate))
            stretch.setTimeFactor(self._factor)
            rows.append(stretch.process(some))
        return np.concatenate(rows) if rows else piece

    def _joined(self, piece: np.ndarray) -> np.ndarray:
        """Join a stretched piece to what is held; give out what is done, hold the rest."""
        if not self._start:
            done, self._held = self._held, piece
            return done
        held, fade = self._held, round(_FADE_SECONDS * self._rate)
        offset = self._begins()
        place, shift = self._seam(piece, offset, fade)
        ahead = place - offset + shift
        rising = (np.arange(fade, dtype=np.float32) + 0.5) / fade
        seam = held[:, place : place + fade] * (1 - rising)
        seam += piece[:, ahead : ahead + fade] * rising
        self._held = piece[:, ahead + fade :]
        self._held_start += place + fade
        return np.concatenate([held[:, :place], seam], axis=1)

    def _begins(self) -> int:
        """Where the next piece begins in what is held."""
        return round(self._start / self._factor) - self._held_start

    def _released(self) -> np.ndarray:
        """What of the held samples the next piece does not touch; they are held no longer."""
        ready = self._begins()
        done, self._held = self._held[:, :ready], self._held[:, ready:].copy()
        self._held_start += ready
        return done

    def _seam(self, piece: np.ndarray, offset: int, fade: int) -> tuple[int, int]:
        """Where in what is held to go over to the piece, and the piece's shift, in samples.

        Looks for the least energy of the difference over the crossfade, so that a quiet place is
        good as well as one where the phases agree.
        """
        spoilt, reach = round(_SPOILT_SECONDS * self._rate), round(_SHIFT_SECONDS * self._rate)
        energy = np.cumsum(np.pad(np.square(piece, dtype=np.float64).sum(axis=0), (1, 0)))
        best, found = np.inf, (0, 0)
        end = min(self._held.shape[1], offset + piece.shape[1]) - spoilt - fade
        for place in range(offset + spoilt, end, fade // 2):
            here = self._held[:, place : place + fade]
            first = place - offset - reach
            there = piece[:, first : first + fade + 2 * reach]
            alike = sum(
                correlate(b, a, "valid", method="fft") for a, b in zip(here, there, strict=True)
            )
            lags = first + np.arange(2 * reach + 1)
            difference = energy[lags + fade] - energy[lags] - 2 * alike
            difference += np.square(here, dtype=np.float64).sum()
            lag = int(difference.argmin())
            if difference[lag] < best:
                best, found = difference[lag], (place, lag - reach)
        return found

    def _resampled(self, samples: np.ndarray, last: bool) -> np.ndarray:
        if self._resampler is None:
            return samples
        chunk = np.ascontiguousarray(samples.T)
        return np.ascontiguousarray(self._resampler.resample_chunk(chunk, last=last).T)

    def _fitted(self, samples: np.ndarray, last: bool) -> np.ndarray:
        """Cut or fill up the end, which shifts and rounding may have moved."""
        if last:
            wanted = round(self._received / self._tempo) - self._given
            samples = samples[:, :wanted]
            samples = np.pad(samples, ((0, 0), (0, wanted - samples.shape[1])))
        self._given += samples.shape[1]
        return samples
