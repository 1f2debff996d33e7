"""Which model and which device the command line takes, and what it says of models."""

import json
from contextlib import nullcontext

import pytest
import torch
from command_line import RATE, names, noise, run

from asteroid_karaoke import audio, loading, model


def test_no_model_is_an_error_as_long_as_none_ships(folder, capfd, monkeypatch, tmp_path):
    monkeypatch.setattr(model, "PRETRAINED", tmp_path)
    audio.write("song.wav", noise(5000), RATE)
    code, _, err = run(capfd, "separate", "song.wav")
    assert (code, len(err)) == (2, 1)
    assert "karaoke-small does not ship with this version" in err[0]
    assert "give --model" in err[0]


def test_an_unknown_model_is_an_error_that_names_the_choices(folder, shipped, capfd):
    audio.write("song.wav", noise(5000), RATE)
    for name in ("no-such-model", "nowhere/model.pth"):
        code, _, err = run(capfd, "separate", "song.wav", "--model", name)
        assert (code, len(err)) == (2, 1)
        assert name in err[0]
        assert "shipped names (tiny)" in err[0]


@pytest.mark.parametrize("content", (b"", b"not a model", "other"))
def test_a_file_that_holds_no_model_is_one_line(folder, capfd, content):
    audio.write("song.wav", noise(5000), RATE)
    if content == "other":
        torch.save({"weights": torch.zeros(3)}, "model.pth")
    else:
        (folder / "model.pth").write_bytes(content)
    code, _, err = run(capfd, "separate", "song.wav", "--model", "model.pth")
    assert (code, len(err)) == (2, 1)
    assert "model.pth" in err[0]


def test_a_model_of_another_class_is_refused(folder, capfd):
    from asteroid.models import ConvTasNet

    net = ConvTasNet(n_src=2, n_blocks=1, n_repeats=1, bn_chan=2, hid_chan=2, skip_chan=2)
    conf = net.serialize()
    conf["infos"] = {}
    torch.save(conf, "model.pth")
    code, _, err = run(capfd, "separate", "song.wav", "--model", "model.pth")
    assert (code, len(err)) == (2, 1)
    assert "model.pth is a ConvTasNet" in err[0]


def test_a_shipped_name_is_a_model(folder, shipped, capfd, monkeypatch):
    audio.write("song.wav", noise(5000), RATE)
    assert run(capfd, "separate", "song.wav", "--model", "tiny")[0] == 0
    monkeypatch.setattr(loading, "DEFAULT_MODEL", "tiny")
    code, out, _ = run(capfd, "separate", "song.wav", "--overwrite")
    assert code == 0
    assert out[0].startswith("model tiny on ")


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"),
    [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")],
)
def test_the_best_device_there_is_is_taken(monkeypatch, cuda, mps, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert loading.pick_device("auto") == expected
    assert loading.pick_device("cpu") == "cpu"


def test_a_device_that_is_not_there_is_an_error(folder, weights, capfd, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    audio.write("song.wav", noise(5000), RATE)
    command = ("separate", "song.wav", "--model", weights, "--device", "cuda")
    code, _, err = run(capfd, *command)
    assert (code, len(err)) == (2, 1)
    assert "device cuda: this machine's torch has only cpu" in err[0]


def test_models_lists_what_ships(shipped, weights, capfd, monkeypatch, tmp_path):
    code, out, _ = run(capfd, "models")
    assert code == 0
    assert out[0].startswith("tiny  1.")
    monkeypatch.setattr(model, "PRETRAINED", tmp_path)
    (tmp_path / "a.pth").write_bytes(bytes(2_000_000))
    card = {"description": "a small one", "licence": "CC BY 4.0", "other": 1}
    (tmp_path / "a.json").write_text(json.dumps(card))
    assert run(capfd, "models")[1] == ["a  2.0 MB  a small one, CC BY 4.0"]
    (tmp_path / "a.pth").unlink()
    assert "No weights ship" in run(capfd, "models")[1][0]


def test_infer_is_asteroids_with_our_models(folder, weights, shipped, capfd):
    assert "--ola-window" in " ".join(run(capfd, "infer", "--help")[1])
    for channels in (1, 2):
        audio.write("song.wav", noise(30_000, channels), RATE)
        for extra in ((), ("-w", "16384", "--ola-no-reorder"), ("--resample",)):
            command = ("infer", "tiny", "--files", "song.wav", "-f", "-o", "new/out", *extra)
            told = pytest.warns(UserWarning, match="first channel")
            with told if channels > 1 else nullcontext():
                assert run(capfd, *command)[0] == 0
            assert names(folder / "new" / "out") == ["song_est1.wav", "song_est2.wav"]
            assert audio.info("new/out/song_est1.wav").frames == 30_000
    code, _, err = run(capfd, "infer", "tiny", "--files", "song.wav", "-o", "song.wav")
    assert (code, len(err)) == (1, 1)
