"""Audio in: exact lengths, exact positions, and resampling."""

import os

import numpy as np
import pytest
from sound_files import CONTAINERS, NAMES, RATE, encode, noise

from asteroid_karaoke import audio


@pytest.mark.parametrize("name", NAMES + CONTAINERS)
def test_info_read_and_seek_agree(sound_files, name):
    facts = audio.info(sound_files[name])
    whole = audio.read(sound_files[name])
    assert whole.dtype == np.float32
    assert whole.shape == (facts.channels, facts.frames) == (2, facts.frames)
    assert facts.sample_rate == 48000
    assert facts.frames == pytest.approx(3 * 48000, abs=3000)
    generator = np.random.default_rng(1)
    for _ in range(6):
        start, frames = int(generator.integers(facts.frames)), int(generator.integers(1, 60000))
        part = audio.read(sound_files[name], start, frames)
        np.testing.assert_allclose(part, whole[:, start : start + frames], rtol=0, atol=1e-6)
    assert audio.read(sound_files[name], facts.frames - 3, 10).shape == (2, 3)
    assert audio.read(sound_files[name], facts.frames + 3, 10).shape == (2, 0)


@pytest.mark.parametrize("name", ("a.wav", "a.flac", "a.mka", "alac.m4a"))
def test_lossless_files_hold_what_was_written(sound_files, name):
    np.testing.assert_allclose(audio.read(sound_files[name]), noise(frames=3 * 48000), atol=2**-15)


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


def test_subtype_tells_how_samples_are_stored(sound_files, tmp_path):
    for subtype in ("PCM_16", "PCM_24", "FLOAT"):
        audio.write(tmp_path / "a.wav", noise(), RATE, subtype)
        assert audio.info(tmp_path / "a.wav").subtype == subtype
    assert audio.info(sound_files["a.mp3"]).subtype == "MPEG_LAYER_III"
    assert audio.info(sound_files["a.webm"]).subtype == "opus"


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
def test_any_file_name_will_do(tmp_path, sound_files, name):
    for kind in ("a.wav", "a.m4a"):
        path = tmp_path / os.fsdecode(name)
        try:
            path.write_bytes(sound_files[kind].read_bytes())
        except OSError:
            # Those of macOS and Windows take no bytes that are not UTF-8.
            pytest.skip("the file system refuses this name")
        assert audio.info(path).channels == 2


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


def test_read_resamples(sound_files):
    assert audio.read(sound_files["a.wav"], 4800, 48000, sample_rate=16000).shape == (2, 16000)
    same = audio.read(sound_files["a.wav"], sample_rate=48000)
    np.testing.assert_array_equal(same, audio.read(sound_files["a.wav"]))
