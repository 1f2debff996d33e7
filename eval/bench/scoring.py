"""How fast, and how exactly, songs are scored: `bsseval_fast` beside museval's own loop.

    PYTHONPATH=. python eval/bench/scoring.py /path/to/stems/song --seconds 60 120

A song is a folder with vocals.* and accompaniment.*; its estimates are the ideal ratio mask's. Each
engine runs in a process of its own; of its peak memory that is subtracted which it holds before it
begins to score (libraries, and the song in float32). A second of CPU time says what a machine does
that has nothing else to do. Linux only.
"""

import argparse
import multiprocessing
import re
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from asteroid_karaoke import audio, bsseval, scores
from asteroid_karaoke.baselines import BASELINES


def read_song(folder: Path, seconds: float) -> tuple[np.ndarray, np.ndarray, int]:
    """The beginning of a song's stems, their estimates, both float32, and the rate in Hz."""
    paths = [next(folder.glob(f"{stem}.*")) for stem in scores.STEMS]
    rate = audio.info(paths[0]).sample_rate
    references = np.stack([audio.read(path)[:, : int(seconds * rate)] for path in paths])
    return references, BASELINES["ideal_ratio_mask"](references.sum(0), references, rate), rate


def measure(engine: str, references: np.ndarray, estimates: np.ndarray, rate: int) -> tuple:
    """Scores of each frame, seconds of wall and of CPU time, and MB beyond those held before."""
    bsseval.track_scores("warm", {})  # imports museval, which either engine's scores are stored by
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    before, begin, used = _memory("VmRSS"), time.perf_counter(), time.process_time()
    found = scores.ENGINES[engine](references, estimates, rate)
    wall, cpu = time.perf_counter() - begin, time.process_time() - used
    frames = np.stack([found[metric] for metric in bsseval.METRICS])
    return frames, wall, cpu, _memory("VmHWM") - before


def _memory(field: str) -> float:
    """What this process holds (VmRSS) or held at most (VmHWM), in MB."""
    status = Path("/proc/self/status").read_text()
    return int(re.findall(rf"^{field}:\s+(\d+) kB$", status, re.MULTILINE)[0]) / 1e3


def alone(function: Callable, *arguments: object) -> tuple:
    """Call a function in a fresh process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)


def main() -> None:
    """Measure and print a table, and the largest differences."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("song", type=Path, help="folder with vocals.* and accompaniment.*")
    parser.add_argument("--seconds", type=float, nargs="+", default=[60], help="of it to score")
    args = parser.parse_args()
    print("| seconds | engine | wall time, s | CPU time, s | memory beyond the song, MB |")
    print("| ---: | --- | ---: | ---: | ---: |")
    for seconds in args.seconds:
        song = read_song(args.song, seconds)
        results = {engine: alone(measure, engine, *song) for engine in scores.ENGINES}
        for engine, (_, wall, cpu, memory) in results.items():
            print(f"| {seconds:g} | {engine} | {wall:.1f} | {cpu:.1f} | {memory:.0f} |", flush=True)
        compare(results["fast"], results["museval"])


def compare(fast: tuple, museval: tuple) -> None:
    """Print the ratio of times, and the largest difference of any frame in dB."""
    worst = np.nanmax(np.abs(fast[0] - museval[0]), axis=(1, 2))
    differences = ", ".join(f"{m} {d:.1e}" for m, d in zip(bsseval.METRICS, worst, strict=True))
    same = np.array_equal(np.isnan(fast[0]), np.isnan(museval[0]))
    print(
        f"\nwall {fast[1] / museval[1]:.3f}, CPU {fast[2] / museval[2]:.3f} of museval's; largest "
        f"difference in dB: {differences}; frames without scores are {'' if same else 'NOT '}the "
        "same\n"
    )


if __name__ == "__main__":
    main()
