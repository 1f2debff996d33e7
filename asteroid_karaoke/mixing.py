"""What happens to stems before they are mixed: small pure functions on arrays.

Audio is float32 of shape `(channels, time)`. Parameters are given, never drawn, so that each function can be
tested for what it does; :mod:`asteroid_karaoke.augment` draws them. Nothing divides by a level without a floor:
silence stays silence and never becomes NaN.
"""

import numpy as np

#: Below this level a segment counts as silent, in dB relative to full scale.
SILENCE_DB = -55.0


def level_db(audio: np.ndarray) -> float:
    """Root mean square over all channels, in dB relative to full scale; -200 for silence."""
    power = float(np.mean(np.square(audio, dtype=np.float64))) if audio.size else 0.0
    return 10 * np.log10(max(power, 1e-20))


def is_silent(audio: np.ndarray) -> bool:
    """Whether the level is below :data:`SILENCE_DB`."""
    return level_db(audio) < SILENCE_DB


def gain(audio: np.ndarray, db: float) -> np.ndarray:
    """Amplify by `db`."""
    return audio * np.float32(10 ** (db / 20))


def balance(vocals: np.ndarray, accompaniment: np.ndarray, db: float) -> np.ndarray:
    """The voice, amplified so that its level stands `db` above the accompaniment's.

    Where either is silent the voice is returned as it is.
    """
    if is_silent(vocals) or is_silent(accompaniment):
        return vocals
    return gain(vocals, level_db(accompaniment) + db - level_db(vocals))


def swap_channels(audio: np.ndarray) -> np.ndarray:
    """Left becomes right."""
    return audio[::-1]


def width(audio: np.ndarray, factor: float) -> np.ndarray:
    """Scale the difference of left and right: 0 makes mono, 1 changes nothing. Only stereo has a width."""
    if len(audio) != 2:
        return audio
    middle, side = (audio[0] + audio[1]) / 2, (audio[0] - audio[1]) / 2 * np.float32(factor)
    return np.stack([middle + side, middle - side])


def pan(audio: np.ndarray, position: float) -> np.ndarray:
    """Move a stereo signal between left (-1) and right (1) at even power; 0 changes nothing."""
    if len(audio) != 2:
        return audio
    angle = (position + 1) * np.pi / 4
    gains = np.sqrt(2) * np.array([[np.cos(angle)], [np.sin(angle)]], dtype=np.float32)
    return audio * gains


def speed(audio: np.ndarray, factor: float, length: int) -> np.ndarray:
    """Play `factor` times as fast, pitch and all, as a tape would; cut or padded to `length` samples."""
    import soxr

    changed = soxr.resample(audio.T, factor, 1.0, quality="MQ").T if factor != 1 else audio
    return fit(changed.astype(np.float32, copy=False), length)


def tilt(audio: np.ndarray, db_per_octave: float, sample_rate: int) -> np.ndarray:
    """Tilt the spectrum about 1 kHz, level at both ends beyond 60 Hz and 16 kHz."""
    spectrum = np.fft.rfft(audio, axis=-1)
    frequencies = np.fft.rfftfreq(audio.shape[-1], 1 / sample_rate)
    octaves = np.log2(np.clip(frequencies, 60.0, 16000.0) / 1000.0)
    spectrum *= 10 ** (db_per_octave * octaves / 20)
    return np.fft.irfft(spectrum, audio.shape[-1], axis=-1).astype(np.float32)


def impulse_response(
    rng: np.random.Generator, seconds: float, sample_rate: int, channels: int = 2
) -> np.ndarray:
    """A synthetic room: noise that has decayed by 60 dB after `seconds`, darker as it dies away.

    The classic model of the diffuse tail (Moorer 1979, "About this reverberation business"). It has unit
    energy, starts after a gap of 5 to 30 ms, and each channel has noise of its own.
    """
    from scipy.signal import lfilter

    time = np.arange(max(1, int(seconds * sample_rate))) / sample_rate
    bright = rng.standard_normal((channels, len(time))) * 10 ** (-3 * time / seconds)
    dark = lfilter([0.3], [1, -0.7], bright, axis=-1)
    fade = np.exp(-8 * time / seconds)
    tail = bright * fade + dark * (1 - fade)
    gap = np.zeros((channels, int(rng.uniform(0.005, 0.03) * sample_rate)))
    response = np.concatenate([gap, tail], axis=-1)
    return (response / np.sqrt(np.square(response).sum(-1, keepdims=True))).astype(np.float32)


def reverb(audio: np.ndarray, response: np.ndarray, wet_db: float) -> np.ndarray:
    """Add the room's answer at `wet_db` relative to the dry signal; the length stays."""
    from scipy.signal import oaconvolve

    wet = oaconvolve(audio, response[: len(audio)], axes=-1)[:, : audio.shape[-1]]
    return audio + gain(wet.astype(np.float32), wet_db)


def saturate(audio: np.ndarray, drive_db: float) -> np.ndarray:
    """Soft clipping by tanh: compression and the overtones that come with it. Small signals pass unchanged."""
    drive = np.float32(10 ** (drive_db / 20))
    return np.tanh(audio * drive) / drive


def coloured_noise(rng: np.random.Generator, length: int, exponent: float) -> np.ndarray:
    """Stereo noise of level 1 whose power falls as 1 / frequency^`exponent`: 0 white, 1 pink, 2 brown.

    Returns:
        `(2, length)`
    """
    spectrum = np.fft.rfft(rng.standard_normal((2, length)))
    spectrum *= np.maximum(np.arange(spectrum.shape[-1]), 1.0) ** (-exponent / 2)
    noise = np.fft.irfft(spectrum, length)
    return (noise / np.sqrt(np.mean(np.square(noise)))).astype(np.float32)


def fit(audio: np.ndarray, length: int) -> np.ndarray:
    """Cut or zero-pad the end to `length` samples."""
    missing = length - audio.shape[-1]
    return np.pad(audio, ((0, 0), (0, missing))) if missing > 0 else audio[:, :length]
