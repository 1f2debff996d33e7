"""Measures of a whole song: uSDR, SI-SDR, level and correlation, and what they say of mix-ups.

uSDR is the SDR of a whole song as the Music Demixing Challenge 2021 defines it
(https://arxiv.org/abs/2108.13559). SI-SDR (Le Roux, Wisdom, Erdogan and Hershey,
https://arxiv.org/abs/1811.02508) first scales the reference to fit the estimate best, so a wrong
level costs nothing: with one factor for all channels, and without removing means.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

#: Added to both powers of a ratio, as the Music Demixing Challenge does.
EPSILON = 1e-7
#: Less than this correlation with every stem of the song makes an estimate doubtful.
LOW_CORRELATION = 0.1
#: Samples that are read at once.
BLOCK = 2**18


def usdr(reference: np.ndarray, estimate: np.ndarray) -> float:
    """Signal-to-distortion ratio of a whole signal, in dB.

    ``10 log10((sum(s^2) + eps) / (sum((s - e)^2) + eps))`` with eps = 1e-7, over all samples and
    channels. A silent estimate has 0 dB. A perfect one has a large number instead of infinity.

    Args:
        reference: ``(channels, time)`` or any other shape.
        estimate: Of the same shape.

    Raises:
        ValueError: The shapes differ.
    """
    if reference.shape != estimate.shape:
        raise ValueError(f"reference is {reference.shape}, estimate {estimate.shape}: not equal")
    signal = np.asarray(reference, dtype=np.float64)
    return _ratio(np.sum(signal**2), np.sum((signal - estimate) ** 2))


def measure(
    references: np.ndarray,
    estimates: np.ndarray,
    prepare: Callable[[np.ndarray], np.ndarray] = np.asarray,
) -> tuple[list[dict[str, Any]], np.ndarray]:
    """Measure a song, block by block.

    Args:
        references: ``(n_src, channels, time)``.
        estimates: Of the same shape.
        prepare: What is done to each block first, such as rounding.

    Returns:
        For each source its measures. ``uSDR`` and ``SI-SDR`` in dB and ``correlation`` are those of
        the estimate with its reference; None for a silent reference, the last two for a silent
        estimate too. ``silence_dB``, which only a silent reference has, is the mean power of its
        estimate in dB re full scale, -100 at the least. Second, the correlations of all estimates
        with all references, ``(n_src, n_src)``, 0 where one is silent.
    """
    n_src, _, length = references.shape
    products, errors = np.zeros((2 * n_src, 2 * n_src)), np.zeros(n_src)
    for start in range(0, length, BLOCK):
        block = slice(start, start + BLOCK)
        true, found = (
            np.asarray(prepare(x[..., block]), np.float64).reshape(n_src, -1)
            for x in (references, estimates)
        )
        both = np.concatenate([true, found])
        products += both @ both.T
        errors += np.sum((true - found) ** 2, axis=1)
    powers = products.diagonal()
    norms = np.sqrt(np.where(powers > 0, powers, 1))
    correlations = (products / norms / norms[:, None])[n_src:, :n_src]
    return [
        _source(powers[i], powers[n_src + i], errors[i], correlations[i, i], references[i].size)
        for i in range(n_src)
    ], correlations


def _source(
    reference: float, estimate: float, error: float, correlation: float, size: int
) -> dict[str, float | None]:
    """Measures of one source from its powers, which are sums of squares."""
    sounds, heard = reference > 0, reference > 0 and estimate > 0
    fitted = estimate * correlation**2
    return {
        "uSDR": _ratio(reference, error) if sounds else None,
        "SI-SDR": _ratio(fitted, max(estimate - fitted, 0)) if heard else None,
        "correlation": float(correlation) if heard else None,
        "silence_dB": None if sounds else _decibel(estimate / size + 1e-10),
    }


def loudest(wav: np.ndarray, sample_rate: int, seconds: float) -> int:
    """The first sample of the stretch with the most power, to half a second.

    Args:
        wav: ``(channels, time)``.
        sample_rate: In Hz.
        seconds: How long the stretch is, in s; one that is longer than the sound begins with it.
    """
    hop = sample_rate // 2
    power = np.add.reduceat(np.square(wav).sum(axis=0), np.arange(0, wav.shape[1], hop))
    width = min(max(1, round(2 * seconds)), len(power))
    return int(np.argmax(np.convolve(power, np.ones(width), "valid"))) * hop


def remarks(correlations: np.ndarray, stems: tuple[str, str]) -> list[str]:
    """What looks like a mistake: stems that changed places, estimates of another song.

    Args:
        correlations: Of estimates with references, ``(2, 2)``, as `measure` returns them.
        stems: Their names.
    """
    # The sign does not matter: an inverted estimate is still one of this song.
    size = np.abs(correlations)
    found = []
    crossed = size[0, 1] > size[0, 0] and size[1, 0] > size[1, 1]
    if crossed and min(size[0, 1], size[1, 0]) >= LOW_CORRELATION:
        found.append(
            f"the estimate of {stems[0]} resembles the {stems[1]} and vice versa (correlations "
            f"{correlations[0, 1]:.2f} and {correlations[1, 0]:.2f}, with their own references "
            f"{correlations[0, 0]:.2f} and {correlations[1, 1]:.2f}): are the files swapped?"
        )
    for stem, row in zip(stems, size, strict=True):
        # A row of zeros is silence, which is counted elsewhere.
        if 0 < row.max() < LOW_CORRELATION:
            found.append(
                f"the estimate of {stem} has a correlation of {row.max():.3f} at most with the "
                "stems of this song: is it another song's, or shifted in time?"
            )
    return found


def _ratio(signal: float, error: float) -> float:
    return _decibel(signal + EPSILON) - _decibel(error + EPSILON)


def _decibel(power: float) -> float:
    return 10 * math.log10(power)
