"""Muon: steps of even strength in all directions that a layer can turn.

The momentum of a weight matrix is mostly of few directions. Muon (Jordan et al. 2024,
https://kellerjordan.github.io/posts/muon/) makes all its singular values about 1 by five steps of
a polynomial, so that rare directions are learnt as fast as frequent ones. Steps are then scaled as
long as Adam's, so its learning rates fit (https://arxiv.org/abs/2502.16982). What is no matrix is
learnt by AdamW.

``torch.optim.Muon`` takes matrices alone; here a convolution's kernel is one too, of as many rows
as it has output channels.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

#: Coefficients of the polynomial a x + b x³ + c x⁵, and how often it is applied.
QUINTIC = (3.4445, -4.7750, 2.0315)
STEPS = 5
#: A step's root mean square beside the learning rate: Adam's is about that.
SCALE = 0.2
#: Matrices of fewer rows or columns than this have hardly any directions.
SMALLEST = 8
ADAM_BETAS, ADAM_EPS = (0.9, 0.999), 1e-8


class Muon(torch.optim.Optimizer):
    """Muon for matrices and kernels, AdamW for all else, at one learning rate.

    Args:
        params: A model's parameters.
        lr: Learning rate.
        weight_decay: Share of a weight that a step takes off, times the learning rate.
        momentum: Share of the momentum that stays in a step.
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = 2e-3,
        weight_decay: float = 0.01,
        momentum: float = 0.95,
    ):
        params = list(params)
        matrices = [p for p in params if is_matrix(p)]
        others = [p for p in params if not is_matrix(p)]
        groups = [{"params": matrices, "muon": True}, {"params": others, "muon": False}]
        defaults = {"lr": lr, "weight_decay": weight_decay, "momentum": momentum}
        super().__init__([group for group in groups if group["params"]], defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Make a step; what `closure` gives comes back."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if group["muon"]:
                    update = _muon(parameter.grad, state, group["momentum"])
                else:
                    update = _adam(parameter.grad, state)
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                parameter.add_(update, alpha=-group["lr"])
        return loss


def is_matrix(parameter: Tensor) -> bool:
    """Whether Muon learns it: a matrix, or a kernel seen as one, with some directions to turn."""
    return parameter.ndim >= 2 and min(parameter.flatten(1).shape) >= SMALLEST


def _muon(gradient: Tensor, state: dict[str, Tensor], momentum: float) -> Tensor:
    if not state:
        state["momentum"] = torch.zeros_like(gradient)
    state["momentum"].lerp_(gradient, 1 - momentum)
    ahead = gradient.lerp(state["momentum"], momentum).flatten(1)  # Nesterov's
    return (orthogonal(ahead) * SCALE * max(ahead.shape) ** 0.5).view(gradient.shape)


def orthogonal(matrix: Tensor) -> Tensor:
    """The matrix with all its singular values brought near 1, within some 30 %.

    Shape:
        - input: `(rows, columns)`
        - output: the same
    """
    a, b, c = QUINTIC
    x = matrix.float()
    wide = x if x.shape[0] <= x.shape[1] else x.T
    wide = wide / (wide.norm() + 1e-7)
    for _ in range(STEPS):
        square = wide @ wide.T
        wide = a * wide + (b * square + c * square @ square) @ wide
    return (wide if x.shape[0] <= x.shape[1] else wide.T).to(matrix.dtype)


def _adam(gradient: Tensor, state: dict[str, Tensor]) -> Tensor:
    if not state:
        state["step"] = torch.zeros(())
        state["mean"], state["square"] = torch.zeros_like(gradient), torch.zeros_like(gradient)
    state["step"] += 1
    mean = state["mean"].lerp_(gradient, 1 - ADAM_BETAS[0])
    square = state["square"].lerp_(gradient.square(), 1 - ADAM_BETAS[1])
    mean, square = (
        moment / (1 - beta ** float(state["step"]))
        for moment, beta in zip((mean, square), ADAM_BETAS, strict=True)
    )
    return mean / (square.sqrt() + ADAM_EPS)
