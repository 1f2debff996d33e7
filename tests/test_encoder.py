"""What FFmpeg's encoders write, and what libsndfile's lossy ones are asked for."""

import av
import numpy as np
import pytest
from sound_files import full_disk
from test_corpus import music

from asteroid_karaoke import audio
from asteroid_karaoke.encoder import EncodedWriter

KINDS = {"a.m4a": ("ipod", "aac"), "alac.m4a": ("ipod", "alac"), "a.webm": ("webm", "libopus")}


def write(path, samples, muxer, encoder, rate=48000, **options):
    with EncodedWriter(path, rate, len(samples), muxer, encoder, **options) as file:
        for start in range(0, samples.shape[1], 5000):
            file.write(samples[:, start : start + 5000])


@pytest.mark.parametrize("frames", (1, 1023, 1024, 20_001))
@pytest.mark.parametrize("name", KINDS)
def test_length_is_kept_to_the_sample(tmp_path, name, frames):
    if (name, frames) == ("a.webm", 1):
        pytest.skip("an Opus packet alone is longer than a webm can say")
    write(tmp_path / name, music(2, 48000, seconds=1)[:, :frames], *KINDS[name])
    assert audio.info(tmp_path / name).frames == frames
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("rate", (8000, 22050, 44100))
def test_a_wma_begins_where_the_song_begins(tmp_path, rate):
    time = np.arange(rate) / rate
    sweep = (0.3 * np.sin(2 * np.pi * (100 + 1000 * time) * time))[None].astype(np.float32)
    write(tmp_path / "a.wma", sweep, "asf", "wmav2", rate, bit_rate=64_000)
    found = audio.read(tmp_path / "a.wma")[:, :rate]
    assert np.square(found - sweep).sum() < 0.001 * np.square(sweep).sum()


@pytest.mark.parametrize("share", (0.3, 0.99))
@pytest.mark.parametrize("name", KINDS)
def test_a_full_disk_is_one_error_and_leaves_nothing(tmp_path, name, share):
    samples = music(2, 48000, 2)
    write(tmp_path / "whole" / name, samples, *KINDS[name], bit_rate=256_000)
    limit = int((tmp_path / "whole" / name).stat().st_size * share)
    with full_disk(limit), pytest.raises(OSError, match=r"could not be written to its end"):
        write(tmp_path / name, samples, *KINDS[name], bit_rate=256_000)
    assert [path.name for path in tmp_path.iterdir()] == ["whole"]


@pytest.mark.parametrize(
    ("muxer", "encoder", "rate", "channels"),
    [("ipod", "aac", 192_000, 2), ("ipod", "alac", 44100, 8), ("asf", "wmav2", 44100, 3)],
)
def test_what_an_encoder_can_not_hold_is_refused(tmp_path, muxer, encoder, rate, channels):
    with pytest.raises(ValueError, match=r"can not hold .* choose wav"):
        EncodedWriter(tmp_path / "a", rate, channels, muxer, encoder)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (np.full((2, 5), np.nan, np.float32), "NaN"),
        (np.zeros((1, 5), np.float32), "expected"),
        (np.zeros((2, 0), np.float32), "no samples"),
    ],
)
def test_a_block_that_can_not_be_written_leaves_nothing(tmp_path, block, message):
    with (
        pytest.raises(ValueError, match=message),
        EncodedWriter(tmp_path / "a.m4a", 48000, 2, "ipod", "aac") as file,
    ):
        file.write(block)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kbits", (64, 128, 256))
@pytest.mark.parametrize("name", ("a.mp3", "a.ogg", "a.opus"))
def test_a_bit_rate_is_about_what_was_asked_for(tmp_path, name, kbits):
    samples = np.random.default_rng(0).normal(0, 0.1, (2, 48000 * 2)).astype(np.float32)
    with audio.AudioWriter(tmp_path / name, 48000, 2, bit_rate=1000 * kbits) as file:
        file.write(samples)
    with audio.open_audio(tmp_path / name) as reader:
        assert reader.bit_rate() == pytest.approx(1000 * kbits, rel=0.3)


@pytest.mark.parametrize("channels", (3, 5, 6, 7, 8))
@pytest.mark.parametrize(("ending", "subtype"), [("ogg", "VORBIS"), ("opus", "OPUS")])
def test_loudspeakers_are_where_ffmpeg_has_them(tmp_path, ending, subtype, channels):
    path, samples = tmp_path / f"a.{ending}", music(channels, 48000)
    audio.write(path, samples, 48000, subtype)
    packed = av.AudioResampler(format="flt")
    with av.open(str(path)) as container:
        frames = [part for frame in container.decode(audio=0) for part in packed.resample(frame)]
    found = np.concatenate([f.to_ndarray().reshape(-1, channels) for f in frames]).T
    # The low channel has the lows alone.
    full = [n for n in range(channels) if n != 3 or channels < 6]
    samples = samples[:, : found.shape[1]]
    error = found[full, : samples.shape[1]] - samples[full]
    assert (np.square(error).sum(axis=1) < 0.1 * np.square(samples[full]).sum(axis=1)).all()
