"""The strided U-Net: few operations a second, all of them large convolutions.

Jansson et al. ("Singing voice separation with deep U-Net convolutional networks", ISMIR 2017) took
the encoder and decoder with skips from images to the voice's magnitudes; Spleeter (Hennequin et al.
2020, https://doi.org/10.21105/joss.02154) brought it to stereo at 44.1 kHz, over the bins up to
11 kHz. Each of six levels halves bins and frames and doubles the channels, so most of the 9.8 M
weights meet few positions: 0.6 GMAC and some 0.02 CPU-s a second of stereo.

What is other here: the input is divided by its moving level and compressed, instead of scaled by
the song; what stays on the way is cropped to the frames that are there, so songs and blocks may
have any length; and the bins above those that the network sees get the mean mask of the highest
eighth of those below, since what a voice has there, breath and sibilants, begins below. (Spleeter
offers silence, or the mean over all bins.)
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .level import LEVEL_FRAMES, moving_level

#: Channels of the levels.
WIDTHS = (16, 32, 64, 128, 256, 512)
#: Decoder layers, from the deepest, that forget half of their channels' values in training.
WITH_DROPOUT = 3
#: Exponent that flattens the dynamics of what the network sees, as the ear does.
COMPRESSION = 0.4


class UNet(nn.Module):
    """Real mask of the voice from magnitudes.

    Args:
        in_channels: Audio channels.
        n_bins: Frequency bins, ``n_fft // 2 + 1``. The network sees the lower half of them.

    Shape:
        - input: `(batch, channels, bins, frames)`, complex
        - output: the same, real, from 0 to 1
    """

    #: What :class:`~asteroid_karaoke.KaraokeNet` puts before this masker unless told otherwise.
    transform = {"sample_rate": 44100, "channels": 2, "n_fft": 4096, "hop_length": 1024}
    #: Frames at whose multiples blocks of a song must start: the deepest level halves six times.
    period = 2 ** len(WIDTHS)
    #: Frames on each side that one frame of the mask depends on: a kernel of 5 reaches two frames
    #: of its level to each side, on the way down and on the way up. That is 6.2 s, more than
    #: separation gives a block as margin; what is cut off hardly matters.
    context = 2 * 2 * (2 ** len(WIDTHS) - 1) + LEVEL_FRAMES

    def __init__(self, in_channels: int = 2, n_bins: int = 2049):
        super().__init__()
        self.seen = n_bins // 2
        widths = [in_channels, *WIDTHS]
        self.down = nn.ModuleList(Down(i, o) for i, o in pairwise(widths))
        # All but the deepest get a skip beside what comes from below.
        below = [width * (1 if width == WIDTHS[-1] else 2) for width in WIDTHS]
        self.up = nn.ModuleList(
            Up(i, o, dropout=level >= len(WIDTHS) - WITH_DROPOUT)
            for level, (i, o) in enumerate(zip(below[1:], WIDTHS, strict=False), 1)
        )
        self.last = Transposed(below[0], in_channels)

    def get_config(self) -> dict:
        """The masker has no arguments of its own."""
        return {}

    def forward(self, spectrum: Tensor) -> Tensor:
        """Compute the mask; see the class for shapes."""
        power = spectrum.real.square() + spectrum.imag.square()
        compressed = (power / moving_level(power) + 1e-8).pow(COMPRESSION / 2)
        x = compressed[:, :, : self.seen].contiguous(memory_format=torch.channels_last)
        levels = [x]
        for down in self.down:
            levels.append(down(levels[-1]))
        x = levels.pop()
        for up in reversed(self.up):
            skip = levels.pop()
            x = torch.cat([up(x, skip.shape), skip], dim=1)
        mask = torch.sigmoid(self.last(x, levels[0].shape).float())
        top = mask[:, :, -(self.seen // 8) :].mean(2, keepdim=True)
        return torch.cat([mask, top.expand(-1, -1, spectrum.shape[2] - self.seen, -1)], dim=2)


class Down(nn.Sequential):
    """Half the bins, half the frames."""

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__(
            nn.Conv2d(in_channels, out_channels, 5, stride=2, padding=2, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.LeakyReLU(0.2),
        )


class Transposed(nn.ConvTranspose2d):
    """Twice the bins, twice the frames, as many of them as there were on the way down."""

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__(in_channels, out_channels, 5, stride=2, padding=2, output_padding=1)

    # The base class takes an optional list of sizes in the place of the shape.
    def forward(self, x: Tensor, shape: torch.Size) -> Tensor:  # type: ignore[override]
        """`(batch, in_channels, bins, frames)` to the last two of `shape`."""
        return super().forward(x)[:, :, : shape[2], : shape[3]]


class Up(nn.Module):
    """A transposed convolution, normalised; half of its values forgotten in training, if wanted."""

    def __init__(self, in_channels: int, out_channels: int, dropout: bool):
        super().__init__()
        self.convolution = Transposed(in_channels, out_channels)
        self.norm = nn.BatchNorm2d(out_channels)
        self.dropout = nn.Dropout(0.5 if dropout else 0.0)

    def forward(self, x: Tensor, shape: torch.Size) -> Tensor:
        """`(batch, in_channels, bins, frames)` to the last two of `shape`."""
        return self.dropout(F.relu(self.norm(self.convolution(x, shape))))
