"""What a trial of ``search.py`` is judged by: scores, CPU time, memory."""

import os
import resource
import sys
import time
from typing import Any

import numpy as np

from asteroid_karaoke import results, scores
from asteroid_karaoke.datasets import SongDataset
from asteroid_karaoke.separation import separate
from eval import provenance

#: Songs are scored at this rate in Hz, whatever a network's own rate is.
SAMPLE_RATE = 44100
#: How much is separated to measure the cost, in s: two blocks.
COST_SECONDS = 24


def measure_cost(model: Any) -> dict[str, float]:
    """CPU-s to separate a second of stereo, and the most memory that took with all that is loaded.

    That does not depend on the weights, and the process is still small.
    """
    rng = np.random.default_rng(0)
    noise = 0.1 * rng.standard_normal((2, COST_SECONDS * SAMPLE_RATE)).astype(np.float32)
    separate(model, noise[:, : noise.shape[1] // 2], SAMPLE_RATE)  # the first run is slower
    begin = time.process_time()
    separate(model, noise, SAMPLE_RATE)
    used = time.process_time() - begin
    return {"separate_cpu_per_s": used / COST_SECONDS, "separate_peak_mb": peak_memory()}


def score(model: Any, dataset: SongDataset, museval: bool) -> dict[str, Any]:
    """Separate whole songs; uSDR of both stems in dB, mean over the songs, and of each song."""
    usdr: dict[str, dict[str, float]] = {}
    records = []
    for song, (mixture, sources) in zip(dataset.songs, dataset, strict=True):
        estimates = np.stack(separate(model, mixture.numpy(), SAMPLE_RATE))
        pairs = zip(("vocals", "karaoke"), sources.numpy(), estimates, strict=True)
        usdr[song.id] = {name: scores.usdr(true, estimate) for name, true, estimate in pairs}
        if museval:
            records.append(scores.score_song(sources.numpy(), estimates, SAMPLE_RATE, song.id))
    means = {
        f"usdr_{stem}": float(np.mean([song[stem] for song in usdr.values()]))
        for stem in ("vocals", "karaoke")
    }
    return {**means, "songs": usdr, **({"museval": results.aggregate(records)} if museval else {})}


def machine() -> str:
    """The processor's name, and how many of it there are."""
    return f"{os.cpu_count()} × {provenance.processor()}"


def peak_memory() -> float:
    """The most memory that the process has had so far, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)  # bytes there, kB elsewhere
