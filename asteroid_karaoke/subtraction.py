"""More than mixture − vocals: what the model left of the voice is taken out too, by guess."""

from collections.abc import Iterable, Iterator

import numpy as np
import torch

from .overlap_add import Queue
from .stft import ISTFT, STFT

#: Lowest and highest strength. Beyond, hardly more of the voice goes, and much of the backing.
STRENGTHS = (1.0, 3.0)
#: Window of the over-subtraction, in s: 4096 samples at 44.1 kHz, which resolves a voice's
#: harmonics and is what separating networks are run with.
_WINDOW_SECONDS = 4096 / 44100
#: Windows that are worked on at once. More waste less at the ends and need more memory.
_WINDOWS_AT_ONCE = 32


def over_subtract(
    pairs: Iterable[tuple[np.ndarray, np.ndarray]], strength: float, sample_rate: int, channels: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Take more than the voice out of the mixture, where the voice is.

    With X and V the spectra of mixture and vocals, the karaoke's magnitude is
    ``max(0, |X − V| − (strength − 1) |V|)``, its phase that of X − V. Where V has the phase of X,
    as with a real mask, that is ``max(0, |X| − strength |V|)``, the over-subtraction of Berouti,
    Schwartz and Makhoul (ICASSP 1979, https://doi.org/10.1109/ICASSP.1979.1170788); unlike theirs
    it goes over into mixture − vocals as the strength goes to 1, whatever the phases.

    Args:
        pairs: Mixture and vocals, float32 ``(channels, n)`` each.
        strength: From 1 to 3.
        sample_rate: In Hz.
        channels: Number of channels.

    Yields:
        Vocals, unchanged, and what is left of the mixture; both ``(channels, n)``.
    """
    n_fft = 4 * max(16, round(_WINDOW_SECONDS * sample_rate / 4))
    transform = STFT(n_fft, n_fft // 4, sample_rate)
    inverse = ISTFT(n_fft, n_fft // 4, sample_rate)

    def subtracted(waves: np.ndarray) -> np.ndarray:
        backing, voice = transform(torch.from_numpy(waves).unflatten(0, (2, channels)))
        taken = (strength - 1) * voice.abs() / backing.abs().clamp_min(1e-12)
        left = (1 - taken).clamp_min(0) * backing
        return inverse(left[None], waves.shape[1])[0].numpy()

    # Blocks start on the transform's own grid and have a window of real neighbours on both sides,
    # so the result is that of the whole song at once.
    step, behind = _WINDOWS_AT_ONCE * n_fft, 0
    queue = Queue(2 * channels)
    for mixture, vocals in pairs:
        queue.push(np.concatenate([mixture - vocals, vocals]))
        while queue.frames >= behind + step + n_fft:
            waves = queue.head(behind + step + n_fft)
            ready = slice(behind, behind + step)
            yield waves[channels:, ready].copy(), subtracted(waves)[:, ready]
            queue.pop(behind + step - n_fft)
            behind = n_fft
    if queue.frames > behind:
        waves = queue.head(queue.frames)
        yield waves[channels:, behind:].copy(), subtracted(waves)[:, behind:]
