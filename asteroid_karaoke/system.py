"""Asteroid's System around the model: a training step, and validation on whole songs."""

import logging

import torch
from asteroid.engine import System
from torch import Tensor

from .batches import describe_batch
from .scores import usdr
from .separation import separate

logger = logging.getLogger(__name__)

#: Validation loss is computed over pieces of this length, in s: whole songs would take memory as
#: they are long.
VALIDATION_PIECE = 10.0


class KaraokeSystem(System):
    """Asteroid's System, validated on whole songs as they will be separated.

    ``val_loss`` is the training loss over the songs, ``val_usdr_vocals`` and
    ``val_usdr_accompaniment`` the SDR of each stem over whole songs, in dB, averaged over the songs
    (the uSDR of the Music Demixing Challenge, https://arxiv.org/abs/2108.13559). Several processes
    share the songs of a validation; ``loss`` is over the batches of all of them.

    Raises:
        FloatingPointError: A loss or a gradient is NaN or infinite; weights that it would have
            spoilt are left as they were.
    """

    def training_step(self, batch: tuple[Tensor, Tensor], batch_nb: int) -> Tensor:
        """Loss of a batch."""
        loss = self.common_step(batch, batch_nb, train=True)
        self._check(loss.detach(), "loss")
        self.log("loss", loss, sync_dist=True)
        return loss

    def common_step(
        self, batch: tuple[Tensor, Tensor], batch_nb: int, train: bool = True
    ) -> Tensor:
        """Loss of a batch; in training, at the resolution whose turn it is."""
        mixture, sources = batch
        # Of the step and not by lot, so all processes and batches of a step take the same.
        turn = self.global_step if train else None
        return self.loss_func(self(mixture), sources, turn)

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Refuse a gradient that would spoil all weights."""
        # fp16 finds its scale by overflowing, and leaves such steps out by itself.
        if self.trainer.scaler is None:
            norms = [p.grad.norm() for p in self.parameters() if p.grad is not None]
            self._check(torch.stack(norms).norm(), "gradient")

    def _check(self, value: Tensor, what: str) -> None:
        if not torch.isfinite(value):
            number = self.trainer.fit_loop.batch_idx
            raise FloatingPointError(
                f"the {what} is {value.item()} in epoch {self.current_epoch}, batch {number} (step "
                f"{self.global_step}), made of {describe_batch(self.train_loader, number)}. Look "
                "at these songs, or lower lr; the last checkpoint is from before and sound"
            )

    def on_validation_epoch_start(self) -> None:
        """Begin to sum up over songs."""
        self.sums: dict[str, float] = {"songs": 0.0}

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_nb: int) -> dict[str, Tensor]:
        """Separate one song and note how well that went.

        Returns:
            The song's ``estimates``, `(2, channels, time)`, for callbacks to look at.
        """
        mixture, sources = batch[0][0], batch[1][0]
        estimates = separate(self.model, mixture.cpu().numpy(), int(self.model.sample_rate))
        estimated = torch.stack([torch.from_numpy(stem) for stem in estimates]).to(sources)
        size = int(VALIDATION_PIECE * self.model.sample_rate)
        losses = [
            self.loss_func(e[None], t[None])
            for e, t in zip(estimated.split(size, -1), sources.split(size, -1), strict=True)
        ]
        values = {"songs": 1.0, "val_loss": float(torch.stack(losses).mean())}
        for name, source, estimate in zip(self.model.sources, sources, estimates, strict=True):
            values[f"val_usdr_{name}"] = usdr(source.cpu().numpy(), estimate)
        self.sums = {name: self.sums.get(name, 0.0) + value for name, value in values.items()}
        return {"estimates": estimated}

    def on_validation_epoch_end(self) -> None:
        """Log means over all songs, and say where training stands where no progress bar does."""
        sums = torch.tensor(list(self.sums.values()), dtype=torch.float32, device=self.device)
        # Lightning's own mean counts a process' songs in whole numbers: half of 3 is 1 to it.
        songs, *totals = self.trainer.strategy.reduce(sums, reduce_op="sum")
        names = list(self.sums)[1:]
        means = {name: total / songs for name, total in zip(names, totals, strict=True)}
        self.log_dict(means, prog_bar=True)
        loss = self.trainer.callback_metrics.get("loss", torch.tensor(torch.nan))
        shown = {name: round(float(value), 3) for name, value in {"loss": loss, **means}.items()}
        if self.trainer.is_global_zero:
            logger.info("epoch %d, step %d: %s", self.current_epoch, self.global_step, shown)
