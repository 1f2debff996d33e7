"""The sounds of sung syllables: what the vocal tract and the voice do in each.

Formants of the vowels after G. E. Peterson and H. L. Barney, Control methods used in a study of the
vowels, JASA 24 (1952), men's averages; the loci of the consonants, their lengths and noise bands
after K. N. Stevens, Acoustic Phonetics (1998) and D. Klatt, JASA 67 (1980), rounded. A tract
shorter than a man's scales them all.
"""

from typing import NamedTuple

import numpy as np

Formants = tuple[float, float, float]


class Phone(NamedTuple):
    """One steady piece of a syllable.

    Args:
        seconds: Its length; a vowel fills what the consonants leave over.
        formants: Lowest three resonances in Hz of a man's tract, or None: as before.
        voice: Amplitude of the vibrating vocal folds, 1 in a vowel.
        breath: Amplitude of the noise at the glottis, which passes through the whole tract.
        hiss: Amplitude of the noise at a constriction further ahead.
        band: Name of the spectrum of that noise, a key of BANDS.
    """

    seconds: float
    formants: Formants | None
    voice: float = 0.0
    breath: float = 0.0
    hiss: float = 0.0
    band: str = "s"


#: Noise at a constriction: centre in Hz, width in octaves, level in dB.
BANDS = {
    "s": (7500.0, 0.7, 0.0),
    "sh": (3600.0, 0.7, 1.0),
    "f": (6500.0, 2.2, -11.0),
    "p": (900.0, 1.2, -3.0),
    "t": (4800.0, 1.0, 1.0),
    "k": (2000.0, 0.6, 1.0),
}

VOWELS: dict[str, Formants] = {
    "i": (270, 2290, 3010),
    "I": (390, 1990, 2550),
    "e": (400, 2080, 2600),
    "E": (530, 1840, 2480),
    "ae": (660, 1720, 2410),
    "a": (730, 1090, 2440),
    "A": (760, 1320, 2500),
    "O": (570, 840, 2410),
    "o": (450, 800, 2400),
    "U": (440, 1020, 2240),
    "u": (300, 870, 2240),
    "V": (640, 1190, 2390),
    "R": (490, 1350, 1690),
}
#: Pairs of vowels that glide into each other on one note.
DIPHTHONGS = (("A", "I"), ("E", "I"), ("o", "U"), ("a", "U"), ("O", "I"), ("i", "V"))


def _stop(band: str, locus: Formants, voiced: bool) -> tuple[Phone, ...]:
    closure = Phone(0.055, locus, voice=0.12 if voiced else 0.0)
    burst = Phone(0.012, locus, hiss=0.5 if voiced else 0.9, band=band)
    return (closure, burst) if voiced else (closure, burst, Phone(0.035, None, breath=1.0))


def _hiss(seconds: float, band: str, locus: Formants, voice: float = 0.0) -> tuple[Phone, ...]:
    return (Phone(seconds, locus, voice=voice, hiss=0.6 if voice else 1.0, band=band),)


LABIAL, ALVEOLAR, VELAR = (350, 900, 2200), (330, 1750, 2650), (330, 1900, 2150)
CONSONANTS: dict[str, tuple[Phone, ...]] = {
    "p": _stop("p", LABIAL, False),
    "b": _stop("p", LABIAL, True),
    "t": _stop("t", ALVEOLAR, False),
    "d": _stop("t", ALVEOLAR, True),
    "k": _stop("k", VELAR, False),
    "g": _stop("k", VELAR, True),
    "s": _hiss(0.11, "s", ALVEOLAR),
    "z": _hiss(0.08, "s", ALVEOLAR, 0.35),
    "sh": _hiss(0.11, "sh", (330, 1850, 2500)),
    "ch": (Phone(0.045, ALVEOLAR), *_hiss(0.07, "sh", (330, 1850, 2500))),
    "f": _hiss(0.09, "f", LABIAL),
    "v": _hiss(0.06, "f", LABIAL, 0.4),
    "th": _hiss(0.07, "f", ALVEOLAR, 0.3),
    "h": (Phone(0.07, None, voice=0.08, breath=1.0),),
    "m": (Phone(0.075, (260, 1050, 2200), voice=0.35),),
    "n": (Phone(0.065, (260, 1500, 2450), voice=0.35),),
    "l": (Phone(0.065, (360, 1250, 2800), voice=0.6),),
    "r": (Phone(0.065, (400, 1150, 1600), voice=0.65),),
    "w": (Phone(0.07, (300, 700, 2200), voice=0.6),),
    "y": (Phone(0.06, (280, 2200, 2950), voice=0.65),),
}
CODAS = ("n", "m", "l", "r", "s", "z", "t", "d", "k", "v")


class Syllable(NamedTuple):
    """Consonants before the vowel, one or two vowels, consonants after it."""

    onset: tuple[Phone, ...]
    vowels: tuple[Formants, ...]
    coda: tuple[Phone, ...]


def babble(rng: np.random.Generator) -> Syllable:
    """Make up a syllable. Some 15 % begin with a vowel, some 35 % end on a consonant."""
    onset = () if rng.random() < 0.15 else CONSONANTS[str(rng.choice(list(CONSONANTS)))]
    coda = CONSONANTS[str(rng.choice(CODAS))] if rng.random() < 0.35 else ()
    if rng.random() < 0.3:
        names = list(DIPHTHONGS[rng.integers(len(DIPHTHONGS))])
    else:
        names = [str(rng.choice(list(VOWELS)))]
    return Syllable(onset, tuple(VOWELS[name] for name in names), coda)


def hiss_response(name: str, frequency: np.ndarray, scale: float) -> np.ndarray:
    """Amplitude response ``(bins,)`` of a band of BANDS: a bell on the logarithmic frequency axis.

    Args:
        name: Key of BANDS.
        frequency: In Hz ``(bins,)``.
        scale: Of the singer's tract; a shorter one hisses higher.
    """
    centre, octaves, level = BANDS[name]
    distance = np.log2(np.maximum(frequency, 20.0) / (centre * scale)) / octaves
    return 10 ** (level / 20) * np.exp(-np.log(2) * distance**2)
