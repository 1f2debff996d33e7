"""A published model: complete, honest about data and scores, and uploaded by one call."""

import json
import re
import types

import numpy as np
import pytest
import torch
import yaml

from asteroid_karaoke import KaraokeNet, cli, model, scores
from asteroid_karaoke.publishing import Facts, card, prepare, to_hub, to_zenodo
from asteroid_karaoke.publishing.card import INTENDED_USE, LIMITS
from asteroid_karaoke.publishing.upload import ON_HUB

FREE = {
    "title": "A song | of [mine]\nand <b>more",
    "title_link": "https://example.org/song",
    "author": "Somebody",
    "author_link": "",
    "license": "CC BY 4.0",
    "license_link": "https://creativecommons.org/licenses/by/4.0/",
    "non_commercial": False,
}
BOUND = FREE | {"title": "Another", "license": "CC BY-NC 4.0", "non_commercial": True}


@pytest.fixture
def experiment(tmp_path):
    """What a recipe leaves: scores by system, and the model as Asteroid's publisher wrote it."""
    from asteroid.models.publisher import save_publishable

    torch.manual_seed(0)
    folder = tmp_path / "train_KaraokeNet_x"
    rng = np.random.default_rng(0)
    stems = 0.1 * rng.standard_normal((2, 1, 16000))
    made = {"mixture": stems[[0, 0]] + stems[[1, 1]], "ideal_ratio_mask": stems * 0.99}
    made["model"] = stems + 0.1 * stems[::-1]
    for system, estimates in made.items():
        record = scores.score_song(stems, estimates, 8000, "a song")
        scores.save_song(record, folder / "scores" / system, {"song": {"corpus": "mine"}})
    conf = KaraokeNet(size="tiny").serialize()
    conf |= {"dataset": "mine", "task": "singing_voice_separation", "licenses": [FREE]}
    training = {"optim": {"lr": 0.003}, "main_args": {"exp_dir": "secret/place"}}
    save_publishable(str(folder / "publish_dir"), conf, {"songs": 1}, training, "mine/KaraokeNet")
    return folder


def relicense(folder, *works):
    path = folder / "publish_dir" / "model.pth"
    torch.save(torch.load(path, weights_only=True) | {"licenses": [*works]}, path)


def test_the_folder_is_complete_and_loads(experiment, capsys):
    before = (experiment / "publish_dir" / "model.pth").read_bytes()
    folder = prepare(experiment)
    assert folder == experiment / "publish_dir"
    assert {path.name for path in folder.iterdir()} == {*ON_HUB}
    assert (folder / "model.pth").read_bytes() == before
    wav = torch.randn(1, 2, 44100)
    first, second = (
        KaraokeNet.from_pretrained(folder / f"model.{end}") for end in ("pth", "safetensors")
    )
    assert torch.equal(first(wav), second(wav))
    told = json.loads((folder / "model.json").read_text())
    assert told["infos"]["recipe_name"] == "mine/KaraokeNet"
    # The folder itself is as good a name, and doing it again gives the same.
    text = (folder / "README.md").read_text()
    assert prepare(folder).resolve() == folder.resolve()
    assert (folder / "README.md").read_text() == text


def test_the_card_tells_what_one_needs_to_know(experiment):
    text = (prepare(experiment) / "README.md").read_text()
    _, head, body = text.split("---\n", 2)
    assert yaml.safe_load(head)["license"] == "cc-by-sa-4.0"
    parts = re.findall(r"^## (.*)", body, re.MULTILINE)
    assert parts == ["Intended use", "Limits", "Scores", "Data", "How it was made"]
    rows = re.findall(r"^\| (mixture.*?|ideal.*?|train_.*?) +\|", body, re.MULTILINE)
    assert rows == [
        "mixture as estimate (floor)",
        "train_KaraokeNet_x",
        "ideal ratio mask (ceiling)",
    ]
    assert "lr 0.003" in body
    assert "secret" not in text
    row = next(row for row in body.splitlines() if "A song" in row)
    assert row == (
        r"| [A song \| of \[mine\] and \<b\>more](https://example.org/song) | Somebody "
        "| [CC BY 4.0](https://creativecommons.org/licenses/by/4.0/) | yes |"
    )
    relicense(experiment, FREE, BOUND)
    text = (prepare(experiment) / "README.md").read_text()
    assert "license: cc-by-nc-sa-4.0" in text
    assert "| no |" in text


def test_a_card_that_lacks_something_is_not_written(experiment, tmp_path):
    relicense(experiment)
    with pytest.raises(ValueError, match="nothing says what it was trained on"):
        prepare(experiment)
    assert not (experiment / "publish_dir" / "README.md").exists()
    relicense(experiment, FREE)
    for path in (experiment / "scores" / "mixture").rglob("*.json"):
        path.unlink()
    with pytest.raises(ValueError, match="its scores on mine stand without mixture: score floor"):
        prepare(experiment)
    facts = Facts("x", [FREE], {}, {}, "")
    with pytest.raises(ValueError, match="it has no scores"):
        card(facts)
    with pytest.raises(FileNotFoundError, match=r"holds no publish_dir/model\.pth"):
        prepare(tmp_path / "nothing")
    (experiment / "publish_dir" / "model.pth").write_bytes(b"half")
    with pytest.raises(ValueError, match=r"model\.pth"):
        prepare(experiment)


@pytest.mark.parametrize("name", sorted(model.shipped()))
def test_weights_that_ship_can_be_published(name, tmp_path):
    folder = prepare(name, tmp_path / "out")
    text = (folder / "README.md").read_text()
    told = json.loads(model.shipped()[name].with_suffix(".json").read_text())
    assert f"license: {told['licence'].lower().replace(' ', '-')}\n" in text
    assert "| one channel inverted " in text, "systems are called as in reports"
    assert told["limits"] == LIMITS, "written once, as its uses are"
    assert told["intended_use"] == INTENDED_USE
    assert all(part in text for part in (LIMITS, INTENDED_USE))
    assert text.count("https://creativecommons.org") >= len(told["trained_on"]) / 2


@pytest.fixture
def hub(monkeypatch):
    """A Hub in this process, which keeps what it is sent."""
    import huggingface_hub

    kept = {"repos": {}, "commits": []}

    class FakeApi:
        def create_repo(self, repo_id, private, exist_ok):
            assert exist_ok
            kept["repos"][repo_id] = private

        def create_commit(self, repo_id, operations, commit_message):
            assert repo_id in kept["repos"]
            files = {each.path_in_repo: each.path_or_fileobj for each in operations}
            kept["commits"].append(files)
            return types.SimpleNamespace(commit_url=f"https://hub/{repo_id}/commit/1")

    monkeypatch.setattr(huggingface_hub, "HfApi", FakeApi)
    return kept


def test_the_command_uploads_all_files_in_one_commit(experiment, hub, capsys):
    capsys.readouterr()
    assert cli.main(["publish", str(experiment)]) == 0
    assert not hub["commits"], "nothing leaves the machine unasked"
    assert cli.main(["publish", str(experiment), "--hub", "me/mine", "--private"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "https://hub/me/mine/commit/1"
    assert hub["repos"] == {"me/mine": True}
    (files,) = hub["commits"]
    assert set(files) == {"pytorch_model.bin", "model.safetensors", "model.json", "README.md"}
    loaded = KaraokeNet.from_pretrained(torch.load(files["pytorch_model.bin"], weights_only=True))
    assert loaded.get_model_args()["size"] == "tiny"


def test_a_hub_that_can_not_be_reached_ends_in_words(experiment, tmp_path, capsys):
    folder = prepare(experiment)
    with pytest.raises(ConnectionError, match="the Hub did not take me/mine"):
        to_hub(folder, "me/mine")
    with pytest.raises(ValueError, match="'a/b/c' is no name of a repository"):
        to_hub(folder, "a/b/c")
    (folder / "README.md").unlink()
    with pytest.raises(FileNotFoundError, match=r"holds no README\.md: prepare the folder first"):
        to_hub(folder, "me/mine")
    capsys.readouterr()
    assert cli.main(["publish", str(experiment), "--hub", "me/mine"]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_asteroids_publisher_gets_what_it_can_license(experiment, monkeypatch):
    from asteroid.models import publisher

    sent = []

    def upload(model_dict, token, model_path, use_sandbox):
        sent.append((publisher.make_metadata_from_model(model_dict), model_path))
        answer = types.SimpleNamespace(json=dict)
        zenodo = types.SimpleNamespace(
            zenodo_address="", get_deposition=lambda _: answer, publish_deposition=pytest.fail
        )
        return zenodo, 1

    monkeypatch.setattr(publisher, "zenodo_upload", upload)
    monkeypatch.setattr(publisher, "get_username", lambda: "me")
    monkeypatch.setattr("builtins.input", lambda _: "n")
    monkeypatch.delenv("ACCESS_TOKEN", raising=False)
    folder = prepare(experiment)
    with pytest.raises(ValueError, match="Need an access token"):
        to_zenodo(folder, "Me")
    monkeypatch.setenv("ACCESS_TOKEN", "t")
    to_zenodo(folder, "Me", sandbox=True)
    assert "Somebody" in json.dumps(sent[0][0])
    relicense(experiment, FREE, BOUND)
    with pytest.raises(ValueError, match=r"CC BY-SA 3\.0, which Another"):
        to_zenodo(folder, "Me")
    assert len(sent) == 1
