"""``asteroid-karaoke plot``: the pictures show what is there, and wrong input gives one line."""

import matplotlib.image
import numpy as np
import pytest
import soundfile
import torch

from asteroid_karaoke import KaraokeNet, manifest, plots
from asteroid_karaoke.cli import main
from asteroid_karaoke.plots import songs

RATE = 22050


def noise(seconds, seed=0):
    rng = np.random.default_rng(seed)
    return 0.1 * rng.standard_normal((2, round(seconds * RATE))).astype(np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A song, its stems as ``separate`` leaves them, a manifest of two songs, and a model."""
    folder = tmp_path_factory.mktemp("plot")
    voice, backing = noise(3), noise(3, seed=1)
    found = []
    for name in ("one", "two"):
        sounds = {"": voice + backing, "_vocals": voice, "_karaoke": backing}
        for stem, wav in sounds.items():
            soundfile.write(folder / f"{name}{stem}.wav", wav.T, RATE, "FLOAT")
        stems = {
            "vocals": str(folder / f"{name}_vocals.wav"),
            "accompaniment": str(folder / f"{name}_karaoke.wav"),
        }
        found.append(
            manifest.Song(f"a/{name}", "valid", "x", "stems", "CC0", RATE, 2, 3 * RATE, **stems)
        )
    manifest.write(found, folder / "valid.jsonl")
    torch.save(KaraokeNet(size="tiny", depth=1).serialize(), folder / "tiny.pth")
    return folder


def shows_something(path):
    image = matplotlib.image.imread(path)[..., :3]
    assert min(image.shape[:2]) > 200
    assert image.std() > 0.05
    return image


@pytest.mark.parametrize("view", ["spectrograms", "consonants", "waveforms"])
def test_a_song_with_its_stems(folder, tmp_path, capsys, view):
    path = tmp_path / "new" / "song.png"
    stems = ["--stems", str(folder), "--view", view]
    assert main(["plot", str(folder / "one.wav"), *stems, "-o", str(path)]) == 0
    assert capsys.readouterr().out.strip() == str(path)
    shows_something(path)


def test_a_song_is_separated_if_there_are_no_stems(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = ["--model", str(folder / "tiny.pth"), "--start", "0.5", "--end", "0:02"]
    assert main(["plot", str(folder / "one.wav"), *model]) == 0
    shows_something(tmp_path / "one_spectrograms.png")


def test_all_songs_of_a_manifest(folder, tmp_path):
    assert main(["plot", str(folder / "valid.jsonl"), "-o", str(tmp_path / "out")]) == 0
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a-one.png", "a-two.png"]
    overview = ["--view", "examples", "-o", str(tmp_path / "all.png")]
    assert main(["plot", str(folder / "valid.jsonl"), *overview]) == 0
    shows_something(tmp_path / "all.png")


def test_the_sibilants_are_found():
    """Between 5 and 7 s there is noise from 5 kHz up; louder low tones are elsewhere."""
    time = np.arange(10 * RATE) / RATE
    wav = np.tile(np.sin(2 * np.pi * 200 * time) * (time < 3), (2, 1))
    hiss = np.diff(noise(10), n=2, prepend=0, append=0)[:, : len(time)]
    wav = (wav + hiss * ((time > 5) & (time < 7))).astype(np.float32)
    start, stop = songs.most_sibilant(wav, RATE)
    assert start / RATE == pytest.approx(5, abs=0.05)
    assert stop - start == 2 * RATE
    assert songs.most_sibilant(wav[:, :RATE], RATE) == (0, RATE)


def test_the_sibilants_begin_where_they_begin():
    """The loud part is as many windows long as the picture, and begins with one of them."""
    windows = 2 * RATE // songs.ZOOM_N_FFT
    first, stop = (songs.ZOOM_N_FFT * window for window in (20, 20 + windows))
    wav = 0.01 * noise(5)
    wav[:, first:stop] *= 100
    assert songs.most_sibilant(wav, RATE) == (first, first + 2 * RATE)


@pytest.mark.parametrize("samples", (1, 511, 512, 2 * RATE - 1, 2 * RATE, 2 * RATE + 1, 45000))
def test_the_sibilants_of_a_short_song_are_within_it(samples):
    start, stop = songs.most_sibilant(noise(3)[:, -samples:], RATE)
    assert 0 <= start < stop <= samples
    assert stop - start == min(samples, 2 * RATE)


def test_waveforms_keep_peaks(tmp_path, monkeypatch):
    """A single loud sample among a million is drawn."""
    drawn = []
    axes = plots.songs.Figure().subplots().__class__
    monkeypatch.setattr(axes, "fill_between", lambda self, x, low, high, **_: drawn.append(high))
    wav = np.zeros((2, 10**6), np.float32)
    wav[1, 777_777] = 0.9
    plots.plot_waveforms({"mixture": wav}, RATE, tmp_path / "w.png")
    assert drawn[0].max() == pytest.approx(0.9)


@pytest.mark.parametrize(
    "arguments, code, message",
    [
        (["one.wav", "--view", "examples"], 2, "--view examples wants a manifest.jsonl"),
        (["valid.jsonl", "--stems", "."], 2, "--stems is for one song"),
        (["none.wav"], 1, "none.wav does not exist"),
        (["one.wav", "--stems", "nowhere"], 1, "holds 0 files named one_vocals or vocals"),
        (["one.wav", "--stems", ".", "--start", "9"], 1, "got the start 9 s, the song is"),
    ],
)
def test_what_can_not_be_drawn_is_one_line(folder, capsys, monkeypatch, arguments, code, message):
    monkeypatch.chdir(folder)
    before = set(folder.iterdir())
    assert main(["plot", *arguments]) == code
    complaint = capsys.readouterr().err
    assert message in complaint and complaint.count("\n") == 1
    assert set(folder.iterdir()) == before


@pytest.mark.parametrize("view", ["spectrograms", "consonants", "waveforms"])
def test_the_time_axis_is_the_songs_own(folder, tmp_path, monkeypatch, view):
    """What begins at 1 s is drawn, and labelled, from 1 s."""
    limits = drawn_limits(monkeypatch)
    order = ["--stems", str(folder), "--view", view, "--start", "1", "--end", "2.5"]
    assert main(["plot", str(folder / "one.wav"), *order, "-o", str(tmp_path / "a.png")]) == 0
    assert limits == [pytest.approx((1, 2.5))]


def test_a_manifests_excerpts_say_where_they_begin(folder, tmp_path, monkeypatch):
    """16 s of silence, one of them not to be used, then 15 s and more of a voice."""
    silent = np.zeros((2, 16 * RATE), np.float32)
    soundfile.write(tmp_path / "late.wav", np.hstack([silent, noise(20)]).T, RATE, "FLOAT")
    soundfile.write(tmp_path / "even.wav", noise(36, seed=1).T, RATE, "FLOAT")
    stems = {"vocals": str(tmp_path / "late.wav"), "accompaniment": str(tmp_path / "even.wav")}
    facts = ("late", "valid", "x", "stems", "CC0", RATE, 2, 36 * RATE)
    manifest.write([manifest.Song(*facts, **stems, start=RATE)], tmp_path / "late.jsonl")
    limits = drawn_limits(monkeypatch)
    order = ["plot", str(tmp_path / "late.jsonl")]
    assert main([*order, "-o", str(tmp_path)]) == 0
    assert limits == [pytest.approx((15, 30), abs=0.01)]
    titles = []
    monkeypatch.setattr(songs, "plot_examples", lambda found, *_: titles.extend(found))
    assert main([*order, "--view", "examples", "-o", str(tmp_path / "all.png")]) == 0
    assert titles == ["late, from 15.0 s"]


def drawn_limits(monkeypatch):
    """First and last second of the time axis of each picture that is written from now on."""
    limits, save = [], plots.canvas.save

    def note(figure, path):
        limits.append(figure.axes[0].get_xlim())
        return save(figure, path)

    for module in (plots.songs, plots.spectrograms):
        monkeypatch.setattr(module, "save", note)
    return limits
