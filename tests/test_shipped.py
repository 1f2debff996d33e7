"""The weights that ship: whole, described, and as good as their card says."""

import hashlib
import json
import shutil

import pytest
import torch

from asteroid_karaoke import KaraokeNet, model


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of shipped weights, with one model in it."""
    monkeypatch.setattr(model, "PRETRAINED", tmp_path)
    path = tmp_path / "some.pth"
    torch.save(KaraokeNet(size="tiny").serialize(), path)
    card = {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    path.with_suffix(".json").write_text(json.dumps(card))
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
