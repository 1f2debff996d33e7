"""Does the loader keep the model busy? Steps with its batches against steps with one held batch.

    PYTHONPATH=. python eval/bench/feeding.py
    PYTHONPATH=. python eval/bench/feeding.py --data_dir egs/demo/KaraokeNet/data --num_workers 1

The wall column is what happens on this machine with all else that runs on it: both kinds of steps
take turns, and medians are compared. The CPU column is the bound that no wall clock disturbs: where
the model could use every core, the loader's CPU time is taken from it.
"""

import argparse
import itertools
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from loader import BATCH_SIZE, SEGMENT, make_songs
from torch import Tensor

from asteroid_karaoke import KaraokeNet, manifest
from asteroid_karaoke.batches import make_loaders
from asteroid_karaoke.datasets import EpochSampler, RandomMixtures, SongDataset
from asteroid_karaoke.losses import KaraokeLoss
from asteroid_karaoke.manifest import Song
from asteroid_karaoke.training import precision

#: Steps of one kind before the other has its turn.
TURN = 3


class Trainee:
    """A model that learns, and how long its steps took.

    Args:
        size: Of the default network.
    """

    def __init__(self, size: str):
        self.model = KaraokeNet(size=size).train()
        self.loss = KaraokeLoss()
        self.optimizer = torch.optim.AdamW(self.model.parameters(), 1e-4)
        self.low = precision("auto") == "bf16-mixed"

    def step(self, batches: Iterator[list[Tensor]]) -> tuple[float, float]:
        """Take a batch and learn from it; seconds of wall time, and of this process' CPU time."""
        begin, used = time.perf_counter(), time.process_time()
        mixture, sources = next(batches)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.low):
            loss = self.loss(self.model(mixture), sources, turn=0)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return time.perf_counter() - begin, time.process_time() - used


def measure(songs: list[Song], size: str, workers: int, turns: int) -> dict[str, float]:
    """Median wall seconds of both kinds of steps; CPU seconds of a step, and to make a batch."""
    train_set = RandomMixtures(songs, SEGMENT, length=(turns * TURN + 2) * BATCH_SIZE)
    options = {"batch_size": BATCH_SIZE, "num_workers": workers}
    loader, _ = make_loaders(train_set, SongDataset(songs), EpochSampler(len(train_set)), options)
    fresh = iter(loader)
    held = itertools.repeat(next(fresh))
    trainee = Trainee(size)
    trainee.step(held)  # the first step takes memory and chooses algorithms
    steps: dict[str, list[tuple[float, float]]] = {"held": [], "loader": []}
    for _ in range(turns):
        steps["held"] += [trainee.step(held) for _ in range(TURN)]
        steps["loader"] += [trainee.step(fresh) for _ in range(TURN)]
    used = time.process_time()
    for index in range(BATCH_SIZE):
        train_set[index]
    made = time.process_time() - used
    walls = {kind: statistics.median(wall for wall, _ in found) for kind, found in steps.items()}
    return {**walls, "step": statistics.median(cpu for _, cpu in steps["held"]), "batch": made}


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data_dir", type=Path, help="folder of train.jsonl; else songs are made")
    parser.add_argument("--format", default="flac", help="of the songs that are made")
    parser.add_argument("--size", default="small", help="of the network")
    parser.add_argument("--num_workers", type=int, default=1)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--turns", type=int, default=4, help=f"of {TURN} steps of each kind")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    with tempfile.TemporaryDirectory() as folder:
        if args.data_dir:
            songs = manifest.read(args.data_dir / "train.jsonl")
        else:
            songs = make_songs(Path(folder), args.format)
        found = measure(songs, args.size, args.num_workers, args.turns)
    print(f"band_cnn {args.size}, {BATCH_SIZE} × {SEGMENT:g} s, ", end="")
    print(f"{args.threads} thread(s), {args.num_workers} worker(s)\n")
    print("| | held batch | loader | share of throughput |")
    print("| --- | ---: | ---: | ---: |")
    held, loader, step, batch = (found[name] for name in ("held", "loader", "step", "batch"))
    print(f"| wall s a step | {held:.2f} | {loader:.2f} | {held / loader:.1%} |")
    print(f"| CPU s a step | {step:.2f} | {step + batch:.2f} | {step / (step + batch):.1%} |")


if __name__ == "__main__":
    main()
