"""The weights that ship: whole, described, and as good as their card says."""

import json
import shutil

import numpy as np
import pytest
import torch
from stand_ins import tiny_weights

from asteroid_karaoke import KaraokeNet, model, scores
from asteroid_karaoke.datasets import SongDataset
from asteroid_karaoke.separation import separate
from recipes import demo


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of shipped weights, with one model in it."""
    monkeypatch.setattr(model, "PRETRAINED", tmp_path)
    tiny_weights(tmp_path, "some")
    return tmp_path


def test_weights_that_are_not_what_was_shipped_are_refused(folder):
    assert KaraokeNet.from_pretrained("some").masker_name == "band_cnn"
    torch.save(KaraokeNet(size="tiny").serialize(), folder / "some.pth")
    with pytest.raises(ValueError, match=r"its card says .*install the package anew"):
        KaraokeNet.from_pretrained("some")


def test_weights_without_a_card_are_refused(folder):
    (folder / "some.json").unlink()
    with pytest.raises(ValueError, match=r"no card some\.json"):
        KaraokeNet.from_pretrained("some")


def test_a_file_of_ones_own_needs_no_card(folder, tmp_path):
    mine = shutil.copy(folder / "some.pth", tmp_path / "elsewhere.pth")
    assert KaraokeNet.from_pretrained(mine).masker_name == "band_cnn"


SHIPPED = sorted(model.shipped())


@pytest.mark.parametrize("name", SHIPPED)
def test_the_card_says_what_one_needs_to_know(name):
    card = json.loads((model.PRETRAINED / f"{name}.json").read_text())
    net = KaraokeNet.from_pretrained(name)
    assert net.get_model_args() == card["model_args"]
    assert not net.training
    non_commercial = any(work["non_commercial"] for work in card["trained_on"])
    assert ("NC" in card["licence"]) == non_commercial
    assert all(work["author"] and work["license"] for work in card["trained_on"])
    held_out = {"Lithium", "Caesium"}
    titles = {title for work in card["trained_on"] for title in work["title"].split(", ")}
    assert not titles & held_out
    assert (model.PRETRAINED / f"{name}.pth").stat().st_size < 10e6


@pytest.mark.parametrize("name", SHIPPED)
def test_the_weights_are_as_good_as_their_card_says(name):
    """On the excerpt of MUSDB18 that stempeg ships, by museval, within 0.1 dB."""
    song = demo.excerpt()
    mixture, sources = (item.numpy() for item in SongDataset([song])[0])
    estimates = np.stack(separate(KaraokeNet.from_pretrained(name), mixture, 44100))
    found = scores.aggregate([scores.score_song(sources, estimates, 44100)])
    recorded = json.loads((model.PRETRAINED / f"{name}.json").read_text())["scores"]
    for key in ("vocals_SDR", "accompaniment_SDR"):
        assert found[key] == pytest.approx(recorded["musdb18-excerpt"][name][key], abs=0.1)
