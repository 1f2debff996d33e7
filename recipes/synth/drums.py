"""Drums made of formulas, and the patterns that they play."""

import numpy as np

from . import dsp
from .tune import Tune

#: Steps of a bar.
GRID = 16
#: Chance of a stroke on each sixteenth of a 4/4 bar, by style.
PATTERNS = {
    "rock": {
        "kick": "9..1..2.8.41..1.",
        "snare": "....9..1.1..9..1",
        "hat": "9.9.9.9.9.9.9.9.",
    },
    "dance": {
        "kick": "9...9...9...9..1",
        "snare": "....9.......9...",
        "hat": "..9...9...9...92",
    },
    "funk": {
        "kick": "9..4..3..49..2..",
        "snare": "....9..3.3..9..2",
        "hat": "9797979797979797",
    },
    "half": {
        "kick": "9.....3...5.....",
        "snare": "........9......1",
        "hat": "9.8.9.8.9.8.9385",
    },
    "ballad": {
        "kick": "9.......4.5.....",
        "snare": "....7.......7...",
        "hat": "8...8...8...8...",
    },
}


def kick(rng: np.random.Generator, sample_rate: int) -> np.ndarray:
    """Membrane whose pitch falls, and a click."""
    time = np.arange(int(0.5 * sample_rate)) / sample_rate
    low, fall = rng.uniform(40, 65), rng.uniform(0.015, 0.06)
    pitch = low + rng.uniform(80, 300) * np.exp(-time / fall)
    body = np.sin(2 * np.pi * np.cumsum(pitch) / sample_rate)
    body *= np.exp(-time / rng.uniform(0.07, 0.2))
    click = dsp.band_pass(rng.standard_normal(len(time)), 1000, 6000, sample_rate)
    return np.tanh(1.5 * body) + rng.uniform(0.05, 0.4) * click * np.exp(-time / 0.006)


def snare(rng: np.random.Generator, sample_rate: int) -> np.ndarray:
    """Two modes of the head, and the rattle of the wires — or, now and then, clapping hands."""
    time = np.arange(int(0.5 * sample_rate)) / sample_rate
    noise = rng.standard_normal(len(time))
    if rng.random() < 0.2:
        late = np.subtract.outer(time, [0, 0.011, 0.023])
        claps = np.where(late < 0, 0, np.exp(-np.abs(late) / 0.008)).sum(axis=1)
        hands = dsp.band_pass(noise, 900, 3500, sample_rate)
        return 0.8 * hands * (claps + 1.5 * (time > 0.03) * np.exp(-time / 0.07))
    head = rng.uniform(160, 250)
    body = np.sin(2 * np.pi * head * time) + 0.6 * np.sin(2 * np.pi * 1.6 * head * time)
    wires = dsp.band_pass(noise, rng.uniform(800, 2500), 12000, sample_rate)
    ring, rattle = rng.uniform(0.04, 0.12), rng.uniform(0.06, 0.18)
    wires *= rng.uniform(0.5, 1.2) * np.exp(-time / rattle)
    return 0.6 * body * np.exp(-time / ring) + wires


def hat(rng: np.random.Generator, sample_rate: int, decay: float) -> np.ndarray:
    """Metal: noise and a cluster of inharmonic partials, high-passed; ``decay`` in s."""
    time = np.arange(int(min(2.0, 6 * decay) * sample_rate)) / sample_rate
    partials = np.sign(np.sin(2 * np.pi * np.outer(rng.uniform(2000, 9000, 4), time))).sum(axis=0)
    metal = rng.standard_normal(len(time)) + rng.uniform(0, 0.6) * partials
    metal = dsp.band_pass(metal, rng.uniform(5000, 8000), None, sample_rate)
    return 0.4 * metal * np.exp(-time / decay)


def tom(rng: np.random.Generator, sample_rate: int, pitch: float) -> np.ndarray:
    """Deep drum of a fill; ``pitch`` in Hz."""
    time = np.arange(int(0.5 * sample_rate)) / sample_rate
    track = pitch * (1 + 0.5 * np.exp(-time / 0.04))
    return np.sin(2 * np.pi * np.cumsum(track) / sample_rate) * np.exp(-time / 0.13)


def play(rng: np.random.Generator, song: Tune, seconds: float, sample_rate: int) -> np.ndarray:
    """A drummer for the whole song: ``(2, time)``, with a fill or crash now and then."""
    style = PATTERNS[str(rng.choice(list(PATTERNS)))]
    width, closed = rng.uniform(0.1, 0.6), rng.uniform(0.015, 0.09)
    kit = {
        "kick": (dsp.pan(kick(rng, sample_rate), 0), 1.0),
        "snare": (dsp.pan(snare(rng, sample_rate), rng.normal(0, 0.08)), rng.uniform(0.5, 0.9)),
        "hat": (dsp.pan(hat(rng, sample_rate, closed), width), rng.uniform(0.15, 0.5)),
        "open": (dsp.pan(hat(rng, sample_rate, 0.25), width), 0.35),
        "crash": (dsp.pan(hat(rng, sample_rate, 0.6), -width), 0.5),
        "tom": (dsp.pan(tom(rng, sample_rate, rng.uniform(80, 160)), rng.normal(0, 0.4)), 0.8),
    }
    track = np.zeros((2, round(seconds * sample_rate)))

    def strike(name: str, start: float, force: float) -> None:
        sound, level = kit[name]
        dsp.add(track, sound * (level * force), start + abs(rng.normal(0, 0.003)), sample_rate)

    grid = song.beats * GRID // 4
    step = song.bar / grid
    for bar in range(int(seconds / song.bar) + 1):
        begin = bar * song.bar
        fill = grid - 4 if rng.random() < 0.12 else grid
        if bar % 4 == 0 and rng.random() < 0.4:
            strike("crash", begin, 1.0)
        for tick in range(grid):
            start = begin + tick * step + (song.swing * song.beat / 2 if tick % 2 else 0)
            if tick >= fill:
                strike(str(rng.choice(["tom", "snare"])), start, rng.uniform(0.4, 1.0))
                continue
            for name, row in style.items():
                chance = 0 if row[tick] == "." else int(row[tick]) / 9
                if rng.random() < chance:
                    which = "open" if name == "hat" and rng.random() < 0.05 else name
                    strike(which, start, rng.uniform(0.7, 1.0) * (1 if chance > 0.5 else 0.4))
    return track
