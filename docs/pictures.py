"""Draw the pictures of these pages, all from sounds and networks made here (CC0 1.0).

    PYTHONPATH=. python docs/pictures.py

They are committed, as drawing them needs a minute that no build of the pages has to spend.
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from asteroid_karaoke import KaraokeNet, overlap_add, plots
from asteroid_karaoke.plots.canvas import DPI, save
from recipes import demo

PICTURES = Path(__file__).parent / "pictures"
#: A song of the demo corpus' test split, by its seed and number, and its length in s.
SONG = {"seed": 0, "split": "test", "number": 1, "seconds": 15.0}
RATE = demo.SAMPLE_RATE
TITLES = ("mixture", "voice", "karaoke")


def song() -> dict[str, np.ndarray]:
    """A synthetic song and its stems, by title."""
    vocals, accompaniment = demo.make_song(**SONG)
    return dict(zip(TITLES, (vocals + accompaniment, vocals, accompaniment), strict=True))


def draw_song() -> None:
    """The song by itself, the mask that would be ideal, and the consonants."""
    panels = song()
    plots.plot_spectrograms(panels, RATE, PICTURES / "spectrograms.webp")
    plots.plot_consonants(panels, "voice", RATE, PICTURES / "consonants.webp")
    plots.plot_with_mask(panels, "voice", RATE, PICTURES / "mask.webp", dpi=80)


def draw_folding() -> None:
    """Which row of the network each bin goes to, and how wide the rows are."""
    model = KaraokeNet(masker="band_cnn", size="small")
    nyquist = model.sample_rate / 2
    bins, hertz = model.encoder.n_bins, nyquist / (model.encoder.n_bins - 1)
    figure = Figure(figsize=(9, 3.6), dpi=DPI, layout="constrained")
    ax = figure.subplots()
    row = 0
    for (first, last, size), colour in zip(
        model.masker.fold.bands, ("C0", "C1", "C2"), strict=True
    ):
        rows = -(-(last - first) // size)
        edges = np.minimum(first + size * np.arange(rows + 1), bins) * hertz
        label = f"{rows} rows of {size} bins, {size * hertz:.0f} Hz"
        ax.step(edges, row + np.arange(rows + 1), where="post", color=colour, label=label)
        ax.axvspan(edges[0], edges[-1], color=colour, alpha=0.12, linewidth=0)
        row += rows
    ax.set(xlabel="frequency (Hz)", ylabel="row", xlim=(0, nyquist), ylim=(0, row))
    ax.legend(loc="lower right")
    save(figure, PICTURES / "folding.webp")


def draw_network() -> None:
    """The levels of band_cnn: how many rows and frames each has, and how many channels."""
    masker = KaraokeNet(masker="band_cnn", size="small").masker
    rows = [masker.fold.n_rows]
    while len(rows) <= len(masker.down):
        rows.append(-(-rows[-1] // 2))
    widths = [masker.config["width"] * 2**level for level in range(len(rows))]
    names = ["encoder"] * len(masker.down) + ["bottleneck"] + ["decoder"] * len(masker.down)
    levels = [*range(len(rows)), *reversed(range(len(rows) - 1))]
    figure = Figure(figsize=(9, 3.6), dpi=DPI, layout="constrained")
    ax = figure.subplots()
    for x, (level, name) in enumerate(zip(levels, names, strict=True)):
        height, width = rows[level], widths[level] / 200
        ax.add_patch(Rectangle((x - width / 2, -height / 2), width, height, color="C0", alpha=0.6))
        frames = "all frames" if not level else f"1 frame of {2**level}"
        text = f"{name}\n{rows[level]} rows\n{widths[level]} channels\n{frames}"
        ax.text(x, -height / 2 - 8, text, ha="center", va="top", fontsize="small")
    for level in range(len(rows) - 1):
        left, right, y = level, len(levels) - 1 - level, rows[level] / 2 - 8
        ax.annotate("", (right - 0.2, y), (left + 0.2, y), arrowprops={"arrowstyle": "->"})
        ax.text((left + right) / 2, y + 3, "skip", ha="center", fontsize="small")
    ax.set(xlim=(-0.6, len(levels) - 0.4), ylim=(-rows[0] / 2 - 75, rows[0] / 2 + 12))
    ax.set_axis_off()
    save(figure, PICTURES / "network.webp")


def draw_blocks() -> None:
    """Two blocks of a song: margins that are thrown away, fades that overlap."""
    model = KaraokeNet(masker="band_cnn", size="small")
    block, fade = overlap_add.BLOCK_SECONDS, overlap_add.FADE_SECONDS
    margin = model.context / model.sample_rate
    step = block - 2 * margin - fade
    figure = Figure(figsize=(9, 2.8), dpi=DPI, layout="constrained")
    axes = figure.subplots(2, 1, sharex=True)
    for number, ax in enumerate(axes):
        start = number * step
        inner = start + margin, start + block - margin
        ax.axvspan(start, start + block, color="C0", alpha=0.15, label="what the network sees")
        times = [inner[0], inner[0] + fade, inner[1] - fade, inner[1]]
        ax.plot(times, [0, 1, 1, 0], color="C0", label="weight of what comes out")
        ax.set(ylabel=("block k", "block k+1")[number], ylim=(0, 1.1), yticks=(0, 1))
    axes[0].legend(loc="right", fontsize="small")
    axes[1].set_xlabel("time (s), from somewhere in a song")
    axes[1].set_xlim(0, step + block)
    save(figure, PICTURES / "blocks.webp")


if __name__ == "__main__":
    for draw in (draw_song, draw_folding, draw_network, draw_blocks):
        draw()
    for path in sorted(PICTURES.iterdir()):
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")
