"""How fast, and how exactly, songs are scored: `bsseval_fast` beside museval's own loop.

    PYTHONPATH=. python eval/bench/scoring.py /path/to/stems/song -o eval/results/scoring
    PYTHONPATH=. python eval/bench/scoring.py /path/to/stems/song --seconds 10 20

A song is a folder with vocals.* and accompaniment.*; its estimates are the ideal ratio mask's. Each
engine runs in a process of its own, with all threads that its libraries take. museval's is
``museval.evaluate`` itself, which is given samples that are rounded already; rounding is within the
time of ours. Of a process' peak memory that is subtracted which it holds before it begins to score:
libraries, and the song as the engine wants it. Linux only.
"""

import argparse
import multiprocessing
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from asteroid_karaoke import audio, bsseval, bsseval_fast, scores
from asteroid_karaoke.baselines import BASELINES
from eval.bench import record

HEADING = """# Scoring: time, memory and exactness beside museval

BSSEval v4 of a stereo song's two stems in windows of 1 s, a process a row: eval/bench/scoring.py
says what is run. Memory is beyond the song. *Of museval's* is the share of its wall time; the
difference is the largest of any frame from museval's score."""
COLUMNS = {
    "song, s": lambda row: f"{row['seconds']:g}",
    "engine": lambda row: row["engine"],
    "wall, s": lambda row: f"{row['wall']:.1f}",
    "CPU, s": lambda row: f"{row['cpu']:.1f}",
    "memory, MB": lambda row: f"{row['memory']:.0f}",
    "of museval's": lambda row: f"{row['share']:.3f}" if "share" in row else "–",
    **{
        f"{metric} off, dB": lambda row, metric=metric: (
            f"{row['off'][metric]:.1e}" if "off" in row else "–"
        )
        for metric in bsseval.METRICS
    },
}


def main() -> None:
    """Measure songs of several lengths and leave a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("song", type=Path, help="folder with vocals.* and accompaniment.*")
    parser.add_argument(
        "--seconds", type=float, nargs="+", default=[60, 240], help="of its beginning to score"
    )
    args = record.options(parser)
    rows: list[dict[str, Any]] = []
    for seconds in args.seconds:
        references, estimates, rate = read_song(args.song, seconds)
        length = references.shape[-1] / rate
        theirs = alone(measure_museval, references, estimates, rate)
        ours = alone(measure_fast, references, estimates, rate)
        about = {"song": args.song.name, "seconds": round(length, 1)}
        rows += [{**about, **row} for row in compared(theirs, ours)]
        print("\n".join(record.markdown(COLUMNS, rows[-2:]).splitlines()[2:]), flush=True)
    table = record.markdown(COLUMNS, rows)
    print(table)
    if args.output:
        record.leave(args.output, HEADING, table, rows)


def read_song(folder: Path, seconds: float) -> tuple[np.ndarray, np.ndarray, int]:
    """The beginning of a song's stems, their estimates, both float32, and the rate in Hz."""
    paths = [next(folder.glob(f"{stem}.*")) for stem in scores.STEMS]
    rate = audio.info(paths[0]).sample_rate
    references = np.stack([audio.read(path)[:, : int(seconds * rate)] for path in paths])
    return references, BASELINES["ideal_ratio_mask"](references.sum(0), references, rate), rate


def measure_museval(references: np.ndarray, estimates: np.ndarray, rate: int) -> dict[str, Any]:
    """What museval's own loop takes."""
    bsseval.track_scores("warm", {})  # what numpy has lost of what museval asks for
    import museval

    stems = [bsseval.to_16_bit(x).swapaxes(1, 2) for x in (references, estimates)]
    del references, estimates
    return measure(
        lambda: museval.evaluate(*stems, win=rate, hop=rate, mode="v4", padding=False),
        engine="museval",
    )


def measure_fast(references: np.ndarray, estimates: np.ndarray, rate: int) -> dict[str, Any]:
    """What ours takes."""
    bsseval.track_scores("warm", {})  # imports museval, by which its scores are stored
    return measure(
        lambda: [*bsseval_fast.evaluate(references, estimates, rate).values()], engine="fast"
    )


def measure(run: Callable[[], Any], **row: Any) -> dict[str, Any]:
    """Seconds of wall and of CPU time, MB beyond those held before, and the scores ``(4, ...)``."""
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    before, begin, used = _memory("VmRSS"), time.perf_counter(), time.process_time()
    found = run()
    wall, cpu = time.perf_counter() - begin, time.process_time() - used
    memory = _memory("VmHWM") - before
    return {**row, "wall": wall, "cpu": cpu, "memory": memory, "scores": np.array(found)}


def compared(theirs: dict[str, Any], ours: dict[str, Any]) -> list[dict[str, Any]]:
    """Both rows without the scores; ours with its share of the time and how far off it is.

    Raises:
        ValueError: The frames without scores are not the same.
    """
    expected, found = theirs.pop("scores"), ours.pop("scores")
    if not np.array_equal(np.isnan(expected), np.isnan(found)):
        raise ValueError("museval and bsseval_fast leave out different frames")
    off = np.nanmax(np.abs(found - expected), axis=(1, 2))
    ours["share"] = ours["wall"] / theirs["wall"]
    ours["off"] = dict(zip(bsseval.METRICS, off.tolist(), strict=True))
    return [row | {"frames": expected.shape[-1]} for row in (theirs, ours)]


def alone(function: Callable, *arguments: object) -> dict[str, Any]:
    """Call a function in a fresh process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)


def _memory(field: str) -> float:
    """What this process holds (VmRSS) or held at most (VmHWM), in MB."""
    status = Path("/proc/self/status").read_text()
    return int(re.findall(rf"^{field}:\s+(\d+) kB$", status, re.MULTILINE)[0]) / 1e3


if __name__ == "__main__":
    main()
