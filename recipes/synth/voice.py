"""A voice made of formulas: vocal folds, vocal tract, and the studio behind them.

Source and filter after G. Fant, Acoustic Theory of Speech Production (1960): a pulse train with the
spectrum of the glottal flow's derivative and noise of the breath, both through the formants of the
moment, plus the hiss of consonants.
"""

import numpy as np
from scipy import fft

from . import dsp, phones, singer, tune
from .singer import RATE, Singer, Tracks

#: Amplitude of the loudest consonants' noise against the vocal folds.
HISS = 0.5


def render(
    rng: np.random.Generator, who: Singer, tracks: Tracks, time: int, sample_rate: int
) -> np.ndarray:
    """Turn what the singer does into sound ``(time,)``.

    Args:
        rng: Source of the noise.
        who: The singer.
        tracks: What the singer does.
        time: Length in samples.
        sample_rate: In Hz.
    """

    def audio_rate(track: np.ndarray) -> np.ndarray:
        return dsp.per_sample(track, RATE, time, sample_rate)

    hop = dsp.frame_size(sample_rate)
    at = np.arange(dsp.frame_count(time, sample_rate)) * hop * RATE / sample_rate
    at = np.minimum(at.astype(int), len(tracks.pitch) - 1)

    pulse, cycles = dsp.oscillate(audio_rate(tracks.pitch), _glottis(who), sample_rate)
    if who.rough:
        pulse = pulse * (1 + who.rough * np.sin(np.pi * cycles))
    voice = audio_rate(tracks.voice)
    noise = rng.standard_normal(time).astype(np.float32)
    puffs = 0.6 + 0.4 * np.sin(2 * np.pi * cycles)
    breath = dsp.decibels(who.breath) * (voice * puffs + 1.5 * audio_rate(tracks.breath))
    hiss = audio_rate(tracks.hiss.sum(axis=0))
    tract = _tract(who, tracks, at, sample_rate)
    inputs = [
        (pulse * voice, tract * _tilt(who, tracks.voice[at], sample_rate)),
        (noise * breath, tract),
        (noise * hiss, _hiss(who, tracks.hiss[:, at], sample_rate)),
    ]
    return dsp.filter_frames(inputs, sample_rate)


def _glottis(who: Singer) -> np.ndarray:
    """Harmonics of the flow's derivative, whose flow is t² − t³ while the glottis is open.

    The pulse of D. Klatt and L. Klatt, JASA 87 (1990).
    """
    phase = np.arange(dsp.TABLE) / dsp.TABLE / who.open_quotient
    flow = np.where(phase < 1, 2 * phase - 3 * phase**2, 0.0)
    spectrum = fft.rfft(flow)[1:1200]
    return spectrum / np.abs(spectrum).max()


def _tilt(who: Singer, loud: np.ndarray, sample_rate: int) -> np.ndarray:
    """Response ``(frames, bins)`` of a low-pass: a soft voice has less treble."""
    corner = who.bright * (0.35 + 0.65 * np.clip(loud, 0, 1.3))[:, None]
    ratio = (dsp.bins(sample_rate) / corner).astype(np.float32)
    return 1 / (1 + np.complex64(1j) * ratio)


def _hiss(who: Singer, amplitudes: np.ndarray, sample_rate: int) -> np.ndarray:
    """Response ``(frames, bins)`` to the hiss: its bands in the shares of their amplitudes."""
    bands = [phones.hiss_response(name, dsp.bins(sample_rate), who.tract) for name in phones.BANDS]
    shares = amplitudes / np.maximum(amplitudes.sum(axis=0), 1e-9)
    return HISS * np.einsum("kf,kb->fb", shares, np.array(bands)).astype(np.float32)


def _tract(who: Singer, tracks: Tracks, at: np.ndarray, sample_rate: int) -> np.ndarray:
    """Response ``(frames, bins)`` of the vocal tract: five formants that move, the rest still."""
    first = tracks.formants[:, at].T * who.tract
    # Sopranos open the mouth so that the first formant does not fall below the pitch.
    first[:, 0] = np.maximum(first[:, 0], 1.05 * tracks.pitch[at])
    first[:, 1] = np.maximum(first[:, 1], first[:, 0] + 200)
    upper = np.array([3400.0, 4400.0]) * who.tract
    centres = np.hstack([first, np.broadcast_to(upper, (len(at), 2))])
    widths = np.hstack([40 + 0.06 * centres[:, :3], np.broadcast_to([220.0, 320.0], (len(at), 2))])
    still = np.arange(5400.0, 0.49 * sample_rate / who.tract, 1000.0)[None] * who.tract
    rest = dsp.resonances(still, 150 + 0.08 * still, sample_rate)
    frequency = dsp.bins(sample_rate)
    ring = 10 ** (who.ring / 20 * np.exp(-(((frequency - 3000 * who.tract) / 600) ** 2)))
    return dsp.resonances(centres, widths, sample_rate) * (rest * ring).astype(np.complex64)


def sing(
    rng: np.random.Generator, seconds: float, sample_rate: int, song: tune.Tune | None = None
) -> np.ndarray:
    """Synthetic singing as it stands on a record: ``(2, time)``, RMS 0.1 while somebody sings.

    A made-up singer with a made-up melody and text; now and then doubled or with a second voice;
    equalised, compressed, in a made-up room.

    Args:
        rng: Source of chance; equal generators give equal sound.
        seconds: Length.
        sample_rate: In Hz.
        song: Key, tempo and chords. None makes up a tune.

    Raises:
        ValueError: ``seconds`` is too short to sing a note.
    """
    time = round(seconds * sample_rate)
    if seconds < 0.5:
        raise ValueError(f"got {seconds} s, expected at least 0.5 s to sing a phrase in")
    song = tune.draw(rng) if song is None else song
    lead = singer.draw(rng)
    melody = tune.phrases(rng, song, seconds, lead.low, lead.high)

    text = [[phones.babble(rng) for _ in phrase] for phrase in melody]

    def take(notes: tune.Melody) -> np.ndarray:
        tracks = singer.perform(rng, lead, song, notes, text, seconds)
        return render(rng, lead, tracks, time, sample_rate)

    voices = dsp.pan(take(melody), rng.normal(0, 0.06))
    kind = rng.random()
    if kind < 0.2:
        width = rng.uniform(0.2, 0.9)
        late = [[_later(note, rng.normal(0, 0.012)) for note in phrase] for phrase in melody]
        voices += dsp.decibels(rng.uniform(-6, 0)) * dsp.pan(take(late), width)
    elif kind < 0.4:
        third = [[tune.Note(n.start, n.stop, n.step + 2) for n in phrase] for phrase in melody]
        voices += dsp.decibels(rng.uniform(-12, -4)) * dsp.pan(take(third), rng.uniform(-0.7, 0.7))
    return _produce(rng, voices, sample_rate)


def _later(note: tune.Note, shift: float) -> tune.Note:
    return tune.Note(max(0.0, note.start + shift), note.stop + shift, note.step)


def _produce(rng: np.random.Generator, voices: np.ndarray, sample_rate: int) -> np.ndarray:
    """Equalise, compress and place the voices ``(2, time)`` in a room."""
    voices = dsp.band_pass(voices, rng.uniform(70, 130), None, sample_rate)
    presence = dsp.band_pass(voices, 900, 2800, sample_rate)
    air = dsp.band_pass(voices, rng.uniform(3000, 5000), None, sample_rate)
    voices = voices + (dsp.decibels(rng.uniform(0, 10)) - 1) * presence
    voices = voices + (dsp.decibels(rng.uniform(8, 19)) - 1) * air
    voices = dsp.compress(voices, rng.uniform(0.1, 0.5), sample_rate)
    voices = voices / dsp.active_rms(voices, sample_rate)
    if rng.random() < 0.25:
        voices = np.tanh(voices * rng.uniform(0.2, 0.6))
    if rng.random() < 0.25:
        voices = _repeat(voices, int(rng.uniform(0.1, 0.45) * sample_rate), rng.uniform(-18, -9))
    response = dsp.room(rng, rng.uniform(0.4, 2.2), sample_rate)
    wet = dsp.reverberation(voices.mean(axis=0), response)
    voices = voices + dsp.decibels(rng.uniform(-24, -9)) * wet
    return 0.1 * voices / dsp.active_rms(voices, sample_rate)


def _repeat(audio: np.ndarray, delay: int, level: float) -> np.ndarray:
    """Echo ``(2, time)`` three times, ``delay`` samples apart, ever softer, from both sides."""
    result = audio.copy()
    for repeat in range(1, 4):
        side = 0.4 * (-1) ** repeat
        shifted = audio[:, : max(0, audio.shape[1] - repeat * delay)].mean(axis=0)
        result[:, repeat * delay :] += dsp.decibels(level * repeat) * dsp.pan(shifted, side)
    return result
