"""What the player gets: both tracks side by side as 16-bit PCM, and their peaks for the waveform.

A frame is four samples, little-endian: voice left, voice right, karaoke left, karaoke right; so a
time is a place in the file, ``8 * frame``, and a range of the file is a stretch of both tracks. See
:mod:`asteroid_karaoke.web` for why.
"""

import itertools
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ..parts import WholeFile
from ..resampling import Resampler

#: Samples are written at half their level: stems can go over full scale, by 6 dB at the very most.
SCALE = 0.5
#: Points of a waveform, more than any screen shows bars.
COLUMNS = 1200
#: What every browser's AudioContext takes, in Hz, and nobody hears more of.
_LOWEST, _HIGHEST = 8000, 48000
_FULL = 32768

Pair = tuple[np.ndarray, np.ndarray]


def playback_rate(sample_rate: int) -> int:
    """The rate of the player's file, in Hz: the song's, where a browser takes it."""
    return sample_rate if _LOWEST <= sample_rate <= _HIGHEST else _HIGHEST


class PcmFile(WholeFile):
    """The player's file, written block by block.

    Args:
        path: Where it belongs.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, overwrite=True)
        self._file = self.part.open("wb")

    def write(self, block: np.ndarray) -> None:
        """Append ``(4, n)`` samples."""
        steps = np.clip(np.rint(block * (SCALE * _FULL)), -_FULL, _FULL - 1)
        self._file.write(steps.T.astype("<i2").tobytes())

    def close(self) -> None:
        """Finish the hidden file."""
        self._file.close()

    def abandon(self) -> None:
        """Let go of the hidden file."""
        self._file.close()


def write(path: Path, pairs: Iterable[Pair], sample_rate: int) -> None:
    """Write the player's file.

    Args:
        path: Where it belongs.
        pairs: Voice and karaoke, float32 ``(channels, n)`` each; blocks of any length.
        sample_rate: In Hz.
    """
    resample = Resampler(sample_rate, playback_rate(sample_rate), 4)
    with PcmFile(path) as file:
        for voice, karaoke in pairs:
            file.write(resample(np.concatenate([_stereo(voice), _stereo(karaoke)])))
        file.write(resample(np.zeros((4, 0), np.float32), last=True))


def _stereo(block: np.ndarray) -> np.ndarray:
    """Two channels of any number: of more, the means of those on the left and on the right."""
    if len(block) == 1:
        return np.repeat(block, 2, axis=0)
    return np.stack([block[::2].mean(axis=0), block[1::2].mean(axis=0)])


def samples(path: Path) -> np.ndarray:
    """The player's file, int16 ``(frames, 4)``, as a view on the disk."""
    return np.memmap(path, "<i2", "r").reshape(-1, 4)


def peaks(path: Path) -> dict[str, list[float]]:
    """The loudest sample of each track in each of :data:`COLUMNS` stretches; full scale is 1."""
    frames = samples(path)
    edges = np.linspace(0, len(frames), COLUMNS + 1).astype(int)
    found = []
    for first, last in itertools.pairwise(edges):
        block = frames[first : max(last, first + 1)].astype(np.int32)
        found.append(np.abs(block).max(axis=0, initial=0))
    loudest = np.array(found) / (SCALE * _FULL)
    return {
        "voice": loudest[:, :2].max(axis=1).round(3).tolist(),
        "karaoke": loudest[:, 2:].max(axis=1).round(3).tolist(),
    }
