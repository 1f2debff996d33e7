"""How much of the voice is in the backing: headphones, open microphones, a wrong export.

While the voice sounds, the backing is projected onto it, frequency by frequency: the part that
follows the voice through one fixed filter of up to 50 ms (rooms, microphones) can not be chance. It
is the voice in the backing or, where musicians played in one room, both in both. What chance alone
gives, since voice and backing share their keys, is told by the same backing at other times.

Measured on 18 songs with true stems, 10 of them real: none that could be told from chance; on a
live recording -10 dB. A voice mixed into the backing on purpose, through a filter, at -10, -15 or
-20 dB was found at that level to within 3 dB, in songs of under 40 s not always. Of excerpts of 5
to 30 s, 1 % are suspected wrongly. At -18 dB, bleed takes up to 1 dB from a score of 12 dB.
"""

import numpy as np

#: In Hz. The caller resamples to one channel at this rate.
SAMPLE_RATE = 11025
#: More than this is a fault, in dB of the voice's level.
LIMIT = -18.0
#: What is given where there is none that could be told from chance.
NONE = -60.0
_WINDOW, _HOP = 1024, 512
#: Below is rumble that everything has, in Hz.
_LOWEST = 100
#: Frames this much below the voice's loudest, in dB, are no singing.
_SINGING = -30.0
_FEWEST = 20
#: At so many other times chance is measured; what counts is that much above the highest.
_OTHER_TIMES, _MARGIN = 12, 1.5
_CHUNK = 2048


def bleed(vocals: np.ndarray, accompaniment: np.ndarray) -> float | None:
    """Level of the voice in the backing.

    Args:
        vocals: `(time,)` at ``SAMPLE_RATE``.
        accompaniment: As long.

    Returns:
        In dB of the voice's own level; None where there is too little singing.
    """
    count = (min(len(vocals), len(accompaniment)) - _WINDOW) // _HOP + 1
    if count < _FEWEST:
        return None
    voice, backing = (
        np.lib.stride_tricks.sliding_window_view(stem, _WINDOW)[::_HOP][:count]
        for stem in (vocals, accompaniment)
    )
    strength = np.concatenate(
        [np.square(voice[first : first + _CHUNK]).sum(axis=1) for first in range(0, count, _CHUNK)]
    )
    singing = np.flatnonzero(strength > strength.max() * 10 ** (_SINGING / 10))
    if len(singing) < _FEWEST:
        return None
    shifts = np.arange(_OTHER_TIMES + 1) * count // (_OTHER_TIMES + 1)
    projected, energy = _project(voice, backing, singing, shifts)
    found, chance = projected[0], projected[1:]
    if found < _MARGIN * chance.max():
        return NONE
    return float(10 * np.log10(max((found - chance.mean()) / energy, 10 ** (NONE / 10))))


def _project(
    voice: np.ndarray, backing: np.ndarray, singing: np.ndarray, shifts: np.ndarray
) -> tuple[np.ndarray, float]:
    """Energy `(shifts,)` of the part of the shifted backing that follows the voice; the voice's.

    Args:
        voice: `(frames, window)`.
        backing: Likewise.
        singing: Numbers of the frames that count.
        shifts: In frames, from the end back to the beginning.
    """
    window = np.hanning(_WINDOW).astype(np.float32)
    lowest = -(-_LOWEST * _WINDOW // SAMPLE_RATE)

    def spectra(frames: np.ndarray) -> np.ndarray:
        return np.fft.rfft(frames * window)[:, lowest:]

    energy = np.zeros(_WINDOW // 2 + 1 - lowest)
    products = np.zeros((len(shifts), len(energy)), complex)
    for first in range(0, len(singing), _CHUNK):
        chosen = singing[first : first + _CHUNK]
        sung = spectra(voice[chosen])
        energy += (np.abs(sung) ** 2).sum(axis=0)
        for number, shift in enumerate(shifts):
            played = spectra(backing[(chosen + shift) % len(backing)])
            products[number] += (sung.conj() * played).sum(axis=0)
    floor = 1e-12 * energy.sum()
    return (np.abs(products) ** 2 / (energy + floor)).sum(axis=1), float(energy.sum())
