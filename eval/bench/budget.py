"""Training on a budget of CPU time; see ``search.py``."""

import io
import math
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.optim.swa_utils import AveragedModel

from asteroid_karaoke.datasets import RandomMixtures
from asteroid_karaoke.losses import KaraokeLoss
from asteroid_karaoke.parts import write_whole
from asteroid_karaoke.schedules import moving_average
from asteroid_karaoke.training import make_optimizer, precision
from eval.bench import networks
from eval.bench.measures import peak_memory

#: What forward passes are computed in, by Lightning's name of the precision; None for float32.
AUTOCAST = {"bf16-mixed": torch.bfloat16, "32-true": None}
#: CPU-s between two checkpoints.
CHECKPOINT_EVERY = 300.0


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


class Checkpoint:
    """A trial's state in a file, from which one that was broken off goes on.

    Args:
        path: The file; it need not exist.
        trial: What is tried.

    Raises:
        ValueError: The file is of another trial.
    """

    def __init__(self, path: Path, trial: Trial):
        self.path = path
        self.trial = asdict(trial)
        self.state: dict[str, Any] = {}
        if path.exists():
            found = torch.load(path, weights_only=True)
            if found.pop("trial") != self.trial:
                raise ValueError(f"{path} is of another trial: delete it, or name another file")
            self.state = found

    def write(self, **state: Any) -> None:
        """Put the state in the place of the one before."""
        content = io.BytesIO()
        torch.save({"trial": self.trial, **state}, content)
        write_whole(self.path, content.getvalue())


def train(
    trial: Trial,
    model: Any,
    phases: list[tuple[RandomMixtures, float]],
    record: dict[str, Any],
    checkpoint: Checkpoint | None = None,
) -> torch.nn.Module:
    """Train until the budget is used up.

    Args:
        trial: As it was asked for.
        model: Begins as it is.
        phases: What it learns from, one after the other, and the share of the budget for each,
            which has an optimizer and a cycle of its own. Items are taken in order.
        record: Gets what was measured, also when training fails.
        checkpoint: Gets the state now and then; training goes on from the one it has.

    Returns:
        The averaged model.

    Raises:
        FloatingPointError: The loss is not finite.
    """
    model.train()
    networks.prepare(model, batch(phases[-1][0], range(16))[0])
    state = checkpoint.state if checkpoint else {}
    for index, (dataset, share) in enumerate(phases):
        if index < state.get("phase", 0):
            continue
        phase = _Phase(trial, model, dataset, 60 * trial.cpu_minutes * share, record)
        if state and index == state["phase"]:
            phase.load_state_dict(state)
        kept = phase.used
        while phase.used < phase.budget:
            phase.step()
            if checkpoint and phase.used >= kept + CHECKPOINT_EVERY:
                checkpoint.write(phase=index, **phase.state_dict())
                kept = phase.used
        model.load_state_dict(phase.averaged.module.state_dict())
    return model


class _Phase:
    """Training for so many CPU-s; :func:`train` has its arguments."""

    #: What a checkpoint keeps.
    LEARNT = ("model", "optimizer", "averaged")
    COUNTED = ("losses", "used", "mixing", "before")

    def __init__(
        self,
        trial: Trial,
        model: Any,
        dataset: RandomMixtures,
        budget: float,
        record: dict[str, Any],
    ):
        self.trial, self.dataset, self.budget, self.record = trial, dataset, budget, record
        self.loss_function = KaraokeLoss(**trial.loss)
        self.model = model
        self.optimizer = make_optimizer(
            model.parameters(), trial.optimizer, lr=trial.lr, weight_decay=trial.weight_decay
        )
        self.averaged = AveragedModel(model, avg_fn=moving_average(trial.ema), use_buffers=True)
        self.losses: list[float] = []
        self.used = self.mixing = 0.0
        self.before = {
            name: record.get(name, 0) for name in ("steps", "train_cpu_s", "mixing_cpu_s")
        }

    def step(self) -> None:
        """Draw a batch and learn from it."""
        trial, turn = self.trial, len(self.losses)
        begin, used = time.process_time(), self.used
        half = AUTOCAST[precision(trial.precision)]
        first = turn * trial.batch_size
        mixture, sources = batch(self.dataset, range(first, first + trial.batch_size))
        self.mixing += time.process_time() - begin
        for group in self.optimizer.param_groups:
            group["lr"] = trial.lr * one_cycle(used / self.budget, trial.warm_up)
        with torch.autocast("cpu", half, enabled=half is not None):
            loss = self.loss_function(self.model(mixture).float(), sources, turn=turn)
        if not math.isfinite(loss.item()):
            raise FloatingPointError(f"the loss is {loss.item()} at step {turn}")
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), trial.clip)
        self.optimizer.step()
        self.averaged.update_parameters(self.model)
        self.losses.append(loss.item())
        self.used = used + time.process_time() - begin
        self._measure()

    def _measure(self) -> None:
        trial, steps, before = self.trial, len(self.losses), self.before
        seconds = steps * trial.batch_size * trial.segment
        self.record |= {
            "steps": before["steps"] + steps,
            "train_cpu_s": before["train_cpu_s"] + self.used,
            "mixing_cpu_s": before["mixing_cpu_s"] + self.mixing,
            "train_cpu_per_s": (self.used - self.mixing) / seconds,
            "train_peak_mb": peak_memory(),
            "train_loss": float(np.mean(self.losses[-max(1, steps // 10) :])),
        }

    def state_dict(self) -> dict[str, Any]:
        """All that the next step depends on."""
        return {
            **{name: getattr(self, name).state_dict() for name in self.LEARNT},
            **{name: getattr(self, name) for name in self.COUNTED},
            "random": torch.get_rng_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`state_dict` gave."""
        for name in self.LEARNT:
            getattr(self, name).load_state_dict(state[name])
        for name in self.COUNTED:
            setattr(self, name, state[name])
        torch.set_rng_state(state["random"])


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
