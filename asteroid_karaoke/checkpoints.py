"""Checkpoints that a training goes on from, wherever in an epoch it was killed."""

import os
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Checkpoint, EarlyStopping
from pytorch_lightning.plugins.io import TorchCheckpointIO

from . import parts

#: What a kill may cost, in s: a checkpoint is written when the last one is older.
SECONDS = 60.0
#: Steps from one row of the log to the next.
LOG_EVERY = 10


class AtomicCheckpoints(TorchCheckpointIO):
    """Checkpoints that appear whole or not at all.

    Lightning writes to the system's folder for temporary files and moves from there, which is a
    copy, and may be broken off, where that folder is on another disk.
    """

    def save_checkpoint(  # noqa: D102
        self, checkpoint: dict[str, Any], path: str | os.PathLike, storage_options: Any = None
    ) -> None:
        part = parts.hidden(Path(path))
        try:
            super().save_checkpoint(checkpoint, part, storage_options)
            parts.place(part, Path(path))
        finally:
            # A full disk ends the copy: half a checkpoint would only keep it full.
            part.unlink(missing_ok=True)


class LastCheckpoint(Checkpoint):
    """The training as it stands, at the end of each epoch and now and then within it.

    Lightning's ``ModelCheckpoint`` also writes between a step and its row in the log, which a kill
    would then lose, and in the middle of accumulated batches, whose gradients no checkpoint holds.

    Args:
        path: Where to.
    """

    def __init__(self, path: Path):
        self.path = path
        self._saved = time.monotonic()

    def on_train_start(  # noqa: D102
        self, trainer: pl.Trainer, pl_module: pl.LightningModule
    ) -> None:
        parts.sweep(self.path.parent)
        self._saved = time.monotonic()

    def on_train_batch_end(  # noqa: D102
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        accumulating = (batch_idx + 1) % trainer.accumulate_grad_batches != 0
        to_be_logged = trainer.global_step % LOG_EVERY == 0
        if accumulating or to_be_logged or trainer.is_last_batch:
            return
        due = time.monotonic() - self._saved >= SECONDS
        # The processes' clocks are not alike, and all must take part.
        if trainer.strategy.broadcast(due):
            self._save(trainer)

    def on_train_epoch_end(  # noqa: D102
        self, trainer: pl.Trainer, pl_module: pl.LightningModule
    ) -> None:
        self._save(trainer)

    def _save(self, trainer: pl.Trainer) -> None:
        # False is the default, but Lightning logs a line for each checkpoint that leaves it out.
        trainer.save_checkpoint(self.path, weights_only=False)
        self._saved = time.monotonic()


class LastingEarlyStopping(EarlyStopping):
    """Early stopping that stays: a training that had stopped does not begin again when resumed."""

    def on_train_start(  # noqa: D102
        self, trainer: pl.Trainer, pl_module: pl.LightningModule
    ) -> None:
        if self.wait_count >= self.patience:
            trainer.should_stop = True
