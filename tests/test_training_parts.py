"""The parts of a training that can be looked at without one."""

import json
import subprocess
import sys
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO
from torch.utils.data import DataLoader

from asteroid_karaoke import KaraokeNet, checkpoints
from asteroid_karaoke.batches import (
    ResumableLoader,
    describe_batch,
    make_loaders,
    worker_complaint,
)
from asteroid_karaoke.callbacks import _to_tensorboard
from asteroid_karaoke.checkpoints import AtomicCheckpoints, LastCheckpoint
from asteroid_karaoke.datasets import LICENSE_KEYS
from asteroid_karaoke.items import ItemDataset
from asteroid_karaoke.plots import excerpt_with_voice
from asteroid_karaoke.sampler import EpochSampler
from asteroid_karaoke.schedules import learning_rates, moving_average
from asteroid_karaoke.training import make_trainer

ROOT = Path(__file__).parent.parent
SCRIPT = ROOT / "egs" / "common" / "train.py"
CONF = {"training": {"epochs": 2, "seed": 0}, "optim": {"lr": 0.1}, "main_args": {"exp_dir": "e"}}


class Numbers(ItemDataset):
    """Items that are their own index; some are missing."""

    dataset_name = "numbers"
    licenses = ()

    def __len__(self):
        return 7

    def __getitem__(self, index):
        if index == 3:
            raise FileNotFoundError(f"/songs/{index}.wav does not exist:\ncheck the name")
        return torch.tensor(index)


def test_the_average_is_short_at_first():
    average = moving_average(0.99)
    old, new = torch.zeros(1), torch.ones(1)
    assert average(old, new, 0).item() == pytest.approx(0.9)
    assert average(old, new, 10000).item() == pytest.approx(0.01)


def test_one_cycle_ends_at_nothing_and_constant_goes_on():
    rates = {}
    for name in ("one_cycle", "constant"):
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], 0.1)
        schedule = learning_rates(name, optimizer, 100)
        for _ in range(100):
            optimizer.step()
            schedule.step()
        rates[name] = optimizer.param_groups[0]["lr"]
    assert rates["one_cycle"] < 1e-4 and rates["constant"] == pytest.approx(0.1)


def test_a_batch_is_shared_among_processes():
    options = {"batch_size": 6, "num_workers": 0}
    train_loader, val_loader = make_loaders(Numbers(), Numbers(), EpochSampler(7), options, 2)
    assert (train_loader.batch_sampler.batch_size, val_loader.batch_size) == (3, 1)
    with pytest.raises(ValueError, match="batch_size is 6, which 4 processes can not share"):
        make_loaders(Numbers(), Numbers(), EpochSampler(7), options, 4)
    with pytest.raises(ValueError, match=r"7 song\(s\) to validate on are too few for 8"):
        make_loaders(Numbers(), Numbers(), EpochSampler(7), {"batch_size": 0, "num_workers": 0}, 8)


def test_a_batch_says_what_it_is_made_of():
    sampler = EpochSampler(7)
    sampler.set_epoch(2)
    loader = ResumableLoader(Numbers(), sampler, 2)
    assert describe_batch(loader, 1) == "item 16 of numbers; item 17 of numbers"


@pytest.mark.parametrize("workers", [0, 1])
def test_a_loader_goes_on_in_the_middle_of_an_epoch(workers):
    """The epoch is told after the iterator was asked for, as Lightning does it."""

    def batches(loader: ResumableLoader, epoch: int):
        found = iter(loader)
        loader.batch_sampler.sampler.set_epoch(epoch)
        return found

    options = {"num_workers": 1, "multiprocessing_context": "forkserver"} if workers else {}
    broken, gone_on = (ResumableLoader(Numbers(), EpochSampler(7), 2, **options) for _ in range(2))
    assert next(batches(broken, 2)).tolist() == [14, 15]
    gone_on.load_state_dict(broken.state_dict())
    assert [batch.tolist() for batch in batches(gone_on, 2)] == [[16, 17], [18, 19]]
    assert gone_on.state_dict() == {"given": 0}
    assert [batch.tolist()[0] for batch in batches(gone_on, 3)] == [21, 23, 25]


@pytest.mark.parametrize(
    ("batch", "step", "is_last", "seconds", "written"),
    [
        (3, 2, False, 0.0, True),
        (3, 2, False, 1e9, False),
        (4, 2, False, 0.0, False),  # the second batch of two that make a step is still to come
        (19, 10, False, 0.0, False),  # the step's row is not in the log yet
        (3, 2, True, 0.0, False),  # the epoch's end writes it
    ],
)
def test_a_checkpoint_is_of_whole_steps(batch, step, is_last, seconds, written, monkeypatch):
    monkeypatch.setattr(checkpoints, "SECONDS", seconds)
    trainer = mock.Mock(accumulate_grad_batches=2, global_step=step, is_last_batch=is_last)
    trainer.strategy.broadcast = bool
    LastCheckpoint(Path("last.ckpt")).on_train_batch_end(trainer, None, None, None, batch)
    assert trainer.save_checkpoint.called == written


def test_a_workers_error_comes_down_to_its_cause():
    with pytest.raises(FileNotFoundError) as caught:
        list(DataLoader(Numbers(), num_workers=1, multiprocessing_context="forkserver"))
    assert "Traceback" in str(caught.value)
    assert worker_complaint(caught.value) == "/songs/3.wav does not exist:\ncheck the name"
    killed = RuntimeError("DataLoader worker (pid 5) is killed by signal: Killed. \nMore.")
    assert "lower num_workers" in worker_complaint(killed)
    assert worker_complaint(ValueError("all else")) is None


def test_workers_do_not_find_what_a_notebook_defines(monkeypatch):
    monkeypatch.setattr(Numbers, "__module__", "__main__")
    monkeypatch.delattr(sys.modules["__main__"], "__file__", raising=False)
    options = {"batch_size": 1, "num_workers": 1}
    with pytest.raises(ValueError, match=r"Numbers is defined in a notebook .* num_workers to 0"):
        make_loaders(Numbers(), Numbers(), EpochSampler(8), options)
    train, _ = make_loaders(Numbers(), Numbers(), EpochSampler(8), {**options, "num_workers": 0})
    assert train.num_workers == 0


@pytest.mark.parametrize("begins", [0.0, 4.0, 19.0])
def test_the_picture_begins_with_the_voice(begins):
    rate = 100
    voice = np.zeros((2, 20 * rate))
    voice[1, int(begins * rate) :] = -0.5
    start, stop = excerpt_with_voice(voice, rate)
    assert start <= begins * rate < stop == start + 15 * rate
    assert start == {0.0: 0, 4.0: 300, 19.0: 500}[begins]
    assert excerpt_with_voice(voice[:, : 5 * rate], rate)[0] == 0


def test_a_checkpoint_that_can_not_be_written_leaves_the_old_one(tmp_path):
    path = tmp_path / "last.ckpt"
    AtomicCheckpoints().save_checkpoint({"step": 1}, path)
    with pytest.raises(Exception, match="pickle"):
        AtomicCheckpoints().save_checkpoint({"step": lambda: 2}, path)
    assert torch.load(path, weights_only=True) == {"step": 1}


def test_a_full_disk_keeps_the_old_checkpoint_and_no_half_of_the_new_one(tmp_path, monkeypatch):
    path = tmp_path / "last.ckpt"
    AtomicCheckpoints().save_checkpoint({"step": 1}, path)

    def full(self, checkpoint, part, storage_options):
        Path(part).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(TorchCheckpointIO, "save_checkpoint", full)
    with pytest.raises(OSError, match="No space left"):
        AtomicCheckpoints().save_checkpoint({"step": 2}, path)
    assert list(tmp_path.iterdir()) == [path]
    assert torch.load(path, weights_only=True) == {"step": 1}


@pytest.mark.filterwarnings("ignore")  # of TensorBoard's libraries
def test_tensorboard_gets_curves_and_pictures(tmp_path):
    pytest.importorskip("tensorboard")
    from matplotlib.image import imsave
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    options = {"ema": 0.9, "patience": 0, "devices": 1, "num_nodes": 1, "strategy": "auto"}
    options |= {"precision": "32-true", "accumulate": 1, "gradient_clip": 1.0, "val_every": 1}
    trainer = make_trainer({**options, **CONF["training"]}, tmp_path, [])
    imsave(tmp_path / "picture.png", np.zeros((10, 20, 3)))
    _to_tensorboard(trainer, "song", tmp_path / "picture.png")
    for logger in trainer.loggers:
        logger.log_metrics({"val_loss": 1.0}, 0)
        logger.finalize("success")
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert events.Tags()["images"] == ["song"] and "val_loss" in events.Tags()["scalars"]


def run_script(script, *options):
    return subprocess.run(
        [sys.executable, "-W", "ignore", script, *options],
        cwd=ROOT / "egs" / "demo" / "KaraokeNet",
        env={"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )


def test_what_can_not_be_scored_is_one_line(tmp_path):
    options = ["--exp_dir", tmp_path, "--data_dir", tmp_path]
    done = run_script(SCRIPT.with_name("eval.py"), *options)
    assert done.returncode == 1
    message = f"no model at {tmp_path}/best_model.pth: run the recipe's stage 3 first"
    assert done.stderr.startswith(f"eval.py: {message}") and done.stderr.count("\n") == 1
    torch.save(KaraokeNet(size="tiny", depth=1).serialize(), tmp_path / "best_model.pth")
    done = run_script(SCRIPT.with_name("eval.py"), *options)
    assert done.stderr == (
        f"eval.py: no manifest at {tmp_path}/test.jsonl: run the recipe's stage 1 first\n"
    )


def test_a_lost_file_is_one_line(tmp_path):
    """As a worker meets it, in the middle of a training."""
    songs = (
        '{"id": "a", "split": "train", "corpus": "c", "role": "stems", "licence": "CC0", '
        '"sample_rate": 44100, "channels": 2, "frames": 441000, '
        '"vocals": "/lost.wav", "accompaniment": "/lost.wav"}\n'
    )
    for name in ("train", "valid"):
        (tmp_path / f"{name}.jsonl").write_text(songs)
    licence = dict.fromkeys(LICENSE_KEYS, "")
    (tmp_path / "licenses.json").write_text(json.dumps([licence]))
    options = ["--exp_dir", tmp_path / "exp", "--data_dir", tmp_path, "--examples", "4"]
    done = run_script(SCRIPT, *options)
    assert done.returncode == 1
    assert "train.py: /lost.wav does not exist: check the name" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
