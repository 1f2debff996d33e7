"""The pages in docs/: their examples run, their pictures are small, no link leads nowhere."""

import doctest
import importlib
import importlib.util
import json
import re
import shutil
import subprocess
import sys

import pytest
import torch
from test_house import MODULES, ROOT, relative

from asteroid_karaoke import KaraokeNet, audio, manifest, maskers, separation
from recipes import demo

DOCS = ROOT / "docs"
EXAMPLES = [path for path in MODULES if ">>>" in path.read_text(encoding="utf-8")]
PAGES = sorted(path for path in ROOT.rglob("*.md") if ".venv" not in path.parts)


def load(name: str):
    """A file of docs/examples as a module."""
    spec = importlib.util.spec_from_file_location(name, DOCS / "examples" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", EXAMPLES, ids=relative)
def test_examples_in_docstrings_are_true(path):
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    found = doctest.testmod(importlib.import_module(name))
    assert found.attempted > 0
    assert found.failed == 0


def record_a_band(folder):
    """Four songs as the example's corpus wants them, one of them broken."""
    # Artists whose splits differ, as the hash has it.
    for artist, number in (("Anna", 0), ("Bela", 1), ("Cleo", 2), ("Duo", 3)):
        for file, stem in zip(
            ("voice", "band"), demo.make_song(0, "train", number, 2.0), strict=True
        ):
            audio.write(folder / f"{artist} - Rain" / f"{file}.flac", stem, 44100)
    (folder / "Duo - Rain" / "voice.flac").write_bytes(b"no audio")


def test_the_example_of_a_corpus_goes_from_audio_to_manifests(tmp_path, capsys):
    garage = load("corpus")
    assert garage.main(["download", "--storage_dir", str(tmp_path)]) == 2
    assert "give --corpus_dir" in capsys.readouterr().err
    corpus = tmp_path / "garage"
    record_a_band(corpus)
    options = ["--storage_dir", str(tmp_path / "data")]
    assert garage.main(["download", *options, "--corpus_dir", str(corpus)]) == 0
    assert garage.main(["prepare", *options]) == 0
    songs = [
        song
        for split in manifest.SPLITS
        for song in manifest.read(tmp_path / "data" / f"{split}.jsonl")
    ]
    assert sorted(song.id for song in songs) == ["Anna - Rain", "Bela - Rain", "Cleo - Rain"]
    assert all("voice.flac" in song.vocals[0] for song in songs if song.vocals)
    assert {song.role for song in songs} <= {"stems", "music"}
    (licence,) = json.loads((tmp_path / "data" / "licenses.json").read_text())
    assert licence["license"] == "CC0 1.0"


def test_the_example_of_a_recipe_runs(tmp_path):
    """The files where the page says that they go, in a checkout that holds nothing else of it."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "recipes", tmp_path / "recipes", ignore=ignored)
    shutil.copy(DOCS / "examples" / "corpus.py", tmp_path / "recipes" / "garage.py")
    recipe = tmp_path / "egs" / "garage" / "KaraokeNet"
    (recipe / "local").mkdir(parents=True)
    shutil.copy(DOCS / "examples" / "run.sh", recipe)
    shutil.copy(ROOT / "egs" / "ccmixter" / "KaraokeNet" / "local" / "conf.yml", recipe / "local")
    for name in ("asteroid_karaoke", "egs/common"):
        (tmp_path / name).symlink_to(ROOT / name)
    record_a_band(tmp_path / "songs")
    command = [recipe / "run.sh", "--stop_stage", "1", "--python_path", sys.executable]
    done = subprocess.run(
        [*command, "--corpus_dir", "songs"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "Anna - Rain" in (recipe / "data" / "train.jsonl").read_text()


def test_the_example_of_a_masker_keeps_a_maskers_word(monkeypatch, tmp_path):
    masker = load("masker").NineFrames
    monkeypatch.setitem(maskers.MASKERS, "nine_frames", masker)
    torch.manual_seed(0)
    model = KaraokeNet(masker="nine_frames", hidden=8).eval()
    song = 0.1 * torch.randn(2, 3 * 44100, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        whole = model(song[None])[0, 0].numpy()
    blocks = separation.separate(model, song.numpy(), 44100, block_seconds=1.5)
    assert abs(blocks.vocals - whole).max() < 1e-6
    assert whole.std() > 1e-3
    torch.save(model.serialize(), tmp_path / "model.pth")
    again = KaraokeNet.from_pretrained(tmp_path / "model.pth")
    assert again.masker.get_config() == {"hidden": 8}
    with torch.no_grad():
        assert torch.equal(again(song[None]), model(song[None]))


def test_pictures_are_small_and_all_are_shown():
    text = "".join(page.read_text(encoding="utf-8") for page in DOCS.rglob("*.md"))
    pictures = list((DOCS / "pictures").iterdir())
    assert pictures
    for picture in pictures:
        assert picture.stat().st_size < 150_000, picture.name
        assert f"pictures/{picture.name}" in text


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_links_between_files_lead_somewhere(page):
    text = re.sub(r"```.*?```|`[^`]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\((?!\w+:|#)([^)#\s]+)", text):
        assert (page.parent / target).exists(), f"{relative(page)} links to {target}"


def test_pages_name_commands_that_exist():
    from asteroid_karaoke.cli import _parser

    commands = next(
        action.choices for action in _parser()._actions if getattr(action, "choices", None)
    )
    for page in [*DOCS.rglob("*.md"), ROOT / "README.md"]:
        named = set(re.findall(r"asteroid-karaoke ([a-z]+)", page.read_text(encoding="utf-8")))
        assert named <= {*commands, "infer"}, relative(page)


def test_notebooks_are_small():
    for path in (ROOT / "egs").rglob("*.ipynb"):
        assert path.stat().st_size < 1_500_000, relative(path)
