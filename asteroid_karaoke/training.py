"""Training: Asteroid's System around the model, and a Lightning trainer from a recipe's conf.

``train`` leaves behind what Asteroid's recipes leave behind (``conf.yml``, ``checkpoints/``,
``best_k_models.json``, ``best_model.pth``), and the curves as CSV and as a picture.
"""

import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytorch_lightning as pl
import torch
import yaml
from asteroid.engine import System, make_optimizer
from pytorch_lightning.callbacks import ModelCheckpoint, WeightAveraging
from pytorch_lightning.loggers import CSVLogger
from torch import Tensor
from torch.utils.data import DataLoader, Sampler

from . import plots
from .items import ItemDataset
from .losses import KaraokeLoss
from .model import KaraokeNet
from .scores import usdr
from .separation import separate

logger = logging.getLogger(__name__)

#: Validation loss is computed over pieces of this length, in s: whole songs would take memory as
#: they are long.
VALIDATION_PIECE = 10.0
#: The checkpoint that a training goes on from.
LAST = Path("last.ckpt")
#: Steps in which a constant learning rate is reached.
WARM_UP_STEPS = 50
#: Options that a resumed experiment may change: they do not change what is learnt.
FREE_OPTIONS = {"num_workers", "threads"}


class KaraokeSystem(System):
    """Asteroid's System, validated on whole songs as they will be separated.

    ``val_loss`` is the training loss over the songs, ``val_usdr_vocals`` and
    ``val_usdr_accompaniment`` the SDR of each stem over whole songs, in dB, averaged over the songs
    (the uSDR of the Music Demixing Challenge, https://arxiv.org/abs/2108.13559).
    """

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_nb: int) -> None:
        """Separate one song and log how well that went."""
        mixture, sources = batch[0][0], batch[1][0]
        estimates = separate(self.model, mixture.cpu().numpy(), int(self.model.sample_rate))
        estimated = torch.stack([torch.from_numpy(stem) for stem in estimates]).to(sources)
        size = int(VALIDATION_PIECE * self.model.sample_rate)
        losses = [
            self.loss_func(e[None], t[None])
            for e, t in zip(estimated.split(size, -1), sources.split(size, -1), strict=True)
        ]
        values = {"val_loss": torch.stack(losses).mean()}
        for name, source, estimate in zip(self.model.sources, sources, estimates, strict=True):
            values[f"val_usdr_{name}"] = torch.tensor(usdr(source.cpu().numpy(), estimate))
        self.log_dict(values, on_epoch=True, prog_bar=True, batch_size=1, sync_dist=True)

    def on_validation_epoch_end(self) -> None:
        """Say where training stands, for logs without a progress bar."""
        super().on_validation_epoch_end()
        metrics = {
            name: round(float(value), 3)
            for name, value in self.trainer.callback_metrics.items()
            if name.startswith(("loss", "val_"))
        }
        logger.info("epoch %d, step %d: %s", self.current_epoch, self.global_step, metrics)


def learning_rates(
    name: str, optimizer: torch.optim.Optimizer, steps: int
) -> torch.optim.lr_scheduler.LRScheduler:
    """How the learning rate goes over the training's steps.

    Args:
        name: ``one_cycle``: warm-up, then a cosine down to nothing; the last stretch at a small
            rate is worth about as much as EMA. ``constant``: warm-up, then the rate as it is, for
            trainings whose end is open; an average of their weights (EMA) stands for the cosine.
        optimizer: With the highest rate.
        steps: Of the whole training.

    Raises:
        ValueError: There is no such schedule.
    """
    if name == "one_cycle":
        highest = [group["lr"] for group in optimizer.param_groups]
        return torch.optim.lr_scheduler.OneCycleLR(
            optimizer, highest, total_steps=steps, pct_start=0.1, cycle_momentum=False
        )
    if name == "constant":
        return torch.optim.lr_scheduler.LinearLR(optimizer, 0.04, total_iters=WARM_UP_STEPS)
    raise ValueError(f"schedule is {name!r}, expected one_cycle or constant")


def moving_average(decay: float):
    """An exponential moving average that is short at first: the first weights are soon forgotten.

    Args:
        decay: Share of the old average that stays, in the long run.
    """

    def average(averaged: Tensor, current: Tensor, number: Tensor | int) -> Tensor:
        share = min(decay, (1 + float(number)) / (10 + float(number)))
        if not averaged.is_floating_point():
            return current
        return averaged + (current - averaged) * (1 - share)

    return average


def precision(wanted: str) -> Any:
    """Lightning's name of the precision; ``auto`` is bfloat16 where the processor has it."""
    if wanted != "auto":
        return wanted
    if torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported() else "16-mixed"
    flags = Path("/proc/cpuinfo")
    known = flags.read_text() if flags.is_file() else ""
    # Without these instructions bfloat16 is emulated, and slower than float32.
    return "bf16-mixed" if "avx512_bf16" in known or "amx_bf16" in known else "32-true"


def train(
    conf: Mapping[str, Mapping[str, Any]],
    model: KaraokeNet,
    train_set: ItemDataset,
    val_set: ItemDataset,
    sampler: Sampler | None = None,
    resume: bool = False,
) -> Path:
    """Train `model` and keep the best of it.

    Args:
        conf: Two levels, as Asteroid's parser gives it: ``training`` (epochs, batch_size,
            num_workers, accumulate, gradient_clip, precision, ema, schedule, val_every, seed),
            ``optim`` (optimizer, lr, weight_decay), and ``main_args`` with ``exp_dir``.
        model: The model.
        train_set: Gives `(mixture, sources)`.
        val_set: Gives whole songs, `(mixture, sources)`.
        sampler: Order of the training examples.
        resume: Go on from the experiment's last checkpoint, if it has one.

    Returns:
        Path of the best model, as :meth:`KaraokeNet.serialize` gives it.

    Raises:
        FileExistsError: The experiment has checkpoints and is not to be resumed.
        ValueError: It was begun with another conf.
    """
    exp_dir = Path(conf["main_args"]["exp_dir"])
    checkpoint = exp_dir / "checkpoints" / LAST
    if checkpoint.is_file():
        if not resume:
            raise FileExistsError(
                f"{exp_dir} holds an experiment already: resume it, or name another folder"
            )
        _check_same(conf, exp_dir)
    exp_dir.mkdir(parents=True, exist_ok=True)
    plain_conf = {group: dict(values) for group, values in conf.items()}
    (exp_dir / "conf.yml").write_text(yaml.safe_dump(plain_conf))

    options, optim = conf["training"], dict(conf["optim"])
    loaders = [
        DataLoader(
            train_set,
            batch_size=options["batch_size"],
            sampler=sampler,
            num_workers=options["num_workers"],
            drop_last=True,
        ),
        DataLoader(val_set, batch_size=1, num_workers=min(1, options["num_workers"])),
    ]
    optimizer = make_optimizer(model.parameters(), **optim)
    steps = options["epochs"] * len(loaders[0]) // options["accumulate"]
    schedule = learning_rates(options["schedule"], optimizer, max(steps, 2))
    system = KaraokeSystem(
        model,
        optimizer,
        KaraokeLoss(),
        *loaders,
        scheduler={"scheduler": schedule, "interval": "step"},
        config=plain_conf,
    )
    best = ModelCheckpoint(
        exp_dir / "checkpoints",
        filename="{epoch}-{step}",
        monitor="val_loss",
        mode="min",
        save_top_k=3,
    )
    # The best are known after a validation; what a kill may cost is one epoch, validated or not.
    last = ModelCheckpoint(
        exp_dir / "checkpoints",
        filename=LAST.stem,
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )
    trainer = pl.Trainer(
        max_epochs=options["epochs"],
        callbacks=[best, last, WeightAveraging(avg_fn=moving_average(options["ema"]))],
        # Flushed each time: what a kill would lose stands before the checkpoint it goes on from.
        logger=CSVLogger(exp_dir, name="logs", flush_logs_every_n_steps=1),
        precision=precision(options["precision"]),
        accumulate_grad_batches=options["accumulate"],
        gradient_clip_val=options["gradient_clip"],
        check_val_every_n_epoch=min(options["val_every"], options["epochs"]),
        log_every_n_steps=10,
        num_sanity_val_steps=0,
        enable_model_summary=False,
        enable_progress_bar=os.isatty(2),
    )
    trainer.fit(
        system, ckpt_path=str(checkpoint) if checkpoint.is_file() else None, weights_only=True
    )
    plots.plot_curves(join_logs(exp_dir), exp_dir / "curves.png")
    return save_best(model, best, train_set, exp_dir)


def _check_same(conf: Mapping[str, Mapping[str, Any]], exp_dir: Path) -> None:
    """Refuse to go on with other settings: schedule and optimiser would be half of each."""
    begun = yaml.safe_load((exp_dir / "conf.yml").read_text())
    changes = [
        f"{name} was {begun.get(group, {}).get(name)}, is {value} now"
        for group, values in conf.items()
        for name, value in values.items()
        if group != "main_args" and name not in FREE_OPTIONS
        if begun.get(group, {}).get(name) != value
    ]
    if changes:
        raise ValueError(
            f"{exp_dir} was begun with other settings: {'; '.join(changes)}. "
            "Go on with the old ones, or begin another experiment"
        )


def join_logs(exp_dir: Path) -> Path:
    """Join the logs of all runs of an experiment into one table, ``log.csv``.

    Lightning starts a new log when a training goes on. What an earlier run did after the checkpoint
    that a later one started from is left out, as if it had not been.
    """
    runs: list[pd.DataFrame] = []
    logs = (exp_dir / "logs").glob("version_*/metrics.csv")
    for path in sorted(logs, key=lambda p: int(p.parent.name.removeprefix("version_"))):
        # Asteroid logs val_loss once more, under this name, for TensorBoard's table.
        run = pd.read_csv(path).drop(columns="hp_metric", errors="ignore").dropna(thresh=2)
        runs = [earlier[earlier["step"] < run["step"].min()] for earlier in runs] + [run]
    path = exp_dir / "log.csv"
    _write(path, pd.concat(runs).to_csv(index=False).encode())
    return path


def save_best(
    model: KaraokeNet, best: ModelCheckpoint, train_set: ItemDataset, exp_dir: Path
) -> Path:
    """Write ``best_k_models.json`` and ``best_model.pth``, the model of least ``val_loss``."""
    scores = {path: float(score) for path, score in best.best_k_models.items()}
    _write(exp_dir / "best_k_models.json", json.dumps(scores, indent=1).encode())
    state = torch.load(best.best_model_path, map_location="cpu", weights_only=True)["state_dict"]
    prefix = "model."
    model.load_state_dict(
        {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
    )
    conf = model.cpu().eval().serialize()
    conf.update(train_set.get_infos())
    path = exp_dir / "best_model.pth"
    torch.save(conf, path.with_suffix(".part"))
    os.replace(path.with_suffix(".part"), path)
    return path


def _write(path: Path, content: bytes) -> None:
    part = path.with_suffix(".part")
    part.write_bytes(content)
    os.replace(part, path)
