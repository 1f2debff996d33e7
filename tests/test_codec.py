import numpy as np
import pytest

from asteroid_karaoke import codec

RATE = 44100


def song(seconds: float = 2.0, rate: int = RATE, channels: int = 2) -> np.ndarray:
    """Chirps and noise bursts: sharp in time, so that a shift shows. `(channels, time)`."""
    rng = np.random.default_rng(0)
    time = np.arange(round(seconds * rate)) / rate
    sweep = np.sin(2 * np.pi * (200.0 * time + 900.0 * time**2))
    bursts = rng.standard_normal((channels, len(time))) * (np.sin(2 * np.pi * 3 * time) > 0.9)
    return (0.2 * sweep + 0.1 * bursts).astype(np.float32)


def lag(found: np.ndarray, original: np.ndarray) -> int:
    """By how many samples `found` comes late, from the peak of the correlation."""
    size = 2 * len(original)
    spectrum = np.fft.rfft(found, size) * np.conj(np.fft.rfft(original, size))
    peak = int(np.argmax(np.fft.irfft(spectrum, size)))
    return peak if peak < size // 2 else peak - size


@pytest.mark.parametrize("name", codec.CODECS)
@pytest.mark.parametrize("rate", [44100, 48000, 31000])
def test_it_comes_back_where_it_was_and_as_long(name, rate):
    original = song(rate=rate)
    found = codec.round_trip(original, rate, name, 128_000)
    assert (found.shape, found.dtype) == (original.shape, np.float32)
    assert [lag(f, o) for f, o in zip(found, original, strict=True)] == [0, 0]
    assert np.corrcoef(found.ravel(), original.ravel())[0, 1] > 0.95


@pytest.mark.parametrize("name", codec.CODECS)
def test_fewer_bits_lose_more(name):
    original = song()

    def snr(bit_rate: int) -> float:
        error = codec.round_trip(original, RATE, name, bit_rate) - original
        return 10 * np.log10(np.square(original).sum() / np.square(error).sum())

    assert 3 < snr(48_000) < snr(192_000) - 3 < 60


def test_an_mp3_of_few_bits_loses_its_highs():
    noise = 0.1 * np.random.default_rng(1).standard_normal((2, RATE)).astype(np.float32)
    spectrum = np.abs(np.fft.rfft(codec.round_trip(noise, RATE, "mp3", 64_000)[0]))
    assert spectrum[18000:].mean() < 0.01 * spectrum[1000:5000].mean()


@pytest.mark.parametrize("name", codec.CODECS)
@pytest.mark.parametrize("length", [1, 100, 5000])
def test_short_and_mono_sounds_keep_their_shape(name, length):
    short = song(channels=1)[:, RATE : RATE + length]
    found = codec.round_trip(short, RATE, name, 64_000)
    assert found.shape == short.shape
    assert np.isfinite(found).all()


def test_silence_stays_silence():
    silence = np.zeros((2, 1000), np.float32)
    assert not codec.round_trip(silence, RATE, "mp3", 64_000).any()


def test_the_same_twice():
    first, second = (codec.round_trip(song(), RATE, "opus", 64_000) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_an_unknown_codec_is_named():
    with pytest.raises(ValueError, match=r"'real'.*mp3, opus"):
        codec.round_trip(song(), RATE, "real", 64_000)
