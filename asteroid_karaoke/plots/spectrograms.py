"""Spectrograms of mixture, voice and karaoke, below each other on the same scales."""

import math
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, FixedLocator, NullLocator

from .canvas import DPI, save

N_FFT = 4096
#: Frames that are transformed at once.
BLOCK = 512
#: The picture's resolution: more columns than pixels would only cost time.
MAX_COLUMNS = 1200
MAX_ROWS = 256
LOWEST_HZ = 40.0
FLOOR_DB = -140.0
RANGE_DB = 80.0
#: Inches: of a picture that is not asked to be narrower, and from where one has room for a scale
#: at its side.
WIDTH, NARROW = 11.0, 5.0
LOWEST_PANEL = 1.2
LEVEL = "level (dB re full-scale sine)"
#: The resolution of pictures of which a training makes many.
SMALL_DPI = 70
#: A mask is drawn from here up to 0 dB.
MASK_FLOOR_DB = -40.0
FREQUENCIES = (50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000)
#: Where there is no room for all of them.
FEW_FREQUENCIES = (50, 200, 1000, 5000, 20000)


def plot_spectrograms(
    panels: Mapping[str, np.ndarray],
    sample_rate: int,
    path: str | os.PathLike,
    width: float = WIDTH,
    dpi: int = DPI,
) -> Path:
    """Draw spectrograms below each other: one time axis, one log-frequency axis, one colour scale.

    The colours span 80 dB down from the loudest point of all panels, so that a voice that is left
    in the karaoke looks as loud as it is. Memory does not grow with the length of the audio.

    Args:
        panels: For each title an audio signal ``(channels, time)``; their lengths may differ.
        sample_rate: In Hz, of all panels.
        path: The picture; its suffix says the format (``.png``, ``.jpg``, ``.webp``).
        width: Of the picture, in inches; on a narrow one the colours' scale stands below.
        dpi: Its resolution.

    Returns:
        The path.

    Raises:
        ValueError: There is no panel, or one is not ``(channels, time)`` or holds no sample.
    """
    hertz, seconds, images = images_of(panels, sample_rate)
    height = max(2.1 * width / WIDTH, LOWEST_PANEL)
    figure = Figure(figsize=(width, 0.9 + height * len(panels)), dpi=dpi, layout="constrained")
    axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    mesh = draw(dict(zip(axes, images.items(), strict=True)), seconds, hertz, levels_of(images))
    axes[-1].set_xlabel("time (s)")
    axes[-1].set_xlim(0, max(wav.shape[1] for wav in panels.values()) / sample_rate)
    if height < 2:
        for ax in axes:
            ax.yaxis.set_major_locator(FixedLocator([f for f in FEW_FREQUENCIES if f <= hertz[-1]]))
    place = "right" if width >= NARROW else "bottom"
    figure.colorbar(mesh, ax=axes, label=LEVEL, location=place, pad=0.01, aspect=40)
    return save(figure, path)


def plot_separation(
    mixture: np.ndarray,
    voice: np.ndarray,
    estimate: np.ndarray,
    sample_rate: int,
    path: str | os.PathLike,
) -> Path:
    """Draw what a model makes of an excerpt: mixture, voice, estimate, and mask, small.

    Args:
        mixture: `(channels, time)`.
        voice: The true voice, of the same shape.
        estimate: The model's voice, of the same shape.
        sample_rate: In Hz.
        path: The picture; its suffix says the format.

    Returns:
        The path.

    Raises:
        ValueError: A signal is not ``(channels, time)`` or holds no sample.
    """
    panels = {"mixture": mixture, "voice": voice, "estimate": estimate}
    return plot_with_mask(panels, "estimate", sample_rate, path, SMALL_DPI)


def plot_with_mask(
    panels: Mapping[str, np.ndarray],
    voice: str,
    sample_rate: int,
    path: str | os.PathLike,
    dpi: int = DPI,
    begin: float = 0.0,
) -> Path:
    """Draw spectrograms as :func:`plot_spectrograms` does, and the voice's mask below them.

    The mask is how much of the mixture's power the voice has, in dB, whatever network it came from.

    Args:
        panels: The mixture, first, and what it was separated into, ``(channels, time)`` each.
        voice: The title of the panel whose mask it is.
        sample_rate: In Hz.
        path: The picture; its suffix says the format.
        dpi: Its resolution.
        begin: Where in their song the signals begin, in s: the time axis is the song's.

    Returns:
        The path.

    Raises:
        ValueError: A signal is not ``(channels, time)`` or holds no sample.
    """
    hertz, seconds, images = images_of(panels, sample_rate)
    low, top = levels_of(images)
    mixture = next(iter(images.values()))
    mask = images[voice] - mixture
    # Where the mixture is silent there is nothing to mask.
    mask[mixture < low] = MASK_FLOOR_DB

    count = len(panels)
    figure = Figure(figsize=(WIDTH, 0.9 + 2.1 * (count + 1)), dpi=dpi, layout="constrained")
    axes = figure.subplots(count + 1, 1, sharex=True)
    seconds += begin
    mesh = draw(dict(zip(axes, images.items(), strict=False)), seconds, hertz, (low, top))
    figure.colorbar(mesh, ax=axes[:count], label=LEVEL, pad=0.01, aspect=40)
    mesh = draw({axes[count]: (f"mask of the {voice}", mask)}, seconds, hertz, (MASK_FLOOR_DB, 0.0))
    figure.colorbar(mesh, ax=axes[count], label="dB re mixture", pad=0.01)
    axes[count].set_xlabel("time (s)")
    length = next(iter(panels.values())).shape[1] / sample_rate
    axes[count].set_xlim(begin, begin + length)
    return save(figure, path)


def images_of(
    panels: Mapping[str, np.ndarray], sample_rate: int, n_fft: int = N_FFT
) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Edges of the rows in Hz, of the columns in s, and each panel's spectrogram in dB."""
    if not panels:
        raise ValueError("no panels: expected at least one title with its audio")
    for title, wav in panels.items():
        if wav.ndim != 2 or wav.size == 0:
            raise ValueError(f"panel {title!r} is {wav.shape}, expected (channels, time) samples")
    longest = max(wav.shape[1] for wav in panels.values())
    edges = band_edges(sample_rate, n_fft)
    hop = int(np.clip(longest // MAX_COLUMNS, n_fft // 16, n_fft // 4))
    column = math.ceil((1 + longest // hop) / MAX_COLUMNS)
    images = {title: spectrogram(wav, edges, hop, column, n_fft) for title, wav in panels.items()}
    columns = max(image.shape[1] for image in images.values())
    # Frame 0 is centred on 0 s.
    seconds = (np.arange(columns + 1) * column - 0.5) * hop / sample_rate
    return edges * sample_rate / n_fft, seconds, images


def levels_of(images: Mapping[str, np.ndarray]) -> tuple[float, float]:
    """Lowest and highest level to draw, in dB; silence alone stays dark."""
    top = max(FLOOR_DB + RANGE_DB, *(float(image.max()) for image in images.values()))
    return top - RANGE_DB, top


def draw(
    images: Mapping[Axes, tuple[str, np.ndarray]],
    seconds: np.ndarray,
    hertz: np.ndarray,
    levels: tuple[float, float],
) -> QuadMesh:
    """Draw a title and an image into each axes, between the edges of its columns and rows."""
    low, high = levels
    for ax, (title, image) in images.items():
        times = seconds[: image.shape[1] + 1]
        mesh = ax.pcolormesh(
            times, hertz, image, cmap="magma", vmin=low, vmax=high, rasterized=True
        )
        ax.set_facecolor("black")
        ax.set_yscale("log")
        ax.set_ylim(hertz[0], hertz[-1])
        ax.yaxis.set_major_locator(FixedLocator([f for f in FREQUENCIES if f <= hertz[-1]]))
        ax.yaxis.set_minor_locator(NullLocator())
        ax.yaxis.set_major_formatter(EngFormatter(sep=""))
        ax.set_title(title, loc="left", fontsize="medium")
        ax.set_ylabel("frequency (Hz)")
    return mesh


def band_edges(sample_rate: int, n_fft: int = N_FFT) -> np.ndarray:
    """Edges of the picture's rows, as bins: logarithmic, but no narrower than a bin."""
    n_bins = n_fft // 2 + 1
    first = min(max(1, round(LOWEST_HZ * n_fft / sample_rate)), n_bins - 1)
    return np.unique(np.geomspace(first, n_bins, MAX_ROWS + 1).round().astype(int))


def spectrogram(
    wav: np.ndarray, edges: np.ndarray, hop: int, column: int, n_fft: int = N_FFT
) -> np.ndarray:
    """Mean power in dB over channels, the bins of a row and the frames of a column.

    Args:
        wav: ``(channels, time)``.
        edges: ``(rows + 1,)``, in bins.
        hop: Samples between frames. Frame i is centred on sample ``i * hop``.
        column: Frames in a column of the picture.
        n_fft: Window in samples.

    Returns:
        ``(rows, columns)``, where a sine at full scale that lies on a bin reads 0 dB.
    """
    window = np.hanning(n_fft + 1)[:-1].astype(np.float32)
    n_frames = 1 + wav.shape[1] // hop
    counts = np.bincount(np.arange(n_frames) // column)
    power = np.zeros((len(edges) - 1, len(counts)))
    widths = np.diff(edges)
    for first in range(0, n_frames, BLOCK):
        frames = np.arange(first, min(first + BLOCK, n_frames))
        start, stop = first * hop - n_fft // 2, frames[-1] * hop + n_fft // 2
        # Beyond the signal there is silence.
        piece = np.zeros((len(wav), stop - start), dtype=np.float32)
        inside = wav[:, max(start, 0) : stop]
        piece[:, max(-start, 0) : max(-start, 0) + inside.shape[1]] = inside
        cut = np.lib.stride_tricks.sliding_window_view(piece, n_fft, axis=1)[:, ::hop]
        squared = np.abs(np.fft.rfft(cut * window)) ** 2
        bands = np.add.reduceat(squared.mean(axis=0)[:, : edges[-1]], edges[:-1], axis=1) / widths
        np.add.at(power.T, frames // column, bands)
    return 10 * np.log10(power / counts * (2 / window.sum()) ** 2 + 10 ** (FLOOR_DB / 10))
