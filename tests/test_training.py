"""Training: leaves what Asteroid's recipes leave, learns, and goes on after a kill as if there had
been none; several processes learn what one does.
"""

import json
import logging
import os
import signal
import socket
import sys
import warnings
from contextlib import redirect_stderr
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from torch import multiprocessing, nn

from asteroid_karaoke import KaraokeNet, audio, callbacks, checkpoints, manifest, training
from asteroid_karaoke.datasets import EpochSampler, Mixing, RandomMixtures, SongDataset
from asteroid_karaoke.manifest import Song

RATE = 8000
OPTIONS = {
    "epochs": 4,
    "batch_size": 4,
    "accumulate": 1,
    "num_workers": 0,
    "precision": "32-true",
    "gradient_clip": 5.0,
    "ema": 0.9,
    "schedule": "one_cycle",
    "val_every": 2,
    "seed": 0,
}
#: Four steps an epoch, so that some are between two epochs' ends.
FOUR_STEPS = {"batch_size": 2}
# Each training has a process of its own: it is killed, or one of two, or leaves memory behind.
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a fork server")


class Broken(RandomMixtures):
    """Its item 13, in the second batch of the second epoch, is not a number."""

    def __getitem__(self, index):
        mixture, sources = super().__getitem__(index)
        return mixture, sources * (torch.nan if index == 13 else 1.0)


class Doomed(callbacks.StepSeeds):
    """Kills its process in the third epoch, two steps after the last checkpoint."""

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        super().on_train_batch_start(trainer, pl_module, batch, batch_idx)
        place = trainer.current_epoch, batch_idx
        checkpoints.SECONDS = 0.0 if place < (2, 1) else np.inf
        if place == (2, 3):
            os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture(scope="module")
def songs(tmp_path_factory) -> Path:
    """Three songs whose voice is a wavering tone and whose backing is noise."""
    folder = tmp_path_factory.mktemp("songs")
    found = []
    for number in range(3):
        rng = np.random.default_rng(number)
        seconds = np.arange(3 * RATE) / RATE
        pitch = 300 * (1 + number) * (1 + 0.02 * np.sin(2 * np.pi * 5 * seconds))
        voice = 0.2 * np.sin(2 * np.pi * np.cumsum(pitch) / RATE)
        stems = {
            "vocals": np.stack([voice] * 2),
            "accompaniment": 0.1 * rng.standard_normal((2, 3 * RATE)),
        }
        for name, stem in stems.items():
            audio.write(folder / f"{number}-{name}.wav", stem.astype(np.float32), RATE)
        found.append(
            Song(
                id=str(number),
                split="train",
                corpus="tones",
                role="stems",
                licence="CC0",
                sample_rate=RATE,
                channels=2,
                frames=3 * RATE,
                **{name: str(folder / f"{number}-{name}.wav") for name in stems},
            )
        )
    return manifest.write(found, folder / "train.jsonl")


def work(
    exp_dir,
    songs,
    resume=False,
    mixtures=RandomMixtures,
    frozen_norms=False,
    dropout=0.1,
    spoil_gradient=False,
    draw=False,
    doomed=False,
    optimizer="adamw",
    lr=0.003,
    **changes,
):
    """Train a tiny network; an error's text is left beside the experiment."""
    warnings.simplefilter("ignore")
    if not draw:
        callbacks.plots = mock.Mock(excerpt_with_voice=callbacks.plots.excerpt_with_voice)
        callbacks._to_tensorboard = mock.Mock()  # there is no picture to send
    if doomed:
        training.StepSeeds = Doomed
    logging.disable()
    options = {**OPTIONS, **changes}
    conf = {
        "training": options,
        "optim": {"optimizer": optimizer, "lr": lr},
        "main_args": {"exp_dir": str(exp_dir)},
    }
    torch.manual_seed(options["seed"])
    model = KaraokeNet(size="tiny", sample_rate=RATE, n_fft=512, hop_length=128)
    if frozen_norms:
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
    elif dropout:
        model.masker.bottleneck.append(nn.Dropout(dropout))
    if spoil_gradient:
        model.masker.fold.offset.register_hook(lambda gradient: gradient * torch.inf)
    known = manifest.read(songs)
    mixing = Mixing(original=0.5)
    train_set = mixtures(known, 1.0, 8, RATE, mixing, options["seed"])
    val_set = SongDataset(known, RATE)
    with Path(os.devnull).open("w") as nothing, redirect_stderr(nothing):
        try:
            training.train(conf, model, train_set, val_set, EpochSampler(8), resume)
        except (OSError, ValueError, FloatingPointError) as error:
            exp_dir.with_suffix(".error").write_text(f"{type(error).__name__}: {error}")
            sys.exit(1)


def as_rank(rank: int, port: int, *args, **kwargs):
    """Be one of two processes that torchrun would have started."""
    os.environ |= {
        "TORCHELASTIC_RUN_ID": "test",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": "2",
        "LOCAL_WORLD_SIZE": "2",
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "GROUP_RANK": "0",
    }
    work(*args, **kwargs)


def start(target, *args, **kwargs):
    # Not by plain fork: this process has threads, whose locks a copy of it would wait for.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["asteroid_karaoke.training", "pandas"])
    process = context.Process(target=target, args=args, kwargs=kwargs)
    process.start()
    return process


def run(exp_dir: Path, *args, **kwargs) -> str:
    """Train, and give the error's text, if there was one."""
    process = start(work, exp_dir, *args, **kwargs)
    process.join()
    error = exp_dir.with_suffix(".error")
    assert process.exitcode == int(error.exists())
    return error.read_text() if error.exists() else ""


def curves(exp_dir: Path) -> np.ndarray:
    columns = ["epoch", "loss", "val_loss", "val_usdr_vocals", "val_usdr_accompaniment"]
    log = pd.read_csv(exp_dir / "log.csv").reindex(columns=["step", *columns])
    return log.groupby("step").first().to_numpy()


def tensors(tree, path=""):
    """All tensors and numbers of a checkpoint, by their place."""
    if isinstance(tree, dict | list | tuple):
        pairs = tree.items() if isinstance(tree, dict) else enumerate(tree)
        for key, value in pairs:
            yield from tensors(value, f"{path}/{key}")
    elif isinstance(tree, torch.Tensor | int | float):
        yield path, torch.as_tensor(tree)


def learnt(exp_dir: Path) -> dict[str, torch.Tensor]:
    """Weights, their average, optimiser and scheduler in the last checkpoint."""
    checkpoint = torch.load(exp_dir / "checkpoints" / "last.ckpt", weights_only=True)
    names = "state_dict current_model_state averaging_state optimizer_states lr_schedulers"
    return dict(tensors({name: checkpoint[name] for name in names.split()}))


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory, songs) -> Path:
    exp_dir = tmp_path_factory.mktemp("exp") / "unbroken"
    assert run(exp_dir, songs, draw=True, **FOUR_STEPS) == ""
    return exp_dir


def test_it_leaves_what_asteroid_users_expect(unbroken):
    # Not above: the trainings' processes import this file, and asteroid_karaoke must come first.
    from asteroid.models import BaseModel

    conf = yaml.safe_load((unbroken / "conf.yml").read_text())
    assert conf["main_args"]["exp_dir"] == str(unbroken)
    best = json.loads((unbroken / "best_k_models.json").read_text())
    assert 1 <= len(best) <= 3
    assert all(Path(path).is_file() and isinstance(loss, float) for path, loss in best.items())
    model = BaseModel.from_pretrained(str(unbroken / "best_model.pth"))
    assert model.get_model_args()["n_fft"] == 512
    assert (unbroken / "curves.png").stat().st_size > 5000


def test_it_leaves_a_picture_of_each_validation(unbroken):
    pictures = sorted(path.name for path in (unbroken / "pictures").iterdir())
    assert pictures == ["epoch_1.png", "epoch_3.png"]


def test_checkpoints_load_safely(unbroken):
    for path in (unbroken / "checkpoints").glob("*.ckpt"):
        torch.load(path, weights_only=True)
    assert not list((unbroken / "checkpoints").glob("*.part"))


def test_the_best_model_is_the_average_that_was_validated(unbroken):
    best = json.loads((unbroken / "best_k_models.json").read_text())
    checkpoint = torch.load(min(best, key=best.get), weights_only=True)
    shipped = torch.load(unbroken / "best_model.pth", weights_only=True)["state_dict"]
    name = "fold.offset"
    average = checkpoint["state_dict"][f"model.masker.{name}"]
    assert torch.equal(shipped[f"masker.{name}"], average)
    assert not torch.equal(average, checkpoint["current_model_state"][f"model.masker.{name}"])


def test_it_learns(unbroken):
    log = pd.read_csv(unbroken / "log.csv")
    usdrs = log["val_usdr_vocals"].dropna()
    as_estimate = 20 * np.log10(0.2 / np.sqrt(2) / 0.1)  # the mixture's: a tone over noise
    assert usdrs.iloc[-1] > max(usdrs.iloc[0], as_estimate + 4)


def test_killed_in_an_epoch_and_gone_on_gives_the_same_bits(unbroken, tmp_path, songs):
    """So do two trainings with one seed, and one whose data comes from a worker."""
    exp_dir = tmp_path / "killed"
    process = start(work, exp_dir, songs, doomed=True, **FOUR_STEPS)
    process.join()
    assert process.exitcode == -signal.SIGKILL
    last = torch.load(exp_dir / "checkpoints" / "last.ckpt", weights_only=True)
    assert (last["epoch"], last["global_step"]) == (2, 9), "it was to be between two epochs' ends"
    assert "holds an experiment already: resume it" in run(exp_dir, songs, **FOUR_STEPS)
    exp_dir.with_suffix(".error").unlink()
    error = run(exp_dir, songs, True, epochs=5, **FOUR_STEPS)
    assert "begun with other settings: epochs was 4, is 5 now" in error
    exp_dir.with_suffix(".error").unlink()
    assert run(exp_dir, songs, True, num_workers=1, **FOUR_STEPS) == ""
    np.testing.assert_array_equal(curves(exp_dir), curves(unbroken))
    expected, found = learnt(unbroken), learnt(exp_dir)
    assert expected.keys() == found.keys() and len(expected) > 100
    assert [name for name in expected if not torch.equal(expected[name], found[name])] == []


def test_two_processes_learn_what_one_does(tmp_path, songs):
    """Half of each batch, and of the three songs, for each."""
    # Adam would make steps of full length of gradients that are nothing but rounding.
    how = {"epochs": 2, "accumulate": 2, "dropout": 0.0, "optimizer": "sgd", "lr": 0.1}
    assert run(tmp_path / "one", songs, **how) == ""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    how |= {"devices": 2, "strategy": "ddp"}
    ranks = [start(as_rank, r, port, tmp_path / "two", songs, **how) for r in (0, 1)]
    for process in ranks:
        process.join()
    assert [process.exitcode for process in ranks] == [0, 0]
    assert len(list((tmp_path / "two" / "logs").iterdir())) == 1, "both have written"
    one, two = curves(tmp_path / "one"), curves(tmp_path / "two")
    np.testing.assert_allclose(two, one, rtol=1e-4)
    expected, found = learnt(tmp_path / "one"), learnt(tmp_path / "two")
    for name in expected:
        torch.testing.assert_close(found[name], expected[name], rtol=1e-4, atol=1e-5)


def test_a_loss_that_is_no_number_stops_it_and_names_the_songs(tmp_path, songs):
    exp_dir = tmp_path / "nan"
    error = run(exp_dir, songs, mixtures=Broken)
    assert error.startswith("FloatingPointError: the loss is nan in epoch 1, batch 1 (step 3)")
    expected = Broken(manifest.read(songs), 1.0, 8, RATE, Mixing(original=0.5))
    assert "; ".join(expected.describe(index) for index in range(12, 16)) in error
    assert "\n" not in error
    assert all(value.isfinite().all() for value in learnt(exp_dir).values())


def test_a_gradient_that_is_no_number_spoils_nothing(tmp_path, songs):
    error = run(tmp_path / "inf", songs, spoil_gradient=True)
    assert error.startswith("FloatingPointError: the gradient is inf in epoch 0, batch 0 (step 0)")


def test_it_stops_early_and_for_good(tmp_path, songs):
    """What learns nothing never betters the loss."""
    how = {"val_every": 1, "patience": 1, "lr": 0.0, "frozen_norms": True}
    for resume in (False, True):
        assert run(tmp_path / "early", songs, resume, **how) == ""
        log = pd.read_csv(tmp_path / "early" / "log.csv")
        assert log["val_loss"].count() == 2


@pytest.mark.parametrize(("epochs", "every", "validated"), [(3, 2, [1, 2]), (1, 5, [0])])
def test_the_last_epoch_is_validated_whichever_others_are(
    epochs, every, validated, tmp_path, songs
):
    assert run(tmp_path / "exp", songs, epochs=epochs, val_every=every) == ""
    log = pd.read_csv(tmp_path / "exp" / "log.csv")
    assert log.loc[log["val_loss"].notna(), "epoch"].tolist() == validated
    best = json.loads((tmp_path / "exp" / "best_k_models.json").read_text())
    assert len(best) == len(validated)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"epochs": 0}, "epochs is 0, expected 1 or more"),
        ({"val_every": 0}, "val_every is 0, expected 1 or more"),
        ({"batch_size": 9}, "8 examples, less than one batch of 9"),
        ({"schedule": "steps"}, "schedule is 'steps'"),
    ],
)
def test_options_that_do_not_go(changes, complaint, tmp_path, songs):
    assert complaint in run(tmp_path / "refused", songs, **changes)
    assert not (tmp_path / "refused").exists()
