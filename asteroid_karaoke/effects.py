"""What engineers, rooms and machines do to a stem: small pure functions on arrays.

Audio is float32 of shape `(channels, time)`; shape and type stay what they are. Parameters are
given, never drawn, save for the noise that some are made of. Silence stays silence, never NaN.
"""

from collections.abc import Sequence

import numpy as np

from . import mixing

#: Below this the ear hears nothing, in Hz.
_LOWEST = 20.0
#: A compressor's level moves with this time constant, in s, and is looked at this often.
_COMPRESSOR_SECONDS = 0.03
_COMPRESSOR_STEP = 0.002


def invert(audio: np.ndarray) -> np.ndarray:
    """Turn the polarity round."""
    return -audio


def swap_channels(audio: np.ndarray) -> np.ndarray:
    """Left becomes right."""
    return audio[::-1]


def width(audio: np.ndarray, factor: float) -> np.ndarray:
    """Scale the difference of left and right: 0 makes mono, 1 changes nothing.

    Only stereo has a width.
    """
    if len(audio) != 2:
        return audio
    middle, side = (audio[0] + audio[1]) / 2, (audio[0] - audio[1]) / 2 * np.float32(factor)
    return np.stack([middle + side, middle - side])


def pan(audio: np.ndarray, position: float) -> np.ndarray:
    """Move a stereo signal between left (-1) and right (1) at even power; 0 changes nothing."""
    if len(audio) != 2:
        return audio
    angle = (position + 1) * np.pi / 4
    gains = np.sqrt(2) * np.array([[np.cos(angle)], [np.sin(angle)]])
    return audio * gains.astype(np.float32)


def speed(audio: np.ndarray, factor: float, length: int) -> np.ndarray:
    """Play `factor` times as fast, pitch and all, as a tape would.

    A factor of `from_rate / to_rate` changes the sample rate.

    Returns:
        `(channels, length)`: cut, or padded with silence.
    """
    if factor != 1:
        import soxr

        audio = soxr.resample(audio.T, factor, 1.0, quality="MQ").T
    return mixing.fit(audio, length)


def tilt(audio: np.ndarray, db_per_octave: float, sample_rate: int) -> np.ndarray:
    """Tilt the spectrum about 1 kHz, up to the right for positive values.

    It stays level below 60 Hz and above 16 kHz.
    """
    from scipy import fft

    size = fft.next_fast_len(audio.shape[-1], real=True)
    frequencies = np.fft.rfftfreq(size, 1 / sample_rate).astype(np.float32)
    octaves = np.log2(np.clip(frequencies, 60.0, 16000.0) / np.float32(1000))
    gains = np.exp2(octaves * np.float32(db_per_octave / 20 * np.log2(10)))
    return fft.irfft(fft.rfft(audio, size) * gains, size)[:, : audio.shape[-1]]


def impulse_response(
    rng: np.random.Generator, seconds: float, sample_rate: int, channels: int = 2
) -> np.ndarray:
    """A synthetic room: noise that has decayed by 60 dB after `seconds`, darker as it dies away.

    The classic model of the diffuse tail (Moorer 1979, "About this reverberation business"). It has
    unit energy, starts after a gap of 5 to 30 ms, and each channel has noise of its own.

    Returns:
        `(channels, time)`
    """
    from scipy.signal import lfilter

    time = np.arange(max(1, int(seconds * sample_rate)), dtype=np.float32) / sample_rate
    bright = rng.standard_normal((channels, len(time)), dtype=np.float32)
    bright *= np.exp(np.float32(-3 * np.log(10) / seconds) * time)
    # One pole; the factor keeps the power of white noise.
    dark = lfilter([np.sqrt(1 - 0.7**2)], [1, -0.7], bright)
    fade = np.exp(-8 * time / seconds)
    gap = np.zeros((channels, int(rng.uniform(0.005, 0.03) * sample_rate)))
    response = np.concatenate([gap, bright * fade + dark * (1 - fade)], axis=-1)
    return (response / np.sqrt(np.square(response).sum(-1, keepdims=True))).astype(np.float32)


def reverb(audio: np.ndarray, response: np.ndarray, wet_db: float) -> np.ndarray:
    """Add a room's answer, an impulse response of unit energy `(channels, time)`, at `wet_db`.

    The length stays: what would ring on is cut off.
    """
    from scipy.signal import oaconvolve

    wet = oaconvolve(audio, response, axes=-1)[:, : audio.shape[-1]]
    return audio + mixing.gain(wet.astype(np.float32, copy=False), wet_db)


def echo(audio: np.ndarray, delay: int, db: float, repeats: int) -> np.ndarray:
    """Add a sound's repeats, each `delay` samples later and `db` louder (so below 0) than the last.

    The length stays: what would come later is cut off.
    """
    wet = audio.copy()
    for number in range(1, min(repeats, (audio.shape[-1] - 1) // delay) + 1):
        wet[:, number * delay :] += mixing.gain(audio[:, : -number * delay], number * db)
    return wet


def double(audio: np.ndarray, delays: Sequence[int], detune: float, db: float) -> np.ndarray:
    """Sing it twice: add a copy at `db`, `detune` times as fast, in each channel late by its delay.

    Args:
        audio: `(channels, time)`
        delays: Samples, one number for each channel.
        detune: 1.003 is 5 cents higher.
        db: How loud the copy is.
    """
    length = audio.shape[-1]
    copy = mixing.gain(speed(audio, detune, length), db)
    late = [np.pad(line, (delay, 0))[:length] for line, delay in zip(copy, delays, strict=True)]
    return audio + np.stack(late)


def compression(
    audio: np.ndarray, threshold_db: float, ratio: float, sample_rate: int
) -> np.ndarray:
    """The gains of a compressor: what is above the threshold by x dB ends x / ratio dB above it.

    The level that rules it is that of all channels together, smoothed over 30 ms.

    Returns:
        `(time,)`, from 0 to 1. Stems multiplied by the gains of their mixture add up to what the
        compressor would make of the mixture.
    """
    from scipy.signal import lfilter

    step = max(1, round(_COMPRESSOR_STEP * sample_rate))
    starts = np.arange(0, audio.shape[-1], step)
    lengths = np.diff(starts, append=audio.shape[-1])
    powers = np.add.reduceat(np.square(audio).mean(0, dtype=np.float64), starts) / lengths
    keep = np.exp(-_COMPRESSOR_STEP / _COMPRESSOR_SECONDS)
    smooth, _ = lfilter([1 - keep], [1, -keep], powers, zi=[keep * powers[0]])
    over = np.maximum(0.0, 10 * np.log10(np.maximum(smooth, 1e-20)) - threshold_db)
    gains = 10 ** (-over * (1 - 1 / ratio) / 20)
    middles = starts + lengths / 2
    return np.interp(np.arange(audio.shape[-1]), middles, gains).astype(np.float32)


def saturate(audio: np.ndarray, drive_db: float) -> np.ndarray:
    """Soft clipping by tanh, with the overtones that come with it.

    Small signals pass unchanged; the output stays within `drive_db` below full scale.
    """
    drive = np.float32(10 ** (drive_db / 20))
    return np.tanh(audio * drive) / drive


def clip(audio: np.ndarray, db: float) -> np.ndarray:
    """Cut off all peaks that reach higher than `db` below the highest one."""
    limit = np.abs(audio).max(initial=0.0) * np.float32(10 ** (-db / 20))
    return np.clip(audio, -limit, limit)


def coloured_noise(
    rng: np.random.Generator, length: int, exponent: float, sample_rate: int
) -> np.ndarray:
    """Stereo noise of level 1 whose power falls as 1 / frequency^`exponent` above 20 Hz.

    0 is white, 1 pink and 2 brown noise. Below 20 Hz there is nothing.

    Returns:
        `(2, length)`
    """
    from scipy import fft

    size = fft.next_fast_len(length, real=True)
    frequencies = np.fft.rfftfreq(size, 1 / sample_rate).astype(np.float32)
    shape = np.maximum(frequencies, _LOWEST) ** np.float32(-exponent / 2)
    shape[frequencies < _LOWEST] = 0
    noise = rng.standard_normal((2, size), dtype=np.float32)
    noise = fft.irfft(fft.rfft(noise) * shape, size)[:, :length]
    return noise / max(np.sqrt(np.mean(np.square(noise))), np.float32(1e-10))
