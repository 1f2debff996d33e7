"""Training: a Lightning trainer from a recipe's conf, on one device or many.

``train`` leaves behind what Asteroid's recipes leave behind (``conf.yml``, ``checkpoints/``,
``best_k_models.json``, ``best_model.pth``), the curves as CSV (``log.csv``) and as a picture, and
pictures of a validation song; TensorBoard's files too, where it is installed.
"""

import importlib.util
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
import yaml
from asteroid.engine import make_optimizer
from asteroid.engine.optimizers import register_optimizer
from pytorch_lightning.callbacks import Callback, ModelCheckpoint, WeightAveraging
from pytorch_lightning.loggers import CSVLogger, Logger, TensorBoardLogger
from torch.utils.data import Sampler

from . import experiment
from .batches import make_loaders
from .callbacks import Pictures, StepSeeds, ValidateLast, draw_curves
from .checkpoints import LOG_EVERY, AtomicCheckpoints, LastCheckpoint, LastingEarlyStopping
from .experiment import LAST, LATER_OPTIONS, Conf
from .items import ItemDataset
from .losses import loss_for
from .model import KaraokeNet
from .muon import Muon
from .norms import ShareBatchNorms
from .parts import write_whole
from .processor import has_bfloat16
from .schedules import learning_rates, moving_average
from .system import KaraokeSystem

# By its name, as a conf asks for it, beside those that Asteroid knows.
register_optimizer(Muon)


def precision(wanted: str) -> Any:
    """Lightning's name of the precision; ``auto`` is bfloat16 where the processor has it."""
    if wanted != "auto":
        return wanted
    if torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported() else "16-mixed"
    return "bf16-mixed" if has_bfloat16() else "32-true"


def train(
    conf: Conf,
    model: KaraokeNet,
    train_set: ItemDataset,
    val_set: ItemDataset,
    sampler: Sampler,
    resume: bool = False,
) -> Path:
    """Train `model` and keep the best of it.

    What is learnt depends on the conf alone: on a CPU two trainings are alike to the bit, so are
    one that was broken off and one that was not, and several processes learn what one does, as they
    share each batch, and batch norms see the whole of it.

    Args:
        conf: Two levels, as Asteroid's parser gives it: ``training`` (epochs, batch_size,
            num_workers, accumulate, gradient_clip, precision, ema, schedule, val_every, seed; and
            devices, num_nodes, strategy, patience, whose absence means one process that trains to
            the end), ``optim`` (optimizer, lr, weight_decay), and ``main_args`` with ``exp_dir``.
        model: The model.
        train_set: Gives `(mixture, sources)`.
        val_set: Gives whole songs, `(mixture, sources)`.
        sampler: Order of the training examples; the same whenever it is asked.
        resume: Go on from the experiment's last checkpoint, if it has one.

    Returns:
        Path of the best model, as :meth:`KaraokeNet.serialize` gives it.

    Raises:
        FileExistsError: The experiment has checkpoints and is not to be resumed.
        FloatingPointError: A loss or a gradient is not finite.
        ValueError: The experiment was begun with another conf, or options do not go together.
    """
    exp_dir = Path(conf["main_args"]["exp_dir"])
    options = {**LATER_OPTIONS, **conf["training"]}
    for name in ("epochs", "val_every"):
        if options[name] < 1:
            raise ValueError(f"{name} is {options[name]}, expected 1 or more")
    checkpoint = experiment.find_checkpoint(conf, exp_dir, resume)
    best = ModelCheckpoint(
        (exp_dir / LAST).parent,
        filename="{epoch}-{step}",
        monitor="val_loss",
        mode="min",
        save_top_k=3,
        enable_version_counter=False,  # an epoch that is done again writes over what it left
    )
    trainer = make_trainer(options, exp_dir, [best])
    loaders = make_loaders(train_set, val_set, sampler, options, trainer.world_size)
    optimizer = make_optimizer(model.parameters(), **conf["optim"])
    # Of all processes together; what an epoch leaves over of `accumulate` batches is a step too.
    steps = math.ceil(len(train_set) // options["batch_size"] / options["accumulate"])
    schedule = learning_rates(options["schedule"], optimizer, options["epochs"] * steps)
    system = KaraokeSystem(
        model,
        optimizer,
        loss_for(model),
        *loaders,
        scheduler={"scheduler": schedule, "interval": "step"},
        config=experiment.plain(conf),
    )
    if trainer.is_global_zero:
        exp_dir.mkdir(parents=True, exist_ok=True)
        write_whole(exp_dir / "conf.yml", yaml.safe_dump(experiment.plain(conf)).encode())
    trainer.fit(system, ckpt_path=checkpoint and str(checkpoint), weights_only=True)
    if trainer.is_global_zero:
        draw_curves(exp_dir)
        experiment.save_best(model, best.best_k_models, train_set, exp_dir)
    return exp_dir / "best_model.pth"


def make_trainer(
    options: Mapping[str, Any], exp_dir: Path, callbacks: list[Callback]
) -> pl.Trainer:
    """A trainer as the conf's options say, that writes into `exp_dir`."""
    callbacks = [
        *callbacks,
        LastCheckpoint(exp_dir / LAST),
        WeightAveraging(avg_fn=moving_average(options["ema"])),
        StepSeeds(options["seed"]),
        ValidateLast(),
        Pictures(exp_dir),
    ]
    if options["patience"]:
        callbacks.append(
            LastingEarlyStopping(
                "val_loss", patience=options["patience"], mode="min", check_on_train_epoch_end=False
            )
        )
    # Flushed each time: what a kill would lose stands before the checkpoint it goes on from.
    loggers: list[Logger] = [CSVLogger(exp_dir, name="logs", flush_logs_every_n_steps=1)]
    if importlib.util.find_spec("tensorboard"):
        loggers.append(
            TensorBoardLogger(exp_dir, name="tensorboard", version="", default_hp_metric=False)
        )
    devices = str(options["devices"])
    on_gpu = torch.cuda.is_available()
    return pl.Trainer(
        max_epochs=options["epochs"],
        devices=int(devices) if devices.isdigit() else devices,
        num_nodes=options["num_nodes"],
        strategy=options["strategy"],
        # Both are for GPUs: a CPU computes alike each time, and has a shared norm of ours.
        sync_batchnorm=on_gpu,
        deterministic="warn" if on_gpu else None,
        use_distributed_sampler=False,  # ours share by themselves
        callbacks=callbacks,
        logger=loggers,
        plugins=[AtomicCheckpoints(), *([] if on_gpu else [ShareBatchNorms()])],
        precision=precision(options["precision"]),
        accumulate_grad_batches=options["accumulate"],
        gradient_clip_val=options["gradient_clip"],
        check_val_every_n_epoch=options["val_every"],
        log_every_n_steps=LOG_EVERY,
        num_sanity_val_steps=0,
        enable_model_summary=False,
        enable_progress_bar=os.isatty(2),
    )
