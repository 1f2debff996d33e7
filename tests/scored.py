"""What the tests of scores share: stems, estimates that leak, and the record of a song."""

import numpy as np
import pytest

from asteroid_karaoke import scores

RATE = 8000


def noise(seconds: float, seed: int, channels: int = 1) -> np.ndarray:
    """Smooth noise ``(channels, time)``, so that the stems do not have the same spectrum.

    One channel by default: with two, museval solves 2048 equations a song, which takes 2 s.
    """
    rng = np.random.default_rng(seed)
    white = rng.standard_normal((channels, round(seconds * RATE)))
    return np.apply_along_axis(np.convolve, 1, white, np.hanning(4 + seed % 5), "same") * 0.1


@pytest.fixture
def stems() -> np.ndarray:
    return np.stack([noise(3.3, 1), noise(3.3, 5)])


@pytest.fixture
def leaky(stems):
    """Estimates with 10 % of the other stem in each (20 dB), and some noise (30 dB)."""
    dirt = np.stack([noise(3.3, 11), noise(3.3, 12)])
    estimates = stems + 0.1 * stems[::-1] * rms(stems) / rms(stems[::-1])
    return estimates + 10 ** (-30 / 20) * dirt * rms(stems) / rms(dirt)


@pytest.fixture(scope="module")
def record():
    """The record of a song, made once."""
    stems = np.stack([noise(2.0, 1), noise(2.0, 5)])
    return scores.score_song(stems, stems + 0.1 * stems[::-1], RATE, "a song")


def rms(wav: np.ndarray) -> np.ndarray:
    return np.sqrt(np.mean(wav**2, axis=(-2, -1), keepdims=True))
