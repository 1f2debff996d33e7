import os

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.strategies import DDPStrategy
from torch import distributed, multiprocessing, nn
from torch.utils.data import DataLoader, Dataset, DistributedSampler

from asteroid_karaoke.sampler import EpochSampler, SongSampler


class Indices(Dataset):
    """Items that are their own index, endless as fresh mixtures are."""

    def __getitem__(self, index: int) -> int:
        return index

    def __len__(self) -> int:
        return 7


class Listener(pl.LightningModule):
    """Writes down which items each process was given in each epoch."""

    def __init__(self, folder):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.folder = folder

    def training_step(self, batch, _):
        with (self.folder / f"rank{self.global_rank}").open("a") as file:
            print(self.current_epoch, *batch.tolist(), file=file)
        return self.weight.sum()

    def train_dataloader(self):
        return DataLoader(Indices(), 2, sampler=EpochSampler(7), drop_last=True)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


def test_epochs_go_on_where_the_last_one_ended():
    sampler = EpochSampler(5)
    assert (list(sampler), len(sampler)) == ([0, 1, 2, 3, 4], 5)
    sampler.set_epoch(3)
    assert list(sampler) == [15, 16, 17, 18, 19]


def _shards(rank: int, address: str, results) -> None:
    distributed.init_process_group("gloo", init_method=address, rank=rank, world_size=2)
    sampler = EpochSampler(7)
    shards = []
    for epoch in (0, 1):
        sampler.set_epoch(epoch)
        assert len(sampler) == 3
        shards.append(list(DataLoader(Indices(), 1, sampler=sampler)))
    shards.append(list(DataLoader(Indices(), 1, sampler=SongSampler(7))))
    results.put((rank, [[int(item) for item in shard] for shard in shards]))
    distributed.destroy_process_group()


def test_two_processes_share_an_epoch(tmp_path):
    """No item twice; their batches together are those of one process; each song is once."""
    context = multiprocessing.get_context("forkserver")
    results = context.SimpleQueue()
    address = f"file://{tmp_path}/meeting"
    processes = [context.Process(target=_shards, args=(r, address, results)) for r in (0, 1)]
    for process in processes:
        process.start()
    shards = dict(results.get() for _ in processes)
    for process in processes:
        process.join()
    assert shards == {
        0: [[0, 2, 4], [7, 9, 11], [0, 2, 4, 6]],
        1: [[1, 3, 5], [8, 10, 12], [1, 3, 5]],
    }


def fit(folder, **options) -> dict[str, list[str]]:
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=2,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **options,
    )
    trainer.fit(Listener(folder))
    return {path.name: path.read_text().splitlines() for path in folder.glob("rank*")}


@pytest.mark.filterwarnings("ignore")  # those of Lightning, which are many
def test_lightning_tells_the_epoch_and_leaves_the_sampler_in_its_place(tmp_path):
    """With several processes it puts its own in place of any that is no DistributedSampler."""
    assert isinstance(EpochSampler(1), DistributedSampler)
    assert fit(tmp_path) == {"rank0": ["0 0 1", "0 2 3", "0 4 5", "1 7 8", "1 9 10", "1 11 12"]}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a fork server")
@pytest.mark.filterwarnings("ignore")  # those of Lightning, which are many
def test_lightning_with_two_processes(tmp_path):
    found = fit(tmp_path, devices=2, strategy=DDPStrategy(start_method="forkserver"))
    assert found == {"rank0": ["0 0 2", "1 7 9"], "rank1": ["0 1 3", "1 8 10"]}
