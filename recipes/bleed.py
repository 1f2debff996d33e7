"""How much of the voice is in the backing: headphones, open microphones, a wrong export.

While the voice sounds, the backing is projected onto it, frequency by frequency: the part that
follows the voice through one fixed filter of up to 50 ms (rooms, microphones) can not be chance. It
is the voice in the backing or, where musicians played in one room, both in both.

Measured on 14 songs with true stems, 10 of them real: -25 dB or less of the voice's own level; on a
live recording -9 dB. A voice mixed into the backing on purpose, through a filter, at -10, -15 or
-20 dB was found at that level to within 3 dB. At -18 dB it takes up to 1 dB from a score of 12 dB.
"""

import numpy as np

#: In Hz. The caller resamples to one channel at this rate.
SAMPLE_RATE = 11025
#: More than this is a fault, in dB of the voice's level.
LIMIT = -18.0
_WINDOW, _HOP = 1024, 512
#: Below is rumble that everything has, in Hz.
_LOWEST = 100
#: Frames this much below the voice's loudest, in dB, are no singing.
_SINGING = -30.0
#: Of half overlapping Hann windows, as many count as 1 that is independent.
_OVERLAP = 1.2
_FEWEST = 20
_CHUNK = 2048


def bleed(vocals: np.ndarray, accompaniment: np.ndarray) -> float | None:
    """Level of the voice in the backing.

    Args:
        vocals: `(time,)` at ``SAMPLE_RATE``.
        accompaniment: As long.

    Returns:
        In dB of the voice's own level, -60 at least; None where there is too little singing.
    """
    count = (min(len(vocals), len(accompaniment)) - _WINDOW) // _HOP + 1
    if count < _FEWEST:
        return None
    framed = [
        np.lib.stride_tricks.sliding_window_view(stem, _WINDOW)[::_HOP][:count]
        for stem in (vocals, accompaniment)
    ]
    strength = np.concatenate(
        [np.square(framed[0][i : i + _CHUNK]).sum(axis=1) for i in range(0, count, _CHUNK)]
    )
    singing = np.flatnonzero(strength > strength.max() * 10 ** (_SINGING / 10))
    if len(singing) < _FEWEST or not strength.max():
        return None
    # Energy of the voice, its product with the backing, and what their product is by chance.
    voice, product, chance = 0.0, 0.0, 0.0
    window = np.hanning(_WINDOW).astype(np.float32)
    lowest = _LOWEST * _WINDOW // SAMPLE_RATE
    for first in range(0, len(singing), _CHUNK):
        chosen = singing[first : first + _CHUNK]
        one, two = (np.fft.rfft(frames[chosen] * window)[:, lowest:] for frames in framed)
        voice = voice + (np.abs(one) ** 2).sum(axis=0)
        product = product + (one.conj() * two).sum(axis=0)
        chance = chance + (np.abs(one) ** 2 * np.abs(two) ** 2).sum(axis=0)
    floor = 1e-12 * np.sum(voice)
    projected = (np.abs(product) ** 2 - _OVERLAP * chance) / (voice + floor)
    return float(10 * np.log10(max(projected.sum() / np.sum(voice), 1e-6)))
