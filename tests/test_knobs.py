import argparse

import numpy as np
import pytest

from asteroid_karaoke import knobs, stretch
from asteroid_karaoke.knobs import Knobs, parse_level, turn
from asteroid_karaoke.subtraction import over_subtract

RATE = 8000


def noise(channels=2, frames=5 * RATE, seed=0):
    generator = np.random.default_rng(seed)
    return generator.uniform(-0.5, 0.5, (channels, frames)).astype(np.float32)


def blocks(mixture, vocals, sizes=(1000, 1, 7777)):
    """Mixture and vocals in blocks of odd lengths."""
    start = 0
    while start < mixture.shape[1]:
        stop = start + sizes[start % len(sizes)]
        yield mixture[:, start:stop], vocals[:, start:stop]
        start = stop


def whole(pairs):
    return [np.concatenate(stem, axis=1) for stem in zip(*pairs, strict=True)]


def turned(settings, mixture, vocals):
    return whole(turn(settings, blocks(mixture, vocals), RATE, len(mixture)))


@pytest.mark.parametrize(
    "text, gain",
    (
        ("-inf", 0),
        ("-INF dB", 0),
        ("0", 1),
        ("-0dB", 1),
        ("-20", 0.1),
        ("-20dB", 0.1),
        (" -20 DB ", 0.1),
        ("-6.0206", 0.5),
        ("30%", 0.3),
        ("0%", 0),
        ("100 %", 1),
        (".5%", 0.005),
    ),
)
def test_levels(text, gain):
    assert parse_level(text) == pytest.approx(gain, rel=1e-5, abs=0)


@pytest.mark.parametrize(
    "text",
    ("", "loud", "nan", "-12 db%", "30", "+3dB", "inf", "101%", "-1%", "1e-3", "inf%", "--3"),
)
def test_levels_that_are_none(text):
    with pytest.raises(ValueError, match="-inf for no voice") as error:
        parse_level(text)
    assert repr(text) in str(error.value)


@pytest.mark.parametrize(
    "wrong",
    (
        {"vocals_gain": -0.1},
        {"vocals_gain": 1.1},
        {"strength": 0.9},
        {"strength": 3.1},
        {"key": 13},
        {"tempo": 0.4},
        {"tempo": float("nan")},
    ),
)
def test_knobs_are_checked(wrong):
    ((name, value),) = wrong.items()
    with pytest.raises(ValueError, match=f"{name} is {value:g}, expected"):
        Knobs(**wrong)


@pytest.mark.parametrize("channels", (1, 2, 5))
def test_by_default_karaoke_is_mixture_minus_vocals_to_the_bit(channels):
    mixture, vocals = noise(channels), noise(channels, seed=1)
    given, karaoke = turned(Knobs(), mixture, vocals)
    np.testing.assert_array_equal(given, vocals)
    np.testing.assert_array_equal(karaoke, mixture - vocals)


def test_the_voice_is_turned_down_not_off():
    mixture, vocals = noise(), noise(seed=1)
    _, karaoke = turned(Knobs(vocals_gain=0.25), mixture, vocals)
    np.testing.assert_allclose(karaoke, mixture - 0.75 * vocals, atol=1e-6)
    _, karaoke = turned(Knobs(vocals_gain=1), mixture, vocals)
    np.testing.assert_allclose(karaoke, mixture, atol=1e-6)


def test_strength_is_the_over_subtraction_of_magnitudes():
    """A voice that is a share of the mixture has its phase, so the textbook formula holds."""
    mixture = noise()
    for strength, left in ((1.5, 0.4), (2, 0.2), (3, 0)):
        _, karaoke = turned(Knobs(strength=strength), mixture, 0.4 * mixture)
        np.testing.assert_allclose(karaoke, left * mixture, atol=2e-6)


def test_strength_takes_the_rest_of_the_voice_where_the_voice_is():
    """The model found two thirds of a tone: strength takes the rest, and leaves other tones be."""
    time = np.arange(4 * RATE) / RATE
    voice, backing = (np.sin(2 * np.pi * hertz * time) for hertz in (440, 1500))
    mixture = np.stack([voice + backing]).astype(np.float32)
    _, karaoke = turned(Knobs(strength=1.6), mixture, np.stack([voice / 1.5]).astype(np.float32))
    inner = slice(RATE, -RATE)
    np.testing.assert_allclose(karaoke[0, inner], backing[inner], atol=1e-2)


def test_strength_goes_over_into_subtraction():
    mixture, vocals = noise(), noise(seed=1)
    _, karaoke = turned(Knobs(strength=1 + 1e-6), mixture, vocals)
    np.testing.assert_allclose(karaoke, mixture - vocals, atol=1e-5)


@pytest.mark.parametrize("frames", (1, 100, 3 * RATE, 8 * RATE + 3))
@pytest.mark.parametrize("channels", (1, 3))
def test_strength_block_by_block_is_the_whole_song_at_once(monkeypatch, frames, channels):
    mixture, vocals = noise(channels, frames), noise(channels, frames, seed=1)
    given, karaoke = turned(Knobs(strength=2), mixture, vocals)
    np.testing.assert_array_equal(given, vocals)
    monkeypatch.setattr("asteroid_karaoke.subtraction._WINDOWS_AT_ONCE", 10**6)
    (pair,) = over_subtract([(mixture, vocals)], 2, RATE, channels)
    np.testing.assert_allclose(karaoke, pair[1], atol=1e-6)


def test_strength_keeps_little_in_memory():
    """What goes in comes out again soon, however long the song."""
    pairs = over_subtract(((noise(), noise(seed=1)) for _ in range(20)), 2, RATE, 2)
    came = 0
    for _ in range(3):
        came += next(pairs)[0].shape[1]
    assert came > 0
    assert len(list(pairs)) > 10


def test_silence_stays_silence():
    silent = np.zeros((2, RATE), np.float32)
    for settings in (Knobs(strength=3), Knobs(vocals_gain=0.5)):
        for stem in turned(settings, silent, silent):
            np.testing.assert_array_equal(stem, silent)


def test_key_and_tempo_change_the_karaoke_alone():
    mixture, vocals = noise(), noise(seed=1)
    given, karaoke = turned(Knobs(key=2, tempo=1.25), mixture, vocals)
    np.testing.assert_array_equal(given, vocals)
    assert karaoke.shape == (2, mixture.shape[1] * 4 // 5)
    assert Knobs(key=2).stretched and Knobs(tempo=1.25).stretched and not Knobs().stretched


def options(*arguments):
    parser = argparse.ArgumentParser()
    knobs.add_arguments(parser)
    return parser.parse_args(knobs.join_level(arguments))


@pytest.mark.parametrize("level", ("-12dB", "-12", "-inf", "30%"))
def test_options_become_knobs(level):
    found = knobs.from_options(
        options("--vocals-level", level, "--strength", "2", "--key", "-3", "--tempo", "0.9")
    )
    assert found == Knobs(parse_level(level), 2, -3, 0.9)
    assert knobs.from_options(options()) == Knobs()


@pytest.mark.parametrize(
    "wrong, said",
    (
        (("--strength", "9"), "strength is 9, expected 1 to 3"),
        (("--key", "up"), "got 'up', expected -12 to 12"),
        (("--vocals-level", "-3dBm"), "give -inf for no voice"),
    ),
)
def test_wrong_options_are_told_in_our_words(wrong, said, capsys):
    with pytest.raises(SystemExit):
        options(*wrong)
    assert said in capsys.readouterr().err


def test_the_help_says_what_is_not_told_apart(capsys):
    with pytest.raises(SystemExit):
        options("--help")
    text = " ".join(capsys.readouterr().out.split())
    assert text.count("Lead and backing voices are not told apart") == 2


def test_a_missing_library_is_named_before_any_work(monkeypatch):
    monkeypatch.setattr(stretch.importlib, "import_module", _missing)
    with pytest.raises(RuntimeError, match=r"asteroid-karaoke\[stretch\]"):
        knobs.from_options(options("--key", "2"))
    knobs.from_options(options("--strength", "2"))


def _missing(name):
    raise ImportError(name)
