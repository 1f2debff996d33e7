"""What a training does beside learning: pictures, curves, random numbers."""

from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from matplotlib.image import imread
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loggers import TensorBoardLogger

from . import plots
from .experiment import join_logs


class Pictures(Callback):
    """At each validation, ``pictures/epoch_N.png`` of the first song and ``curves.png`` of all.

    The excerpt is always the same, from where the voice begins, so the pictures can be leafed
    through. TensorBoard gets them too, when it is one of the trainer's loggers.

    Args:
        exp_dir: The experiment's folder.
    """

    def __init__(self, exp_dir: Path):
        self.exp_dir = exp_dir

    def on_validation_batch_end(  # noqa: D102
        self,
        trainer: pl.Trainer,
        pl_module: Any,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        if batch_idx or not trainer.is_global_zero:
            return
        rate = int(pl_module.model.sample_rate)
        voice = batch[1][0, 0]
        excerpt = slice(*plots.excerpt_with_voice(voice.cpu().numpy(), rate))
        mixture, voice, estimate = (
            wav[:, excerpt].float().cpu().numpy()
            for wav in (batch[0][0], voice, outputs["estimates"][0])
        )
        path = self.exp_dir / "pictures" / f"epoch_{trainer.current_epoch}.png"
        plots.plot_separation(mixture, voice, estimate, rate, path)
        _to_tensorboard(trainer, "validation song", path)

    def on_validation_end(  # noqa: D102
        self, trainer: pl.Trainer, pl_module: pl.LightningModule
    ) -> None:
        if trainer.is_global_zero:
            draw_curves(self.exp_dir)


def draw_curves(exp_dir: Path) -> None:
    """Draw ``curves.png`` of all that has been logged."""
    plots.plot_curves(join_logs(exp_dir), exp_dir / "curves.png")


def _to_tensorboard(trainer: pl.Trainer, tag: str, path: Path) -> None:
    for logger in trainer.loggers:
        if isinstance(logger, TensorBoardLogger):
            logger.experiment.add_image(
                tag, imread(path)[..., :3], trainer.global_step, dataformats="HWC"
            )


class ValidateLast(Callback):
    """Validates the last epoch too, whichever others are: a schedule ends with its best model."""

    # Not at an epoch's start, which a training that goes on in the midst of it does not have.
    def on_train_batch_start(  # noqa: D102
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if trainer.current_epoch + 1 == trainer.max_epochs:
            trainer.check_val_every_n_epoch = 1


class StepSeeds(Callback):
    """Random numbers of a step, such as dropout's, that depend on seed, step and process alone.

    So a training that was broken off draws what an unbroken one would have drawn, and no generator
    has to be saved. What the data draws depends on an item's index alone in the same way.

    Args:
        seed: Of the training.
    """

    def __init__(self, seed: int):
        self.seed = seed

    def on_train_batch_start(  # noqa: D102
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        key = (self.seed, trainer.current_epoch, batch_idx, trainer.global_rank)
        torch.manual_seed(int(np.random.SeedSequence(key).generate_state(1)[0]))
