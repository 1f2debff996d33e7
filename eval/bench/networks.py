"""The networks that are compared, each built by name, each from a mixture to voice and rest.

All of them are what :class:`asteroid_karaoke.overlap_add.Separator` asks for, and estimate the
voice alone: karaoke is what it leaves. Those of others are taken as they are, with the transform
and the rate that they are known with, or the nearest that makes sense at 44.1 kHz.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from asteroid_karaoke import KaraokeNet, maskers
from asteroid_karaoke.stft import ISTFT, STFT


class ConvTasNet(nn.Module):
    """Asteroid's Conv-TasNet (https://arxiv.org/abs/1809.07454), each channel by itself.

    Its windows are 256 samples, 6 ms, moving by half of that. Shorter ones, as 2 ms for speech, are
    its strength, but take over 20 GB to train on 4 × 6 s of stereo at 44.1 kHz.
    """

    sample_rate, channels = 44100, 2
    #: The norms go over the whole input.
    context = None

    def __init__(self, kernel_size: int = 256, **kwargs: Any):
        super().__init__()
        from asteroid.models import ConvTasNet as Network

        self.grid = kernel_size // 2
        self.network = Network(
            1,
            kernel_size=kernel_size,
            stride=self.grid,
            sample_rate=self.sample_rate,
            **kwargs,
        )

    def forward(self, wav: Tensor) -> Tensor:
        """`(batch, channels, time)` to `(batch, 2, channels, time)`."""
        voice = self.network(wav.reshape(-1, 1, wav.shape[-1])).view(wav.shape)
        return torch.stack([voice, wav - voice], dim=1)


class OpenUnmix(nn.Module):
    """Open-Unmix's network for one target (https://doi.org/10.21105/joss.01667), mixture phase.

    Its Wiener filter needs the networks of all other sources, and is left out.
    """

    sample_rate, channels = 44100, 2
    #: Its LSTM goes over the whole input.
    context = None

    def __init__(self, n_fft: int = 4096, hop_length: int = 1024, max_hertz: float = 16000.0, **kw):
        super().__init__()
        from openunmix.model import OpenUnmix as Network

        self.grid = hop_length
        self.encoder = STFT(n_fft, hop_length, self.sample_rate)
        self.decoder = ISTFT(n_fft, hop_length, self.sample_rate)
        self.max_bin = 1 + int(max_hertz / self.sample_rate * n_fft)
        self.network = Network(self.encoder.n_bins, self.channels, max_bin=self.max_bin, **kw)

    def forward(self, wav: Tensor) -> Tensor:
        """`(batch, channels, time)` to `(batch, 2, channels, time)`."""
        spectrum = self.encoder(wav)
        magnitude = spectrum.abs()
        mask = self.network(magnitude) / magnitude.clamp(min=1e-8)
        voice = self.decoder(mask.float() * spectrum, length=wav.shape[-1])
        return torch.stack([voice, wav - voice], dim=1)

    @torch.no_grad()
    def prepare(self, mixtures: Tensor) -> None:
        """Learn each bin's mean and deviation, as its authors do over their training set."""
        magnitude = self.encoder(mixtures).abs()[:, :, : self.max_bin]
        deviation = magnitude.std((0, 1, 3))
        self.network.input_mean.copy_(-magnitude.mean((0, 1, 3)))
        self.network.input_scale.copy_(1 / deviation.clamp(min=1e-4 * float(deviation.max())))


def build(name: str, settings: dict[str, Any]) -> Any:
    """Build a network by name, with arguments other than its defaults.

    Raises:
        ValueError: There is no such network, or it has no such argument.
    """
    known: dict[str, Callable[..., nn.Module]] = {"conv_tasnet": ConvTasNet, "openunmix": OpenUnmix}
    if name not in {*known, *maskers.MASKERS}:
        raise ValueError(f"no network {name!r}, expected one of {', '.join(names())}")
    try:
        if name in known:
            return known[name](**settings)
        return KaraokeNet(masker=name, **settings)
    except TypeError as error:
        raise ValueError(f"{name}: {error}") from error


def names() -> list[str]:
    """Names of all networks."""
    return [*maskers.MASKERS, "conv_tasnet", "openunmix"]


def prepare(model: nn.Module, mixtures: Tensor) -> None:
    """Show a network `(batch, channels, time)` before training, if it asks for mixtures."""
    if isinstance(model, OpenUnmix):
        model.prepare(mixtures)
