"""How loud a song is at each moment: what a masker's input is divided by.

A moving mean, and not one over the whole song, keeps a network local in time: a block of a song is
divided by the same levels as the whole song.
"""

from torch import Tensor
from torch.nn import functional as F

#: Frames on each side that the mean goes over: 0.37 s at a hop of 1024 samples and 44.1 kHz.
LEVEL_FRAMES = 16


def moving_level(power: Tensor) -> Tensor:
    """Mean power around each frame, over all channels and bins, never 0.

    Shape:
        - input: `(batch, channels, bins, frames)`
        - output: `(batch, 1, 1, frames)`
    """
    return F.avg_pool1d(
        power.mean((1, 2)).unsqueeze(1),
        2 * LEVEL_FRAMES + 1,
        stride=1,
        padding=LEVEL_FRAMES,
        count_include_pad=False,
    ).clamp(min=1e-10)[:, :, None]
