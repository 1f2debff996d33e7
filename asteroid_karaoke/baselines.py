"""Baselines: the floor and the ceiling between which a model's scores are read.

All have one interface, ``estimate(mixture, sources, sample_rate) -> estimates``: the mixture
``(channels, time)``, the true sources ``(2, channels, time)`` in the order vocals, accompaniment,
which only a ceiling may look at, the sample rate in Hz, and the estimates ``(2, channels, time)``
in the same order. Silence comes back as silence.
"""

from collections.abc import Callable

import numpy as np
import torch

N_FFT = 4096
HOP_LENGTH = 1024


def mixture_as_estimate(mixture: np.ndarray, sources: np.ndarray, sample_rate: int) -> np.ndarray:
    """Floor: the mixture itself, at its full level, as the estimate of both sources.

    What remains in the vocals is then the accompaniment and vice versa, so that with two sources
    the SDR of the one is that of the other with its sign changed: it is the ratio of their powers.
    (SiSEC 2018's own baseline divides the mixture by the number of sources, which is another one.)

    Args:
        mixture: ``(channels, time)``.
        sources: Not looked at.
        sample_rate: Not looked at.

    Returns:
        ``(2, channels, time)``.
    """
    return np.stack([mixture, mixture])


def ideal_ratio_mask(mixture: np.ndarray, sources: np.ndarray, sample_rate: int) -> np.ndarray:
    """Ceiling of what masks between 0 and 1 can do: the mask that knows the true sources.

    The mask of the vocals is ``|V| / (|V| + |A|)`` for each bin, frame and channel, with V and A
    the spectra of the true sources (Hann window of 4096 samples, hop 1024), and 1/2 where both are
    zero. The accompaniment is what is left of the mixture: the estimates add up to it.

    It is no bound: SiSEC 2018 has this mask as IRM1, and its IRM2, with squared magnitudes, scores
    higher. On the excerpt that stempeg ships (Falcon 69, mixture = sum of the stems), museval gives
    8.0 dB for the vocals and 15.0 dB for the accompaniment; squared magnitudes give 8.9 and 16.1,
    the mixture itself -6.2 and 6.2.

    Args:
        mixture: ``(channels, time)``.
        sources: True vocals and accompaniment, ``(2, channels, time)``.
        sample_rate: Not looked at: window and hop are in samples.

    Returns:
        ``(2, channels, time)``.

    Raises:
        ValueError: The shapes do not fit together.
    """
    if sources.shape != (2, *mixture.shape):
        raise ValueError(
            f"mixture is {mixture.shape} and sources are {sources.shape}: "
            "expected (channels, time) and (2, channels, time)"
        )
    window = torch.hann_window(N_FFT)

    def spectrum(wav: np.ndarray) -> torch.Tensor:
        return torch.stft(
            torch.from_numpy(np.ascontiguousarray(wav, dtype=np.float32)),
            N_FFT,
            HOP_LENGTH,
            window=window,
            pad_mode="constant",
            return_complex=True,
        )

    # Channel by channel: the spectra of a long song are several times as large as its samples.
    vocals = np.empty_like(mixture)
    for channel, wav in enumerate(mixture):
        voice, rest = (spectrum(source[channel]).abs() for source in sources)
        mask = torch.where(voice + rest > 0, voice / (voice + rest), 0.5)
        masked = torch.istft(
            mask * spectrum(wav), N_FFT, HOP_LENGTH, window=window, length=len(wav)
        )
        vocals[channel] = masked.numpy()
    return np.stack([vocals, mixture - vocals])


#: For each baseline's name its function.
BASELINES: dict[str, Callable[[np.ndarray, np.ndarray, int], np.ndarray]] = {
    "mixture": mixture_as_estimate,
    "ideal_ratio_mask": ideal_ratio_mask,
}
