"""Several datasets as one; see :mod:`asteroid_karaoke.datasets`."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch.utils.data import Dataset

from .items import Item, ItemDataset, join_licenses


class WeightedUnion(ItemDataset):
    """Items of several datasets, of each as often as its weight says.

    An item depends on the seed and its index alone. As with :class:`RandomMixtures`, which it is
    mostly made of, an index may be any number from 0 on; of a dataset that ends, any item is drawn.

    Args:
        datasets: Datasets whose items have one shape.
        weights: Of each, how often it is drawn.
        length: Items an epoch. None: as many as all datasets have.
        seed: Of the draw; 0 or more.

    Raises:
        ValueError: Weights and datasets do not go together, or sample rates differ.
    """

    endless = True

    def __init__(
        self,
        datasets: Sequence,
        weights: Sequence[float],
        length: int | None = None,
        seed: int = 0,
    ):
        if len(datasets) != len(weights) or min(weights, default=0) < 0 or not sum(weights):
            raise ValueError(
                f"got {len(datasets)} datasets and the weights {list(weights)}: expected a weight "
                "of 0 or more for each, not all of them 0"
            )
        rates = [dataset.sample_rate for dataset in datasets]
        if len(set(rates)) > 1:
            raise ValueError(
                f"the datasets' sample rates are {rates} Hz, expected the same for all"
            )
        self.datasets = list(datasets)
        self.length = sum(map(len, datasets)) if length is None else length
        self.sample_rate = rates[0]
        self.seed = seed
        self._odds = np.cumsum(weights) / np.sum(weights)
        self.dataset_name = " + ".join(dataset.dataset_name for dataset in datasets)
        self.licenses = join_licenses(dataset.get_infos()["licenses"] for dataset in datasets)

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Item:
        dataset, index = self._draw(index)
        return dataset[index]

    def describe(self, index: int) -> str:
        """What an item is made of, for messages."""
        dataset, index = self._draw(index)
        if hasattr(dataset, "describe"):
            return dataset.describe(index)
        return f"item {index} of {dataset.dataset_name}"

    def _draw(self, index: int) -> tuple[Any, int]:
        """A dataset, and which of its items."""
        # The 1 sets it apart from what a dataset with the same seed draws for this index.
        rng = np.random.default_rng((self.seed, index, 1))
        number = int(np.searchsorted(self._odds, rng.random(), side="right"))
        dataset = self.datasets[number]
        return dataset, index if _is_endless(dataset) else int(rng.integers(len(dataset)))


def _is_endless(dataset: Dataset) -> bool:
    """Whether any index gives an item; Asteroid's own datasets say nothing and end."""
    return getattr(dataset, "endless", False)
