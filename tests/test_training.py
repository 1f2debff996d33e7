"""Training: leaves what Asteroid's recipes leave, learns, and goes on after a kill as if there had
been none.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from asteroid.models import BaseModel

from asteroid_karaoke import audio, manifest
from asteroid_karaoke.manifest import Song
from asteroid_karaoke.training import moving_average

RATE = 8000
SCRIPT = """
import sys, yaml, torch
import asteroid_karaoke
from asteroid_karaoke import KaraokeNet, manifest
from asteroid_karaoke.datasets import EpochSampler, Mixing, RandomMixtures, SongDataset
from asteroid_karaoke.training import train
torch.set_num_threads(1)
torch.manual_seed(0)
conf = yaml.safe_load(open(sys.argv[1]))
songs = manifest.read(sys.argv[2])
model = KaraokeNet(size="tiny", sample_rate=8000, n_fft=512, hop_length=128)
mixing = Mixing(original=0.5)
train_set = RandomMixtures(songs, segment=1.0, length=8, sample_rate=8000, mixing=mixing)
val_set = SongDataset(songs, 8000)
train(conf, model, train_set, val_set, EpochSampler(8), resume="resume" in sys.argv)
"""


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


def write_conf(exp_dir: Path, epochs: int) -> Path:
    training = {
        "epochs": epochs,
        "batch_size": 4,
        "accumulate": 1,
        "num_workers": 0,
        "precision": "32-true",
        "gradient_clip": 5.0,
        "ema": 0.9,
        "val_every": 2,  # so the kill comes before the first validation
    }
    conf = {
        "training": training,
        "optim": {"optimizer": "adamw", "lr": 0.003},
        "main_args": {"exp_dir": str(exp_dir)},
    }
    path = exp_dir.with_suffix(".yml")
    path.write_text(yaml.safe_dump(conf))
    return path


def command(exp_dir: Path, songs: Path, epochs: int) -> list[str]:
    return [
        sys.executable,
        "-W",
        "ignore",
        "-c",
        SCRIPT,
        str(write_conf(exp_dir, epochs)),
        str(songs),
    ]


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory, songs) -> Path:
    exp_dir = tmp_path_factory.mktemp("exp") / "unbroken"
    subprocess.run(command(exp_dir, songs, 6), check=True, capture_output=True)
    return exp_dir


def test_it_leaves_what_asteroid_users_expect(unbroken):
    conf = yaml.safe_load((unbroken / "conf.yml").read_text())
    assert conf["main_args"]["exp_dir"] == str(unbroken)
    best = json.loads((unbroken / "best_k_models.json").read_text())
    assert 1 <= len(best) <= 3
    assert all(Path(path).is_file() and isinstance(loss, float) for path, loss in best.items())
    model = BaseModel.from_pretrained(str(unbroken / "best_model.pth"))
    assert model.get_model_args()["n_fft"] == 512
    assert (unbroken / "curves.png").stat().st_size > 5000


def test_checkpoints_load_safely(unbroken):
    for path in (unbroken / "checkpoints").glob("*.ckpt"):
        torch.load(path, weights_only=True)


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
    assert usdrs.iloc[-1] > usdrs.iloc[0] + 1


def test_killed_and_gone_on_gives_the_same_curve(unbroken, tmp_path, songs):
    exp_dir = tmp_path / "killed"
    process = subprocess.Popen(command(exp_dir, songs, 6), stderr=subprocess.DEVNULL)
    last = exp_dir / "checkpoints" / "last.ckpt"
    while not last.is_file() and process.poll() is None:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "it was over before it was killed"
    refused = subprocess.run(command(exp_dir, songs, 6), capture_output=True, text=True)
    assert "holds an experiment already: resume it" in refused.stderr
    other = subprocess.run([*command(exp_dir, songs, 7), "resume"], capture_output=True, text=True)
    assert "begun with other settings: epochs was 6, is 7 now" in other.stderr
    subprocess.run([*command(exp_dir, songs, 6), "resume"], check=True, capture_output=True)
    columns = ["step", "val_loss", "val_usdr_vocals"]
    curves = [pd.read_csv(folder / "log.csv") for folder in (unbroken, exp_dir)]
    expected, found = (curve[columns].dropna().to_numpy() for curve in curves)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_the_average_is_short_at_first():
    average = moving_average(0.99)
    old, new = torch.zeros(1), torch.ones(1)
    assert average(old, new, 0).item() == pytest.approx(0.9)
    assert average(old, new, 10000).item() == pytest.approx(0.01)
