"""Asteroid's contract: what an item of our datasets is, and what a dataset says of itself."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

SOURCES = ("vocals", "accompaniment")
TASK = "singing_voice_separation"
Item = tuple[Tensor, Tensor]
_Seconds = TypeVar("_Seconds", float, float | None)


class ItemDataset(Dataset[Item], ABC):
    """A dataset of mixtures and their sources.

    Shape:
        `(2, time)` and `(2, 2, time)`: mixture, and vocals and accompaniment, whose sum it is
        exactly.
    """

    dataset_name = "asteroid-karaoke"
    #: Whether any index from 0 on gives an item, even beyond the dataset's length.
    endless = False
    #: Licence dicts in Asteroid's form.
    licenses: list[dict]

    @abstractmethod
    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Item]:
        return (self[index] for index in range(len(self)))

    def describe(self, index: int) -> str:
        """What an item is made of, for messages."""
        return f"item {index} of {self.dataset_name}"

    def get_infos(self) -> dict:
        """What Asteroid's publisher wants to know."""
        return {"dataset": self.dataset_name, "task": TASK, "licenses": self.licenses}


def as_item(vocals: np.ndarray, accompaniment: np.ndarray) -> Item:
    """Mixture and sources of two stems `(channels, time)`."""
    sources = torch.from_numpy(np.stack([vocals, accompaniment]))
    return sources.sum(0), sources


def join_licenses(lists: Iterable[list[dict]]) -> list[dict]:
    """All licence dicts of several lists, each once."""
    joined: list[dict] = []
    for licenses in lists:
        joined += [one for one in licenses if one not in joined]
    return joined


def check_segment(seconds: _Seconds, sample_rate: int) -> _Seconds:
    """A segment's length in s, if it is one, or None.

    Raises:
        ValueError: It is not more than 0, or has no sample.
    """
    if seconds is not None and not seconds * sample_rate >= 1:
        raise ValueError(
            f"segment is {seconds} s, expected more than 0: at least a sample of {sample_rate} Hz"
        )
    return seconds
