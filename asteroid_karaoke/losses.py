"""Training losses: L1 in time and of compressed complex spectra on both stems, and that of 2018.

L1 in time is simple and strong but cares for what is loud. Spectra whose magnitudes are compressed
by a square root, phases kept, give the quiet bins, where consonants and reverberation live, a say
(https://arxiv.org/abs/2009.12286 compares such losses for speech). Both are finite for a silent
target, where SDR is not: some examples have no voice.
"""

from typing import Any

import torch
from torch import Tensor, nn

from .stft import STFT


class KaraokeLoss(nn.Module):
    """L1 in time plus multi-resolution L1 of compressed complex spectra, summed over the stems.

    Each example is divided by the level of its mixture, so that quiet songs count as much as loud
    ones.

    With windows that overlap by a half, and one resolution a step instead of all, it costs 0.012
    CPU-s per second of stereo, forward and backward; by three quarters and all, 0.053, which is as
    much as the default network's own passes.

    Args:
        n_ffts: Window lengths in samples; each steps by a half of itself.
        time_weight: Weight of the L1 in time.
        spectral_weight: Weight of the mean over the resolutions.
        accompaniment_weight: Weight of the accompaniment beside the voice's 1. In time both have
            the same error, as their estimates add up to the mixture; in compressed spectra they do
            not.

    Shape:
        - estimates, targets: `(batch, 2, channels, time)`
        - turn: number of a training step, whose resolution alone is taken, each in its turn; None
          for the mean over all
        - output: scalar
    """

    stem_weights: Tensor

    def __init__(
        self,
        n_ffts: tuple[int, ...] = (4096, 1024),
        time_weight: float = 2.0,
        spectral_weight: float = 1.0,
        accompaniment_weight: float = 0.5,
    ):
        super().__init__()
        self.transforms: Any = nn.ModuleList(STFT(n, n // 2, sample_rate=0) for n in n_ffts)
        self.time_weight = time_weight
        self.spectral_weight = spectral_weight
        self.register_buffer(
            "stem_weights", torch.tensor([1.0, accompaniment_weight]), persistent=False
        )

    def forward(self, estimates: Tensor, targets: Tensor, turn: int | None = None) -> Tensor:
        """Compute the loss; see the class for shapes."""
        level = (
            targets.sum(1, keepdim=True).square().mean((2, 3), keepdim=True).sqrt().clamp(min=1e-3)
        )
        estimates, targets = estimates / level, targets / level
        time = self._over_stems((estimates - targets).abs())
        transforms = list(self.transforms)
        if turn is not None:
            transforms = [transforms[turn % len(transforms)]]
        spectral = [
            self._over_stems(distance(transform, estimates, targets)) for transform in transforms
        ]
        return self.time_weight * time + self.spectral_weight * sum(spectral) / len(spectral)

    def _over_stems(self, distances: Tensor) -> Tensor:
        per_stem = distances.flatten(2).mean((0, 2))
        return (per_stem * self.stem_weights).sum()


class MagnitudeLoss(nn.Module):
    """What the network of 2018 was trained by: mean squared error of the voice's magnitudes.

    The 2018 code compared what its network gave with the voice's magnitudes; here both are taken
    of the sounds, in the network's own transform. Each example is divided by its mixture's level.

    Args:
        n_fft: Window length in samples.
        hop_length: Step in samples.

    Shape:
        - as :class:`KaraokeLoss`; there is one resolution, so every turn is its
    """

    def __init__(self, n_fft: int, hop_length: int):
        super().__init__()
        self.transform: Any = STFT(n_fft, hop_length, sample_rate=0)

    def forward(self, estimates: Tensor, targets: Tensor, turn: int | None = None) -> Tensor:
        """Compute the loss."""
        level = targets.sum(1).square().mean((1, 2)).sqrt().clamp(min=1e-3)[:, None, None]
        energy = 3 * self.transform.n_fft / 8  # of a Hann window
        estimated, true = (
            magnitude(self.transform(stems[:, 0] / level)) for stems in (estimates, targets)
        )
        return (estimated - true).square().mean() / energy


def loss_for(model: Any) -> nn.Module:
    """The loss that a model's masker asks for by its attribute ``loss``; else KaraokeLoss."""
    if getattr(model.masker, "loss", None) == "magnitude":
        return MagnitudeLoss(model.encoder.n_fft, model.encoder.hop_length)
    return KaraokeLoss()


def magnitude(spectrum: Tensor) -> Tensor:
    """Modulus whose gradient is finite at 0 too."""
    return (spectrum.real.square() + spectrum.imag.square() + 1e-12).sqrt()


def distance(transform: STFT, estimates: Tensor, targets: Tensor) -> Tensor:
    """Modulus of the difference of the compressed spectra.

    Returns:
        `(batch, 2, channels * bins, frames)`
    """
    with torch.no_grad():
        target_real, target_imag = compressed(transform(targets.flatten(1, 2)))
    real, imag = compressed(transform(estimates.flatten(1, 2)))
    modulus = ((real - target_real).square() + (imag - target_imag).square() + 1e-8).sqrt()
    return modulus.unflatten(1, (2, -1)).flatten(2, 3)


def compressed(spectrum: Tensor) -> tuple[Tensor, Tensor]:
    """Square root of the magnitude with the phase kept; noise of level 1 comes out near 1.

    Shape:
        - input: `(..., bins, frames)`, complex
        - output: real and imaginary part, `(..., bins, frames)` each
    """
    n_fft = 2 * (spectrum.shape[-2] - 1)
    energy = 3 * n_fft / 8  # of a Hann window
    power = (spectrum.real.square() + spectrum.imag.square()) / energy
    # Two square roots are many times faster than a power of 0.25.
    scale = (power + 1e-6).sqrt().rsqrt() * energy**-0.5
    return spectrum.real * scale, spectrum.imag * scale
