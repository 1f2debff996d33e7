"""The default masker: a U-Net of convolutions over few, uneven frequency rows.

SCNet (https://arxiv.org/abs/2401.13276) showed that frequency can be reduced early and unevenly, as
long as the low bins, where the harmonics of a voice stand apart, are treated best. So the first
layer folds the 2049 bins of a frame into about 220 rows of many channels; two more levels halve
rows and frames and double the channels, so that each level costs the same. All that follows is
dense convolutions and matrix products, which run near a CPU's peak where depthwise convolutions and
thin maps at full resolution do not (``eval/LOG.md`` has the timings). In the bottleneck a learnt
matrix mixes the rows of a frame, which lets a harmonic at 300 Hz know of its relatives at 3 kHz.

Everything is local in time: the level that the input is normalised by is a moving mean, the norms
are batch norms, and the context is bounded and known (:attr:`BandCNN.context`), so a song cut into
blocks at every fourth frame gives the very same voice as a whole one.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .level import LEVEL_FRAMES, moving_level

#: Channels per level and bottleneck blocks of the named sizes.
SIZES = {
    "tiny": {"channels": 16, "depth": 4},
    "small": {"channels": 32, "depth": 6},
    "base": {"channels": 64, "depth": 14},
}
#: What mixes the rows in the bottleneck.
BOTTLENECKS = ("conv", "recurrent")
#: Upper ends of the three bands as shares of all bins (SCNet's), and the bins a row in each.
BANDS = ((0.175, 4), (0.567, 8), (1.0, 32))
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
        size: Named size, one of ``tiny``, ``small``, ``base`` (0.3, 1.2 and 9.9 M weights).
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
    #: Modules whose blocks compute in bfloat16 where that is asked for. Their residual sums, and
    #: the layers that read the spectrum or write the mask, lose too much by it.
    bfloat16_modules = ("encoder", "bottleneck", "decoder")

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
        self.fold = Fold(3 * in_channels, width, n_bins)
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
        x = F.pad(features(spectrum), (0, -frames % self.period))
        return bounded(self.network(x)[..., :frames].float())

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
    """What the network sees: compressed real part, imaginary part and magnitude, at an even level.

    Shape:
        - input: `(batch, channels, bins, frames)`, complex
        - output: `(batch, 3 * channels, bins, frames)`
    """
    power = spectrum.real.square() + spectrum.imag.square()
    level = moving_level(power)
    power = power / level
    scale = (power + 1e-8).pow((COMPRESSION - 1) / 2) / level.sqrt()
    return torch.cat(
        [spectrum.real * scale, spectrum.imag * scale, (power + 1e-8).pow(COMPRESSION / 2)], dim=1
    )


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


def bands(n_bins: int) -> list[tuple[int, int, int]]:
    """First bin, last bin + 1 and bins a row of each band."""
    ends = [round(share * n_bins) for share, _ in BANDS]
    return [(a, b, n) for a, b, (_, n) in zip([0] + ends, ends, BANDS, strict=False)]


class Fold(nn.Module):
    """Bins to rows: each band by its own strided convolution, then the bands one above the other.

    A learnt offset a row tells the layers that follow, which treat all rows alike, where they are.
    """

    def __init__(self, in_channels: int, out_channels: int, n_bins: int):
        super().__init__()
        self.bands = bands(n_bins)
        self.convolutions = nn.ModuleList(
            nn.Conv2d(in_channels, out_channels, (n, 3), stride=(n, 1), padding=(0, 1))
            for _, _, n in self.bands
        )
        self.n_rows = sum(-((b - a) // -n) for a, b, n in self.bands)
        self.offset = nn.Parameter(0.02 * torch.randn(1, out_channels, self.n_rows, 1))

    def forward(self, x: Tensor) -> Tensor:
        """`(batch, in_channels, bins, frames)` to `(batch, out_channels, rows, frames)`."""
        parts = x.split([b - a for a, b, _ in self.bands], dim=2)
        rows = [
            convolution(pad_rows(part, n))
            for convolution, part, (_, _, n) in zip(
                self.convolutions, parts, self.bands, strict=True
            )
        ]
        x = torch.cat(rows, dim=2)
        return x + self.offset.to(x.dtype)


class Unfold(nn.Module):
    """Rows back to bins: a pointwise layer a band, whose channels are the bins of a row."""

    def __init__(self, in_channels: int, out_channels: int, n_bins: int):
        super().__init__()
        self.bands = bands(n_bins)
        self.layers = nn.ModuleList(
            nn.Conv2d(in_channels, out_channels * n, 1) for _, _, n in self.bands
        )

    def forward(self, x: Tensor) -> Tensor:
        """`(batch, in_channels, rows, frames)` to `(batch, out_channels, bins, frames)`."""
        bins = []
        parts = x.split([-((b - a) // -n) for a, b, n in self.bands], dim=2)
        for layer, part, (a, b, n) in zip(self.layers, parts, self.bands, strict=True):
            band = layer(part).unflatten(1, (-1, n))
            bins.append(band.transpose(2, 3).flatten(2, 3)[:, :, : b - a])
        return torch.cat(bins, dim=2)


class Block(nn.Module):
    """Residual block: a dense 3 × 3 convolution, dilated in time, and a pointwise layer.

    Given `n_rows`, all rows of a frame are mixed in between by one learnt matrix, the same for each
    channel: in channels-last memory that is a single matrix product without a copy. Or, if it is to
    be ``recurrent``, by a GRU.
    """

    def __init__(self, channels: int, dilation: int = 1, n_rows: int = 0, mixing: str = "conv"):
        super().__init__()
        self.convolution = nn.Conv2d(
            channels, channels, 3, padding=(1, dilation), dilation=(1, dilation), bias=False
        )
        self.norm = nn.BatchNorm2d(channels)
        recurrent = mixing == "recurrent" and n_rows
        self.gru = RowGRU(channels) if recurrent else None
        self.rows = (
            nn.Parameter(torch.randn(n_rows, n_rows) * 0.3 * n_rows**-0.5)
            if n_rows and not recurrent
            else None
        )
        self.pointwise = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """`(batch, channels, rows, frames)` to the same."""
        y = F.silu(self.norm(self.convolution(x)))
        if self.rows is not None:
            y = y + mix_rows(self.rows, y)
        if self.gru is not None:
            y = y + self.gru(y)
        return x + self.pointwise(y)


class RowGRU(nn.GRU):
    """Recurrent over the rows of a frame in both directions, each frame for itself."""

    def __init__(self, channels: int):
        super().__init__(channels, channels // 2, batch_first=True, bidirectional=True)

    # A GRU gives its state as well, which nobody asks for here.
    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        """`(batch, channels, rows, frames)` to the same."""
        frames = x.permute(0, 3, 2, 1)
        y, _ = super().forward(frames.flatten(0, 1))
        return y.view(frames.shape).permute(0, 3, 2, 1)


def pad_rows(x: Tensor, n: int) -> Tensor:
    """Zeros at the end of `(batch, channels, rows, frames)`, up to a multiple of n rows.

    Not by ``F.pad``: OpenVINO makes one operator of that and the convolution that follows, and
    forgets that it is to stay float32.
    """
    missing = -int(x.shape[2]) % n
    return torch.cat([x, torch.zeros_like(x[:, :, :missing])], dim=2) if missing else x


def mix_rows(weight: Tensor, x: Tensor) -> Tensor:
    """Matrix product over the rows of `(batch, channels, rows, frames)`."""
    batch, channels, rows, frames = x.shape
    flat = x.permute(0, 2, 3, 1).reshape(batch, rows, frames * channels)
    return torch.matmul(weight, flat).view(batch, rows, frames, channels).permute(0, 3, 1, 2)


def enlarge(x: Tensor) -> Tensor:
    """`(batch, 4 * channels, rows, frames)` to `(batch, channels, 2 * rows, 2 * frames)`."""
    batch, channels, rows, frames = x.shape
    # As it lies in channels-last memory, so that only one copy is made.
    x = x.permute(0, 2, 3, 1).reshape(batch, rows, frames, 2, 2, channels // 4)
    x = x.transpose(2, 3).reshape(batch, 2 * rows, 2 * frames, channels // 4)
    return x.permute(0, 3, 1, 2)
