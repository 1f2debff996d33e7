"""The bins of a spectrum as fewer, uneven rows, and back."""

import torch
from torch import Tensor, nn

#: Upper ends of the three bands as shares of all bins (SCNet's), and the bins a row in each.
BANDS = ((0.175, 4), (0.567, 8), (1.0, 32))


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


def pad_rows(x: Tensor, n: int) -> Tensor:
    """Zeros at the end of `(batch, channels, rows, frames)`, up to a multiple of n rows.

    Not by ``F.pad``: OpenVINO makes one operator of that and the convolution that follows, and
    forgets that it is to stay float32.
    """
    missing = -int(x.shape[2]) % n
    return torch.cat([x, torch.zeros_like(x[:, :, :missing])], dim=2) if missing else x
