"""What is no sound, or damaged, is refused by name."""

import os
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from sound_files import CONTAINERS, NAMES, RATE, noise

from asteroid_karaoke import audio

#: FFmpeg reads what is left of these, and their headers promise nothing that it tells.
TELL_NO_LENGTH = {"a.caf", "a.wma"}


def cut(path, to, share):
    data = path.read_bytes()
    to.write_bytes(data[: int(len(data) * share)])
    return to


@pytest.mark.parametrize("share", (0.5, 0.9))
@pytest.mark.parametrize("name", sorted({*NAMES, *CONTAINERS} - TELL_NO_LENGTH))
def test_a_file_that_breaks_off_is_refused(sound_files, tmp_path, name, share):
    path = cut(sound_files[name], tmp_path / name, share)
    with pytest.raises(ValueError, match=name):
        audio.read(path)
    with pytest.raises(ValueError, match=name):
        audio.info(path)


@pytest.mark.parametrize("name", ("a.flac", "a.mp3"))
def test_a_damaged_file_is_refused(sound_files, tmp_path, name):
    data = bytearray(sound_files[name].read_bytes())
    middle = len(data) // 2
    data[middle : middle + 5000] = np.random.default_rng(0).bytes(5000)
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ValueError, match=rf"{name} is damaged or cut off"):
        audio.read(tmp_path / name)


def bad_file(kind, folder):
    path = folder / "song.wav"
    if kind == "empty":
        path.touch()
    elif kind == "text":
        path.write_text("not a sound\n" * 1000)
    elif kind == "random":
        path.write_bytes(np.random.default_rng(0).bytes(10_000))
    elif kind == "folder":
        path.mkdir()
    elif kind == "device":
        os.mkfifo(path)
    elif kind == "header only":
        audio.write(path, noise(frames=100), RATE)
        path.write_bytes(path.read_bytes()[:44])
    elif kind == "half a header":
        audio.write(path, noise(frames=100), RATE)
        path.write_bytes(path.read_bytes()[:20])
    elif kind == "no samples":
        soundfile.write(path, np.zeros((0, 2)), RATE)
    elif kind == "no samples, flac":
        path = path.with_suffix(".flac")
        soundfile.write(path, np.zeros((0, 2)), RATE)
    elif kind == "raw":
        path = path.with_suffix(".raw")
        path.write_bytes(bytes(1000))
    elif kind == "playlist":
        # FFmpeg would open the file that a playlist names, wherever it is.
        audio.write(folder / "secret.wav", noise(frames=100), RATE)
        path.write_text("ffconcat version 1.0\nfile secret.wav\n")
    elif kind == "stream playlist":
        path.write_text(
            "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nsecret.wav\n#EXT-X-ENDLIST\n"
        )
    elif kind == "pictures":
        path = path.with_suffix(".mp4")
        with av.open(str(path), "w") as container:
            stream = container.add_stream("mpeg4", rate=10)
            stream.width = stream.height = 16
            stream.pix_fmt = "yuv420p"
            container.mux(stream.encode(av.VideoFrame(16, 16, "yuv420p")))
            container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("empty", "is empty"),
        ("text", "is not audio"),
        ("random", "is not audio"),
        ("folder", "is a folder"),
        ("device", "is not a regular file"),
        ("header only", "holds no samples"),
        ("half a header", "is not audio"),
        ("no samples", "holds no samples"),
        ("no samples, flac", ""),
        ("raw", "is not audio"),
        ("playlist", "is not audio"),
        ("stream playlist", "is not audio"),
        ("pictures", "holds no audio stream"),
    ],
)
def test_what_is_no_sound_is_refused_by_name(tmp_path, kind, message):
    path = bad_file(kind, tmp_path)
    for function in (audio.info, audio.read):
        with pytest.raises(ValueError, match=f"{path.name} {message}"):
            function(path)


def test_a_missing_file_is_named(tmp_path):
    for name in ("none.wav", "none.m4a", "none.wav#stream=2", "x" * 300 + ".wav"):
        with pytest.raises((FileNotFoundError, OSError), match=name.partition("#")[0]):
            audio.info(tmp_path / name)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_forbidden_file_is_named(tmp_path):
    audio.write(tmp_path / "a.wav", noise(), RATE)
    (tmp_path / "a.wav").chmod(0)
    with pytest.raises(PermissionError, match=r"a\.wav may not be read"):
        audio.info(tmp_path / "a.wav")


def test_a_forbidden_file_is_named_also_where_root_is_only_told_so(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    audio.write(tmp_path / "a.wav", noise(), RATE)
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(PermissionError, match=r"a\.wav may not be read"):
        audio.info(tmp_path / "a.wav")


@pytest.mark.parametrize("value", (np.nan, np.inf, -np.inf))
def test_nan_and_inf_are_refused_with_their_place(tmp_path, value):
    samples = noise(frames=2 * RATE)
    samples[1, RATE + RATE // 2] = value
    soundfile.write(tmp_path / "a.wav", samples.T, RATE, "FLOAT")
    with pytest.raises(ValueError, match=r"a\.wav holds NaN or Inf at 1\.500 s"):
        audio.read(tmp_path / "a.wav")
    with audio.open_audio(tmp_path / "a.wav") as reader:
        reader.seek(RATE)
        with pytest.raises(ValueError, match=r"at 1\.500 s"):
            reader.read(RATE)
