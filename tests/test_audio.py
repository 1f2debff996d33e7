"""Audio in and out: exact lengths, exact positions, whole files or clear errors."""

import os
import resource
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from asteroid_karaoke import audio, writer

RATE = 44100


def noise(channels=2, frames=RATE, seed=0):
    generator = np.random.default_rng(seed)
    return generator.uniform(-0.5, 0.5, (channels, frames)).astype(np.float32)


def encode(path, samples, codec, rate=48000, options=None):
    """Write a container with FFmpeg's libraries, without the ffmpeg program."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, options=options or {})
        stream.layout, stream.bit_rate = "stereo", 128_000
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), "fltp", "stereo")
        frame.sample_rate, frame.pts = rate, 0
        resampler = av.AudioResampler(
            stream.codec_context.format, "stereo", rate, stream.codec_context.frame_size or 1024
        )
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The same second of noise in every kind of file, by its ending."""
    folder = tmp_path_factory.mktemp("files")
    samples = noise(frames=3 * 48000)
    for name in ("wav", "flac", "ogg", "mp3", "aiff", "w64", "au", "caf", "rf64"):
        soundfile.write(folder / f"a.{name}", samples.T, 48000)
    soundfile.write(folder / "a.opus", samples.T, 48000, format="OGG", subtype="OPUS")
    # Without noise substitution, which differs from run to run by design.
    encode(folder / "a.m4a", samples, "aac", options={"aac_pns": "0"})
    encode(folder / "a.webm", samples, "libopus")
    encode(folder / "a.mka", samples, "pcm_s16le")
    encode(folder / "a.mkv", samples, "vorbis", options={"strict": "experimental"})
    encode(folder / "alac.m4a", samples, "alac")
    encode(folder / "a.wma", samples, "wmav2")
    return {path.name: path for path in folder.iterdir()}


NAMES = (
    "a.wav",
    "a.flac",
    "a.ogg",
    "a.mp3",
    "a.aiff",
    "a.w64",
    "a.au",
    "a.caf",
    "a.rf64",
    "a.opus",
)
CONTAINERS = ("a.m4a", "a.webm", "a.mka", "a.mkv", "alac.m4a", "a.wma")


@pytest.mark.parametrize("name", NAMES + CONTAINERS)
def test_info_read_and_seek_agree(files, name):
    facts = audio.info(files[name])
    whole = audio.read(files[name])
    assert whole.dtype == np.float32
    assert whole.shape == (facts.channels, facts.frames) == (2, facts.frames)
    assert facts.sample_rate == 48000
    assert facts.frames == pytest.approx(3 * 48000, abs=3000)
    generator = np.random.default_rng(1)
    for _ in range(6):
        start, frames = int(generator.integers(facts.frames)), int(generator.integers(1, 60000))
        part = audio.read(files[name], start, frames)
        np.testing.assert_allclose(part, whole[:, start : start + frames], rtol=0, atol=1e-6)
    assert audio.read(files[name], facts.frames - 3, 10).shape == (2, 3)
    assert audio.read(files[name], facts.frames + 3, 10).shape == (2, 0)


@pytest.mark.parametrize("name", ("a.wav", "a.flac", "a.mka", "alac.m4a"))
def test_lossless_files_hold_what_was_written(files, name):
    np.testing.assert_allclose(audio.read(files[name]), noise(frames=3 * 48000), atol=2**-15)


@pytest.mark.parametrize("name", ("a.m4a", "a.webm", "a.mp3", "a.ogg"))
def test_lossy_files_are_not_shifted(tmp_path, name):
    """A tone that starts at 1 s still starts there: an encoder's priming samples are dropped."""
    time = np.arange(2 * 48000) / 48000
    tone = np.where(time >= 1, 0.5 * np.sin(2 * np.pi * 1000 * time), 0)
    samples = np.stack([tone, tone]).astype(np.float32)
    path = tmp_path / name
    codec = {"a.m4a": "aac", "a.webm": "libopus"}.get(name)
    encode(path, samples, codec) if codec else audio.write(path, samples, 48000)
    found = audio.read(path)[0]
    frames = min(len(found), len(tone))
    spectrum = np.fft.rfft(found[:frames], 2**18) * np.conj(np.fft.rfft(tone[:frames], 2**18))
    shift = int(np.argmax(np.fft.irfft(spectrum)))
    assert shift == 0


def test_streams_of_a_container_are_told_apart(stempeg_excerpt, monkeypatch):
    monkeypatch.setenv("PATH", "")
    streams = [f"{stempeg_excerpt}#stream={number}" for number in range(5)]
    facts = [audio.info(stream) for stream in streams]
    assert {(f.sample_rate, f.channels, f.subtype) for f in facts} == {(44100, 2, "aac")}
    assert len({f.frames for f in facts}) == 1
    mixture = audio.read(stempeg_excerpt)
    np.testing.assert_array_equal(mixture, audio.read(streams[0]))
    part = audio.read(streams[4], 100_001, 50_000)
    np.testing.assert_array_equal(part, audio.read(streams[4])[:, 100_001:150_001])
    # MUSDB18's stems add up to the mixture, but for the mastering and what AAC lost in each.
    error = audio.read(streams[1:]) - mixture
    assert np.mean(error**2) < 0.05 * np.mean(mixture**2)
    with pytest.raises(ValueError, match=r"stream=5.*choose 0\.\.4"):
        audio.info(f"{stempeg_excerpt}#stream=5")


def test_subtype_tells_how_samples_are_stored(files, tmp_path):
    for subtype in ("PCM_16", "PCM_24", "FLOAT"):
        audio.write(tmp_path / "a.wav", noise(), RATE, subtype)
        assert audio.info(tmp_path / "a.wav").subtype == subtype
    assert audio.info(files["a.mp3"]).subtype == "MPEG_LAYER_III"
    assert audio.info(files["a.webm"]).subtype == "opus"


def test_sources_are_summed_and_the_shorter_go_on_in_silence(tmp_path):
    long, short = noise(frames=1000), noise(frames=600, seed=1)
    audio.write(tmp_path / "long.wav", long, RATE, "FLOAT")
    audio.write(tmp_path / "short.wav", short, RATE, "FLOAT")
    expected = long.copy()
    expected[:, :600] += short
    for names in (("long.wav", "short.wav"), ("short.wav", "long.wav")):
        np.testing.assert_array_equal(audio.read([tmp_path / n for n in names]), expected)
    part = audio.read([tmp_path / "short.wav", tmp_path / "long.wav"], 500, 300)
    np.testing.assert_array_equal(part, expected[:, 500:800])


def test_sources_that_differ_are_not_summed(tmp_path):
    audio.write(tmp_path / "a.wav", noise(2, 100), 44100)
    audio.write(tmp_path / "b.wav", noise(1, 100), 44100)
    audio.write(tmp_path / "c.wav", noise(2, 100), 48000)
    for other in ("b.wav", "c.wav"):
        with pytest.raises(ValueError, match=rf"{other} has .* can not be summed"):
            audio.read([tmp_path / "a.wav", tmp_path / other])


@pytest.mark.parametrize(
    "name", ("a:b c.wav", "#stream.wav", "ü 歌.wav", b"\xff\xfe.wav", "-o.wav")
)
def test_any_file_name_will_do(tmp_path, files, name):
    for kind in ("a.wav", "a.m4a"):
        path = tmp_path / os.fsdecode(name)
        try:
            path.write_bytes(files[kind].read_bytes())
        except OSError:
            # Those of macOS and Windows take no bytes that are not UTF-8.
            pytest.skip("the file system refuses this name")
        assert audio.info(path).channels == 2


# Faults of files.

#: FFmpeg reads what is left of these, and their headers promise nothing that it tells.
TELL_NO_LENGTH = {"a.caf", "a.wma"}


def cut(path, to, share):
    data = path.read_bytes()
    to.write_bytes(data[: int(len(data) * share)])
    return to


@pytest.mark.parametrize("share", (0.5, 0.9))
@pytest.mark.parametrize("name", sorted({*NAMES, *CONTAINERS} - TELL_NO_LENGTH))
def test_a_file_that_breaks_off_is_refused(files, tmp_path, name, share):
    path = cut(files[name], tmp_path / name, share)
    with pytest.raises(ValueError, match=name):
        audio.read(path)
    with pytest.raises(ValueError, match=name):
        audio.info(path)


@pytest.mark.parametrize("name", ("a.flac", "a.mp3"))
def test_a_damaged_file_is_refused(files, tmp_path, name):
    data = bytearray(files[name].read_bytes())
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


# Files whose header does not tell their length: written to a pipe, or by a simple program.


def test_a_wav_whose_length_was_left_open_is_read_to_its_end(tmp_path):
    audio.write(tmp_path / "a.wav", noise(), RATE)
    data = bytearray((tmp_path / "a.wav").read_bytes())
    place = data.index(b"data") + 4
    data[4:8] = data[place : place + 4] = b"\xff\xff\xff\xff"
    (tmp_path / "a.wav").write_bytes(data)
    assert audio.info(tmp_path / "a.wav").frames == audio.read(tmp_path / "a.wav").shape[1] == RATE


def test_a_flac_whose_length_was_left_open_is_read_to_its_end(tmp_path):
    audio.write(tmp_path / "a.flac", noise(), RATE)
    data = bytearray((tmp_path / "a.flac").read_bytes())
    # STREAMINFO, from byte 8 on, has the number of samples in 36 bits from byte 13 on (RFC 9639).
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    (tmp_path / "a.flac").write_bytes(data)
    assert audio.info(tmp_path / "a.flac").frames == RATE
    np.testing.assert_allclose(audio.read(tmp_path / "a.flac"), noise(), atol=2**-15)


def test_an_mp3_without_a_length_is_counted(tmp_path):
    """A bit rate that changes lets libsndfile guess four times too long, or too short."""
    samples = noise(frames=4 * RATE)
    samples[:, RATE:] = 0
    audio.write(tmp_path / "a.mp3", samples, RATE)
    data = (tmp_path / "a.mp3").read_bytes()
    second = data.index(b"\xff\xfb", data.index(b"Xing"))
    # An ID3 tag with a picture pushes the frames out of the first bytes.
    tag = b"ID3\x04\x00\x00" + bytes((0, 1, 0, 0)) + bytes(1 << 14)
    (tmp_path / "tagged.mp3").write_bytes(tag + data)
    (tmp_path / "bare.mp3").write_bytes(data[second:])
    assert audio.info(tmp_path / "tagged.mp3").frames == 4 * RATE
    frames = audio.info(tmp_path / "bare.mp3").frames
    assert frames == audio.read(tmp_path / "bare.mp3").shape[1]
    assert frames == pytest.approx(4 * RATE, abs=3000)


# Ogg files that libsndfile does not take for what they are.


def pages(data):
    """The pages of an Ogg file (RFC 3533, section 6)."""
    while data:
        size = 27 + data[26] + sum(data[27 : 27 + data[26]])
        yield bytearray(data[:size])
        data = data[size:]


def with_position(page, position):
    """An Ogg page at another place of time, with its checksum."""
    page[6:14], page[22:26] = position.to_bytes(8, "little"), bytes(4)
    rest = 0
    for byte in page:
        rest ^= byte << 24
        for _ in range(8):
            rest = (rest << 1 ^ (0x04C11DB7 if rest >> 31 else 0)) & 0xFFFFFFFF
    page[22:26] = rest.to_bytes(4, "little")
    return page


@pytest.mark.parametrize("number", (2, 4))
def test_an_opus_file_that_libsndfile_calls_malformed_is_read(tmp_path, number):
    """Its time stamps jump, at the start or in the midst; FFmpeg and all players play it."""
    path, samples = tmp_path / "a.opus", noise(frames=6 * 48000) / 4
    soundfile.write(path, samples.T, 48000, format="OGG", subtype="OPUS")
    whole, found = audio.read(path), list(pages(path.read_bytes()))
    found[number] = with_position(found[number], 100)
    path.write_bytes(b"".join(found))
    with pytest.raises(soundfile.LibsndfileError, match="malformed"):
        soundfile.read(path)
    again = audio.read(path)
    assert again.shape == whole.shape
    np.testing.assert_allclose(again[:, 48000:], whole[:, 48000:], atol=0.05)


@pytest.mark.parametrize("second", ("b.ogg", "a.ogg"))
def test_chained_songs_are_read_to_the_end(tmp_path, second):
    """Each should have a number of its own, which a song that is joined to itself has not."""
    for name in ("a.ogg", "b.ogg"):
        audio.write(tmp_path / name, noise(frames=RATE), RATE)
    both = (tmp_path / "a.ogg").read_bytes() + (tmp_path / second).read_bytes()
    (tmp_path / "c.ogg").write_bytes(both)
    assert audio.info(tmp_path / "c.ogg").frames == pytest.approx(2 * RATE, abs=2000)


# Writing.


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


@contextmanager
def full_disk(limit):
    """Let no file grow beyond `limit` bytes: to a program, that is what a full disk looks like."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


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


# Resampling.


@pytest.mark.parametrize(("source", "target"), [(44100, 8000), (8000, 192_000), (48000, 44100)])
def test_resampling_keeps_a_tone_where_and_as_loud_as_it_is(source, target):
    time = np.arange(source) / source
    tone = np.stack([np.sin(2 * np.pi * 1000 * time), np.cos(2 * np.pi * 300 * time)])
    found = audio.resample(tone.astype(np.float32), source, target)
    time = np.arange(target) / target
    wanted = np.stack([np.sin(2 * np.pi * 1000 * time), np.cos(2 * np.pi * 300 * time)])
    assert found.shape == wanted.shape
    inner = slice(target // 10, -target // 10)
    np.testing.assert_allclose(found[:, inner], wanted[:, inner], atol=1e-3)


def test_resampling_block_by_block_is_resampling_at_once():
    samples = noise(3, 100_000)
    resampler = audio.Resampler(44100, 48000, 3)
    edges = np.sort(np.random.default_rng(0).integers(0, 100_000, 20))
    blocks = np.split(samples, edges, axis=1)
    parts = [resampler(block) for block in blocks] + [resampler(samples[:, :0], last=True)]
    np.testing.assert_array_equal(
        np.concatenate(parts, axis=1), audio.resample(samples, 44100, 48000)
    )


def test_read_resamples(files):
    assert audio.read(files["a.wav"], 4800, 48000, sample_rate=16000).shape == (2, 16000)
    same = audio.read(files["a.wav"], sample_rate=48000)
    np.testing.assert_array_equal(same, audio.read(files["a.wav"]))
