"""What :mod:`.band_cnn` is made of: blocks that keep rows and frames, and the way up a level."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


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
