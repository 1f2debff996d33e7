"""Results of record and the README say the same, and what is scored beside us is what it says."""

import hashlib
import importlib.util
import json
import re
import sys
import types
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from stand_ins import tiny_weights

from asteroid_karaoke import KaraokeNet, audio, manifest

ROOT = Path(__file__).parent.parent
#: The records of scores; those of timings lie beside them.
RECORDS = [
    path
    for path in sorted((ROOT / "eval" / "results").glob("*.json"))
    if "scores" in json.loads(path.read_text(encoding="utf-8"))
]
#: Not by importing it, which fails where torchaudio does not load and nothing stands in for it.
needs_openunmix = pytest.mark.skipif(
    importlib.util.find_spec("openunmix") is None, reason="openunmix is not installed"
)


@pytest.fixture(scope="module")
def scripts():
    """The scripts of eval/, which find each other as a run of one of them does."""
    sys.path.insert(0, str(ROOT / "eval"))
    names = ("score", "ship", "tables", "provenance", "peers")
    modules = {name: importlib.import_module(name) for name in names}
    yield types.SimpleNamespace(**modules)
    sys.path.remove(str(ROOT / "eval"))
    for name in [name for name in sys.modules if name.split(".")[0] in names]:
        del sys.modules[name]


def test_the_readme_has_the_tables_of_the_records(scripts):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(scripts.tables.PLACE.findall(text)) >= 2
    assert scripts.tables.regenerate(text) == text, "run `make results`"


def test_a_readme_that_differs_is_put_right(scripts, tmp_path):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    cell = re.search(r"\| ideal ratio mask .*?(\d+\.\d\d)", text)[1]
    assert scripts.tables.regenerate(text.replace(cell, "99.99", 1)) == text
    broken = "<!-- eval/results/none.json x -->\n\n| dB |\n"
    with pytest.raises(ValueError, match=r"none\.json has no scores of 'x'"):
        scripts.tables.regenerate(broken, tmp_path)


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.name)
def test_a_record_is_what_its_songs_give(path):
    """The medians and means of a record are those of the songs in it."""
    from asteroid_karaoke.results import aggregate_rows

    record = json.loads(path.read_text(encoding="utf-8"))
    for corpus, systems in record["songs"].items():
        assert {"mixture", "ideal_ratio_mask"} <= {*systems}, "floor and ceiling"
        for system, rows in systems.items():
            assert aggregate_rows(rows) == record["scores"][corpus][system]


@pytest.fixture
def song(tmp_path):
    """The manifest of one short stereo song, and its stems."""
    rng = np.random.default_rng(0)
    stems = 0.1 * rng.standard_normal((2, 2, 2 * 44100)).astype(np.float32)
    for name, wav in zip(("vocals", "accompaniment"), stems, strict=True):
        audio.write(tmp_path / f"{name}.wav", wav, 44100)
    facts = {"id": "x/one", "split": "test", "corpus": "mine", "role": "stems", "licence": "CC0"}
    facts |= {"sample_rate": 44100, "channels": 2, "frames": stems.shape[-1]}
    paths = {n: (str(tmp_path / f"{n}.wav"),) for n in ("vocals", "accompaniment")}
    manifest.write([manifest.Song(**facts, **paths)], tmp_path / "test.jsonl")
    return tmp_path / "test.jsonl", stems


def test_a_record_holds_what_is_needed_to_repeat_it(scripts, song, tmp_path, monkeypatch, capsys):
    """And a folder of estimates is a system; a peer that is not there is left out, in words."""
    path, stems = song
    monkeypatch.setattr(scripts.provenance, "_git", lambda *words: "0a1b" * ("HEAD" in words))
    torch.manual_seed(0)
    model = tmp_path / "tiny.pth"
    torch.save(KaraokeNet(size="tiny").serialize(), model)
    theirs = tmp_path / "theirs" / "x - one"
    for name, wav in zip(("vocals", "karaoke"), stems[::-1], strict=True):
        audio.write(theirs / f"{name}.flac", 0.9 * wav + 0.1 * stems.sum(0), 44100)
    monkeypatch.setitem(sys.modules, "demucs", None)
    names = ["mixture", "demucs", str(model), str(tmp_path / "theirs")]
    places = (tmp_path / "record.json", tmp_path / "cache", tmp_path / "kept")
    scripts.score.main(path, names, False, *places)
    printed = capsys.readouterr()
    assert "left out: Demucs: not installed, needs `pip install demucs`" in printed.err
    assert re.search(r"\| theirs +\| +-", printed.out), "swapped stems score badly"
    record = json.loads(places[0].read_text())
    assert list(record["scores"]["mine"]) == ["mixture", "tiny", "theirs"]
    assert record["commit"] == "0a1b"
    assert record["data"] == {"mine": {"songs": 1, "licences": {"CC0": 1}}}
    facts = record["models"]["tiny"]
    assert facts["sha256"] == record["systems"]["tiny"]
    assert (facts["conf"]["masker"], facts["training"]) == ("band_cnn", None)
    assert facts["parameters"] == sum(p.numel() for p in KaraokeNet(size="tiny").parameters())
    assert record["machine"]["cores"] >= 1
    assert record["machine"]["processor"]
    kept = [audio.read(tmp_path / "kept" / "tiny" / "x - one" / f"{n}.flac") for n in ("vocals",)]
    assert kept[0].shape == stems[0].shape
    assert not (tmp_path / "kept" / "mixture").exists()
    # Other estimates in the folder are another version of it.
    version = record["systems"]["theirs"]
    audio.write(theirs / "vocals.flac", stems[0], 44100)
    assert scripts.provenance.folder_version(tmp_path / "theirs") != version
    audio.write(theirs / "vocals.flac", stems[0, :, :-5], 44100)
    with pytest.raises(ValueError, match=r"song 'x - one': .* they must be equal"):
        scripts.score.main(path, names[-1:], False, *places)
    with pytest.raises(ValueError, match="none of the systems is there"):
        scripts.score.main(path, ["demucs"], False, *places)


@needs_openunmix
def test_what_ships_is_what_was_scored():
    for card in (ROOT / "asteroid_karaoke" / "pretrained").glob("*.json"):
        record = json.loads((ROOT / "eval" / "results" / card.name).read_text(encoding="utf-8"))
        told = json.loads(card.read_text(encoding="utf-8"))
        assert record["systems"][told["name"]] == told["sha256"]
        weights = card.with_suffix(".pth").read_bytes()
        assert hashlib.sha256(weights).hexdigest() == told["sha256"]


def test_other_weights_than_those_that_were_scored_do_not_ship(scripts, tmp_path, monkeypatch):
    monkeypatch.setattr(scripts.ship, "PRETRAINED", tmp_path / "pretrained")
    weights, record = tiny_weights(tmp_path), tmp_path / "record.json"
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    (tmp_path / "licenses.json").write_text('[{"non_commercial": false}]')
    ship = partial(scripts.ship.main, weights, "new", 0.1, tmp_path / "licenses.json", record)
    for text in ("{}", json.dumps({"systems": {"tiny": "0" * 64}, "scores": {}})):
        record.write_text(text)
        with pytest.raises(ValueError, match=f"whose sha256 is {digest}: score it first"):
            ship()
    assert not (tmp_path / "pretrained").exists()
    record.write_text(json.dumps({"systems": {"tiny": digest}, "scores": {}}))
    ship()
    assert (tmp_path / "pretrained" / "new.pth").read_bytes() == weights.read_bytes()
    card = json.loads((tmp_path / "pretrained" / "new.json").read_text())
    assert (card["sha256"], card["licence"]) == (digest, "CC BY-SA 4.0")


def test_systems_of_one_name_are_refused(scripts, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        torch.save(KaraokeNet(size="tiny").serialize(), tmp_path / name / "best_model.pth")
    names = [str(tmp_path / name / "best_model.pth") for name in ("a", "b")]
    with pytest.raises(ValueError, match="two systems are called 'best_model'"):
        scripts.score.load_all(names)


def test_open_unmix_without_its_weights_is_left_out_in_words(scripts):
    with pytest.raises(FileNotFoundError, match=r"Open-Unmix: its weights can not be fetched"):
        scripts.peers.PEERS["openunmix"]()


@needs_openunmix
def test_open_unmix_has_the_interface_of_a_baseline(scripts, monkeypatch):
    """With the network as it begins, whose weights nobody has to fetch."""
    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", lambda url, **_: {})
    torch.manual_seed(0)
    system, version = scripts.peers.PEERS["openunmix"]()
    mixture = torch.randn(2, 44100).numpy()
    estimates = system(mixture, None, 44100)
    assert estimates.shape == (2, 2, 44100)
    assert np.isfinite(estimates).all()
    assert len(version) == 64
    with pytest.raises(ValueError, match="knows songs at 44100 Hz only, got 8000 Hz"):
        system(mixture, None, 8000)


class FakeDemucs(torch.nn.Linear):
    """Four sources, of which the vocals are half of what it is given."""

    sources = ("drums", "bass", "other", "vocals")


def test_demucs_is_given_songs_at_its_level_and_gives_them_back_at_theirs(scripts, monkeypatch):
    seen = []

    def apply_model(model, mix, shifts):
        assert shifts == 0
        seen.append((float(mix.mean()), float(mix.mean(1).std())))
        return torch.stack([mix, mix, mix, mix / 2], dim=1)

    parts = {
        "demucs": {},
        "demucs.apply": {"apply_model": apply_model},
        "demucs.htdemucs": {"HTDemucs": FakeDemucs},
        "demucs.pretrained": {"get_model": lambda name: FakeDemucs(1, 1)},
    }
    for name, content in parts.items():
        module = types.ModuleType(name)
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, name, module)
    system, _ = scripts.peers.PEERS["demucs"]()
    mixture = 0.05 * np.random.default_rng(0).standard_normal((2, 1000)).astype(np.float32)
    vocals, accompaniment = system(mixture, None, 44100)
    assert seen == [(pytest.approx(0, abs=1e-6), pytest.approx(1, abs=0.01))]
    np.testing.assert_allclose(vocals, (mixture + mixture.mean()) / 2, atol=1e-6)
    np.testing.assert_allclose(vocals + accompaniment, mixture, atol=1e-6)


def test_what_a_peer_fetches_runs_no_code(scripts, tmp_path, capsys):
    """A pickle that would run something is refused, even where a library asks for it."""
    from peers.weights import fetched

    torch.save({"harm": Harm()}, tmp_path / "weights.pth")
    place = {"url": (tmp_path / "weights.pth").as_uri(), "model_dir": str(tmp_path / "hub")}
    with pytest.raises(FileNotFoundError, match="more than tensors"), fetched("somebody"):
        torch.hub.load_state_dict_from_url(**place, progress=False)
    assert "it ran" not in capsys.readouterr().out
    message = "somebody: its weights can not be fetched here"
    with pytest.raises(FileNotFoundError, match=message), fetched("somebody"):
        raise ConnectionError("no route")


class Harm:
    def __reduce__(self):
        return print, ("it ran",)
