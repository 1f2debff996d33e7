"""From a file to files: what is kept, what is refused, and nothing half-written."""

import logging
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from stand_ins import RATE, Echo, Gain, noise

from asteroid_karaoke import audio, writer
from asteroid_karaoke.files import separate_file
from asteroid_karaoke.knobs import Knobs
from asteroid_karaoke.options import OutputOptions
from asteroid_karaoke.separation import separate


@pytest.fixture
def song(tmp_path):
    path = tmp_path / "song.wav"
    # Echo's voice has up to 1.2 times the level, and the rest up to 2.2 times: no clipping here.
    audio.write(path, noise(frames=30_000) / 2, RATE)
    return path


def test_a_file_becomes_two_that_add_up(song, tmp_path):
    calls = []
    paths = separate_file(
        Echo(), song, tmp_path / "new" / "out", progress=lambda *call: calls.append(call)
    )
    assert paths == {
        "vocals": tmp_path / "new" / "out" / "song_vocals.wav",
        "karaoke": tmp_path / "new" / "out" / "song_karaoke.wav",
    }
    assert sorted(tmp_path.joinpath("new", "out").iterdir()) == sorted(paths.values())
    mixture = audio.read(song)
    # Each of the two was rounded to 16 bits.
    np.testing.assert_allclose(audio.read(list(paths.values())), mixture, rtol=0, atol=1.1 * 2**-15)
    expected = separate(Echo(), mixture, RATE)
    np.testing.assert_allclose(audio.read(paths["vocals"]), expected.vocals, atol=2**-15)
    assert calls[-1] == (30_000 / RATE, 30_000 / RATE)


@pytest.mark.parametrize(
    ("given", "format", "expected"),
    [
        ("PCM_16", "wav", "PCM_16"),
        ("PCM_24", "wav", "PCM_24"),
        ("PCM_32", "wav", "PCM_32"),
        ("FLOAT", "wav", "FLOAT"),
        ("DOUBLE", "wav", "FLOAT"),
        ("PCM_U8", "wav", "PCM_16"),
        ("PCM_16", "flac", "PCM_16"),
        ("PCM_24", "flac", "PCM_24"),
        ("FLOAT", "flac", "PCM_24"),
        ("PCM_24", "mp3", "MPEG_LAYER_III"),
        ("PCM_24", "ogg", "VORBIS"),
    ],
)
def test_bits_are_kept(tmp_path, given, format, expected):
    soundfile.write(tmp_path / "song.wav", noise().T, RATE, given)
    paths = separate_file(Gain(), tmp_path / "song.wav", tmp_path, OutputOptions(format=format))
    for path in paths.values():
        facts = audio.info(path)
        assert facts.subtype == expected
        assert (facts.sample_rate, facts.channels, facts.frames) == (RATE, 2, RATE)


@pytest.mark.parametrize("rate", (8000, 44100, 96000, 192_000))
@pytest.mark.parametrize("channels", (1, 2, 6))
@pytest.mark.parametrize("frames", (1, 20_001))
def test_any_file_keeps_rate_channels_and_length(tmp_path, rate, channels, frames):
    audio.write(tmp_path / "song.wav", noise(channels, frames), rate, "FLOAT")
    paths = separate_file(Echo(), tmp_path / "song.wav", tmp_path)
    for path in paths.values():
        facts = audio.info(path)
        assert (facts.sample_rate, facts.channels, facts.frames) == (rate, channels, frames)
    total = audio.read([paths["vocals"], paths["karaoke"]])
    np.testing.assert_allclose(total, noise(channels, frames), rtol=0, atol=1e-6)


def test_a_stream_of_a_container_is_a_song(stempeg_excerpt, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    model = Gain()
    model.sample_rate = 44100
    source = f"{stempeg_excerpt}#stream=1"
    paths = separate_file(model, source, tmp_path, OutputOptions(format="flac"))
    assert paths["vocals"].name == stempeg_excerpt.stem + "_vocals.flac"
    expected = audio.read(source) / 2
    np.testing.assert_allclose(audio.read(paths["vocals"]), expected.clip(-1, 1), atol=2**-15)


@pytest.mark.parametrize("tempo", (0.5, 2.0))
def test_headers_are_for_the_length_that_each_stem_gets(song, tmp_path, monkeypatch, tempo):
    monkeypatch.setattr(writer, "_RIFF_BYTES", 30_000 * 2 * 2)
    paths = separate_file(
        Echo(), song, tmp_path, OutputOptions(knobs=Knobs(tempo=tempo), overwrite=True)
    )
    magic = {stem: path.read_bytes()[:4] for stem, path in paths.items()}
    assert magic == {"vocals": b"RIFF", "karaoke": b"RF64" if tempo < 1 else b"RIFF"}
    monkeypatch.setattr(writer, "_RIFF_BYTES", 30_000 * 2 * 2 - 1)
    paths = separate_file(
        Echo(), song, tmp_path, OutputOptions(knobs=Knobs(tempo=tempo), overwrite=True)
    )
    assert paths["vocals"].read_bytes()[:4] == b"RF64"


def test_clipping_is_told_once_with_its_size(tmp_path, caplog):
    mixture = np.full((2, RATE), 1.5, np.float32)
    mixture[:, 100] = -2 * 10 ** (3 / 20)
    model = Gain()
    soundfile.write(tmp_path / "song.wav", mixture.T, RATE, "FLOAT")
    with caplog.at_level(logging.WARNING):
        separate_file(model, tmp_path / "song.wav", tmp_path)
        assert not caplog.records
        paths = separate_file(model, tmp_path / "song.wav", tmp_path, OutputOptions(format="flac"))
    (record,) = caplog.records
    assert "song.wav: the loudest output is 3.00 dB over full scale" in record.getMessage()
    assert audio.read(paths["vocals"]).min() == -1


def nothing_but(folder, *names):
    return sorted(path.name for path in folder.iterdir()) == sorted(names)


def test_an_output_that_is_the_input_is_refused(song, tmp_path):
    for link in (os.link, os.symlink):
        link(song, tmp_path / "song_karaoke.wav")
        before = song.read_bytes()
        with pytest.raises(ValueError, match=r"song_karaoke\.wav is the input itself"):
            separate_file(Echo(), song, tmp_path)
        assert song.read_bytes() == before
        assert nothing_but(tmp_path, "song.wav", "song_karaoke.wav")
        (tmp_path / "song_karaoke.wav").unlink()


@pytest.mark.parametrize(
    "fault", ("missing", "empty", "text", "folder", "no samples", "nan", "cut")
)
def test_a_bad_song_is_named_and_leaves_nothing(tmp_path, fault):
    path, out = tmp_path / "song.wav", tmp_path / "out"
    samples = noise(frames=40 * RATE)
    if fault == "empty":
        path.touch()
    elif fault == "text":
        path.write_text("la la la\n" * 99)
    elif fault == "folder":
        path.mkdir()
    elif fault == "no samples":
        soundfile.write(path, samples[:, :0].T, RATE)
    elif fault == "nan":
        # At the end, when the first blocks are written already.
        samples[0, -1] = np.nan
        soundfile.write(path, samples.T, RATE, "FLOAT")
    elif fault == "cut":
        audio.write(path, samples, RATE)
        path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises((FileNotFoundError, ValueError), match=r"song\.wav"):
        separate_file(Echo(), path, out)
    assert not out.exists() or not list(out.iterdir())


def test_a_song_without_permission_is_named(song, tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(PermissionError, match=r"song\.wav may not be read"):
        separate_file(Echo(), song, tmp_path / "out")


def test_what_the_format_can_not_hold_is_told_before_work(tmp_path):
    audio.write(tmp_path / "song.wav", noise(6), 44100)

    class NoWork(Echo):
        def forward(self, wav):
            pytest.fail("work was begun")

    with pytest.raises(ValueError, match=r"mp3 can not hold 6 channel\(s\) at 44100 Hz"):
        separate_file(NoWork(), tmp_path / "song.wav", tmp_path, OutputOptions(format="mp3"))
    with pytest.raises(ValueError, match="got format 'aac', expected one of same"):
        separate_file(NoWork(), tmp_path / "song.wav", tmp_path, OutputOptions(format="aac"))
    assert nothing_but(tmp_path, "song.wav")


@pytest.mark.parametrize("error", (RuntimeError("cancelled"), KeyboardInterrupt()))
def test_progress_may_cancel_and_nothing_is_left(tmp_path, error):
    audio.write(tmp_path / "song.wav", noise(frames=40 * RATE), RATE)

    def cancel(done, total):
        if done > 15:
            raise error

    with pytest.raises(type(error)):
        separate_file(Echo(), tmp_path / "song.wav", tmp_path, progress=cancel)
    assert nothing_but(tmp_path, "song.wav")


def test_neither_file_appears_where_one_can_not_be_written(song, tmp_path, monkeypatch):
    """The karaoke file is finished last; the vocals, finished before, must not stay behind."""
    close = audio.AudioWriter.close

    def full(self):
        if "karaoke" in self.path.name:
            raise OSError(f"{self.path} could not be written to its end")
        close(self)

    monkeypatch.setattr(audio.AudioWriter, "close", full)
    with pytest.raises(OSError, match="could not be written"):
        separate_file(Echo(), song, tmp_path)
    assert nothing_but(tmp_path, "song.wav")
