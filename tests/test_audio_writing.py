"""Audio out: exact steps, whole files or none, clear errors."""

import os
from pathlib import Path

import numpy as np
import pytest
from sound_files import RATE, full_disk, noise

from asteroid_karaoke import audio, writer


@pytest.mark.parametrize(
    ("name", "subtype", "step"),
    [
        ("a.wav", "PCM_16", 2**-15),
        ("a.wav", "PCM_24", 2**-23),
        ("a.wav", "FLOAT", 0),
        ("a.flac", "PCM_16", 2**-15),
        ("a.flac", "PCM_24", 2**-23),
    ],
)
def test_samples_are_rounded_to_the_nearest_step(tmp_path, name, subtype, step):
    samples = noise(frames=50_000)
    audio.write(tmp_path / name, samples, RATE, subtype)
    error = audio.read(tmp_path / name) - samples
    assert np.abs(error).max() <= step / 2 + 2**-25
    # Rounding down would leave half a step of offset.
    assert abs(error.mean(dtype=np.float64)) <= step / 50


def test_what_is_over_full_scale_is_clipped_by_integers_and_kept_by_floats(tmp_path):
    samples = np.array([[-2.0, -1.0, 0.0, 1.0, 2.0]], np.float32)
    audio.write(tmp_path / "a.wav", samples, RATE)
    np.testing.assert_allclose(audio.read(tmp_path / "a.wav"), samples.clip(-1, 1), atol=2**-15)
    audio.write(tmp_path / "a.wav", samples, RATE, "FLOAT")
    np.testing.assert_array_equal(audio.read(tmp_path / "a.wav"), samples)


@pytest.mark.parametrize("name", ("a.wav", "a.flac", "a.ogg", "a.mp3"))
@pytest.mark.parametrize(
    ("rate", "channels", "frames"),
    [(8000, 1, 1), (44100, 2, 1), (48000, 2, 40_000), (44100, 1, 500_000)],
)
def test_what_is_written_has_its_length(tmp_path, name, rate, channels, frames):
    audio.write(tmp_path / "new" / name, noise(channels, frames), rate)
    facts = audio.info(tmp_path / "new" / name)
    assert (facts.sample_rate, facts.channels, facts.frames) == (rate, channels, frames)
    assert audio.read(tmp_path / "new" / name).shape == (channels, frames)


@pytest.mark.parametrize(
    ("name", "rate", "channels", "message"),
    [
        ("a.mp3", 96000, 2, "96000 Hz"),
        ("a.mp3", 44100, 6, "6 channel"),
        ("a.opus", 44100, 2, "opus can not hold .* at 44100 Hz, only up to 255 at 8000, .*48000"),
        ("a.ogg", 250_000, 2, "250000 Hz"),
        ("a.flac", 44100, 9, "9 channel"),
        ("a.flac", 700_000, 1, "700000 Hz"),
        ("a.wav", 44100, 0, "0 channel"),
        ("a.m4a", 44100, 2, "ends in one of .wav"),
    ],
)
def test_what_a_format_can_not_hold_is_refused_before_work(tmp_path, name, rate, channels, message):
    with pytest.raises(ValueError, match=message):
        audio.AudioWriter(tmp_path / "new" / name, rate, channels)
    assert not list(tmp_path.iterdir())


def test_a_subtype_that_the_format_lacks_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"MS_ADPCM can not hold 3 channel\(s\).*choose wav"):
        audio.write(tmp_path / "a.wav", noise(3), 44100, "MS_ADPCM")
    with pytest.raises(ValueError, match=r"FLAC can not hold FLOAT.*PCM_24"):
        audio.AudioWriter(tmp_path / "a.flac", RATE, 2, "FLOAT")


def test_a_long_wav_gets_a_header_that_can_count_so_far(tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "_RIFF_BYTES", 10_000)
    for frames, magic in ((2000, b"RIFF"), (3000, b"RF64")):
        audio.write(tmp_path / "a.wav", noise(2, frames), RATE)
        assert (tmp_path / "a.wav").read_bytes()[:4] == magic
        np.testing.assert_allclose(audio.read(tmp_path / "a.wav"), noise(2, frames), atol=2**-15)


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "a.wav"
    audio.write(path, noise(frames=10), RATE)
    before = path.read_bytes()

    def interrupted(error):
        with audio.AudioWriter(path, RATE, 2) as out:
            out.write(noise(frames=100_000))
            assert path.read_bytes() == before
            raise error

    for error in (RuntimeError("stop"), KeyboardInterrupt()):
        with pytest.raises(type(error)):
            interrupted(error)
        assert [p.name for p in tmp_path.iterdir()] == ["a.wav"]
        assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (np.full((2, 5), np.nan, np.float32), "NaN"),
        (np.full((2, 5), np.inf, np.float32), "NaN or Inf"),
        (np.zeros((1, 5), np.float32), r"got a block \(1, 5\), expected \(2, n\)"),
        (np.zeros(5, np.float32), "expected"),
        (np.zeros((2, 0), np.float32), "no samples"),
    ],
)
def test_a_block_that_can_not_be_written_leaves_nothing(tmp_path, block, message):
    with (
        pytest.raises(ValueError, match=message),
        audio.AudioWriter(tmp_path / "a.wav", RATE, 2) as out,
    ):
        out.write(block)
    assert not list(tmp_path.iterdir())


def test_a_place_that_can_not_be_written_to_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "a.wav").mkdir()
    with pytest.raises(OSError, match=r"file can not be written to \(.*\): choose another"):
        audio.write(tmp_path / "file" / "a.wav", noise(), RATE)
    with pytest.raises(IsADirectoryError, match=r"a\.wav is a folder"):
        audio.write(tmp_path / "a.wav", noise(), RATE)

    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "touch", refuse)
    with pytest.raises(PermissionError, match=rf"{tmp_path.name} can not be written to \(Perm"):
        audio.write(tmp_path / "b.wav", noise(), RATE)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_named(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError, match="can not be written to"):
        audio.write(tmp_path / "a.wav", noise(), RATE)


@pytest.mark.parametrize("name", ("a.wav", "a.flac", "a.ogg", "a.mp3"))
def test_a_full_disk_is_one_error_and_leaves_nothing(tmp_path, name):
    with full_disk(100_000), pytest.raises(OSError, match=rf"{name} could not be written to its e"):
        audio.write(tmp_path / name, noise(frames=5 * RATE), RATE)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("missing", (1, 100, 1000))
@pytest.mark.parametrize("name", ("a.wav", "a.flac", "a.ogg", "a.mp3"))
def test_what_an_encoder_loses_on_closing_is_noticed(tmp_path, name, missing):
    """An encoder's last words go out after all that we wrote, where nobody reports an error."""
    audio.write(tmp_path / "whole" / name, noise(), RATE)
    limit = (tmp_path / "whole" / name).stat().st_size - missing
    with full_disk(limit), pytest.raises(OSError, match="could not be written to its end"):
        audio.write(tmp_path / name, noise(), RATE)
    assert [path.name for path in tmp_path.iterdir()] == ["whole"]
