"""What is installed: the wheel and the sdist hold all that the package reads, and nothing else."""

import email
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
import yaml
from test_house import PACKAGE, ROOT

FILES = {
    path.relative_to(ROOT).as_posix()
    for path in PACKAGE.rglob("*")
    if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
}


def run(*command: str, **options) -> str:
    done = subprocess.run(command, text=True, capture_output=True, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> tuple[Path, Path]:
    """The sdist, made of the files that git would ship, and the wheel made of the sdist."""
    folder = tmp_path_factory.mktemp("packaging")
    source = folder / "source"
    source.mkdir()
    for name in ("setup.py", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in ("asteroid_karaoke", "tests"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    output = folder / "dist"
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", str(output), str(source))
    (sdist,), (wheel,) = output.glob("*.tar.gz"), output.glob("*.whl")
    return sdist, wheel


def test_the_wheel_holds_the_whole_package_and_nothing_else(built):
    with zipfile.ZipFile(built[1]) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
        (metadata,) = [name for name in wheel.namelist() if name.endswith("/METADATA")]
        facts = email.message_from_bytes(wheel.read(metadata))
        (points,) = [name for name in wheel.namelist() if name.endswith("/entry_points.txt")]
        assert "asteroid-karaoke = asteroid_karaoke.cli:main" in wheel.read(points).decode()
    assert names == FILES
    for kind in ("pretrained/karaoke-small.pth", "web/page/index.html", "py.typed"):
        assert f"asteroid_karaoke/{kind}" in names
    assert facts["License"] == "MIT" and facts["Requires-Python"] == ">=3.10"
    assert facts.get_payload().startswith("# asteroid-karaoke")
    # Five of them are weights.
    assert built[1].stat().st_size < 12e6


def test_the_sdist_holds_what_the_wheel_is_made_of(built):
    with tarfile.open(built[0]) as sdist:
        names = {
            name.partition("/")[2] for name in sdist.getnames() if not sdist.getmember(name).isdir()
        }
    assert {"setup.py", "pyproject.toml", "README.md", "LICENSE", *FILES} <= names
    assert not [name for name in names if name.startswith(("tests/", "egs/", "build/"))]


def test_an_index_would_take_both(built):
    printed = run(sys.executable, "-W", "ignore", "-m", "twine", "check", *map(str, built))
    assert printed.count("PASSED") == 2


def test_what_was_installed_from_the_wheel_runs_anywhere(built, tmp_path):
    """Apart from the checkout; the other libraries are those of this environment."""
    place = tmp_path / "installed"
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    run(*pip, "--no-deps", "--no-index", "--target", str(place), str(built[1]))
    environment = {**os.environ, "PYTHONPATH": str(place)}
    script = (
        "import asteroid_karaoke as a; print(a.__file__); "
        "print(a.KaraokeNet.from_pretrained('karaoke-small').sample_rate)"
    )
    printed = run(
        sys.executable, "-W", "ignore", "-c", script, cwd=tmp_path, env=environment
    ).split()
    assert printed == [str(place / "asteroid_karaoke" / "__init__.py"), "44100"]


def test_the_image_is_built_as_it_should_be():
    hadolint = Path(sys.executable).with_name("hadolint")
    if not hadolint.exists():
        pytest.skip("no hadolint for this processor")
    assert run(str(hadolint), str(ROOT / "Dockerfile")) == ""


def test_the_image_gets_all_that_the_wheel_is_made_of():
    kept = {
        line.removeprefix("!")
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    assert kept == {
        *("asteroid_karaoke", "setup.py", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE")
    }


@pytest.mark.parametrize("name", ["bug", "idea"])
def test_forms_for_issues_ask_something(name):
    form = yaml.safe_load((ROOT / ".github" / "ISSUE_TEMPLATE" / f"{name}.yml").read_text())
    fields = [part for part in form["body"] if part["type"] != "markdown"]
    assert form["name"] and form["description"] and fields
    assert len({field["id"] for field in fields}) == len(fields)
    assert any(field.get("validations", {}).get("required") for field in fields)
