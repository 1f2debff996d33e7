import numpy as np
import pytest

from asteroid_karaoke import mixing

RATE = 44100


def noise(level_db: float, seed: int = 0, seconds: float = 1.0) -> np.ndarray:
    """White noise of a level, `(2, time)`."""
    drawn = np.random.default_rng(seed).standard_normal((2, round(seconds * RATE)))
    return (drawn * 10 ** (level_db / 20)).astype(np.float32)


def test_a_full_scale_sine_has_a_level_of_minus_3_db():
    sine = np.sin(2 * np.pi * 441 * np.arange(RATE) / RATE)[None].astype(np.float32)
    assert mixing.level_db(sine) == pytest.approx(-3.01, abs=0.01)
    assert mixing.active_level_db(sine) == pytest.approx(-3.01, abs=0.1)


def test_pauses_do_not_count_for_the_active_level():
    voice = noise(-20.0, seconds=8.0)
    voice[:, 2 * RATE :] *= 1e-3
    assert mixing.level_db(voice) == pytest.approx(-26.0, abs=0.2)
    assert mixing.active_level_db(voice) == pytest.approx(-20.0, abs=0.3)


def test_gain_amplifies_by_so_many_db():
    quiet = noise(-30.0)
    assert mixing.level_db(mixing.gain(quiet, 12.0)) == pytest.approx(
        mixing.level_db(quiet) + 12.0, abs=1e-3
    )


@pytest.mark.parametrize("db", [-10.0, 0.0, 5.0])
def test_a_balanced_voice_stands_so_far_above_the_backing(db):
    backing, voice = noise(-18.0, 1), noise(-30.0, 2)
    balanced = mixing.balance(voice, backing, db)
    difference = mixing.active_level_db(balanced) - mixing.active_level_db(backing)
    assert difference == pytest.approx(db, abs=0.01)


def test_breath_is_not_made_as_loud_as_singing():
    boosted = mixing.balance(noise(-50.0, 1), noise(-10.0, 2), 0.0)
    assert mixing.level_db(boosted) == pytest.approx(-50.0 + mixing.MAX_BOOST_DB, abs=0.1)


@pytest.mark.parametrize("voice", [0.0, 0.25, 0.5, 0.6, 1.0])
def test_a_share_is_that_of_equally_loud_stems(voice):
    vocals, backing = noise(-35.0, 1), noise(-20.0, 2)
    mixed_voice, mixed_backing = mixing.share(vocals, backing, voice)
    level = np.sqrt(np.mean(np.square(backing)))
    assert np.sqrt(np.mean(np.square(mixed_voice))) == pytest.approx(voice * level, rel=0.01)
    np.testing.assert_allclose(mixed_backing, backing * (1 - voice), rtol=1e-6)


def test_noise_is_laid_under_a_sound():
    sound = np.zeros((2, RATE), np.float32)
    sound[0, : RATE // 2] = 0.1
    under = mixing.add_noise(sound, noise(0.0), -40.0) - sound
    assert mixing.level_db(under) == pytest.approx(mixing.active_level_db(sound) - 40.0, abs=0.1)


def test_fit_cuts_and_fills_up_the_end():
    ramp = np.arange(4, dtype=np.float32)[None]
    assert mixing.fit(ramp, 2).tolist() == [[0, 1]]
    assert mixing.fit(ramp, 6).tolist() == [[0, 1, 2, 3, 0, 0]]


@pytest.mark.parametrize("length", [0, 1, 5000])
def test_silence_stays_silence(length):
    silence, sound = np.zeros((2, length), np.float32), noise(-20.0)[:, :length]
    assert mixing.level_db(silence) == mixing.active_level_db(silence) == -200.0
    assert mixing.is_silent(silence)
    results = [
        mixing.gain(silence, 60.0),
        mixing.balance(silence, sound, 0.0),
        *mixing.share(silence, silence, 0.6),
        mixing.add_noise(silence, silence, -40.0),
    ]
    assert not any(result.any() for result in results)
    # The other stem is not touched by it.
    np.testing.assert_array_equal(mixing.balance(sound, silence, 9.0), sound)
