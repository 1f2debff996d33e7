"""What the tests of the command line share: a model, a folder of their own, and a way to run it."""

import os

import numpy as np
import pytest
from stand_ins import tiny_weights

from asteroid_karaoke import cli, model

RATE = 44100


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return tiny_weights(tmp_path_factory.mktemp("weights"))


@pytest.fixture
def shipped(weights, monkeypatch):
    """As if the weights shipped with the package."""
    monkeypatch.setattr(model, "PRETRAINED", weights.parent)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def noise(frames=RATE, channels=2, seed=0):
    generator = np.random.default_rng(seed)
    return generator.uniform(-0.3, 0.3, (channels, frames)).astype(np.float32)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def run(capfd, *arguments):
    """The exit code, and the lines on standard output and standard error."""
    capfd.readouterr()
    code = cli.main([os.fspath(argument) for argument in arguments])
    out, err = capfd.readouterr()
    return code, out.splitlines(), err.splitlines()
