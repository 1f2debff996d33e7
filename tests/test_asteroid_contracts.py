"""Where Asteroid 0.7 and today's libraries do not fit together, and what holds for us all the same.

Each test stands for a misfit that users of a plugin would otherwise run into; the comment above it
says what happens without our part. Asteroid's own code does the loading, saving and separating.
"""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import asteroid
import numpy as np
import pytest
import soundfile
import torch
import yaml
from asteroid.models import BaseModel, publisher, save_publishable

import asteroid_karaoke
from asteroid_karaoke import KaraokeNet, cli, results, scores, separation
from asteroid_karaoke.datasets import SongDataset
from asteroid_karaoke.manifest import Song
from recipes import demo

ROOT = Path(__file__).parent.parent
PLAIN = (str, int, float, bool, type(None), torch.Tensor)


@pytest.fixture(scope="module")
def model() -> KaraokeNet:
    torch.manual_seed(0)
    return KaraokeNet(size="tiny").eval()


@pytest.fixture(scope="module")
def saved(model, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("saved") / "model.pth"
    torch.save(model.serialize(), path)
    return path


@pytest.fixture(scope="module")
def wave() -> torch.Tensor:
    """One second of stereo noise, `(1, 2, time)`."""
    return 0.1 * torch.randn(1, 2, 44100, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def run(model, wave):
    return model(wave)


def leaves(value, name="file"):
    """All values in nested dicts and lists, each with its place."""
    if isinstance(value, dict):
        for key, inner in value.items():
            assert type(key) is str, f"{name} has a key of type {type(key).__name__}"
            yield from leaves(inner, f"{name}.{key}")
    elif type(value) in (list, tuple):
        for number, inner in enumerate(value):
            yield from leaves(inner, f"{name}[{number}]")
    else:
        yield name, value


# torch_stoi imports torchaudio, whose wheel does not load beside a CPU torch, and `import asteroid`
# fails. Lightning imports torchmetrics, which imports pkg_resources: gone from setuptools 82.
# asteroid.data imports librosa and asteroid.models requests, which its setup.py does not list.
def test_asteroid_imports_whole_where_torchaudio_is_broken(tmp_path):
    (tmp_path / "torchaudio").mkdir()
    (tmp_path / "torchaudio" / "__init__.py").write_text("raise OSError('no libc10_cuda.so')\n")
    script = "import asteroid_karaoke, asteroid.engine, asteroid.data, asteroid.losses"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    subprocess.run([sys.executable, "-W", "ignore", "-c", script], env=environment, check=True)


# The one thing that torchaudio is wanted for. A real one finds how torch_stoi calls it outdated.
@pytest.mark.filterwarnings('ignore:"sinc_interpolation"')
def test_stoi_of_a_signal_with_itself_is_one():
    from asteroid.losses import SingleSrcNegSTOI

    noise = torch.randn(1, 16000, generator=torch.Generator().manual_seed(2))
    loss = SingleSrcNegSTOI(sample_rate=8000, use_vad=False)(noise, noise)
    torch.testing.assert_close(loss, -torch.ones(1), atol=1e-3, rtol=0)


# serialize() stores torch.__version__, a TorchVersion: torch.load refuses the file since torch 2.6.
def test_a_saved_model_loads_through_asteroid_and_gives_the_same(model, saved, wave):
    expected = run(model, wave)
    for loaded in (
        BaseModel.from_pretrained(str(saved)),
        KaraokeNet.from_pretrained(str(saved)),
        KaraokeNet.from_pretrained(saved),
        KaraokeNet.from_pretrained(torch.load(saved, weights_only=True)),
    ):
        assert type(loaded) is KaraokeNet
        assert torch.equal(run(loaded.eval(), wave), expected)


def test_a_saved_model_holds_plain_types_only(model):
    for name, value in leaves(model.serialize()):
        assert type(value) in (*PLAIN, torch.nn.Parameter), f"{name} is a {type(value).__name__}"


# STFTFB stores its DFT matrices: 134 MB at n_fft 4096.
def test_a_saved_model_holds_weights_and_no_transforms(model, saved):
    weights = sum(value.numel() for value in model.parameters())
    assert saved.stat().st_size < 4 * weights + 500_000


# A numpy.float64 among the metrics, as pandas' mean() gives, makes the published file unloadable.
# asteroid-upload fails late on a licence that lacks a key, or a conf that has not two levels.
def test_a_published_model_loads_and_can_be_uploaded(model, tmp_path, wave, capsys):
    stems = 0.1 * np.random.default_rng(4).standard_normal((2, 1, 8000))
    final = results.aggregate([scores.score_song(stems, 0.9 * stems, 8000, "noise")])
    song = Song("a", "test", "demo", "stems", "CC0", 44100, 2, 1, vocals="v", accompaniment="a")
    about = SongDataset([song], licenses=[demo.LICENSE, demo.EXCERPT_LICENSE]).get_infos()
    conf = yaml.safe_load((ROOT / "egs/demo/KaraokeNet/local/conf.yml").read_text())
    save_publishable(
        str(tmp_path), model.serialize() | about, metrics=final, train_conf=conf, recipe="demo"
    )
    loaded = BaseModel.from_pretrained(str(tmp_path / "model.pth"))
    assert torch.equal(run(loaded.eval(), wave), run(model, wave))

    published = torch.load(tmp_path / "model.pth", weights_only=True)
    publisher._populate_publishable(published, uploader="Somebody", git_username="somebody")
    page = publisher.make_metadata_from_model(published)["description"]
    assert f"{final['vocals_SDR']}" in page
    assert "(Research only)" in page, "the excerpt's licence forbids commercial use"


# A Path goes to dict access, and a missing file to the model hub: errors that speak of neither.
@pytest.mark.parametrize("kind", [str, Path])
def test_a_missing_file_is_said_to_be_missing(tmp_path, kind):
    with pytest.raises(FileNotFoundError, match=r"nothing\.pth"):
        KaraokeNet.from_pretrained(kind(tmp_path / "nothing.pth"))


# asteroid-infer and separate() never call eval(): batch norms and dropout stay active.
def test_a_loaded_model_does_the_same_twice(saved, wave):
    ours = KaraokeNet.from_pretrained(saved)
    assert not ours.training
    assert torch.equal(run(ours, wave), run(ours, wave))

    asteroids = BaseModel.from_pretrained(str(saved))
    once, again = (asteroids.torch_separate(wave) for _ in range(2))
    assert torch.equal(once, again)
    state = asteroids.state_dict()
    for name, value in ours.state_dict().items():
        assert torch.equal(state[name], value), f"separating changed {name}"


# Asteroid's tools pass one channel with one, two or three dimensions, and want no channels back.
@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((5000,), (2, 5000)),
        ((3, 5000), (3, 2, 5000)),
        ((3, 1, 5000), (3, 2, 5000)),
        ((3, 2, 5000), (3, 2, 2, 5000)),
    ],
)
def test_shapes_are_those_that_asteroid_passes(model, shape, expected):
    wave = torch.randn(shape, generator=torch.Generator().manual_seed(3))
    assert run(model, wave).shape == expected
    if wave.ndim > 1:  # a 1-D tensor is an IndexError in Asteroid's own separate()
        assert model.torch_separate(wave).shape == expected


def test_one_channel_is_the_same_in_each_shape(model, wave):
    mono = wave[0, 0]
    alone = run(model, mono)
    torch.testing.assert_close(run(model, mono[None])[0], alone)
    torch.testing.assert_close(run(model, mono[None, None])[0], alone)


# separate() rescales the estimates so that their magnitudes sum to the mixture's, and divides by
# zero on silence; a 1-D tensor, which its docstring allows, is an IndexError.
def test_our_separation_keeps_the_level_and_survives_silence(model, wave):
    mixture = wave[0].numpy()
    estimates = separation.separate(model, mixture, 44100)
    np.testing.assert_allclose(estimates.vocals + estimates.accompaniment, mixture, atol=1e-6)
    quiet = separation.separate(model, mixture / 8, 44100)
    np.testing.assert_allclose(quiet.vocals + quiet.accompaniment, mixture / 8, atol=1e-6)

    silent = separation.separate(model, np.zeros((2, 44100), np.float32), 44100)
    assert not silent.vocals.any()
    assert not silent.accompaniment.any()

    mono = separation.separate(model, mixture[0], 44100)
    assert mono.vocals.shape == mixture[0].shape


# asteroid-infer knows only the models that were imported in its process. It reads one channel of a
# file and never more (a stereo file fails), and its default overlap-add window is gone from scipy.
def test_infer_is_asteroid_infer_with_our_models(saved, tmp_path, wave):
    song = tmp_path / "song.wav"
    soundfile.write(song, wave[0, 0].numpy(), 44100, "FLOAT")
    command = ["infer", str(saved), "--files", str(song), "-f"]
    assert not cli.main(command)
    whole = [soundfile.read(tmp_path / f"song_est{number}.wav")[0] for number in (1, 2)]
    assert whole[0].shape == whole[1].shape == (44100,)
    np.testing.assert_allclose(sum(whole), _rescaled(sum(whole), wave[0, 0].numpy()), atol=1e-3)

    windows = ["-w", "16384", "--ola-hop", "8192", "--ola-window-type", "hann", "--ola-no-reorder"]
    assert not cli.main([*command, *windows])


def _rescaled(estimate, mixture):
    """The multiple of the mixture that comes nearest to an estimate."""
    return mixture * (estimate @ mixture) / (mixture @ mixture)


# register_model() refuses a name it knows: a second import would be a ValueError.
def test_the_model_is_registered_and_a_reload_is_harmless(model):
    assert asteroid.models.get("KaraokeNet") is KaraokeNet
    assert asteroid.models.get("karaokenet") is KaraokeNet
    importlib.reload(asteroid_karaoke)
    assert asteroid.models.get("KaraokeNet") is KaraokeNet
    assert asteroid_karaoke.KaraokeNet is KaraokeNet
