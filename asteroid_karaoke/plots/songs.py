"""Pictures of a separated song: its consonants, its course in time, many songs at once."""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from .canvas import DPI, save
from .spectrograms import LEVEL, WIDTH, draw, images_of, levels_of

#: Length of the consonants' picture, in s, and the window that shows them, in samples: 12 ms.
ZOOM_SECONDS = 2.0
ZOOM_N_FFT = 512
#: Where sibilants are, in Hz.
SIBILANTS = (4000.0, 12000.0)
#: Points along a waveform's picture, each the lowest and the highest sample of its stretch.
POINTS = 1600
#: Length of the excerpt in a picture, in s.
PICTURE_SECONDS = 15.0
#: A voice begins where it first reaches this share of its peak.
AUDIBLE = 0.1
#: Songs in a picture of examples: more would be too small to read.
MOST_EXAMPLES = 12


def plot_consonants(
    panels: Mapping[str, np.ndarray],
    voice: str,
    sample_rate: int,
    path: str | os.PathLike,
    begin: float = 0.0,
) -> Path:
    """Draw the 2 s with the most sibilants of a voice, in short windows and on a linear axis.

    Consonants are noise, far above the harmonics of vowels: what a separator leaves of them in the
    karaoke is heard as lisping.

    Args:
        panels: For each title an audio signal ``(channels, time)``, all of one length.
        voice: The title of the panel whose sibilants are looked for.
        sample_rate: In Hz.
        path: The picture; its suffix says the format.
        begin: Where in their song the signals begin, in s: the time axis is the song's.

    Returns:
        The path.

    Raises:
        ValueError: A panel is not ``(channels, time)`` or holds no sample.
    """
    start, stop = most_sibilant(panels[voice], sample_rate)
    excerpts = {title: wav[:, start:stop] for title, wav in panels.items()}
    hertz, seconds, images = images_of(excerpts, sample_rate, ZOOM_N_FFT)
    figure = Figure(figsize=(WIDTH, 0.9 + 2.1 * len(panels)), dpi=DPI, layout="constrained")
    axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    drawn = dict(zip(axes, images.items(), strict=True))
    first, last = begin + start / sample_rate, begin + stop / sample_rate
    mesh = draw(drawn, seconds + first, hertz, levels_of(images))
    for ax in axes:
        ax.set_yscale("linear")
        ax.set_ylim(0, min(16000, sample_rate / 2))
        ax.yaxis.set_major_formatter(EngFormatter(sep=""))
    axes[-1].set_xlabel("time (s)")
    axes[-1].set_xlim(first, last)
    figure.colorbar(mesh, ax=axes, label=LEVEL, pad=0.01, aspect=40)
    return save(figure, path)


def most_sibilant(voice: np.ndarray, sample_rate: int) -> tuple[int, int]:
    """First sample, and the one after the last, of the 2 s with the most power of sibilants."""
    size = round(ZOOM_SECONDS * sample_rate)
    frames = len(voice[0]) // ZOOM_N_FFT
    if voice.shape[1] <= size or not frames:
        return 0, voice.shape[1]
    cut = voice[:, : frames * ZOOM_N_FFT].mean(0).reshape(frames, ZOOM_N_FFT)
    power = np.abs(np.fft.rfft(cut * np.hanning(ZOOM_N_FFT))) ** 2
    hertz = np.fft.rfftfreq(ZOOM_N_FFT, 1 / sample_rate)
    sibilants = power[:, (hertz >= SIBILANTS[0]) & (hertz < SIBILANTS[1])].sum(1)
    sums = np.convolve(sibilants, np.ones(size // ZOOM_N_FFT), "valid")
    # The picture is a little longer than the windows in it, and so may the song be.
    start = min(int(np.argmax(sums)) * ZOOM_N_FFT, voice.shape[1] - size)
    return start, start + size


def plot_waveforms(
    panels: Mapping[str, np.ndarray],
    sample_rate: int,
    path: str | os.PathLike,
    begin: float = 0.0,
) -> Path:
    """Draw a song before and after in time: the range of its samples, channels together.

    Args:
        panels: For each title an audio signal ``(channels, time)``.
        sample_rate: In Hz.
        path: The picture; its suffix says the format.
        begin: Where in their song the signals begin, in s: the time axis is the song's.

    Returns:
        The path.

    Raises:
        ValueError: A panel holds no sample.
    """
    figure = Figure(figsize=(WIDTH, 0.9 + 1.3 * len(panels)), dpi=DPI, layout="constrained")
    axes = figure.subplots(len(panels), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    for ax, (title, wav) in zip(axes, panels.items(), strict=True):
        if wav.size == 0:
            raise ValueError(f"panel {title!r} holds no sample")
        places = np.linspace(0, wav.shape[1], min(POINTS, wav.shape[1]) + 1).astype(int)
        low = np.minimum.reduceat(wav.min(0), places[:-1])
        high = np.maximum.reduceat(wav.max(0), places[:-1])
        times = begin + places[:-1] / sample_rate
        ax.fill_between(times, low, high, step="post", linewidth=0)
        ax.set_title(title, loc="left", fontsize="medium")
        ax.set_ylabel("amplitude")
        ax.grid(alpha=0.3)
    axes[-1].set_xlabel("time (s)")
    longest = max(wav.shape[1] for wav in panels.values())
    axes[-1].set_xlim(begin, begin + longest / sample_rate)
    return save(figure, path)


def plot_examples(
    songs: Mapping[str, Mapping[str, np.ndarray]], sample_rate: int, path: str | os.PathLike
) -> Path:
    """Draw many songs at once: a row a song, a column a signal, as a data set's overview.

    Args:
        songs: For each title the song's panels, as of :func:`plot_spectrograms`; all have the same
            titles. Up to 12 songs.
        sample_rate: In Hz.
        path: The picture; its suffix says the format.

    Returns:
        The path.

    Raises:
        ValueError: There is no song, or there are too many; a panel is not ``(channels, time)``.
    """
    if not 0 < len(songs) <= MOST_EXAMPLES:
        raise ValueError(f"got {len(songs)} songs, expected 1 to {MOST_EXAMPLES} in a picture")
    columns = len(next(iter(songs.values())))
    size = (0.9 + 3.2 * columns, 0.6 + 1.9 * len(songs))
    figure = Figure(figsize=size, dpi=DPI, layout="constrained")
    axes = figure.subplots(len(songs), columns, sharex=True, sharey=True, squeeze=False)
    for row, (name, panels) in zip(axes, songs.items(), strict=True):
        hertz, seconds, images = images_of(panels, sample_rate)
        low, top = levels_of(images)
        # Each row from its own loudest point down: loud songs shall not hide quiet ones.
        relative = {title: image - top for title, image in images.items()}
        drawn = dict(zip(row, relative.items(), strict=True))
        mesh = draw(drawn, seconds, hertz, (low - top, 0.0))
        row[0].annotate(name, (0, 1.22), xycoords="axes fraction", fontweight="bold", fontsize=8)
        for ax in row[1:]:
            ax.set_ylabel("")
    for ax in axes[-1]:
        ax.set_xlabel("time in the excerpt (s)")
    figure.colorbar(mesh, ax=axes, label="level (dB re the song's loudest)", pad=0.01, aspect=40)
    return save(figure, path)


def excerpt_with_voice(voice: np.ndarray, sample_rate: int) -> tuple[int, int]:
    """First sample, and the one after the last, of an excerpt from where the voice begins.

    Args:
        voice: `(channels, time)`.
        sample_rate: In Hz.
    """
    size = round(PICTURE_SECONDS * sample_rate)
    level = np.abs(voice).max(axis=0)
    first = int(np.argmax(level >= AUDIBLE * level.max()))
    # A second of what comes before it, and no more after the song than before it.
    start = max(0, min(first - sample_rate, voice.shape[1] - size))
    return start, start + size
