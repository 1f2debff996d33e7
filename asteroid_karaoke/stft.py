"""Short-time Fourier transform and its inverse, with the interface of Asteroid's encoders.

Asteroid's own ``STFTFB`` convolves with DFT matrices, which are stored in every checkpoint (134 MB
at n_fft 4096) and run 3 to 16 times slower than ``torch.stft``; its default does not reconstruct
the first and the last window. Here the transform is ``torch.stft`` with a Hann window, centred and
zero-padded: exact everywhere, for a signal of any length, and nothing is stored.
"""

import torch
from torch import Tensor, nn


class _Transform(nn.Module):
    """What both directions share: the window and the identity of the transform.

    Args:
        n_fft: Window length in samples, which is also the length of the transform.
        hop_length: Step between frames in samples.
        sample_rate: In Hz. Only carried along, as Asteroid's encoders do.

    Raises:
        ValueError: The hop does not allow perfect reconstruction.
    """

    window: Tensor

    def __init__(self, n_fft: int, hop_length: int, sample_rate: float):
        super().__init__()
        if not 0 < hop_length <= n_fft // 2:
            raise ValueError(
                f"hop_length is {hop_length}, expected 1 to {n_fft // 2} (half of n_fft {n_fft}): "
                "a Hann window can not be undone with a larger hop"
            )
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.sample_rate = sample_rate
        self.register_buffer("window", torch.hann_window(n_fft), persistent=False)

    @property
    def filterbank(self) -> "_Transform":
        """The object that Asteroid asks for ``get_config()``: the transform itself."""
        return self

    @property
    def n_bins(self) -> int:
        """Number of frequency bins."""
        return self.n_fft // 2 + 1

    def get_config(self) -> dict:
        """What it takes to build this transform again, plain and flat."""
        return {
            "n_fft": self.n_fft,
            "hop_length": self.hop_length,
            "sample_rate": self.sample_rate,
        }


class STFT(_Transform):
    """Analysis: waveform to complex spectrum.

    Shape:
        - input: `(batch, channels, time)`
        - output: `(batch, channels, n_fft // 2 + 1, 1 + time // hop_length)`, complex
    """

    def forward(self, wav: Tensor) -> Tensor:
        """Transform each channel; frame `k` is centred on sample `k * hop_length`."""
        batch, channels, time = wav.shape
        spectrum = torch.stft(
            wav.reshape(batch * channels, time),
            self.n_fft,
            self.hop_length,
            window=self.window,
            center=True,
            pad_mode="constant",  # reflection refuses signals shorter than half a window
            return_complex=True,
        )
        return spectrum.unflatten(0, (batch, channels))


class ISTFT(_Transform):
    """Synthesis: complex spectrum to waveform.

    Shape:
        - input: `(batch, channels, n_fft // 2 + 1, frames)`, complex
        - output: `(batch, channels, length)`
    """

    def forward(self, spectrum: Tensor, length: int) -> Tensor:
        """Invert each channel and cut to `length` samples."""
        batch, channels = spectrum.shape[:2]
        if length == 0:
            return spectrum.real.new_zeros(batch, channels, 0)
        wav = torch.istft(
            spectrum.flatten(0, 1),
            self.n_fft,
            self.hop_length,
            window=self.window,
            center=True,
            length=length,
        )
        return wav.unflatten(0, (batch, channels))
