"""The recipes as a user runs them: options, stages, and the demo from nothing to scores."""

import json
import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile
import torch
from asteroid.models import BaseModel

from asteroid_karaoke import maskers

ROOT = Path(__file__).parent.parent
DEMO = ROOT / "egs" / "demo" / "KaraokeNet"
RECIPES = sorted(path.parent for path in ROOT.glob("egs/*/*/run.sh"))


def run(recipe: Path, *options: str, cwd: Path | None = None) -> subprocess.CompletedProcess:
    return subprocess.run(
        [str(recipe / "run.sh"), "--python_path", sys.executable, *options],
        cwd=cwd,
        env={**os.environ, "OMP_NUM_THREADS": "2"},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--stage"], "option --stage has no value"),
        (["--stage=3"], "expected --name value: write '--stage 3'"),
        (["--pretrain", "perhaps"], "--pretrain is 'perhaps', expected true or false"),
        (["stray"], "stray word 'stray'"),
        (["--a;b", "1"], "invalid option --a;b"),
        (["--stage", "two"], "option --stage is 'two', expected 0 to 4"),
        (["--stop_stage", "5"], "option --stop_stage is '5', expected 0 to 4"),
        (["--stage", "3", "--stop_stage", "2"], "--stage 3 comes after --stop_stage 2"),
        (["--stage", "2"], "no train.jsonl and valid.jsonl in"),
        (["--stage", "4"], "stage 4 needs an experiment: --tag NAME"),
        (["--python_path", "false"], "false has no asteroid: activate the environment"),
    ],
)
def test_a_wrong_option_is_one_line(options, complaint, tmp_path):
    done = run(DEMO, "--storage_dir", str(tmp_path), *options)
    assert done.returncode == 1
    assert complaint in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.parent.name)
def test_help_names_every_stage(recipe):
    done = run(recipe, "--help")
    assert done.returncode == 0
    assert all(word in done.stdout for word in ("--stage", "--stop_stage", "--tag", "conf.yml"))


@pytest.fixture(scope="module")
def experiment(tmp_path_factory):
    """The demo with two steps of training, tested on the real excerpt and one synthetic song."""
    folder = tmp_path_factory.mktemp("demo")
    recipe = folder / "egs" / "demo" / "KaraokeNet"
    for name in ("asteroid_karaoke", "recipes", "egs/common"):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(ROOT / name)
    shutil.copytree(DEMO, recipe, ignore=shutil.ignore_patterns("exp", "data"))
    first = run(recipe, "--stop_stage", "1")
    assert first.returncode == 0, first.stderr
    manifest = recipe / "data" / "test.jsonl"
    manifest.write_text("".join(manifest.read_text().splitlines(keepends=True)[-2:]))
    options = "--tag t --pretrain true --pretrain_epochs 1 --epochs 1 --examples 12 --num_workers 0"
    second = run(recipe, *options.split())
    assert second.returncode == 0, second.stdout + second.stderr
    return recipe / "exp" / "train_KaraokeNet_t", second, recipe, options.split()


def test_the_last_lines_are_the_table(experiment):
    _, done, _, _ = experiment
    table = done.stdout[done.stdout.index("demo: 1 test song\n") :]
    for row in ("mixture as estimate", "ideal ratio mask", "KaraokeNet"):
        assert table.count(row) == 2, "synthetic and real songs apart"
    assert "musdb18-excerpt: 1 test song" in table


def test_everything_is_left_where_asteroid_users_look(experiment):
    exp_dir, _, _, _ = experiment
    final = json.loads((exp_dir / "final_metrics.json").read_text())
    assert final["songs"] == 2
    assert all(isinstance(final[f"{stem}_SDR"], float) for stem in ("vocals", "accompaniment"))
    for song in (exp_dir / "examples").iterdir():
        mixture, rate = soundfile.read(song / "mixture.wav")
        assert rate == 44100
        assert all(
            soundfile.info(song / f"{name}.wav").frames == len(mixture)
            for name in ("vocals_estimate", "karaoke")
        )
        assert (song / "spectrograms.png").stat().st_size > 10000
    for name in (
        "conf.yml",
        "curves.png",
        "log.csv",
        "train.log",
        "eval.log",
        "run_uuid.txt",
        "all_metrics.csv",
    ):
        assert (exp_dir / name).is_file(), name


def test_the_published_model_loads_through_asteroid(experiment):
    exp_dir, _, _, _ = experiment
    published = torch.load(exp_dir / "publish_dir" / "model.pth", weights_only=True)
    assert published["infos"]["recipe_name"] == "demo/KaraokeNet"
    assert published["licenses"][0]["license"]
    model = BaseModel.from_pretrained(str(exp_dir / "publish_dir" / "model.pth"))
    assert model(torch.zeros(1, 2, 4096)).shape == (1, 2, 2, 4096)


def test_training_started_from_the_pretrained_weights(experiment):
    exp_dir, done, _, _ = experiment
    assert (exp_dir / "pretrain" / "best_model.pth").is_file()
    assert done.stdout.index("Stage 2") < done.stdout.index("Stage 3")


def test_what_is_done_is_not_repeated(experiment):
    _, _, recipe, options = experiment
    again = run(recipe, *options)
    assert again.returncode == 0, again.stderr
    for number in range(5):
        assert f"Stage {number} is done" in again.stdout
    assert "ideal ratio mask" in again.stdout


def test_an_experiment_goes_on_with_what_it_was_begun_with(experiment):
    _, _, recipe, _ = experiment
    alike = run(recipe, "--stage", "2", "--stop_stage", "3", "--tag", "t")
    assert "Stage 2 is done" in alike.stdout, alike.stderr
    assert "Stage 3 is done" in alike.stdout, alike.stderr
    other = run(recipe, "--stage", "3", "--stop_stage", "3", "--tag", "t", "--epochs", "2")
    assert other.returncode == 1
    assert "begun with other settings: epochs was 1, is 2 now" in other.stdout
    assert "Traceback" not in other.stdout + other.stderr


def demo_without_songs(folder: Path) -> Path:
    """A copy of the demo whose data is there, and empty."""
    recipe = folder / "egs" / "demo" / "KaraokeNet"
    shutil.copytree(DEMO, recipe, ignore=shutil.ignore_patterns("exp", "data"))
    (folder / "egs" / "common").symlink_to(ROOT / "egs" / "common")
    (recipe / "data").mkdir()
    for name in ("train", "valid"):
        (recipe / "data" / f"{name}.jsonl").write_text("")
    return recipe


def test_a_pretraining_that_was_broken_off_goes_on_as_it_was_begun(tmp_path):
    """With a stand-in for Python that writes down how train.py is called, and breaks off.

    Options that train.py has refused are not kept.
    """
    recipe = demo_without_songs(tmp_path)
    python = tmp_path / "python"
    begins = "[ -f refuse ] || touch exp/train_KaraokeNet_t/pretrain/conf.yml"
    python.write_text(f'#!/bin/sh\n[ "$1" = -c ] && exit\necho "$@" >> calls\n{begins}\nexit 1\n')
    python.chmod(0o755)
    command = [recipe / "run.sh", "--stage", "2", "--tag", "t", "--python_path", python]
    (recipe / "refuse").touch()
    subprocess.run([*command, "--pretrain", "true", "--lrr", "1"], capture_output=True)
    assert "--lrr 1" in (recipe / "calls").read_text()
    (recipe / "refuse").unlink()
    (recipe / "calls").unlink()
    begun = ["--pretrain", "true", "--size", "tiny", "--lr", "0.001"]
    for options in (begun, [], begun, ["--num_workers", "2"]):
        subprocess.run([*command, *options], capture_output=True)
    calls = (recipe / "calls").read_text().splitlines()
    assert all("--phase pretrain --size tiny --lr 0.001" in call for call in calls)
    assert len(calls) == 4 and calls[0] == calls[1] == calls[2]
    assert calls[3] == calls[0] + " --num_workers 2"


def test_weights_to_begin_with_are_meant_as_seen_from_where_it_was_called(tmp_path):
    """A name that is no file there is left as it is: of weights that ship, or of the Hub."""
    recipe = demo_without_songs(tmp_path)
    (tmp_path / "my model.pth").write_text("no model")
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\n[ "$1" = -c ] && exit\nprintf "[%s]" "$@"\nexit 1\n')
    python.chmod(0o755)
    for name, seen in (
        ("my model.pth", tmp_path / "my model.pth"),
        (tmp_path / "my model.pth", tmp_path / "my model.pth"),
        ("karaoke-small", "karaoke-small"),
    ):
        done = subprocess.run(
            [recipe / "run.sh", "--stage", "3", "--python_path", python, "--init", name],
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert f"[--init][{seen}]" in done.stdout


def test_any_masker_trains_with_a_conf_that_has_a_size():
    build = runpy.run_path(str(ROOT / "egs" / "common" / "train.py"))["build"]
    for name in maskers.MASKERS:
        assert build({"masker": name, "size": "tiny"}).masker_name == name
    assert build({"masker": "band_cnn", "size": "tiny"}).get_model_args()["size"] == "tiny"


def test_an_experiment_does_not_go_on_with_other_data(experiment, tmp_path):
    _, _, recipe, _ = experiment
    for name in ("train", "valid", "test"):
        (tmp_path / f"{name}.jsonl").write_text("{}")
    other = run(recipe, "--storage_dir", str(tmp_path), "--stage", "3", "--tag", "t")
    assert other.returncode == 1
    assert "begun with other data" in other.stderr
