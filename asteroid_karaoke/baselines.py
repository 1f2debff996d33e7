"""Baselines: floor and ceilings between which a model's scores are read, and older techniques.

All have one interface, ``estimate(mixture, sources, sample_rate) -> estimates``: the mixture
``(channels, time)``, the true sources ``(2, channels, time)`` in the order vocals, accompaniment,
which only a ceiling looks at (the others take None as well), the sample rate in Hz, and the
estimates ``(2, channels, time)`` in the same order. Silence comes back as silence.
"""

from collections.abc import Callable

import numpy as np
import torch

N_FFT = 4096
HOP_LENGTH = 1024
#: Modulus of the ideal complex mask at most, that of this package's networks.
MASK_LIMIT = 1.5
#: REPET-SIM: frames that the median of a frame is taken over, and s between neighbours at least.
NEIGHBOURS, NEIGHBOUR_DISTANCE = 25, 1.0
#: Windows in which a voice sounds like drums, and in which it sounds like a chord, in samples.
LONG_N_FFT, SHORT_N_FFT = 16384, 1024
#: Length of the median filters, in frames and in bins.
MEDIAN_FRAMES = 31


def mixture_as_estimate(
    mixture: np.ndarray, sources: np.ndarray | None, sample_rate: int
) -> np.ndarray:
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


def channel_inverted(
    mixture: np.ndarray, sources: np.ndarray | None, sample_rate: int
) -> np.ndarray:
    """The oldest karaoke: one channel is inverted and added to the other.

    What is equal in both channels, as lead vocals mostly are, goes. The accompaniment is (L - R)/2
    in every channel, the vocals (L + R)/2: they do not add up to the mixture. A mono song, and one
    with equal channels, leaves silence. Of more than two channels the first two count.

    Args:
        mixture: ``(channels, time)``.
        sources: Not looked at.
        sample_rate: Not looked at.

    Returns:
        ``(2, channels, time)``.
    """
    left, right = mixture[0], mixture[min(1, len(mixture) - 1)]
    middle, side = (left + right) / 2, (left - right) / 2
    return np.stack([np.broadcast_to(wav, mixture.shape) for wav in (middle, side)])


def median_filters(mixture: np.ndarray, sources: np.ndarray | None, sample_rate: int) -> np.ndarray:
    """Harmonic-percussive separation by median filters, in two resolutions.

    FitzGerald and Gainza, "Single channel vocal separation using median filtering and factorisation
    techniques" (2010): a voice moves. Through a window that is long beside its vibrato (16384
    samples) it is smeared over frequency like a drum, through a short one (1024 samples) it is as
    steady as a chord. So the vocals are the harmonic part, in the short window, of the percussive
    part in the long one. The filters are librosa's, the accompaniment is the rest of the mixture.

    Args:
        mixture: ``(channels, time)``.
        sources: Not looked at.
        sample_rate: Not looked at: windows are in samples, and meant for 44.1 kHz.

    Returns:
        ``(2, channels, time)``.
    """
    from librosa.decompose import hpss

    length = mixture.shape[-1]
    # Where the filter is longer than the spectrogram, scipy 1.17's returns garbage.
    least = MEDIAN_FRAMES * LONG_N_FFT // 4
    vocals = np.empty_like(mixture)
    for channel, wav in enumerate(mixture):
        wav = np.pad(wav, (0, max(0, least - length)))
        _, moving = hpss(_spectrum(wav, LONG_N_FFT).numpy(), kernel_size=MEDIAN_FRAMES)
        moving = _signal(torch.from_numpy(moving), LONG_N_FFT, len(wav))
        voice, _ = hpss(_spectrum(moving, SHORT_N_FFT).numpy(), kernel_size=MEDIAN_FRAMES)
        vocals[channel] = _signal(torch.from_numpy(voice), SHORT_N_FFT, length)
    return np.stack([vocals, mixture - vocals])


def repet_sim(mixture: np.ndarray, sources: np.ndarray | None, sample_rate: int) -> np.ndarray:
    """REPET-SIM: the accompaniment is what repeats, the voice what does not.

    Rafii and Pardo, "Music/voice separation using the similarity matrix" (2012): each frame of the
    spectrogram is replaced by the median of the frames that are most like it (librosa's
    nearest-neighbour filter, cosine distance, the same neighbours for all channels). Where that
    median is below the mixture, its share is the mask of the accompaniment; the vocals are the rest
    of the mixture. In less than 5 frames nothing can repeat: all is accompaniment.

    Args:
        mixture: ``(channels, time)``.
        sources: Not looked at.
        sample_rate: In Hz.

    Returns:
        ``(2, channels, time)``.
    """
    from librosa.decompose import nn_filter
    from librosa.segment import recurrence_matrix

    frames = 1 + mixture.shape[-1] // HOP_LENGTH
    if frames < 5:
        return np.stack([np.zeros_like(mixture), mixture])
    width = round(NEIGHBOUR_DISTANCE * sample_rate / HOP_LENGTH)
    similar = recurrence_matrix(
        _spectrum(mixture.mean(axis=0)).abs().numpy(),
        k=min(NEIGHBOURS, frames),
        width=max(1, min(width, (frames - 1) // 2 - 1)),
        metric="cosine",
        sparse=True,
    )
    accompaniment = np.empty_like(mixture)
    for channel, wav in enumerate(mixture):
        spectrum = _spectrum(wav)
        size = spectrum.abs()
        repeated = torch.from_numpy(nn_filter(size.numpy(), rec=similar, aggregate=np.median))
        mask = torch.where(size > 0, torch.minimum(repeated, size) / size, 1.0)
        accompaniment[channel] = _signal(mask * spectrum, N_FFT, len(wav))
    return np.stack([mixture - accompaniment, accompaniment])


def ideal_ratio_mask(
    mixture: np.ndarray, sources: np.ndarray | None, sample_rate: int
) -> np.ndarray:
    """Ceiling of what masks between 0 and 1 can do: the mask that knows the true sources.

    The mask of the vocals is ``|V| / (|V| + |A|)`` for each bin, frame and channel, with V and A
    the spectra of the true sources (Hann window of 4096 samples, hop 1024), and 1/2 where both are
    zero. The accompaniment is what is left of the mixture: the estimates add up to it.

    It is no bound: SiSEC 2018 has this mask as IRM1, and its IRM2, with squared magnitudes, scores
    higher. On the excerpt that stempeg ships (Falcon 69, mixture = sum of the stems, six frames),
    museval gives 8.0 dB for the vocals and 15.0 dB for the accompaniment; squared magnitudes give
    8.9 and 16.1, the mixture itself -6.2 and 6.2. Results of record leave out its edges, which
    hold clicks at full scale, and so have five frames of it, whose medians are up to 2 dB lower.

    Args:
        mixture: ``(channels, time)``.
        sources: True vocals and accompaniment, ``(2, channels, time)``.
        sample_rate: Not looked at: window and hop are in samples.

    Returns:
        ``(2, channels, time)``.

    Raises:
        ValueError: The shapes do not fit together, or there are no sources.
    """

    def mask(mixture: torch.Tensor, voice: torch.Tensor, rest: torch.Tensor) -> torch.Tensor:
        return torch.where(
            voice.abs() + rest.abs() > 0, voice.abs() / (voice.abs() + rest.abs()), 0.5
        )

    return _masked(mixture, sources, mask)


def ideal_complex_mask(
    mixture: np.ndarray, sources: np.ndarray | None, sample_rate: int
) -> np.ndarray:
    """Ceiling of what bounded complex masks can do, such as those of this package's networks.

    The mask of the vocals is ``V / X`` for each bin, frame and channel of the spectra of voice and
    mixture, with its modulus limited to 1.5. (Without a limit it would give back the true sources.)
    Window, hop and accompaniment are those of `ideal_ratio_mask`.

    Args:
        mixture: ``(channels, time)``.
        sources: True vocals and accompaniment, ``(2, channels, time)``.
        sample_rate: Not looked at: window and hop are in samples.

    Returns:
        ``(2, channels, time)``.

    Raises:
        ValueError: The shapes do not fit together, or there are no sources.
    """

    def mask(mixture: torch.Tensor, voice: torch.Tensor, rest: torch.Tensor) -> torch.Tensor:
        ratio = torch.where(mixture.abs() > 0, voice / mixture, 0)
        return ratio * (MASK_LIMIT / ratio.abs().clamp(min=MASK_LIMIT))

    return _masked(mixture, sources, mask)


def _masked(mixture: np.ndarray, sources: np.ndarray | None, mask: Callable) -> np.ndarray:
    """Apply a mask of the vocals, made of the spectra of mixture, vocals and accompaniment."""
    if sources is None or sources.shape != (2, *mixture.shape):
        found = "None" if sources is None else sources.shape
        raise ValueError(
            f"mixture is {mixture.shape} and sources are {found}: "
            "expected (channels, time) and the true ones, (2, channels, time)"
        )
    # Channel by channel: the spectra of a long song are several times as large as its samples.
    vocals = np.empty_like(mixture)
    for channel, wav in enumerate(mixture):
        spectrum = _spectrum(wav)
        weights = mask(spectrum, *(_spectrum(source[channel]) for source in sources))
        vocals[channel] = _signal(weights * spectrum, N_FFT, len(wav))
    return np.stack([vocals, mixture - vocals])


def _spectrum(wav: np.ndarray, n_fft: int = N_FFT) -> torch.Tensor:
    """Complex ``(bins, frames)`` of a signal ``(time,)``, with a hop of a quarter of the window."""
    return torch.stft(
        torch.from_numpy(np.ascontiguousarray(wav, dtype=np.float32)),
        n_fft,
        n_fft // 4,
        window=torch.hann_window(n_fft),
        pad_mode="constant",
        return_complex=True,
    )


def _signal(spectrum: torch.Tensor, n_fft: int, length: int) -> np.ndarray:
    window = torch.hann_window(n_fft)
    return torch.istft(spectrum, n_fft, n_fft // 4, window=window, length=length).numpy()


#: For each baseline's name its function, from the floor to the highest ceiling.
BASELINES: dict[str, Callable[[np.ndarray, np.ndarray | None, int], np.ndarray]] = {
    "mixture": mixture_as_estimate,
    "channel_inverted": channel_inverted,
    "median_filters": median_filters,
    "repet_sim": repet_sim,
    "ideal_ratio_mask": ideal_ratio_mask,
    "ideal_complex_mask": ideal_complex_mask,
}
