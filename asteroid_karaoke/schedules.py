"""What changes from step to step: the learning rate, and the average of the weights."""

import torch
from torch import Tensor

#: Steps in which a constant learning rate is reached.
WARM_UP_STEPS = 50


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
            optimizer, highest, total_steps=max(steps, 2), pct_start=0.1, cycle_momentum=False
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
