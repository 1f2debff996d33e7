"""Chance over :mod:`asteroid_karaoke.mixing`: which of its functions are applied to a stem, and how strongly.

How much a stem is changed is one number, ``amount``, from 0 (not at all) to 1 (all of the below); the
ranges are fixed here, beside their reasons.
"""

import numpy as np

from . import mixing

#: Speeds drawn for a stem: about two semitones each way. More makes singers of no known voice.
SPEEDS = (0.89, 1.12)


def draw_speed(rng: np.random.Generator, amount: float) -> float:
    """How fast to play a stem; 1 in two of three cases, as resampling is the costliest change."""
    return float(rng.uniform(*SPEEDS)) if rng.random() < amount / 3 else 1.0


def augment_vocals(
    vocals: np.ndarray, rng: np.random.Generator, sample_rate: int, amount: float
) -> np.ndarray:
    """What an engineer does to a voice: equaliser, saturation, a room, a place between the speakers.

    Shape:
        `(channels, time)` in and out
    """
    if rng.random() < 0.4 * amount:
        vocals = mixing.tilt(vocals, rng.uniform(-2.0, 2.0), sample_rate)
    if rng.random() < 0.2 * amount:
        vocals = mixing.saturate(vocals, rng.uniform(0.0, 12.0))
    if rng.random() < 0.4 * amount:
        response = mixing.impulse_response(rng, rng.uniform(0.3, 2.5), sample_rate, len(vocals))
        vocals = mixing.reverb(vocals, response, rng.uniform(-24.0, -8.0))
    if rng.random() < 0.4 * amount:
        vocals = mixing.width(vocals, rng.uniform(0.0, 1.5))
    if rng.random() < 0.3 * amount:
        vocals = mixing.pan(vocals, float(np.clip(rng.normal(0.0, 0.25), -0.8, 0.8)))
    return _flip(vocals, rng, amount)


def augment_accompaniment(
    accompaniment: np.ndarray, rng: np.random.Generator, sample_rate: int, amount: float
) -> np.ndarray:
    """Equaliser and stereo width; a backing is already a finished mix.

    Shape:
        `(channels, time)` in and out
    """
    if rng.random() < 0.3 * amount:
        accompaniment = mixing.tilt(accompaniment, rng.uniform(-2.0, 2.0), sample_rate)
    if rng.random() < 0.3 * amount:
        accompaniment = mixing.width(accompaniment, rng.uniform(0.0, 1.3))
    return _flip(accompaniment, rng, amount)


def _flip(audio: np.ndarray, rng: np.random.Generator, amount: float) -> np.ndarray:
    if rng.random() < 0.5 * amount:
        audio = mixing.swap_channels(audio)
    if rng.random() < 0.5 * amount:
        audio = -audio
    return audio
