"""The same noise in every kind of sound file, for the tests that read and write them."""

import resource
from contextlib import contextmanager

import av
import numpy as np
import pytest
import soundfile

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


@contextmanager
def full_disk(limit):
    """Let no file grow beyond `limit` bytes: to a program, that is what a full disk looks like."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture(scope="session")
def sound_files(tmp_path_factory):
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


#: What libsndfile reads.
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
#: What FFmpeg's libraries read.
CONTAINERS = ("a.m4a", "a.webm", "a.mka", "a.mkv", "alac.m4a", "a.wma")
