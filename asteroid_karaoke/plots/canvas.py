"""What all pictures share: their resolution, and that they appear whole or not at all.

Drawn on figures of their own, with matplotlib's Agg canvas: no display is needed, and nothing of a
caller's pyplot is touched.
"""

import os
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..parts import whole

DPI = 110


def save(figure: Figure, path: str | os.PathLike) -> Path:
    """Write a figure; its folder is made, its suffix says the format, its path comes back."""
    path = Path(path)
    with whole(path) as part:
        FigureCanvasAgg(figure).print_figure(part, format=path.suffix[1:] or "png")
    return path
