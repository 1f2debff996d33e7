"""Instruments made of formulas.

``guitar(rng)``, ``piano(rng)`` and so on each make up an instrument with its own settings, so that
no two songs have the same piano. An instrument plays one note: ``(rng, frequency in Hz, seconds,
sample_rate) -> (time,)``, of a peak near 1, which may ring on after ``seconds``.
"""

from collections.abc import Callable

import numpy as np
from scipy import fft

from . import dsp

Instrument = Callable[[np.random.Generator, float, float, int], np.ndarray]


def envelope(
    seconds: float, attack: float, decay: float, release: float, sample_rate: int
) -> np.ndarray:
    """Amplitude of a note ``(time,)``; all times in s.

    Rises over ``attack``, falls with time constant ``decay``, and after ``seconds`` fades out
    within ``release``.
    """
    time = np.arange(int((seconds + release) * sample_rate)) / sample_rate
    rise = np.minimum(1.0, time / max(attack, 1e-4))
    fall = np.exp(-np.maximum(0.0, time - attack) / decay)
    fade = np.clip(1 - (time - seconds) / release, 0, 1)
    return rise * fall * fade**2


def string(
    rng: np.random.Generator,
    frequency: float,
    seconds: float,
    sample_rate: int,
    bright: float,
    decay: float,
    pick: float,
) -> np.ndarray:
    """Plucked or struck string.

    K. Karplus and A. Strong, Digital synthesis of plucked-string and drum timbres, Computer Music
    Journal 7 (1983): a period of noise goes round and loses treble at each turn. As the loop is
    linear, turn ``p`` is the first spectrum times the loss to the power ``p``, so that all turns
    come from one inverse FFT.

    Args:
        rng: Source of chance.
        frequency: In Hz.
        seconds: Length of the tone.
        sample_rate: In Hz.
        bright: Frequency in Hz above which the pluck's spectrum falls.
        decay: Time constant of the lowest partials, in s.
        pick: Place of the pluck, as a part of the string's length.
    """
    period = max(8, round(sample_rate / frequency))
    time = int(seconds * sample_rate)
    count = int(time * period * frequency / sample_rate) // period + 2
    partial = np.arange(period // 2 + 1)
    hertz = partial * frequency
    start = np.exp(2j * np.pi * rng.random(len(partial))) * np.abs(np.sin(np.pi * partial * pick))
    start /= 1 + (hertz / bright) ** 2
    start[0] = 0
    loss = (1 + (hertz / 2500) ** 1.5) / decay
    turns = np.exp(-np.outer(np.arange(count) / frequency, loss)) * start
    rows = fft.irfft(turns, period, axis=1).ravel()
    # The period is a whole number of samples; reading a little faster or slower puts it in tune.
    tone = np.interp(
        np.arange(time) * (period * frequency / sample_rate), np.arange(len(rows)), rows
    )
    return (
        tone * envelope(seconds - 0.03, 0.001, 1e9, 0.03, sample_rate)[:time] / np.abs(rows).max()
    )


def tone(
    rng: np.random.Generator,
    frequency: float,
    harmonics: np.ndarray,
    shape: np.ndarray,
    sample_rate: int,
    vibrato: float = 0.0,
) -> np.ndarray:
    """Held tone of the given harmonics under an envelope ``(time,)``; ``vibrato`` in cents."""
    time = np.arange(len(shape)) / sample_rate
    cents = rng.normal(0, 3) + vibrato * np.minimum(1, time / 0.5) * np.sin(2 * np.pi * 5.5 * time)
    track = frequency * 2 ** (cents / 1200)
    return dsp.oscillate(track, harmonics, sample_rate, rng.random())[0] * shape


def series(kind: str, count: int = 400) -> np.ndarray:
    """Complex harmonics of a ``saw``, ``square`` or ``triangle`` of peak near 1."""
    order = np.arange(1, count + 1)
    odd = order % 2 == 1
    table = {"saw": 1 / order, "square": odd / order, "triangle": odd / order**2}
    return -1j * table[kind] * 0.6


def swept(audio: np.ndarray, corner: np.ndarray, resonance: float, sample_rate: int) -> np.ndarray:
    """Synthesiser's low-pass of 12 dB an octave with a moving ``corner`` in Hz ``(time,)``."""
    hop = dsp.frame_size(sample_rate)
    at = np.minimum(np.arange(dsp.frame_count(len(audio), sample_rate)) * hop, len(audio) - 1)
    ratio = dsp.bins(sample_rate) / corner[at][:, None]
    response = 1 / (1 - ratio**2 + 1j * ratio / resonance)
    return dsp.filter_frames([(audio, response.astype(np.complex64))], sample_rate)


def guitar(rng: np.random.Generator) -> Instrument:
    """Plucked string with a body: guitar, harp, pizzicato."""
    bright, decay, pick = rng.uniform(800, 5000), rng.uniform(0.3, 1.6), rng.uniform(0.08, 0.35)

    def play(rng: np.random.Generator, frequency: float, seconds: float, rate: int) -> np.ndarray:
        return string(rng, frequency, seconds + 0.3, rate, bright, decay, pick)

    return play


def bass_guitar(rng: np.random.Generator) -> Instrument:
    """Thick string, plucked or slapped, damped when the note ends."""
    bright, decay = rng.uniform(300, 1500), rng.uniform(0.4, 1.5)

    def play(rng: np.random.Generator, frequency: float, seconds: float, rate: int) -> np.ndarray:
        return string(rng, frequency, seconds, rate, bright, decay, 0.2)

    return play


def piano(rng: np.random.Generator) -> Instrument:
    """Three strings a note, a little out of tune with each other, and a dull hammer."""
    bright, decay = rng.uniform(500, 2500), rng.uniform(0.8, 2.0)

    def play(rng: np.random.Generator, frequency: float, seconds: float, rate: int) -> np.ndarray:
        bent = frequency * (1 + rng.normal(0, 4e-4, 3))
        strings = [string(rng, f, seconds + 0.15, rate, bright, decay, 0.12) for f in bent]
        return np.sum(strings, axis=0) / 2

    return play


def electric_piano(rng: np.random.Generator) -> Instrument:
    """Frequency modulation: J. Chowning, JAES 21 (1973)."""
    ratio, index = rng.choice([1.0, 2.0, 14.0]), rng.uniform(0.4, 2.0)
    decay, tremolo = rng.uniform(0.5, 1.5), rng.uniform(0, 0.4)

    def play(rng: np.random.Generator, frequency: float, seconds: float, rate: int) -> np.ndarray:
        shape = envelope(seconds, 0.004, decay, 0.12, rate)
        turn = 2 * np.pi * frequency * np.arange(len(shape)) / rate
        depth = index * shape * (0.3 if ratio > 2 else 1.0)
        wobble = 1 + tremolo * np.sin(2 * np.pi * 5 * np.arange(len(shape)) / rate)
        return np.sin(turn + depth * np.sin(ratio * turn)) * shape * wobble

    return play


def organ(rng: np.random.Generator) -> Instrument:
    """Drawbars and a rotating loudspeaker."""
    harmonics = np.zeros(16, dtype=complex)
    for order in (1, 2, 3, 4, 6, 8, 10, 16):
        harmonics[order - 1] = rng.uniform(0, 1) * np.exp(2j * np.pi * rng.random())
    harmonics[0] += 0.5
    harmonics /= np.abs(harmonics).sum()
    vibrato = rng.choice([0.0, 8.0, 20.0])

    def play(rng: np.random.Generator, frequency: float, seconds: float, rate: int) -> np.ndarray:
        shape = envelope(seconds, 0.008, 1e9, 0.03, rate)
        return tone(rng, frequency, harmonics, shape, rate, vibrato)

    return play


def pad(rng: np.random.Generator) -> Instrument:
    """Detuned saws or squares that come slowly, as a synthesiser's strings do."""
    harmonics = series(str(rng.choice(["saw", "saw", "square"])))
    harmonics = harmonics / (1 + np.arange(len(harmonics)) / rng.uniform(3, 30))
    attack, spread = rng.uniform(0.03, 0.5), rng.uniform(0.001, 0.006)
    vibrato = rng.choice([0.0, 0.0, 15.0, 30.0])

    def play(rng: np.random.Generator, frequency: float, seconds: float, rate: int) -> np.ndarray:
        shape = envelope(seconds, attack, 1e9, 0.4, rate)
        bent = frequency * (1 + spread * np.array([-1.0, 0.3, 1.0]))
        tones = [tone(rng, f, harmonics, shape, rate, vibrato) for f in bent]
        return np.sum(tones, axis=0) / 2

    return play


def synth(rng: np.random.Generator) -> Instrument:
    """Saw or square through a resonant filter that closes after the attack."""
    harmonics = series(str(rng.choice(["saw", "square"])))
    top, resonance = rng.uniform(1500, 8000), rng.uniform(0.7, 4)
    closing, decay = rng.uniform(0.08, 0.5), rng.uniform(0.3, 3)

    def play(rng: np.random.Generator, frequency: float, seconds: float, rate: int) -> np.ndarray:
        shape = envelope(seconds, 0.003, decay, 0.05, rate)
        corner = frequency + top * np.exp(-np.arange(len(shape)) / rate / closing)
        return swept(tone(rng, frequency, harmonics, shape, rate), corner, resonance, rate)

    return play


def bell(rng: np.random.Generator) -> Instrument:
    """Inharmonic partials: bells, mallets, music boxes."""
    ratios = np.array([1, *np.sort(rng.uniform(1.8, 9, 4))])
    levels = rng.uniform(0.1, 0.6, 5) / ratios**0.5
    decay = rng.uniform(0.15, 0.8) / ratios**0.7

    def play(rng: np.random.Generator, frequency: float, seconds: float, rate: int) -> np.ndarray:
        time = np.arange(int(1.5 * rate)) / rate
        parts = [
            level * np.sin(2 * np.pi * frequency * ratio * time) * np.exp(-time / fall)
            for ratio, level, fall in zip(ratios, levels, decay, strict=True)
            if frequency * ratio < 0.45 * rate
        ]
        return np.sum(parts, axis=0)

    return play


def power_guitar(rng: np.random.Generator) -> Instrument:
    """Root, fifth and octave through an overdriven amplifier and its loudspeaker."""
    drive, muted = rng.uniform(3, 30), rng.random() < 0.4
    low, high = rng.uniform(70, 120), rng.uniform(3000, 5500)

    def play(rng: np.random.Generator, frequency: float, seconds: float, rate: int) -> np.ndarray:
        decay = 0.12 if muted and seconds < 0.3 else 1.5
        chord = frequency * np.array([1.0, 1.4983, 2.0])
        strings = [string(rng, f, seconds + 0.05, rate, 2500, decay, 0.15) for f in chord]
        return dsp.band_pass(np.tanh(drive * np.sum(strings, axis=0)), low, high, rate)

    return play


CHORDAL = (guitar, guitar, piano, piano, electric_piano, organ, synth)
LOW = (bass_guitar, synth)
MELODIC = (guitar, piano, synth, synth, bell, organ, electric_piano)
