"""Run a model over a sound of any length, block by block, in memory that does not grow with it.

The sound is cut on the model's own grid: every block starts at a multiple of ``model.grid``,
so that its spectral frames are those of the whole song. A block is run with real neighbours on both
sides (the margin: as far as one output sample can see, ``model.context`` samples, or 1 s), and what
comes out there is thrown away; neighbouring blocks are crossfaded::

    time     ──────────────────────────────────────────────────────────────────▶
    block k    margin ┊ fade                   fade ┊ margin
    weight k          ┊  ╱‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾╲   ┊
    block k+1         ┊             margin ┊ fade                   fade ┊ margin
    weight k+1        ┊                    ┊  ╱‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾╲   ┊
                      ┊◀────── step ──────▶┊

The sum of the weighted outputs is divided by the sum of the weights. Where the margin covers the
context, the result is that of the whole song run at once, to float precision; where the context is
larger than ``MARGIN_SECONDS`` or has no end, the crossfade hides what differs. No margin reaches
beyond the song's ends: there the model pads as it does for a whole song.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple, Protocol

import numpy as np
import torch

#: What the model sees at once, in s, margins and fades included. Longer blocks waste less on
#: margins, shorter ones need less memory: KaraokeNet's small size takes 20 % more time with 6 s,
#: 5 % less with 16 s (eval/results/blocks.md).
BLOCK_SECONDS = 11.0
#: The most context given on each side, in s. A network that sees further sees it faintly:
#: karaoke-small sees 1.4 s, and what it misses lies 99 dB below its voice.
MARGIN_SECONDS = 1.0
#: No sound is louder, as a factor of full scale; networks can not compute with what is.
_LOUDEST = 1e6
#: How long neighbouring blocks overlap with weight, in s.
FADE_SECONDS = 0.25


class Separator(Protocol):
    """What separation asks of a model, a torch.nn.Module; KaraokeNet is one.

    Called with a mixture ``(batch, channels, time)`` it gives ``(batch, 2, channels, time)``,
    vocals first.
    """

    @property
    def sample_rate(self) -> float:
        """In Hz."""

    @property
    def channels(self) -> int:
        """Channels of the mixture it wants."""

    @property
    def grid(self) -> int:
        """Shifted by a multiple of so many samples, a mixture gives estimates shifted alike."""

    @property
    def context(self) -> int | None:
        """Samples on each side that one output sample depends on; None where there is no end."""

    def __call__(self, wav: torch.Tensor) -> torch.Tensor: ...  # noqa: D102
    def modules(self) -> Iterator[torch.nn.Module]: ...  # noqa: D102
    def parameters(self) -> Iterator[torch.nn.Parameter]: ...  # noqa: D102
    def eval(self) -> object: ...  # noqa: D102
    def to(self, device: str | torch.device) -> object: ...  # noqa: D102


class Queue:
    """Samples ``(channels, n)`` that wait for their turn; ``frames`` says how many."""

    def __init__(self, channels: int) -> None:
        self.channels, self.frames = channels, 0
        self._parts = [np.zeros((channels, 0), np.float32)]

    def push(self, block: np.ndarray) -> None:
        """Put a block at the end."""
        self._parts.append(block)
        self.frames += block.shape[1]

    def head(self, frames: int) -> np.ndarray:
        """The first samples, which stay."""
        if len(self._parts) > 1:
            self._parts = [np.concatenate(self._parts, axis=1)]
        return self._parts[0][:, :frames]

    def pop(self, frames: int) -> np.ndarray:
        """The first samples, which leave."""
        head = self.head(frames)
        # A copy, lest the samples that left are kept in memory by a view on those that stay.
        self._parts = [self._parts[0][:, frames:].copy()]
        self.frames -= head.shape[1]
        return head


def overlap_add(
    model: Separator,
    blocks: Iterable[np.ndarray],
    channels: int,
    block_seconds: float,
    batch: int = 1,
) -> Iterator[np.ndarray]:
    """The voice in a sound that comes block by block.

    Args:
        model: As in :func:`asteroid_karaoke.separation.separate`.
        blocks: The sound at the model's rate, ``(channels, n)`` float32, n as it comes.
        channels: Number of channels of the blocks.
        block_seconds: What the model sees at once, in s. Made longer where the margins need that.
        batch: How many such blocks it is given at a time.

    Yields:
        The voice, ``(channels, n)`` float32; as long as the sound in all.

    Raises:
        RuntimeError: The model gives NaN, or another shape than it should.
    """
    margin, fade, step = _geometry(model, block_seconds)
    seam = None
    for group in _groups(_windows(blocks, channels, margin, fade, step), batch):
        voices = run_batch(model, np.stack([window.seen for window in group]))
        for window, voice in zip(group, voices, strict=True):
            # The last one does not fade out.
            rest = 0 if window.last else fade
            done, seam = _join(seam, voice[:, window.kept], rest)
            yield done


class _Window(NamedTuple):
    """What the model sees at once, ``(channels, n)``, and what of that is kept."""

    seen: np.ndarray
    kept: slice
    last: bool = False


def _windows(
    blocks: Iterable[np.ndarray], channels: int, margin: int, fade: int, step: int
) -> Iterator[_Window]:
    queue = Queue(channels)
    # How many samples in the queue are the next block's left margin: none at the song's start.
    behind = 0
    for block in blocks:
        queue.push(block)
        while queue.frames > behind + step + fade + margin:
            seen = queue.head(behind + step + fade + margin)
            yield _Window(seen, slice(behind, behind + step + fade))
            queue.pop(max(0, behind + step - margin))
            behind = min(behind + step, margin)
    if queue.frames:
        yield _Window(queue.head(queue.frames), slice(behind, None), last=True)


def _groups(windows: Iterable[_Window], most: int) -> Iterator[list[_Window]]:
    """Neighbours of the same length, so many at most."""
    group: list[_Window] = []
    for window in windows:
        if group and (len(group) == most or group[0].seen.shape != window.seen.shape):
            yield group
            group = []
        group.append(window)
        if len(group) == most:
            yield group
            group = []
    if group:
        yield group


def _geometry(model: Separator, block_seconds: float) -> tuple[int, int, int]:
    """Margin, fade and step in samples, each a multiple of the model's grid."""
    grid, rate = int(model.grid), int(model.sample_rate)

    def on_grid(samples: float) -> int:
        return max(1, -int(-samples // grid)) * grid

    margin = on_grid(MARGIN_SECONDS * rate)
    if model.context is not None:
        margin = min(margin, on_grid(model.context))
    fade = on_grid(FADE_SECONDS * rate)
    # Two fades at most may meet at one place, so a step is no shorter than a fade.
    return margin, fade, max(on_grid(block_seconds * rate) - 2 * margin - fade, fade)


def _join(
    seam: tuple[np.ndarray, np.ndarray] | None, voice: np.ndarray, fade: int
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Add a block to what the last one left over.

    Args:
        seam: The last block's fading end: weighted sum ``(channels, n)``, sum of weights ``(n,)``.
            None for the first block, which fades in from nothing.
        voice: The block ``(channels, n)``.
        fade: How much of its end fades out and is left over for the next block. 0 for the last.

    Returns:
        The samples that are done, and the seam to the next block.
    """
    weight = np.ones(voice.shape[1], np.float32)
    end = voice.shape[1] - fade
    weight[end:] = 1 - _rising(fade)
    if seam is None:
        total = voice * weight
    else:
        before, before_weight = seam
        length = len(before_weight)
        weight[:length] = _rising(length)
        total = voice * weight
        total[:, :length] += before
        weight[:length] += before_weight
    return total[:, :end] / weight[:end], (total[:, end:], weight[end:])


def _rising(frames: int) -> np.ndarray:
    return (np.arange(frames, dtype=np.float32) + 0.5) / max(frames, 1)


def run(model: Separator, mixture: np.ndarray) -> np.ndarray:
    """The voice in a mixture ``(channels, time)`` of any number of channels, run at once."""
    return run_batch(model, mixture[None])[0]


def run_batch(model: Separator, mixtures: np.ndarray) -> np.ndarray:
    """The voices in mixtures ``(batch, channels, time)``, the batch at once.

    Raises:
        RuntimeError: The model gives NaN, or another shape than it should.
        ValueError: So does it as the sound is beyond all measure.
    """
    inputs, channels = int(model.channels), mixtures.shape[1]
    pairs = channels // inputs * inputs
    voices = np.empty_like(mixtures)
    with _evaluating(model):
        for first in range(0, pairs, inputs):
            rows = slice(first, first + inputs)
            voices[:, rows] = _forward(model, mixtures[:, rows])
        for row in range(pairs, channels):
            # Left over, so mono to us: the model hears it on all of its inputs.
            alone = np.repeat(mixtures[:, row : row + 1], inputs, axis=1)
            voices[:, row] = _forward(model, alone).mean(axis=1)
    if not np.isfinite(voices).all():
        peak = float(np.abs(mixtures).max())
        if peak > _LOUDEST:
            raise ValueError(
                f"holds samples of {peak:.0e} times full scale, so it is no sound: export it anew"
            )
        raise RuntimeError("the model gives NaN or Inf: its weights are damaged, load another one")
    return voices


def _forward(model: Separator, mixtures: np.ndarray) -> np.ndarray:
    device = next((tensor.device for tensor in model.parameters()), torch.device("cpu"))
    waves = torch.from_numpy(np.ascontiguousarray(mixtures)).to(device)
    estimates = model(waves)
    batch, channels, time = waves.shape
    # A model of one channel gives (batch, n_src, time), as Asteroid's own do.
    if estimates.shape not in ((batch, 2, channels, time), (batch, 2, time)):
        raise RuntimeError(
            f"the model gives {tuple(estimates.shape)} for a mixture {tuple(waves.shape)}, "
            f"expected {(batch, 2, channels, time)}: is it a model of voice and accompaniment?"
        )
    return estimates[:, 0].float().reshape(waves.shape).cpu().numpy()


@contextmanager
def _evaluating(model: Separator) -> Iterator[None]:
    """Evaluation mode without gradients; each module's own mode is put back afterwards."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        for module, training in modes:
            module.training = training
