"""What each backend costs to separate with, and how far its voice is from torch's in float32.

    PYTHONPATH=. python eval/bench/backends.py --model karaoke-small --song song.flac
    PYTHONPATH=. python eval/bench/backends.py --blocks 12 24 36
    PYTHONPATH=. python eval/bench/backends.py --song song.flac --vocals vocals.flac

Each row is a process of its own that separates the song as ``asteroid-karaoke separate`` would,
block by block; the network is compiled before. CPU seconds are of all threads, so they do not
shrink with more of them; the best of `--repeats` is given, since other work on the machine only
adds. Memory is what the process grew by while it separated. Without a song, ninety seconds of noise
and tones are taken; without a model, random weights, which cost the same.
"""

import argparse
import itertools
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

WAYS = {
    "as trained": None,
    "torch, float32": ("torch", "float32"),
    "torch, bfloat16": ("torch", "bfloat16"),
    "openvino, float32": ("openvino", "float32"),
    "openvino, bfloat16": ("openvino", "bfloat16"),
    "onnx, float32": ("onnx", "float32"),
}
#: The way that all others are compared with.
REFERENCE = "as trained"
SECONDS = 90


def main() -> None:
    """Measure every combination in a process of its own and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", help="as `separate --model`; a small band_cnn without weights")
    parser.add_argument("--song", type=Path, help=f"its first {SECONDS} s are taken")
    parser.add_argument("--vocals", type=Path, help="the song's true voice: gives each way's SDR")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--blocks", nargs="+", type=float, default=[12.0], help="in s")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--row", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.row:
        print(json.dumps(measure(args, **json.loads(args.row))))
        return
    print(
        "| backend | block, s | threads | CPU-s/s | wall-s/s | memory, MB | off, dB of mixture |",
        end="",
    )
    print(" dB of voice | SDR, dB |" if args.vocals else " dB of voice |")
    print("| --- |" + " ---: |" * (8 if args.vocals else 7))
    with tempfile.TemporaryDirectory() as folder:
        reference = str(Path(folder) / "voice.npy")
        run({"way": REFERENCE, "block": args.blocks[0], "threads": 1, "save": reference})
        for block, threads, way in itertools.product(args.blocks, args.threads, args.ways):
            found = run({"way": way, "block": block, "threads": threads, "reference": reference})
            print(
                f"| {way} | {block:g} | {threads} | {found['cpu']:.3f} | {found['wall']:.3f} | "
                f"{found['memory']:.0f} | {found['mixture']:.1f} | {found['voice']:.1f} |"
                + (f" {found['sdr']:.3f} |" if args.vocals else ""),
                flush=True,
            )


def run(row: dict) -> dict:
    """Measure one row in a new process, so that it is the only one that needs memory."""
    command = [sys.executable, *sys.argv, "--row", json.dumps(row)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(row["threads"])}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{row['way']}: {done.stderr.strip()}")
    return json.loads(done.stdout.splitlines()[-1])


def measure(
    args: argparse.Namespace,
    way: str,
    block: float,
    threads: int,
    save: str = "",
    reference: str = "",
) -> dict:
    """Separate the song in this process; figures of what it took and of how far off it is."""
    import torch

    from asteroid_karaoke import KaraokeNet, backends
    from asteroid_karaoke.separation import separate

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    model = KaraokeNet.from_pretrained(args.model) if args.model else KaraokeNet().eval()
    rate = int(model.sample_rate)
    mixture = read(args.song, rate) if args.song else tones(rate)
    if WAYS[way]:
        backend, precision = WAYS[way]
        model, _ = backends.accelerate(model, backend, precision)
    before = _peak()
    costs = []
    for _ in range(1 if save else args.repeats):
        cpu, wall = time.process_time(), time.perf_counter()
        voice = separate(model, mixture, rate, block_seconds=block).vocals
        costs.append((time.process_time() - cpu, time.perf_counter() - wall))
    seconds = mixture.shape[1] / rate
    found = {"memory": _peak() - before}
    found["cpu"], found["wall"] = (min(cost) / seconds for cost in zip(*costs, strict=True))
    if save:
        np.save(save, voice)
    if reference:
        expected = np.load(reference)
        found["mixture"] = decibels(voice - expected, mixture)
        found["voice"] = decibels(voice - expected, expected)
    if args.vocals:
        true = read(args.vocals, rate)
        found["sdr"] = -decibels(voice - true, true)
    return found


def read(path: Path, rate: int) -> np.ndarray:
    """The start of a song, `(2, time)`."""
    from asteroid_karaoke import audio

    def blocks() -> Iterator[np.ndarray]:
        with audio.open_audio(path) as song:
            resample = audio.Resampler(song.sample_rate, rate, song.channels)
            for _ in range(SECONDS):
                yield resample(song.read(song.sample_rate))

    found = np.concatenate(list(blocks()), axis=1)
    return found if len(found) == 2 else np.repeat(found[:1], 2, axis=0)


def tones(rate: int) -> np.ndarray:
    """A chord that comes and goes, with noise, `(2, time)`."""
    time_axis = np.arange(SECONDS * rate) / rate
    noise = np.random.default_rng(0).standard_normal((2, len(time_axis)))
    chord = sum(np.sin(2 * np.pi * f * time_axis) for f in (131, 196, 330, 660, 1320))
    swell = 0.55 + 0.45 * np.sin(2 * np.pi * 0.5 * time_axis)
    return (0.1 * chord * swell + 0.02 * noise).astype(np.float32)


def decibels(error: np.ndarray, signal: np.ndarray) -> float:
    """Power of one signal in dB of another's."""
    power = np.square(error, dtype=np.float64).sum() + 1e-30
    return float(10 * np.log10(power / np.square(signal, dtype=np.float64).sum()))


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
