"""The few tools of sound synthesis that the singer and the band share.

Signals are ``(time,)`` in mono and ``(2, time)`` in stereo; frequencies are in Hz, times in s.
Every random number comes from the Generator that is handed in, so that equal seeds give equal
sound.
"""

import numpy as np
from scipy import fft, signal

#: Length of a wavetable. Read without interpolation: the error lies some 50 dB below the tone.
TABLE = 8192
#: Lowest pitch in Hz that has a table of its own.
LOWEST = 30.0
LEVELS_PER_OCTAVE = 2


def decibels(level: float) -> float:
    """Amplitude factor of a level in dB."""
    return 10.0 ** (float(level) / 20)


def rms(audio: np.ndarray) -> float:
    """Root mean square over all channels and samples."""
    return float(np.sqrt(np.mean(np.square(audio)) + 1e-20))


def active_rms(audio: np.ndarray, sample_rate: int) -> float:
    """RMS of ``(channels, time)`` over those tenths of a second within 30 dB of the loudest."""
    hop = max(1, sample_rate // 10)
    power = np.square(audio).mean(axis=0)
    power = np.pad(power, (0, -len(power) % hop)).reshape(-1, hop).mean(axis=1)
    return float(np.sqrt(power[power >= 1e-3 * power.max()].mean() + 1e-20))


def hertz(midi: float | np.ndarray) -> np.ndarray:
    """Frequency of a MIDI note number: 69 is 440 Hz, 12 to the octave."""
    return 440.0 * 2.0 ** ((np.asarray(midi) - 69) / 12)


def smooth(track: np.ndarray, width: int) -> np.ndarray:
    """Round off the steps of tracks ``(…, time)`` with a Hann window of ``width`` frames."""
    window = signal.windows.hann(2 * (width // 2) + 3)[1:-1]
    padding = [(0, 0)] * (track.ndim - 1) + [(len(window) // 2,) * 2]
    padded = np.pad(track, padding, mode="edge")
    window = (window / window.sum()).reshape((1,) * (track.ndim - 1) + (-1,))
    return signal.convolve(padded, window, mode="valid", method="direct")


def wander(rng: np.random.Generator, frames: int, width: int) -> np.ndarray:
    """Slow random track of standard deviation 1 that changes within about ``width`` frames."""
    knots = rng.standard_normal(frames // width + 3)
    # Smoothing takes a sixth of the deviation.
    return smooth(np.repeat(knots, width), width)[width : width + frames] * 1.2


def oscillate(
    frequency: np.ndarray, harmonics: np.ndarray, sample_rate: int, phase: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Harmonic tone of a changing pitch, without aliasing.

    One wavetable for each half octave holds only those harmonics that stay below the Nyquist
    frequency.

    Args:
        frequency: Pitch in Hz ``(time,)``.
        harmonics: Complex amplitudes of the harmonics 1, 2, 3…
        sample_rate: In Hz.
        phase: Where the first period starts, in periods.

    Returns:
        The tone ``(time,)`` and its phase in periods ``(time,)``, which goes on rising.
    """
    cycles = np.cumsum(frequency / sample_rate) + phase
    level = np.ceil(np.log2(np.maximum(frequency, LOWEST) / LOWEST) * LEVELS_PER_OCTAVE).astype(int)
    first, last = int(level.min()), int(level.max())
    tops = LOWEST * 2.0 ** (np.arange(first, last + 1) / LEVELS_PER_OCTAVE)
    spectra = np.zeros((len(tops), TABLE // 2 + 1), dtype=complex)
    for spectrum, top in zip(spectra, tops, strict=True):
        count = min(len(harmonics), max(1, int(0.48 * sample_rate / top)))
        spectrum[1 : count + 1] = harmonics[:count]
    tables = fft.irfft(spectra, TABLE) * (TABLE / 2)
    index = (cycles * TABLE).astype(np.int64) % TABLE
    return tables.ravel()[(level - first) * TABLE + index], cycles


def frame_size(sample_rate: int) -> int:
    """Hop of ``filter_frames`` in samples: the power of two nearest to 12 ms."""
    return int(2 ** np.round(np.log2(0.0116 * sample_rate)))


def frame_count(time: int, sample_rate: int) -> int:
    """Number of frames that ``filter_frames`` cuts a signal of ``time`` samples into."""
    return -(-time // frame_size(sample_rate)) + 1


def bins(sample_rate: int) -> np.ndarray:
    """Frequencies in Hz of the responses that ``filter_frames`` takes."""
    return fft.rfftfreq(4 * frame_size(sample_rate), 1 / sample_rate)


def filter_frames(inputs: list[tuple[np.ndarray, np.ndarray]], sample_rate: int) -> np.ndarray:
    """Sum of signals, each passed through a filter that changes with time.

    Windowed frames are multiplied with the response in the frequency domain and overlap-added; the
    windows add up to one.

    Args:
        inputs: Pairs of a signal ``(time,)`` and its response ``(frames, bins)`` or ``(1, bins)``.
            Frame ``m`` is centred at sample ``m * frame_size(sample_rate)``.
        sample_rate: In Hz.
    """
    hop = frame_size(sample_rate)
    time = len(inputs[0][0])
    count = frame_count(time, sample_rate)
    window = signal.windows.hann(2 * hop, sym=False).astype(np.float32)
    spectra: np.ndarray | None = None
    for audio, response in inputs:
        padded = np.zeros((count + 1) * hop, dtype=np.float32)
        padded[hop : hop + time] = audio
        frames = np.lib.stride_tricks.sliding_window_view(padded, 2 * hop)[::hop]
        spectrum = fft.rfft(frames * window, 4 * hop, axis=-1) * response
        spectra = spectrum if spectra is None else spectra + spectrum
    pieces = fft.irfft(spectra, 4 * hop, axis=-1).reshape(count, 4, hop)
    blocks = np.zeros((count + 3, hop), dtype=np.float32)
    for quarter in range(4):
        blocks[quarter : quarter + count] += pieces[:, quarter]
    return blocks.ravel()[hop : hop + time]


def resonances(centres: np.ndarray, widths: np.ndarray, sample_rate: int) -> np.ndarray:
    """Response of a cascade of digital resonators of unit gain at 0 Hz.

    After D. Klatt, Software for a cascade/parallel formant synthesizer, JASA 67 (1980).

    Args:
        centres: Resonance frequencies in Hz ``(frames, count)``.
        widths: Bandwidths in Hz, of the same shape.
        sample_rate: In Hz.

    Returns:
        Complex response ``(frames, bins)``.
    """
    radius = np.exp(-np.pi * widths / sample_rate)
    turn = 2 * radius * np.cos(2 * np.pi * centres / sample_rate)
    polynomial = np.ones((len(centres), 1))
    for b, c in zip(turn.T[..., None], (radius**2).T[..., None], strict=True):
        grown = np.pad(polynomial, ((0, 0), (0, 2)))
        grown[:, 1:-1] -= b * polynomial
        grown[:, 2:] += c * polynomial
        polynomial = grown
    gain = polynomial.sum(axis=1, keepdims=True)
    spectrum = fft.rfft(polynomial, 4 * frame_size(sample_rate), axis=1)
    return (gain / spectrum).astype(np.complex64)


def band_pass(
    audio: np.ndarray, low: float | None, high: float | None, sample_rate: int
) -> np.ndarray:
    """Butterworth filter of 12 dB an octave on either side; None leaves a side open."""
    edges = [edge for edge in (low, high) if edge is not None]
    kind = {(True, True): "bandpass", (True, False): "highpass", (False, True): "lowpass"}
    edges = [min(edge, 0.45 * sample_rate) for edge in edges]
    sections = signal.butter(
        2,
        edges if len(edges) > 1 else edges[0],
        kind[low is not None, high is not None],
        fs=sample_rate,
        output="sos",
    )
    return signal.sosfilt(sections.astype(audio.dtype), audio, axis=-1)


def compress(audio: np.ndarray, amount: float, sample_rate: int) -> np.ndarray:
    """Even out the level of ``(channels, time)``, as heard over some 50 ms.

    A level of x dB over the mean becomes (1 - amount) x dB. What lies more than 30 dB below is
    raised no further, so that pauses stay pauses.
    """
    hop = max(1, int(0.0125 * sample_rate))
    time = audio.shape[-1]
    power = np.square(audio).mean(axis=0)
    blocks = np.pad(power, (0, -time % hop)).reshape(-1, hop).mean(axis=1)
    power = smooth(blocks, 8)
    mean = power.mean() + 1e-20
    gain = np.maximum(power / mean, 1e-3) ** (-amount / 2)
    track = np.interp(np.arange(time), (np.arange(len(gain)) + 0.5) * hop, gain)
    return audio * track.astype(audio.dtype)


def room(rng: np.random.Generator, seconds: float, sample_rate: int) -> np.ndarray:
    """Impulse response ``(2, time)`` of a made-up room, of energy 1.

    Exponentially decaying noise, other in each ear, whose treble dies away faster. ``seconds`` is
    the reverberation time, over which it falls by 60 dB.
    """
    length = int(seconds * sample_rate)
    time = np.arange(length) / sample_rate
    noise = rng.standard_normal((2, length))
    low = band_pass(noise, 150.0, rng.uniform(2000, 5000), sample_rate)
    tail = low * 10 ** (-3 * time / seconds) + 0.3 * noise * 10 ** (-6 * time / seconds)
    before = int(rng.uniform(0.0, 0.03) * sample_rate)
    tail = np.pad(tail, ((0, 0), (before, 0)))
    return (tail / np.sqrt(np.square(tail).sum(axis=1, keepdims=True))).astype(np.float32)


def reverberation(audio: np.ndarray, response: np.ndarray) -> np.ndarray:
    """What a room answers to ``(time,)``: ``(2, time)``. The tail is cut at the end."""
    return signal.oaconvolve(audio[None], response, axes=-1)[:, : len(audio)]


def pan(audio: np.ndarray, place: float) -> np.ndarray:
    """Put ``(time,)`` between left (-1) and right (1) at constant power: ``(2, time)``."""
    angle = (np.clip(place, -1, 1) + 1) * np.pi / 4
    gains = np.sqrt(2) * np.array([[np.cos(angle)], [np.sin(angle)]])
    return gains.astype(audio.dtype) * audio


def per_sample(track: np.ndarray, rate: float, time: int, sample_rate: int) -> np.ndarray:
    """Interpolate a track ``(frames,)`` of ``rate`` frames a second to ``time`` samples."""
    return np.interp(np.arange(time) * (rate / sample_rate), np.arange(len(track)), track)


def add(track: np.ndarray, sound: np.ndarray, start: float, sample_rate: int) -> None:
    """Add a sound ``(2, time)`` to a track in place at ``start`` in s; the end cuts it."""
    first = round(start * sample_rate)
    if 0 <= first < track.shape[1]:
        length = min(sound.shape[1], track.shape[1] - first)
        track[:, first : first + length] += sound[:, :length]
