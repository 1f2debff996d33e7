"""Spectrograms of a song that is ready: light and dark ones, for wide pages and for narrow ones."""

import threading
from pathlib import Path
from typing import Any

import numpy as np

from . import playback
from .jobs import Job
from .limits import Refused

#: matplotlib's settings hold for all threads.
_LOCK = threading.Lock()
_BLOCK = 1 << 18
#: The page's own colours (page/style.css): what surrounds the spectrograms, and what is written.
THEMES = {"light": ("#ffffff", "#1d1c1a"), "dark": ("#1f1e1c", "#eceae5")}
#: In inches. The page shows 100 of its pixels for each, so that what is written can be read.
SIZES = {"wide": 6.4, "narrow": 3.0}
_DPI, _POINTS = 200, 8.5


def draw(job: Job, theme: str, size: str) -> Path:
    """The picture of a song, drawn where it is not there.

    Args:
        job: A song that is ready.
        theme: One of :data:`THEMES`.
        size: One of :data:`SIZES`.

    Raises:
        Refused: The song was deleted meanwhile.
        OSError: The disk is full.
    """
    path = job.folder / f"spectrograms_{theme}_{size}.png"
    with _LOCK, job.lock:
        if job.stop.is_set():
            raise Refused("This song was deleted.", 404)
        if not path.exists():
            _draw(job, theme, size, path)
    return path


def _draw(job: Job, theme: str, size: str, path: Path) -> None:
    from matplotlib import rc_context

    from ..plots import plot_spectrograms

    paper, ink = THEMES[theme]
    words = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")
    settings: dict[Any, Any] = {"figure.facecolor": paper, **dict.fromkeys(words, ink)}
    settings["font.size"] = _POINTS
    frames = playback.samples(job.folder / "play" / "0_1.pcm")
    part = job.folder / "panels.f32"
    # On the disk, since only the file's cache should grow with the song.
    panels = np.memmap(part, np.float32, "w+", shape=(3, 2, len(frames)))
    try:
        for first in range(0, len(frames), _BLOCK):
            block = frames[first : first + _BLOCK].T / np.float32(32768 * playback.SCALE)
            span = slice(first, first + block.shape[1])
            panels[1, :, span], panels[2, :, span] = block[:2], block[2:]
            panels[0, :, span] = block[:2] + block[2:]
        with rc_context(settings):
            named = dict(zip(("mixture", "voice", "karaoke"), panels, strict=True))
            plot_spectrograms(named, job.facts["rate"], path, SIZES[size], _DPI)
    finally:
        part.unlink()
