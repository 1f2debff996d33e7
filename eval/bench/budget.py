"""Training on a budget of CPU time; see ``search.py``."""

import math
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch.optim.swa_utils import AveragedModel

from asteroid_karaoke.datasets import RandomMixtures
from asteroid_karaoke.losses import KaraokeLoss
from asteroid_karaoke.schedules import moving_average
from asteroid_karaoke.training import make_optimizer, precision
from eval.bench import networks
from eval.bench.measures import peak_memory

#: What forward passes are computed in, by Lightning's name of the precision; None for float32.
AUTOCAST = {"bf16-mixed": torch.bfloat16, "32-true": None}


@dataclass(frozen=True)
class Trial:
    """What is tried: all that decides the outcome, but for the machine.

    Args:
        network: A name of :func:`eval.bench.networks.names`.
        set: Its arguments, where they are not its defaults.
        data_dir: Folder of the manifests.
        cpu_minutes: The budget.
        loss: Arguments of :class:`asteroid_karaoke.losses.KaraokeLoss`.
        mixing: Fields of :class:`asteroid_karaoke.datasets.Mixing`.
        lr: The highest learning rate.
        optimizer: A name that Asteroid knows, or muon.
        weight_decay: Of the optimizer.
        batch_size: Examples a step.
        segment: Their length in s.
        warm_up: Share of the budget until the highest rate is reached; then a cosine down to 0.
        ema: Share of the averaged weights that stays in a step.
        clip: Norm that gradients are cut to.
        precision: As in training: ``auto`` is bf16 where the processor has it.
        threads: Threads of torch.
        pretrain: Share of the budget that goes to voices in noise, before songs.
        seed: Of weights and mixtures.
        museval: Whether to score with museval too, which takes 0.2 CPU-s a second of song.
        note: What the trial is for.
    """

    network: str
    data_dir: str
    cpu_minutes: float
    set: dict[str, Any] = field(default_factory=dict)
    loss: dict[str, Any] = field(default_factory=dict)
    mixing: dict[str, Any] = field(default_factory=dict)
    lr: float = 2e-3
    optimizer: str = "muon"
    weight_decay: float = 0.01
    batch_size: int = 2
    segment: float = 4.0
    warm_up: float = 0.1
    ema: float = 0.99
    clip: float = 5.0
    precision: str = "auto"
    threads: int = 1
    pretrain: float = 0.0
    seed: int = 0
    museval: bool = False
    note: str = ""


def train(
    trial: Trial, model: Any, phases: list[tuple[RandomMixtures, float]], record: dict[str, Any]
) -> torch.nn.Module:
    """Train until the budget is used up.

    Args:
        trial: As it was asked for.
        model: Begins as it is.
        phases: What it learns from, one after the other, and the share of the budget for each,
            which has an optimizer and a cycle of its own. Items are taken in order.
        record: Gets what was measured, also when training fails.

    Returns:
        The averaged model.

    Raises:
        FloatingPointError: The loss is not finite.
    """
    model.train()
    networks.prepare(model, batch(phases[-1][0], range(16))[0])
    for dataset, share in phases:
        averaged = _learn(trial, model, dataset, 60 * trial.cpu_minutes * share, record)
        model.load_state_dict(averaged.state_dict())
    return model


def _learn(
    trial: Trial, model: Any, dataset: RandomMixtures, budget: float, record: dict[str, Any]
) -> torch.nn.Module:
    """Train for so many CPU-s, and give the averaged model."""
    half = AUTOCAST[precision(trial.precision)]
    loss_function = KaraokeLoss(**trial.loss)
    optimizer = make_optimizer(
        model.parameters(), trial.optimizer, lr=trial.lr, weight_decay=trial.weight_decay
    )
    averaged = AveragedModel(model, avg_fn=moving_average(trial.ema), use_buffers=True)
    losses: list[float] = []
    before = {name: record.get(name, 0) for name in ("steps", "train_cpu_s", "mixing_cpu_s")}
    begin, mixing, used = time.process_time(), 0.0, 0.0
    while used < budget:
        first = len(losses) * trial.batch_size
        mixture, sources = batch(dataset, range(first, first + trial.batch_size))
        mixing += time.process_time() - begin - used
        for group in optimizer.param_groups:
            group["lr"] = trial.lr * one_cycle(used / budget, trial.warm_up)
        with torch.autocast("cpu", half, enabled=half is not None):
            loss = loss_function(model(mixture).float(), sources, turn=len(losses))
        if not math.isfinite(loss.item()):
            raise FloatingPointError(f"the loss is {loss.item()} at step {len(losses)}")
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), trial.clip)
        optimizer.step()
        averaged.update_parameters(model)
        losses.append(loss.item())
        used = time.process_time() - begin
        record |= {
            "steps": before["steps"] + len(losses),
            "train_cpu_s": before["train_cpu_s"] + used,
            "mixing_cpu_s": before["mixing_cpu_s"] + mixing,
            "train_cpu_per_s": (used - mixing) / (len(losses) * trial.batch_size * trial.segment),
            "train_peak_mb": peak_memory(),
            "train_loss": float(np.mean(losses[-max(1, len(losses) // 10) :])),
        }
    return averaged.module


def batch(dataset: RandomMixtures, indices: range) -> tuple[torch.Tensor, torch.Tensor]:
    """Items of a dataset: `(batch, channels, time)` and `(batch, 2, channels, time)`."""
    mixtures, sources = zip(*(dataset[index] for index in indices), strict=True)
    return torch.stack(mixtures), torch.stack(sources)


def one_cycle(progress: float, warm_up: float) -> float:
    """Share of the highest learning rate after a share of the budget: half a cosine up, one down.

    As torch's ``OneCycleLR``, but over time, since nobody knows how many steps there will be.
    """
    if progress < warm_up:
        return 0.04 + 0.96 * (1 - math.cos(math.pi * progress / warm_up)) / 2
    return (1 + math.cos(math.pi * min(1, (progress - warm_up) / (1 - warm_up)))) / 2
