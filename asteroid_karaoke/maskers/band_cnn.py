"""The default masker: a U-Net of convolutions over few, uneven frequency rows.

SCNet (https://arxiv.org/abs/2401.13276) showed that frequency can be reduced early and unevenly, as
long as the low bins, where the harmonics of a voice stand apart, are treated best. So the first
layer folds the 2049 bins of a frame into about 220 rows of many channels; two more levels halve
rows and frames and double the channels, so that each level costs the same. All that follows is
dense convolutions and matrix products, which run near a CPU's peak where depthwise convolutions and
thin maps at full resolution do not (``eval/LOG.md`` has the timings). A second of stereo costs the
size ``small`` 0.050 CPU-s on one thread in float32, 0.041 in bfloat16, 0.036 in OpenVINO's. In the
bottleneck a learnt matrix mixes the rows of a frame, which lets a harmonic at 300 Hz know of its
relatives at 3 kHz.

Everything is local in time: the level that the input is normalised by is a moving mean, the norms
are batch norms, and the context is bounded and known (:attr:`BandCNN.context`), so a song cut into
blocks at every fourth frame gives the very same voice as a whole one.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .blocks import Block, enlarge
from .level import LEVEL_FRAMES, moving_level
from .rows import Fold, Unfold, pad_rows

#: Channels per level and bottleneck blocks of the named sizes.
SIZES = {
    "tiny": {"channels": 16, "depth": 4},
    "small": {"channels": 32, "depth": 6},
    "base": {"channels": 64, "depth": 14},
}
#: What mixes the rows in the bottleneck.
BOTTLENECKS = ("conv", "recurrent")
#: Levels, each of half the rows and frames of the last. The bottleneck is the lowest.
LEVELS = 3
#: Dilations of the bottleneck's convolutions along time, over and over.
DILATIONS = (1, 2)
#: Exponent that flattens the dynamics of what the network sees, as the ear does.
COMPRESSION = 0.4
#: A voice's bin can be louder than the mixture's, when the backing cancels it.
MASK_LIMIT = 1.5


class BandCNN(nn.Module):
    """Complex mask of the voice from a complex spectrum.

    Args:
        in_channels: Audio channels.
        n_bins: Frequency bins, ``n_fft // 2 + 1``.
        size: Named size, one of ``tiny``, ``small``, ``base`` (0.2, 1.2 and 10.0 M weights).
        width: Channels of the first level; each has twice the last one's. None, here and below:
            what the size says.
        depth: Blocks of the bottleneck. Each widens the context by its dilation.
        bottleneck: What mixes the rows of a frame: ``conv``, a learnt matrix, or ``recurrent``, a
            GRU over the rows in both directions. Neither looks at other frames.

    Shape:
        - input: `(batch, channels, bins, frames)`, complex
        - output: the same, complex; each value's modulus is below 1.5

    Raises:
        ValueError: There is no such size or bottleneck.
    """

    #: What :class:`~asteroid_karaoke.KaraokeNet` puts before this masker unless told otherwise.
    transform = {"sample_rate": 44100, "channels": 2, "n_fft": 4096, "hop_length": 1024}
    #: Frames at whose multiples blocks of a song must start: those that are one in the bottleneck.
    period = 2 ** (LEVELS - 1)
    #: Modules whose blocks compute in bfloat16 where that is asked for. Their residual sums, the
    #: decoder, and the layers that read the spectrum or write the mask, lose too much by it.
    bfloat16_modules = ("encoder", "bottleneck")

    def __init__(
        self,
        in_channels: int = 2,
        n_bins: int = 2049,
        size: str = "small",
        width: int | None = None,
        depth: int | None = None,
        bottleneck: str = "conv",
    ):
        super().__init__()
        for name, value, known in (("size", size, SIZES), ("bottleneck", bottleneck, BOTTLENECKS)):
            if value not in known:
                raise ValueError(f"{name} is {value!r}, expected one of {', '.join(known)}")
        width = width or SIZES[size]["channels"]
        depth = depth or SIZES[size]["depth"]
        self.config = {"size": size, "width": width, "depth": depth, "bottleneck": bottleneck}
        widths = [width * 2**level for level in range(LEVELS)]
        self.fold = Fold(n_features(in_channels), width, n_bins)
        rows = [self.fold.n_rows]
        for _ in widths[1:]:
            rows.append((rows[-1] + 1) // 2)
        self.encoder = nn.ModuleList(Block(w) for w in widths[:-1])
        self.down = nn.ModuleList(nn.Conv2d(i, o, 2, stride=2) for i, o in pairwise(widths))
        self.bottleneck = nn.Sequential(
            *(
                Block(widths[-1], DILATIONS[i % len(DILATIONS)], rows[-1], bottleneck)
                for i in range(depth)
            )
        )
        self.up = nn.ModuleList(nn.Conv2d(i, 4 * o, 1) for o, i in pairwise(widths))
        self.decoder = nn.ModuleList(Block(w) for w in widths[:-1])
        self.unfold = Unfold(width, 2 * in_channels, n_bins)

    @property
    def context(self) -> int:
        """Frames on each side that one frame of the mask depends on."""
        # A level's blocks reach one of its frames each, and so does what is made one in the next.
        levels = sum(3 * 2**level for level in range(LEVELS - 1))
        bottleneck = sum(
            module.kernel_size[1] // 2 * module.dilation[1]
            for module in self.bottleneck.modules()
            if isinstance(module, nn.Conv2d)
        )
        return 1 + levels + bottleneck * self.period + LEVEL_FRAMES

    def get_config(self) -> dict:
        """The masker's own arguments, plain and flat."""
        return dict(self.config)

    def forward(self, spectrum: Tensor) -> Tensor:
        """Compute the mask; see the class for shapes."""
        frames = spectrum.shape[-1]
        missing = -frames % self.period
        # Not by way of a variable, which would keep the features in memory all along.
        mask = self.network(F.pad(features(spectrum), (0, missing)))
        return bounded(mask[..., :frames].float())

    def network(self, x: Tensor) -> Tensor:
        """From what :func:`features` gives to what :func:`bounded` takes, all real.

        The number of frames is a multiple of the period.
        """
        x = self.fold(x.contiguous(memory_format=torch.channels_last))
        skips = []
        for block, down in zip(self.encoder, self.down, strict=True):
            x = block(x)
            skips.append(x)
            x = down(pad_rows(x, 2))
        x = self.bottleneck(x)
        for block, up in zip(reversed(self.decoder), reversed(self.up), strict=True):
            skip = skips.pop()
            x = block(enlarge(up(x))[:, :, : skip.shape[2]] + skip)
        return self.unfold(x)


def features(spectrum: Tensor) -> Tensor:
    """What the network sees, compressed and at an even level.

    Real part, imaginary part and magnitude of each channel; of stereo the magnitudes of middle and
    side too, as singers mostly stand in the middle, which no layer could compute from the others
    before the bins of a row are summed.

    Shape:
        - input: `(batch, channels, bins, frames)`, complex
        - output: `(batch, n_features(channels), bins, frames)`
    """
    power = squared(spectrum)
    level = moving_level(power)
    power = power / level
    scale = (power + 1e-8).pow((COMPRESSION - 1) / 2) / level.sqrt()
    powers = [power]
    if spectrum.shape[1] == 2:
        left, right = spectrum.split(1, dim=1)
        powers += [squared(both) / (2 * level) for both in (left + right, left - right)]
    return torch.cat(
        [spectrum.real * scale, spectrum.imag * scale]
        + [(power + 1e-8).pow(COMPRESSION / 2) for power in powers],
        dim=1,
    )


def n_features(channels: int) -> int:
    """Feature maps of a song of so many channels."""
    return 3 * channels + (2 if channels == 2 else 0)


def squared(spectrum: Tensor) -> Tensor:
    """Squared modulus, real."""
    return spectrum.real.square() + spectrum.imag.square()


def bounded(mask: Tensor) -> Tensor:
    """Complex mask from pairs of channels, its modulus limited softly.

    Shape:
        - input: `(batch, 2 * channels, bins, frames)`
        - output: `(batch, channels, bins, frames)`, complex
    """
    real, imag = mask.chunk(2, dim=1)
    modulus = (real.square() + imag.square() + 1e-8).sqrt()
    scale = MASK_LIMIT * torch.tanh(modulus / MASK_LIMIT) / modulus
    return torch.complex(real * scale, imag * scale)
