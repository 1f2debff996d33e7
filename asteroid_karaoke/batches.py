"""From datasets to batches: the loaders of a training, and what to say when they fail."""

import multiprocessing
import re
import sys
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import torch
from torch.utils.data import BatchSampler, DataLoader, Sampler

from .items import ItemDataset
from .sampler import SongSampler

#: The last line of a traceback, which a worker's error ends with, and what follows it.
_CAUSE = re.compile(r"^\w[\w.]*(?:Error|Exception): ", re.MULTILINE)


def make_loaders(
    train_set: ItemDataset,
    val_set: ItemDataset,
    sampler: Sampler,
    options: Mapping[str, Any],
    processes: int = 1,
) -> tuple[DataLoader, DataLoader]:
    """Loaders of batches to train on, and of whole songs to validate on.

    Workers come from a server that was started for them (``forkserver``), not from this process: a
    fork of a training keeps every page alive that the training writes to afterwards, up to as much
    memory as it had. They live as long as the training. Of songs no more than one is read ahead: it
    takes as much memory as it is long.

    Args:
        train_set: To train on.
        val_set: Whole songs.
        sampler: Order of the training examples.
        options: ``batch_size``, over all processes, and ``num_workers`` of each.
        processes: How many train together.

    Raises:
        ValueError: Examples or songs can not be shared out among so many processes, or workers
            could not find the class of a dataset.
    """
    size, workers = options["batch_size"], options["num_workers"]
    if size % processes:
        raise ValueError(
            f"batch_size is {size}, which {processes} processes can not share: choose a multiple"
        )
    if len(train_set) < size:
        raise ValueError(
            f"an epoch has {len(train_set)} examples, less than one batch of {size}: "
            "raise examples or lower batch_size"
        )
    if len(val_set) < processes:
        raise ValueError(
            f"{len(val_set)} song(s) to validate on are too few for {processes} processes: "
            "train on fewer devices, or validate on more songs"
        )
    for dataset in (train_set, val_set) if workers else ():
        _check_importable(type(dataset))
    shared: dict[str, Any] = {"pin_memory": torch.cuda.is_available()}
    if workers and "forkserver" in multiprocessing.get_all_start_methods():
        context = multiprocessing.get_context("forkserver")
        # What the server has imported, its workers need not import, and share the memory of.
        context.set_forkserver_preload([type(train_set).__module__])
        shared["multiprocessing_context"] = context
    train_loader = ResumableLoader(
        train_set,
        sampler,
        size // processes,
        num_workers=workers,
        persistent_workers=workers > 0,
        **shared,
    )
    val_loader = DataLoader(
        val_set,
        batch_size=1,
        sampler=SongSampler(len(val_set)),
        num_workers=min(1, workers),
        prefetch_factor=1 if workers else None,
        **shared,
    )
    return train_loader, val_loader


def _check_importable(kind: type) -> None:
    """Complain of a class from a notebook, which no other process can import."""
    if kind.__module__ == "__main__" and not hasattr(sys.modules["__main__"], "__file__"):
        raise ValueError(
            f"{kind.__name__} is defined in a notebook or at a prompt, where worker processes do "
            "not find it: put it into a module, or set num_workers to 0"
        )


class ResumableLoader(DataLoader):
    """Whole batches, and how many of an epoch's have been given: Lightning asks and keeps that.

    A training that goes on in the middle of an epoch begins with the batch that follows; those
    before it are not read. What workers have read ahead is not given yet.

    Args:
        dataset: To draw from.
        sampler: Order of the items.
        size: Items a batch; what is left over at the end of an epoch is left out.
        **options: As of ``DataLoader``.
    """

    def __init__(self, dataset: ItemDataset, sampler: Sampler, size: int, **options: Any):
        self._given = 0
        self._batches = _Batches(sampler, size)
        super().__init__(dataset, batch_sampler=self._batches, **options)

    # It gives a generator, not an object of torch's own.
    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        # Only now, at the first batch, do workers begin to read: where a training goes on,
        # Lightning asks for the iterator before it tells the sampler the epoch.
        self._given = self._batches.begin
        for batch in super().__iter__():
            self._given += 1
            yield batch

    def state_dict(self) -> dict[str, int]:
        """How far this epoch is."""
        return {"given": self._given % len(self)}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Begin the next epoch there."""
        self._batches.begin = state["given"]


class _Batches(BatchSampler):
    """Indices of whole batches, the first time without those before `begin`."""

    def __init__(self, sampler: Sampler, size: int):
        super().__init__(sampler, size, drop_last=True)
        self.begin = 0

    def __iter__(self) -> Iterator[list[int]]:
        # A loader with workers asks for two iterators and uses one: not before it does is it begun.
        begin, self.begin = self.begin, 0
        yield from islice(super().__iter__(), begin, None)


def describe_batch(loader: DataLoader, number: int) -> str:
    """What batch `number` of this epoch is made of, on this process."""
    assert loader.batch_sampler is not None
    dataset: Any = loader.dataset
    (indices,) = islice(loader.batch_sampler, number, number + 1)
    return "; ".join(dataset.describe(index) for index in indices)


def worker_complaint(error: BaseException) -> str | None:
    """What an error in a loader's worker process comes down to, or None if it is no such error.

    torch hands such errors on with the worker's traceback in their text; what a reader can do
    something about, such as the name of a file, is in the last lines.
    """
    text = str(error).strip()
    if text.startswith("Caught ") and "DataLoader worker process" in text:
        causes = list(_CAUSE.finditer(text))
        return text[causes[-1].end() :] if causes else text.splitlines()[-1]
    if text.startswith("DataLoader worker (pid"):
        return (
            f"{text.splitlines()[0]} A worker that is killed has mostly run out of memory: "
            "try a lower num_workers, or 0"
        )
    return None
