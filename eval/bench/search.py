"""Train a network from scratch on a fixed budget of CPU time, and say how well it separates.

    PYTHONPATH=. python eval/bench/search.py band_cnn --data_dir DATA --cpu_minutes 30
    PYTHONPATH=. python eval/bench/search.py band_cnn --set size=tiny depth=6 --loss time_weight=1 \
        --data_dir DATA --cpu_minutes 30 --note "shallow"
    PYTHONPATH=. python eval/bench/pareto.py eval/results/search.jsonl --picture pareto.png

DATA holds ``train.jsonl`` and ``valid.jsonl``, as a recipe leaves them. All networks get the same
mixtures in the same order, the same loss and the same share of the budget's warm-up; what a network
does with the budget is its own affair: small ones take many steps, large ones few. The budget is
the process' CPU time with all its threads, mixing included; scoring comes after it. Each trial adds
a line of JSON to the results, a failed one too. With ``--checkpoint FILE`` a trial that was broken
off goes on when it is asked for again, at most five minutes before the end it came to.
"""

import argparse
import json
import os
import resource
import sys
from dataclasses import MISSING, asdict, fields
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import torch
import yaml

from asteroid_karaoke import manifest
from asteroid_karaoke.datasets import Mixing, RandomMixtures, SongDataset, VoiceAndNoise
from asteroid_karaoke.training import precision
from eval.bench import networks
from eval.bench.budget import AUTOCAST, Checkpoint, Trial, train
from eval.bench.measures import SAMPLE_RATE, machine, measure_cost, score

#: Fields of a trial that are arguments of something, and options of several name=value.
GROUPS = ("set", "loss", "mixing")
#: Lets glibc keep the memory that it would give back after each step and ask for again: training
#: steps are up to three times faster.
MALLOC = {
    "MALLOC_MMAP_THRESHOLD_": "1073741824",
    "MALLOC_TRIM_THRESHOLD_": "4294967296",
    "MALLOC_TOP_PAD_": "268435456",
}


def run(trial: Trial, path: Path | None = None) -> dict[str, Any]:
    """Build, measure, train and score.

    Args:
        trial: What is tried.
        path: Where training keeps its state, to go on from when it is broken off.

    Returns:
        The results' line: the trial, the machine and what was measured, or why it ``failed``.

    Raises:
        FileNotFoundError, ValueError: The trial can not be made, so there is nothing to record.
    """
    if not trial.cpu_minutes > 0:
        raise ValueError(f"cpu_minutes is {trial.cpu_minutes}, expected more than 0")
    if not 0 <= trial.pretrain < 1:
        raise ValueError(f"pretrain is {trial.pretrain}, expected a share from 0 to below 1")
    if precision(trial.precision) not in AUTOCAST:
        raise ValueError(
            f"precision is {trial.precision!r}, expected one of {', '.join(AUTOCAST)}, auto"
        )
    checkpoint = Checkpoint(path, trial) if path else None
    torch.set_num_threads(trial.threads)
    torch.manual_seed(trial.seed)
    model = networks.build(trial.network, trial.set)
    folder = Path(trial.data_dir)
    phases = [
        (
            kind(
                manifest.read(folder / "train.jsonl"),
                trial.segment,
                sample_rate=int(model.sample_rate),
                mixing=Mixing(**trial.mixing),
                seed=trial.seed,
            ),
            share,
        )
        for kind, share in ((VoiceAndNoise, trial.pretrain), (RandomMixtures, 1 - trial.pretrain))
        if share
    ]
    valid_set = SongDataset(manifest.read(folder / "valid.jsonl"), SAMPLE_RATE)
    record: dict[str, Any] = {
        **asdict(trial),
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "machine": machine(),
        "torch": torch.__version__,
        "weights": sum(parameter.numel() for parameter in model.parameters()),
    }
    try:
        record |= measure_cost(model)
        trained = train(trial, model, phases, record, checkpoint)
        record |= score(trained, valid_set, trial.museval)
    except (ArithmeticError, RuntimeError, MemoryError) as error:
        record["failed"] = f"{type(error).__name__}: {error}"
    return record


def append(record: dict[str, Any], path: Path) -> None:
    """Add a line to the results."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record, ensure_ascii=False) + "\n")


def pairs(words: list[str]) -> dict[str, Any]:
    """``["size=tiny", "depth=6"]`` as a dict; values are read as YAML."""
    for word in words:
        if "=" not in word:
            raise ValueError(f"got {word!r}, expected name=value")
    return {name: yaml.safe_load(value) for name, _, value in (w.partition("=") for w in words)}


def main() -> None:
    """Run one trial."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("network", choices=networks.names())
    parser.add_argument("--data_dir", required=True, help="folder of train.jsonl and valid.jsonl")
    parser.add_argument("--cpu_minutes", type=float, required=True)
    for group in GROUPS:
        parser.add_argument(f"--{group}", nargs="+", default=[], metavar="NAME=VALUE")
    for option in fields(Trial):
        if option.default is False:
            parser.add_argument(f"--{option.name}", action="store_true")
        elif option.default is not MISSING:
            parser.add_argument(
                f"--{option.name}", type=type(option.default), default=option.default
            )
    parser.add_argument("--results", type=Path, default=Path("eval/results/search.jsonl"))
    parser.add_argument(
        "--memory_gb", type=float, default=8.0, help="a trial that wants more fails"
    )
    parser.add_argument("--checkpoint", type=Path, help="file to go on from when broken off")
    options = vars(parser.parse_args())
    path, checkpoint = options.pop("results"), options.pop("checkpoint")
    # Else the kernel would kill some process, this one or another, when there is no more.
    most = int(options.pop("memory_gb") * 1e9)
    resource.setrlimit(resource.RLIMIT_DATA, (most, resource.getrlimit(resource.RLIMIT_DATA)[1]))
    try:
        options |= {group: pairs(options[group]) for group in GROUPS}
        record = run(Trial(**options), checkpoint)
    except (OSError, TypeError, ValueError) as error:
        sys.exit(f"search.py: {error}")
    append(record, path)
    if checkpoint:
        checkpoint.unlink(missing_ok=True)
    print(json.dumps(record, ensure_ascii=False, indent=1))
    if "failed" in record:
        sys.exit(f"search.py: {record['failed']}")


if __name__ == "__main__":
    if not set(MALLOC) <= set(os.environ):
        os.execve(sys.executable, sys.orig_argv, {**MALLOC, **os.environ})
    main()
