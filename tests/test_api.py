"""``asteroid_karaoke.separate``: arrays in, arrays out; a file in, files out."""

import doctest

import numpy as np
import pytest
import torch
from stand_ins import RATE, Gain, noise

import asteroid_karaoke
from asteroid_karaoke import api, audio, knobs, preview, separation
from asteroid_karaoke.options import OutputOptions


def test_an_array_becomes_arrays():
    estimates = asteroid_karaoke.separate(noise(), sample_rate=RATE, model=Gain(), device="cpu")
    np.testing.assert_array_equal(estimates.vocals, noise() / 2)
    np.testing.assert_array_equal(estimates.accompaniment, noise() / 2)
    with pytest.raises(ValueError, match="without its sample_rate"):
        asteroid_karaoke.separate(noise(), model=Gain())
    with pytest.raises(ValueError, match="got format, which are for files"):
        asteroid_karaoke.separate(noise(), sample_rate=RATE, model=Gain(), format="mp3")


def test_a_model_may_be_a_path_and_a_device_may_be_missing(tmp_path):
    path = tmp_path / "model.pth"
    torch.save(asteroid_karaoke.KaraokeNet(size="tiny", depth=1).serialize(), path)
    for model in (path, str(path)):
        assert asteroid_karaoke.separate(noise(), sample_rate=RATE, model=model, device="cpu")
    with pytest.raises(ValueError, match="device cuda:7: this machine's torch has only cpu"):
        asteroid_karaoke.separate(noise(), sample_rate=RATE, model=Gain(), device="cuda:7")


def test_what_is_for_files_is_refused_with_an_array_and_the_other_way_round(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    audio.write("song.wav", noise(), RATE)
    with pytest.raises(ValueError, match="got out_dir, which are for files"):
        asteroid_karaoke.separate(noise(), "karaoke", sample_rate=RATE, model=Gain())
    with pytest.raises(ValueError, match="got sample_rate 8000, which is for arrays"):
        asteroid_karaoke.separate("song.wav", sample_rate=8000, model=Gain())
    assert [path.name for path in tmp_path.iterdir()] == ["song.wav"]
    paths = asteroid_karaoke.separate("song.wav", model=Gain(), device="cpu")
    assert {path.name for path in tmp_path.iterdir()} >= {path.name for path in paths.values()}


def test_what_is_no_song_is_told():
    samples = torch.zeros(2, RATE)
    for song in (samples, samples.tolist(), None):
        with pytest.raises(TypeError, match="expected the path of a file, or samples as a numpy"):
            asteroid_karaoke.separate(song, sample_rate=RATE, model=Gain(), device="cpu")
    # One second at 1 Hz would be resampled to 44100 times as many samples.
    for rate in (0, 1, 10**9, float("nan")):
        with pytest.raises(ValueError, match="expected 1000 to 768000"):
            asteroid_karaoke.separate(noise(10), sample_rate=rate, model=Gain(), device="cpu")


@pytest.mark.parametrize(
    "options",
    (
        {"start": float("inf")},
        {"end": float("nan")},
        {"start": -1.0},
        {"max_seconds": float("inf")},
        {"preview": 0.0},
        {"start": 2.0, "end": 1.0},
    ),
)
def test_times_that_make_no_sense_are_refused_at_once(options):
    with pytest.raises(ValueError, match=r"^got .* s, "):
        OutputOptions(**options)


def test_a_file_becomes_files(tmp_path):
    audio.write(tmp_path / "song.wav", noise(), RATE)
    options = {"stems": ("karaoke",), "format": "flac", "model": Gain()}
    paths = asteroid_karaoke.separate(tmp_path / "song.wav", tmp_path / "out", **options)
    assert paths == {"karaoke": tmp_path / "out" / "song_karaoke.flac"}
    assert list((tmp_path / "out").iterdir()) == [paths["karaoke"]]
    with pytest.raises(FileExistsError, match="exists"):
        asteroid_karaoke.separate(tmp_path / "song.wav", tmp_path / "out", **options)
    with pytest.raises(ValueError, match="expected some of vocals, karaoke"):
        asteroid_karaoke.separate(tmp_path / "song.wav", model=Gain(), stems=("drums",))
    with pytest.raises(ValueError, match="no-such-model"):
        asteroid_karaoke.separate(tmp_path / "song.wav", model="no-such-model")


def test_the_examples_are_true():
    for module in (api, knobs, preview, separation):
        found = doctest.testmod(module)
        assert found.attempted > 0
        assert found.failed == 0
    assert doctest.testmod(asteroid_karaoke).failed == 0
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        asteroid_karaoke.nothing  # noqa: B018
