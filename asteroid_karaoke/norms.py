"""Batch norms over the whole batch where several processes on CPUs share it.

torch's ``SyncBatchNorm`` is for GPUs alone. On CPUs each process would norm its share by that
share's own statistics, and several processes would not learn what one does.
"""

import torch
from pytorch_lightning.plugins import LayerSync
from torch import Tensor, distributed, nn
from torch.distributed.nn.functional import all_reduce


class SharedBatchNorm(nn.BatchNorm2d):
    """A batch norm whose mean and variance, in training, are those of all processes' values."""

    momentum: float
    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """`(batch, channels, rows, frames)` to the same; the batch may differ in size."""
        if not (self.training and distributed.is_initialized()):
            return super().forward(x)
        count = x.new_full((1,), x.numel() / x.shape[1], dtype=torch.float32)
        sums = all_reduce(torch.cat([x.float().sum((0, 2, 3)), count]))
        mean, number = sums[:-1] / sums[-1], float(sums[-1])
        # Not the mean square minus the squared mean: what is left would be mostly rounding.
        centred = x.float() - mean[:, None, None]
        variance = all_reduce(centred.square().sum((0, 2, 3))) / number
        with torch.no_grad():
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * (number / (number - 1)), self.momentum)
        scale = self.weight * (variance + self.eps).rsqrt()
        return (centred * scale[:, None, None] + self.bias[:, None, None]).to(x.dtype)


class ShareBatchNorms(LayerSync):
    """Lightning's hook: share all batch norms of a model while it is trained."""

    def apply(self, model: nn.Module) -> nn.Module:
        """Share them; their weights, statistics and names stay."""
        return _exchange(model, nn.BatchNorm2d, SharedBatchNorm)

    def revert(self, model: nn.Module) -> nn.Module:
        """Make them what they were."""
        return _exchange(model, SharedBatchNorm, nn.BatchNorm2d)


def _exchange(model: nn.Module, old: type, new: type) -> nn.Module:
    for module in model.modules():
        if type(module) is old:
            module.__class__ = new
    return model
