"""The network of 2018 that this project goes on from: 67 million weights over one second.

It looks at the magnitudes of 25 frames, one second of mono at 24 kHz, through seven convolutions
and three dense layers, and says what the voice's magnitudes in the 17 frames in the middle are. It
is here as it was, to be compared with: three quarters of its weights are in the one layer that ties
it to 25 frames, and it costs more than any other masker here, 0.2 to 0.4 CPU-s per second of mono
on one thread. What it estimates becomes a mask, with the mixture's phase, as it was used then.

Its windows move by eight frames on the song's own time line, each giving the eight frames of its
own step, so blocks of a song must start at multiples of eight frames (:attr:`Legacy.period`)::

    window w, frames      0 ┊ 4 ┊ 8              15 ┊ 20 ┊ 24
    seen                  ├─────────────────────────────────┤
    estimated                 ├──────────────────────┤
    used                          ├──────────────┤
    frames of the song        8 w ┘              └ 8 w + 7

In 2018 each window was transformed and inverted for itself: its outer frames were half padding and
the 8192 samples in its middle were made of all 17. Here frames are those of the whole song, and
each has one mask, the one of the window in whose middle it lies.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

#: Frames that a window shows, frames that are estimated in its middle, frames to the next window.
SEEN, ESTIMATED, STEP = 25, 17, 8
#: The layers fit these bins and no others.
N_BINS = 4097
#: Channels, kernel (bins, frames) and step in bins of the convolutions. Their activation is ReLU
#: but for the first, which has tanh.
CONVOLUTIONS = (
    (64, (3, 3), 3),
    (32, (3, 3), 1),
    (64, (5, 1), 5),
    (64, (3, 1), 3),
    (32, (3, 3), 1),
    (64, (3, 3), 3),
    (32, (3, 3), 1),
)
#: Units of the first two dense layers; the third has the rows and frames that the decoder takes.
UNITS = 2048
ROWS, FRAMES = 451, 13
#: Magnitudes are divided by this, near what noise of -20 dB full scale has in a bin. In 2018 they
#: went in as they were, at a learning rate of 1e-9. The first and the last layer could take the
#: factor in, so the network is the same, but learns at usual rates.
SCALE = 5.5
#: Windows that go through the convolutions at once: more do not fit a processor's cache. The dense
#: layers take all there are, since reading their weights costs more than using them.
AT_ONCE = 4


class Legacy(nn.Module):
    """Real mask of the voice from the magnitudes of one channel.

    Args:
        in_channels: Audio channels, of which each is seen by itself.
        n_bins: Frequency bins: 4097.
        intensity: What the voice's magnitude is multiplied by before the mask is made of it; not
            in training, where the network would learn to divide by it. 1 takes out what is found;
            2.5, of 2018, also what is found too quiet, and more of the backing with it. The
            magnitude of what stays is ``max(0, |X| - intensity |V|)``.

    Shape:
        - input: `(batch, channels, bins, frames)`, complex
        - output: the same, real, from 0 to 1

    Raises:
        ValueError: The bins or the intensity are not as above.
    """

    #: What :class:`~asteroid_karaoke.KaraokeNet` puts before this masker unless told otherwise.
    transform = {"sample_rate": 24000, "channels": 1, "n_fft": 8192, "hop_length": 1024}
    #: Frames on each side that one frame of the mask depends on; the last one of a step sees 15
    #: back, the first one 16 ahead.
    context = SEEN - 1 - STEP
    #: Frames at whose multiples blocks of a song must start.
    period = STEP
    #: Trained by :class:`asteroid_karaoke.losses.MagnitudeLoss`.
    loss = "magnitude"

    def __init__(self, in_channels: int = 1, n_bins: int = N_BINS, intensity: float = 1.0):
        super().__init__()
        if n_bins != N_BINS:
            raise ValueError(f"the transform has {n_bins} bins, expected {N_BINS}: n_fft 8192")
        if not intensity > 0:
            raise ValueError(f"intensity is {intensity}, expected more than 0")
        self.intensity = float(intensity)
        widths = [1, *(channels for channels, _, _ in CONVOLUTIONS)]
        self.convolutions = nn.ModuleList(
            nn.Conv2d(i, o, kernel, stride=(step, 1), padding=(0, kernel[1] // 2))
            for (i, o), (_, kernel, step) in zip(pairwise(widths), CONVOLUTIONS, strict=True)
        )
        rows = n_bins
        for _, _, step in CONVOLUTIONS:
            rows = -(rows // -step)
        self.dense = nn.Sequential(
            nn.Flatten(),
            nn.Dropout(0.3),
            nn.Linear(widths[-1] * rows * SEEN, UNITS),
            nn.Tanh(),
            nn.Linear(UNITS, UNITS),
            nn.ReLU(),
            nn.Linear(UNITS, ROWS * FRAMES),
            nn.ReLU(),
            nn.Unflatten(1, (1, ROWS, FRAMES)),
        )
        self.first_transposed = nn.ConvTranspose2d(1, 32, 5)
        self.decoder = nn.Sequential(
            nn.ReLU(),
            nn.ConvTranspose2d(32, 32, 5, stride=(3, 1), padding=(1, 2)),
            nn.ReLU(),
            nn.ConvTranspose2d(32, 32, 5, stride=(3, 1), padding=(1, 2)),
            nn.ReLU(),
            nn.ConvTranspose2d(32, 1, (3, 1)),
            nn.ReLU(),
        )
        self.apply(_initialise)

    def get_config(self) -> dict:
        """The masker's own arguments, plain and flat."""
        return {"intensity": self.intensity}

    def forward(self, spectrum: Tensor) -> Tensor:
        """Compute the mask; see the class for shapes."""
        magnitudes = spectrum.abs()
        frames = magnitudes.shape[-1]
        after = -frames % STEP + SEEN - 2 * STEP
        windows = F.pad(magnitudes.flatten(0, 1), (STEP, after)).unfold(-1, SEEN, STEP)
        batch, bins, steps, _ = windows.shape
        windows = windows.transpose(1, 2).reshape(batch * steps, 1, bins, SEEN)
        first = (SEEN - STEP) // 2 - (SEEN - ESTIMATED) // 2  # of the estimated frames
        used = self.estimate(windows)[..., first : first + STEP].float()
        voice = used.view(batch, steps, bins, STEP).transpose(1, 2).flatten(2)
        voice = voice[..., :frames].view_as(magnitudes)
        intensity = 1.0 if self.training else self.intensity
        return (intensity * voice / magnitudes.clamp(min=1e-8)).clamp(max=1)

    def estimate(self, windows: Tensor) -> Tensor:
        """The voice's magnitudes from the mixture's: the network itself.

        Shape:
            - input: `(windows, 1, bins, 25)`
            - output: `(windows, 1, bins, 17)`
        """
        seen = torch.cat([self._convolve(part) for part in (windows / SCALE).split(AT_ONCE)])
        parts = self.dense(seen).split(AT_ONCE)
        return torch.cat([self._deconvolve(part) for part in parts]) * SCALE

    def _convolve(self, windows: Tensor) -> Tensor:
        x = channels_last(torch.tanh(convolve(self.convolutions[0], windows)))
        for convolution in self.convolutions[1:]:
            x = F.relu(convolve(convolution, x))
        return x

    def _deconvolve(self, x: Tensor) -> Tensor:
        return self.decoder(channels_last(self.first_transposed(x)))


def convolve(convolution: nn.Module, x: Tensor) -> Tensor:
    """Convolve `(batch, channels, bins, frames)`; a step of n leaves an n-th of the bins.

    The bins are padded at both ends, by one more at the upper where the number is odd.
    """
    assert isinstance(convolution, nn.Conv2d)
    kernel, step, bins = convolution.kernel_size[0], convolution.stride[0], x.shape[2]
    padding = max(0, (-(bins // -step) - 1) * step + kernel - bins)
    return convolution(F.pad(x, (0, 0, padding // 2, padding - padding // 2)))


def _initialise(module: nn.Module) -> None:
    """Begin without biases, and as loud at the end as at the start.

    With torch's own start the last ReLU may give 0 wherever it is, and then it stays so.
    """
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.xavier_uniform_(module.weight, nn.init.calculate_gain("relu"))
        assert module.bias is not None
        nn.init.zeros_(module.bias)


def channels_last(x: Tensor) -> Tensor:
    """The same in the order of memory in which convolutions on a CPU take half the time."""
    return x.contiguous(memory_format=torch.channels_last)
