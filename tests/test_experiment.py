"""The folder of an experiment: what it begins with, goes on with, and leaves behind."""

import json
import runpy
from pathlib import Path
from unittest import mock

import pandas as pd
import pytest
import torch
import yaml

from asteroid_karaoke import KaraokeNet, experiment, items, manifest
from asteroid_karaoke.datasets import LICENSE_KEYS

ROOT = Path(__file__).parent.parent
SCRIPT = ROOT / "egs" / "common" / "train.py"
CONF = {"training": {"epochs": 2, "seed": 0}, "optim": {"lr": 0.1}, "main_args": {"exp_dir": "e"}}


def test_a_best_model_is_saved_whole_or_not_at_all(tmp_path, monkeypatch):
    model = KaraokeNet(size="tiny", depth=1)
    state = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    torch.save({"state_dict": state}, tmp_path / "a.ckpt")
    best, folder = {str(tmp_path / "a.ckpt"): torch.tensor(1.0)}, tmp_path / "exp"
    train_set = mock.Mock(**{"get_infos.return_value": {"dataset": "numbers", "licenses": []}})
    path = experiment.save_best(model, best, train_set, folder)
    whole = path.read_bytes()
    assert b"archive/data.pkl" in whole, "no name that is drawn anew each time"
    write = Path.write_bytes

    def full_disk(path, content):
        if content == whole:
            write(path, content[:100])
            raise OSError("disk full")
        return write(path, content)

    with monkeypatch.context() as patch, pytest.raises(OSError, match="disk full"):
        patch.setattr(Path, "write_bytes", full_disk)
        experiment.save_best(model, best, train_set, folder)
    assert path.read_bytes() == whole
    names = sorted(left.name for left in folder.iterdir())
    assert names == ["best_k_models.json", "best_model.pth"]


def begin(exp_dir: Path, conf: dict) -> None:
    (exp_dir / "checkpoints").mkdir(parents=True)
    (exp_dir / "checkpoints" / "last.ckpt").touch()
    (exp_dir / "conf.yml").write_text(yaml.safe_dump(conf))


def test_an_experiment_from_before_an_option_goes_on(tmp_path):
    assert experiment.find_checkpoint(CONF, tmp_path, False) is None
    begin(tmp_path, CONF)
    more = {"epochs": 2, "seed": 0, "patience": 3, "devices": 2, "another": 1}
    conf = {**CONF, "training": more}
    last = tmp_path / "checkpoints" / "last.ckpt"
    assert experiment.find_checkpoint(conf, tmp_path, True) == last
    with pytest.raises(FileExistsError, match="holds an experiment already"):
        experiment.find_checkpoint(conf, tmp_path, False)
    with pytest.raises(ValueError, match=r"lr was 0\.1, is 0\.2 now"):
        experiment.find_checkpoint({**conf, "optim": {"lr": 0.2}}, tmp_path, True)


def test_what_was_logged_after_a_checkpoint_is_forgotten(tmp_path):
    runs = (["0,1.0", "1,2.0", "2,3.0"], ["2,4.0", "3,5.0"], [])
    for number, rows in enumerate(runs):
        folder = tmp_path / "logs" / f"version_{number}"
        folder.mkdir(parents=True)
        (folder / "metrics.csv").write_text("\n".join(["step,val_loss", *rows]) + "\n")
    log = pd.read_csv(experiment.join_logs(tmp_path))
    assert log.to_numpy().tolist() == [[0, 1], [1, 2], [2, 4], [3, 5]]


def test_a_training_starts_from_a_model_or_from_a_checkpoints_average(tmp_path):
    torch.manual_seed(0)
    trained, mine, again = (KaraokeNet(size="tiny") for _ in range(3))
    state = {f"model.{name}": value for name, value in trained.state_dict().items()}
    torch.save({"state_dict": {**state, "loss_func.window": torch.ones(1)}}, tmp_path / "last.ckpt")
    torch.save(trained.serialize(), tmp_path / "model.pth")
    for model, name in ((mine, "last.ckpt"), (again, "model.pth")):
        (seen,) = experiment.start_from(model, str(tmp_path / name))
        assert seen["license"] == "unknown" and seen["non_commercial"], "nothing says what it saw"
        for value, wanted in zip(model.parameters(), trained.parameters(), strict=True):
            assert torch.equal(value, wanted)
    with pytest.raises(ValueError, match=r"model\.pth holds weights of another network"):
        experiment.start_from(KaraokeNet(size="tiny", depth=5), str(tmp_path / "model.pth"))
    with pytest.raises(FileNotFoundError, match=r"no checkpoint at .*none\.ckpt"):
        experiment.start_from(mine, str(tmp_path / "none.ckpt"))


def test_what_the_first_weights_have_seen_goes_into_the_card(tmp_path):
    model = KaraokeNet.from_pretrained("karaoke-small")
    shipped = experiment.start_from(model, "karaoke-small")
    assert any(work["non_commercial"] for work in shipped)
    mine = {**shipped[0], "title": "Mine"}
    again = items.join_licenses([shipped, [mine, shipped[1]]])
    assert again == [*shipped, mine]
    torch.save({**model.serialize(), "licenses": again}, tmp_path / "model.pth")
    assert experiment.start_from(model, str(tmp_path / "model.pth")) == again


def test_a_fine_tuned_model_owes_what_both_trainings_have_seen(tmp_path, monkeypatch):
    conf = yaml.safe_load((ROOT / "egs" / "demo" / "KaraokeNet" / "local" / "conf.yml").read_text())
    conf["net"]["size"] = "small"
    paths = {"data_dir": str(tmp_path), "exp_dir": "exp", "phase": "train", "resume": False}
    conf["main_args"] = {**paths, "init": "karaoke-small"}
    whole = {"sample_rate": 44100, "channels": 2, "frames": 44100, "licence": "CC0", "corpus": "c"}
    stems = {"vocals": ("v.wav",), "accompaniment": ("a.wav",)}
    for split in ("train", "valid"):
        song = manifest.Song(id=split, split=split, role="stems", **whole, **stems)
        manifest.write([song], tmp_path / f"{split}.jsonl")
    mine = dict.fromkeys(LICENSE_KEYS, "mine") | {"non_commercial": False}
    (tmp_path / "licenses.json").write_text(json.dumps([mine]))
    main, seen = runpy.run_path(str(SCRIPT))["main"], mock.Mock()
    monkeypatch.setattr("asteroid_karaoke.training.train", seen)
    main(conf)
    owed = seen.call_args.args[2].licenses
    assert owed[-1] == mine and any(work["non_commercial"] for work in owed)


def test_a_begun_experiment_keeps_its_options_and_gets_new_ones(tmp_path, monkeypatch):
    (tmp_path / "local").mkdir()
    conf = {"training": {"epochs": 1, "patience": 0}}
    (tmp_path / "local" / "conf.yml").write_text(yaml.safe_dump(conf))
    begun = {"training": {"epochs": 9}, "main_args": {"exp_dir": "exp"}}
    (tmp_path / "conf.yml").write_text(yaml.safe_dump(begun))
    monkeypatch.chdir(tmp_path)
    read_defaults = runpy.run_path(str(SCRIPT))["read_defaults"]
    assert read_defaults(tmp_path) == {"training": {"epochs": 9, "patience": 0}}
    assert read_defaults(tmp_path / "new") == conf
