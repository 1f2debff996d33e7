"""How fast training examples are read and mixed, and what memory that takes.

    PYTHONPATH=. python eval/bench/loader.py
    PYTHONPATH=. python eval/bench/loader.py --data_dir egs/demo/KaraokeNet/data

Without a folder of manifests it makes songs of coloured noise, which FLAC can hardly compress, so
music is read no slower. A second of wall time says how fast the loader is on this machine with all
else that runs on it; a second of CPU time says what it would do with its cores for itself.
"""

import argparse
import itertools
import multiprocessing
import pickle
import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader

from asteroid_karaoke import audio, effects, manifest
from asteroid_karaoke.datasets import EpochSampler, Mixing, RandomMixtures
from asteroid_karaoke.manifest import Song
from asteroid_karaoke.pool import Pool

#: Ending, subtype and sample rate in Hz of the songs that are made.
FORMATS = {
    "wav": ("wav", "PCM_16", 44100),
    "flac": ("flac", "PCM_16", 44100),
    "ogg": ("ogg", "VORBIS", 44100),
    "opus": ("ogg", "OPUS", 48000),
    "mp3": ("mp3", "MPEG_LAYER_III", 44100),
}
SONGS, SONG_SECONDS = 6, 60
BATCH_SIZE, SEGMENT = 6, 6.0
#: Songs of the large manifest.
MANY = 10_000


def make_songs(folder: Path, name: str) -> list[Song]:
    """Write songs of pink and brown noise that swells twice a second, in one format."""
    ending, subtype, rate = FORMATS[name]
    rng = np.random.default_rng(0)
    swell = 0.55 + 0.45 * np.sin(4 * np.pi * np.arange(SONG_SECONDS * rate) / rate)
    songs = []
    for number in range(SONGS):
        paths = {}
        for stem, exponent in (("vocals", 1.0), ("accompaniment", 1.5)):
            noise = effects.coloured_noise(rng, len(swell), exponent, rate)
            paths[stem] = str(folder / name / f"{number}-{stem}.{ending}")
            audio.write(paths[stem], 0.1 * (noise * swell).astype(np.float32), rate, subtype)
        songs.append(
            Song(f"{name}-{number}", "train", "bench", "stems", "CC0", rate, 2, len(swell), **paths)
        )
    return songs


@contextmanager
def workers(dataset: RandomMixtures, number: int, batches: int) -> Iterator[Iterator]:
    """Batches out of worker processes, with the first one, which starts them, already taken."""
    sampler = EpochSampler((batches + 1) * BATCH_SIZE)
    loader = iter(DataLoader(dataset, BATCH_SIZE, sampler=sampler, num_workers=number))
    next(loader)
    yield loader
    for _ in loader:
        pass


def measure_speed(dataset: RandomMixtures, number: int, batches: int) -> tuple[float, float]:
    """Seconds of mixtures for a second of wall time, and of CPU time of all processes."""
    used = _cpu_seconds()
    with workers(dataset, number, batches) as loader:
        begin = time.perf_counter()
        count = sum(1 for _ in loader)
        wall = time.perf_counter() - begin
    del loader
    for process in multiprocessing.active_children():
        process.join()
    seconds = BATCH_SIZE * SEGMENT
    return count * seconds / wall, (count + 1) * seconds / (_cpu_seconds() - used)


def _cpu_seconds() -> float:
    usages = [resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def measure_memory(dataset: RandomMixtures, number: int, batches: int) -> float:
    """What a worker has for itself and shares with nobody after so many batches, in MB."""
    with workers(dataset, number, batches) as loader:
        for _ in itertools.islice(loader, batches - 2 * number):
            pass
        pids = [process.pid for process in multiprocessing.active_children()]
        owned = [
            int(line.split()[1])
            for pid in pids
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            if line.startswith("Private_")
        ]
    return sum(owned) / 1000 / len(pids)


def measure_draw(songs: list[Song]) -> float:
    """Time to choose a song, in microseconds."""
    pool, rng = Pool(songs), np.random.default_rng(0)
    begin = time.process_time()
    for _ in range(2000):
        pool.draw("vocals", rng)
    return (time.process_time() - begin) / 2000 * 1e6


def print_speed(corpora: dict[str, list[Song]], number: int, batches: int) -> None:
    """Print how fast each corpus is read, plain and augmented."""
    cores = min(number, multiprocessing.cpu_count())
    print(f"\n{number} workers, items of {SEGMENT:g} s, stereo, 44.1 kHz; s of mixture per s of\n")
    print(f"| source | augmentation | wall time | CPU time | CPU time × {cores} cores |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for (name, songs), amount in itertools.product(corpora.items(), (0.0, 1.0)):
        dataset = RandomMixtures(songs, SEGMENT, mixing=Mixing(augmentation=amount))
        wall, cpu = measure_speed(dataset, number, batches)
        print(f"| {name} | {amount:g} | {wall:.0f} | {cpu:.0f} | {cpu * cores:.0f} |", flush=True)


def print_memory(songs: list[Song], number: int, batches: int) -> None:
    """Print what a manifest's length does to memory and to the time to draw."""
    print("\n| songs | of them in memory, MB | a worker's own memory, MB | to draw a song, µs |")
    print("| ---: | ---: | ---: | ---: |")
    for count in (len(songs), MANY):
        many = [replace(songs[i % len(songs)], id=f"song-{i}") for i in range(count)]
        owned = measure_memory(RandomMixtures(many, SEGMENT), number, batches)
        packed = len(pickle.dumps(Pool(many))) / 1e6
        print(f"| {count} | {packed:.2f} | {owned:.0f} | {measure_draw(many):.0f} |", flush=True)


def main() -> None:
    """Measure and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data_dir", type=Path, help="folder of train.jsonl; else songs are made")
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=list(FORMATS))
    parser.add_argument("--num_workers", type=int, default=2)
    parser.add_argument("--batches", type=int, default=30, help="to measure over, of 6 items")
    args = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        if args.data_dir:
            corpora = {str(args.data_dir): manifest.read(args.data_dir / "train.jsonl")}
        else:
            corpora = {name: make_songs(Path(folder), name) for name in args.formats}
        print_speed(corpora, args.num_workers, args.batches)
        if Path("/proc/self/smaps_rollup").exists():
            print_memory(next(iter(corpora.values())), args.num_workers, args.batches)


if __name__ == "__main__":
    main()
