"""How loud stems are, and how loud they stand beside each other: small pure functions on arrays.

Audio is float32 of shape `(channels, time)`, full scale 1.0. Parameters are given, never drawn, so
that each function can be tested for what it does; :mod:`asteroid_karaoke.augment` draws them. No
level is divided by without a floor: silence stays silence and never becomes NaN. How a stem's sound
is changed stands in :mod:`asteroid_karaoke.effects`.
"""

import numpy as np

#: Below this level a segment counts as silent, in dB relative to full scale.
SILENCE_DB = -55.0
#: A voice is made louder by this at the most, in dB: what is quieter by more is breath and noise.
MAX_BOOST_DB = 24.0
#: Samples in the blocks that :func:`active_level_db` looks at: 93 ms at 44.1 kHz.
_BLOCK = 4096
#: Blocks quieter than the loudest one by more than this are pauses, in dB.
_GATE_DB = 20.0
_TINY = 1e-20


def level_db(audio: np.ndarray) -> float:
    """Root mean square over all channels, in dB relative to full scale; -200 for silence."""
    power = float(np.mean(np.square(audio, dtype=np.float64))) if audio.size else 0.0
    return float(10 * np.log10(max(power, _TINY)))


def active_level_db(audio: np.ndarray) -> float:
    """The level while something sounds, in dB relative to full scale; -200 for silence.

    Singers pause. Over a whole segment, the plain level says as much of how long is sung as of how
    loud; so, as in ITU-R BS.1770, quiet blocks are left out before the mean is taken.
    """
    if not audio.size:
        return level_db(audio)
    starts = np.arange(0, audio.shape[-1], _BLOCK)
    lengths = np.diff(starts, append=audio.shape[-1])
    powers = np.add.reduceat(np.square(audio).mean(0, dtype=np.float64), starts) / lengths
    active = powers[powers >= powers.max() * 10 ** (-_GATE_DB / 10)]
    return float(10 * np.log10(max(active.mean(), _TINY)))


def is_silent(audio: np.ndarray) -> bool:
    """Whether the level is below :data:`SILENCE_DB`."""
    return level_db(audio) < SILENCE_DB


def gain(audio: np.ndarray, db: float) -> np.ndarray:
    """Amplify by `db`."""
    return audio * np.float32(10 ** (db / 20))


def balance(vocals: np.ndarray, accompaniment: np.ndarray, db: float) -> np.ndarray:
    """The voice, amplified so that it stands `db` above the accompaniment while it sounds.

    Where either is silent the voice is returned as it is; it is amplified by
    :data:`MAX_BOOST_DB` at the most.
    """
    if is_silent(vocals) or is_silent(accompaniment):
        return vocals
    missing = active_level_db(accompaniment) + db - active_level_db(vocals)
    return gain(vocals, min(missing, MAX_BOOST_DB))


def share(
    vocals: np.ndarray, accompaniment: np.ndarray, voice: float
) -> tuple[np.ndarray, np.ndarray]:
    """Both stems, of which the voice makes up a share of the mixture, from 0 (none) to 1 (all).

    The voice is brought to the accompaniment's level as :func:`balance` does; then it is multiplied
    by `voice`, and the accompaniment by `1 - voice`: 0.5 makes both equally loud, 0.6 the voice
    3.5 dB louder.
    """
    vocals = balance(vocals, accompaniment, 0.0)
    return vocals * np.float32(voice), accompaniment * np.float32(1 - voice)


def add_noise(audio: np.ndarray, noise: np.ndarray, db: float) -> np.ndarray:
    """Lay noise under a sound, `db` relative to its level while it sounds (-40: far below it)."""
    return audio + gain(noise, active_level_db(audio) + db - active_level_db(noise))


def fit(audio: np.ndarray, length: int) -> np.ndarray:
    """Cut or zero-pad the end to `length` samples."""
    missing = length - audio.shape[-1]
    return np.pad(audio, ((0, 0), (0, missing))) if missing > 0 else audio[:, :length]
