"""Which items an epoch is made of, and which of them each of several processes gets."""

from collections.abc import Iterator
from typing import cast

from torch import distributed
from torch.utils.data import Dataset, DistributedSampler, Sampler


class EpochSampler(DistributedSampler):
    """Indices that go on from epoch to epoch: `e` has `e * length` to `(e + 1) * length - 1`.

    Lightning calls ``set_epoch``, also after a resume, so an interrupted training draws the
    very mixtures that an unbroken one would have drawn. Among several processes, each gets every
    n-th index, so that their batches together are those of one process with larger batches. What
    can not be shared out evenly at the end of an epoch is left out.

    It is a ``DistributedSampler`` since Lightning puts one of its own, with the same indices in
    each epoch, in the place of any other sampler when several processes train. Rank and number of
    processes are asked for when it is iterated over: when it is made, there are none yet.

    Args:
        length: Items an epoch, over all processes.
    """

    def __init__(self, length: int):
        super().__init__(cast(Dataset, range(length)), num_replicas=1, rank=0, shuffle=False)
        self.length = length

    def __len__(self) -> int:
        return self.length // _processes()[1]

    def __iter__(self) -> Iterator[int]:
        rank, number = _processes()
        begin = self.epoch * self.length
        return iter(range(begin + rank, begin + len(self) * number, number))


class SongSampler(Sampler[int]):
    """Every song once, shared out among the processes, where Lightning's would repeat some.

    Args:
        length: Songs in all, at least one for each process.
    """

    def __init__(self, length: int):
        self.length = length

    def __len__(self) -> int:
        return len(self._share())

    def __iter__(self) -> Iterator[int]:
        return iter(self._share())

    def _share(self) -> range:
        rank, number = _processes()
        return range(rank, self.length, number)


def _processes() -> tuple[int, int]:
    """This process' rank and the number of all."""
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return 0, 1
