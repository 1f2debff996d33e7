"""A small masker: each frame's mask from the magnitudes of nine frames."""

from torch import Tensor, nn

from asteroid_karaoke.maskers.level import LEVEL_FRAMES, moving_level


class NineFrames(nn.Module):
    """Real mask of the voice from magnitudes, all bins at once.

    Args:
        in_channels: Audio channels.
        n_bins: Frequency bins, ``n_fft // 2 + 1``.
        hidden: Channels between the two layers.

    Shape:
        - input: `(batch, channels, bins, frames)`, complex
        - output: the same, real, from 0 to 1
    """

    #: What KaraokeNet puts before this masker unless told otherwise.
    transform = {"sample_rate": 44100, "channels": 2, "n_fft": 2048, "hop_length": 512}
    #: Nothing is strided in time: a block of a song may start at any frame.
    period = 1
    #: Frames on each side that one frame of the mask depends on: four by the convolution, and those
    #: that the level is a mean over.
    context = 4 + LEVEL_FRAMES

    def __init__(self, in_channels: int = 2, n_bins: int = 1025, hidden: int = 64):
        super().__init__()
        self.hidden = hidden
        self.layers = nn.Sequential(
            nn.Conv1d(in_channels * n_bins, hidden, 9, padding=4),
            nn.SiLU(),
            nn.Conv1d(hidden, in_channels * n_bins, 1),
        )

    def get_config(self) -> dict:
        """The masker's own arguments, plain and flat."""
        return {"hidden": self.hidden}

    def forward(self, spectrum: Tensor) -> Tensor:
        """Compute the mask; see the class for shapes."""
        power = spectrum.real.square() + spectrum.imag.square()
        # Divided by its moving level, a song sounds alike at any volume; the exponent flattens its
        # dynamics, as the ear does.
        x = (power / moving_level(power) + 1e-8).pow(0.2)
        return self.layers(x.flatten(1, 2)).unflatten(1, x.shape[1:3]).sigmoid()
