"""Chance over :mod:`asteroid_karaoke.effects`: which effects a stem gets, and how strong they are.

How much is changed is one number, ``amount``, from 0 (nothing) to 1 (all of the below); it scales
how often an effect is drawn. The ranges are fixed here, beside their reasons. What costs much is
drawn seldom. For a second of a stereo stem, an mp3 takes 40 ms of CPU time, Opus 14, a room 5,
noise 3, a tilt 2, a change of speed 1, all others less; ``eval/bench/loader.py`` measures the
whole.
"""

import numpy as np

from . import codec, effects, mixing

#: Speeds drawn for a backing, or for a song as a whole: about two semitones each way.
SPEEDS = (0.89, 1.12)
#: For a voice alone: two down, four up. Women's vocal tracts are some 15 % shorter than men's, and
#: men sing most of what can freely be had.
VOICE_SPEEDS = (0.89, 1.26)
#: What music was sent in over the years, in bit/s.
BIT_RATES = {
    "mp3": (64_000, 96_000, 128_000, 192_000, 256_000),
    "opus": (32_000, 48_000, 64_000, 96_000, 128_000),
}


def draw_speed(
    rng: np.random.Generator, amount: float, speeds: tuple[float, float] = SPEEDS
) -> float:
    """How fast to play a stem; 1 in two of three cases."""
    return float(rng.uniform(*speeds)) if rng.random() < amount / 3 else 1.0


def augment_vocals(
    vocals: np.ndarray, rng: np.random.Generator, sample_rate: int, amount: float
) -> np.ndarray:
    """What an engineer does to a voice: tone, level, overdrive, a double, an echo, a room, a place.

    Shape:
        `(channels, time)` in and out
    """
    if rng.random() < 0.4 * amount:
        vocals = effects.tilt(vocals, rng.uniform(-2.0, 2.0), sample_rate)
    if rng.random() < 0.3 * amount:
        vocals = _compress(vocals, rng, sample_rate)
    if rng.random() < 0.15 * amount:
        # The drive is what the level stands above or below the tanh's knee; most are mild.
        vocals = effects.saturate(vocals, rng.uniform(-12.0, 6.0) - mixing.level_db(vocals))
    if rng.random() < 0.05 * amount:
        vocals = effects.clip(vocals, rng.uniform(0.0, 9.0))
    if rng.random() < 0.15 * amount:
        delays = (rng.uniform(0.01, 0.04, len(vocals)) * sample_rate).astype(int)
        detune, db = rng.uniform(0.996, 1.004), rng.uniform(-9.0, 0.0)
        vocals = effects.double(vocals, delays.tolist(), detune, db)
    if rng.random() < 0.15 * amount:
        delay = int(rng.uniform(0.08, 0.6) * sample_rate)
        vocals = effects.echo(vocals, delay, rng.uniform(-18.0, -6.0), int(rng.integers(1, 5)))
    if rng.random() < 0.4 * amount:
        response = effects.impulse_response(rng, rng.uniform(0.3, 2.5), sample_rate, len(vocals))
        vocals = effects.reverb(vocals, response, rng.uniform(-24.0, -8.0))
    if rng.random() < 0.4 * amount:
        vocals = effects.width(vocals, rng.uniform(0.0, 1.5))
    if rng.random() < 0.3 * amount:
        vocals = effects.pan(vocals, float(np.clip(rng.normal(0.0, 0.25), -0.8, 0.8)))
    return _turn_round(vocals, rng, amount)


def augment_accompaniment(
    accompaniment: np.ndarray, rng: np.random.Generator, sample_rate: int, amount: float
) -> np.ndarray:
    """Equaliser, stereo width, clipped peaks, hiss or rumble; a backing is already a finished mix.

    Shape:
        `(channels, time)` in and out
    """
    if rng.random() < 0.3 * amount:
        accompaniment = effects.tilt(accompaniment, rng.uniform(-2.0, 2.0), sample_rate)
    if rng.random() < 0.3 * amount:
        accompaniment = effects.width(accompaniment, rng.uniform(0.0, 1.3))
    if rng.random() < 0.1 * amount:
        accompaniment = effects.clip(accompaniment, rng.uniform(0.0, 6.0))
    if rng.random() < 0.1 * amount:
        noise = effects.coloured_noise(
            rng, accompaniment.shape[-1], rng.uniform(0.0, 2.0), sample_rate
        )
        accompaniment = mixing.add_noise(accompaniment, noise, rng.uniform(-60.0, -25.0))
    return _turn_round(accompaniment, rng, amount)


def augment_song(
    vocals: np.ndarray,
    accompaniment: np.ndarray,
    rng: np.random.Generator,
    sample_rate: int,
    amount: float,
) -> tuple[np.ndarray, np.ndarray]:
    """What happens to a song once it is mixed, to each of its stems alike.

    The compressor on the sum hears both and turns both down alike. A codec is no linear thing, so
    each stem gets it by itself, that both still add up to the mixture; what it does to the sum is a
    little more. The level is drawn last.

    Shape:
        `(channels, time)` in and out
    """
    stems = [vocals, accompaniment]
    if rng.random() < 0.2 * amount:
        gains = _compression(vocals + accompaniment, rng, sample_rate)
        stems = [stem * gains for stem in stems]
    if rng.random() < 0.03 * amount:
        name = str(rng.choice(list(BIT_RATES)))
        bit_rate = int(rng.choice(BIT_RATES[name]))
        stems = [codec.round_trip(stem, sample_rate, name, bit_rate) for stem in stems]
    if rng.random() < 0.5 * amount:
        level = rng.uniform(-12.0, 3.0)
        stems = [mixing.gain(stem, level) for stem in stems]
    return stems[0], stems[1]


def _compress(audio: np.ndarray, rng: np.random.Generator, sample_rate: int) -> np.ndarray:
    return audio * _compression(audio, rng, sample_rate)


def _compression(audio: np.ndarray, rng: np.random.Generator, sample_rate: int) -> np.ndarray:
    threshold = mixing.level_db(audio) + rng.uniform(-9.0, 6.0)
    return effects.compression(audio, threshold, rng.uniform(1.5, 6.0), sample_rate)


def _turn_round(audio: np.ndarray, rng: np.random.Generator, amount: float) -> np.ndarray:
    if rng.random() < 0.5 * amount:
        audio = effects.swap_channels(audio)
    if rng.random() < 0.5 * amount:
        audio = effects.invert(audio)
    return audio
