"""Pictures are whole, show what is there, and leave nothing else behind."""

import sys

import matplotlib.image
import numpy as np
import pytest

from asteroid_karaoke import plots
from asteroid_karaoke.plots import spectrograms

RATE = 22050


@pytest.fixture
def tone():
    """A stereo tone of 1 kHz for the second of two seconds."""
    time = np.arange(2 * RATE) / RATE
    return np.tile(np.sin(2 * np.pi * 1000 * time) * (time >= 1), (2, 1)).astype(np.float32)


def spectrogram(wav, hop=512, column=1):
    edges = spectrograms.band_edges(RATE)
    return spectrograms.spectrogram(wav, edges, hop, column), edges * RATE / spectrograms.N_FFT


def picture(path) -> np.ndarray:
    image = matplotlib.image.imread(path)
    assert image.ndim == 3 and min(image.shape[:2]) > 200
    return image[..., :3]


def test_a_tone_is_at_its_place_and_level(tone):
    image, hertz = spectrogram(tone)
    row, column = np.unravel_index(image.argmax(), image.shape)
    assert hertz[row] <= 1000 <= hertz[row + 1]
    assert column * 512 / RATE > 1
    # A row is the mean of its bins, so a tone between two bins reads a few dB less than 0.
    assert -6 < image.max() < 0.1
    assert image[:, :15].max() < -100


def test_columns_and_blocks_change_no_power(tone, monkeypatch):
    fine, _ = spectrogram(tone)
    coarse, _ = spectrogram(tone, column=10)
    power = 10 ** (fine / 10)
    means = [power[:, i : i + 10].mean(axis=1) for i in range(0, fine.shape[1], 10)]
    np.testing.assert_allclose(10 ** (coarse / 10).T, means, rtol=1e-3, atol=1e-12)
    monkeypatch.setattr(spectrograms, "BLOCK", 7)
    np.testing.assert_allclose(spectrogram(tone, column=10)[0], coarse, atol=0.01)


def test_spectrograms(tone, tmp_path):
    panels = {"mixture": tone, "true voice": tone[:1, :RATE], "silence": 0 * tone}
    path = plots.plot_spectrograms(panels, RATE, tmp_path / "new" / "song.png")
    assert path == tmp_path / "new" / "song.png"
    assert [p.name for p in path.parent.iterdir()] == ["song.png"]
    image = picture(path)
    assert image.std() > 0.1
    assert len(np.unique(image.reshape(-1, 3), axis=0)) > 100


def test_a_separation(tone, tmp_path, monkeypatch):
    """The mask is the estimate's share of the mixture in dB, and none where that is silent."""
    drawn = {}

    def spy(images, *args, original=spectrograms.draw):
        drawn.update(images.values())
        return original(images, *args)

    monkeypatch.setattr(spectrograms, "draw", spy)
    path = plots.plot_separation(2 * tone, tone, 0.2 * tone, RATE, tmp_path / "epoch_1.png")
    assert list(drawn) == ["mixture", "voice", "estimate", "mask of the estimate"]
    row, column = np.unravel_index(drawn["mixture"].argmax(), drawn["mixture"].shape)
    assert drawn["mask of the estimate"][row, column] == pytest.approx(-20, abs=0.01)
    assert drawn["mask of the estimate"][:, 0].max() == spectrograms.MASK_FLOOR_DB
    assert picture(path).shape[0] < 800
    with pytest.raises(ValueError, match="'estimate' is"):
        plots.plot_separation(tone, tone, tone[0], RATE, tmp_path / "no.png")
    assert not (tmp_path / "no.png").exists()


@pytest.mark.parametrize("samples", [1, 100, 60 * RATE])
def test_any_length(samples, tmp_path):
    noise = np.random.default_rng(0).standard_normal((1, samples), dtype=np.float32)
    picture(plots.plot_spectrograms({"noise": noise}, RATE, tmp_path / "noise.png"))


def test_long_songs_have_no_more_columns_than_pixels(monkeypatch, tmp_path):
    shapes = []

    def spy(*args, original=spectrograms.spectrogram):
        image = original(*args)
        shapes.append(image.shape)
        return image

    monkeypatch.setattr(spectrograms, "spectrogram", spy)
    for seconds in (10, 100):
        wav = np.zeros((1, seconds * RATE), np.float32)
        plots.plot_spectrograms({"": wav}, RATE, tmp_path / "long.png")
    assert len(shapes) == 2
    assert all(
        rows <= spectrograms.MAX_ROWS and columns <= spectrograms.MAX_COLUMNS
        for rows, columns in shapes
    )


def test_silence_is_dark(tone, tmp_path):
    image = picture(plots.plot_spectrograms({"silence": 0 * tone}, RATE, tmp_path / "s.png"))
    middle = image[image.shape[0] // 2, image.shape[1] // 4 : image.shape[1] // 2]
    assert middle.max() < 0.05


@pytest.mark.parametrize(
    ("panels", "message"),
    [
        ({}, "no panels"),
        ({"voice": np.zeros(100)}, r"'voice' is \(100,\)"),
        ({"voice": np.zeros((2, 0))}, r"\(2, 0\)"),
    ],
)
def test_panels_that_can_not_be_drawn(panels, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        plots.plot_spectrograms(panels, RATE, tmp_path / "song.png")
    assert not list(tmp_path.iterdir())


def test_curves(tmp_path):
    table = tmp_path / "metrics.csv"
    rows = ["epoch,loss_epoch,loss_step,step,val_loss,val_usdr_vocals,lr-Adam,note"]
    for step in range(50):
        rows.append(f"{step // 10},,{1 / (1 + step)},{step},,,,")
        if step % 10 == 9:
            rows.append(f"{step // 10},{1 / step},,{step},{1.1 / step},{step / 10},,good")
            rows.append(f"{step // 10},,,{step},nan,inf,0.001,")
    table.write_text("\n".join(rows))
    path = plots.plot_curves(table, tmp_path / "curves.png")
    image = picture(path)
    assert image.shape[0] > 3 * 200  # loss, SDR and learning rate
    assert len(np.unique(image.reshape(-1, 3), axis=0)) > 20
    assert sorted(p.name for p in tmp_path.iterdir()) == ["curves.png", "metrics.csv"]


@pytest.mark.parametrize("text", ["", "step,loss\n", "step,loss\n1,\n2,nan\n"])
def test_a_log_without_numbers(text, tmp_path):
    (tmp_path / "metrics.csv").write_text(text)
    with pytest.raises(ValueError, match=r"metrics\.csv holds no number"):
        plots.plot_curves(tmp_path / "metrics.csv", tmp_path / "curves.png")


def test_no_log(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"metrics\.csv"):
        plots.plot_curves(tmp_path / "metrics.csv", tmp_path / "curves.png")


def test_curves_without_a_step(tmp_path):
    (tmp_path / "metrics.csv").write_text("loss\n3\n2\n1\n")
    picture(plots.plot_curves(tmp_path / "metrics.csv", tmp_path / "curves.png"))


def test_a_failed_write_leaves_the_old_picture(tone, tmp_path, monkeypatch):
    path = plots.plot_spectrograms({"tone": tone}, RATE, tmp_path / "song.png")
    before = path.read_bytes()

    def no_space(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(plots.canvas.os, "replace", no_space)
    with pytest.raises(OSError, match="No space"):
        plots.plot_spectrograms({"other": 0 * tone}, RATE, path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["song.png"]


def test_pyplot_is_not_touched(tone, tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "matplotlib.pyplot", raising=False)
    plots.plot_spectrograms({"tone": tone}, RATE, tmp_path / "song.png")
    assert "matplotlib.pyplot" not in sys.modules
