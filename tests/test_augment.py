import numpy as np
import pytest

from asteroid_karaoke import augment, codec, effects, mixing

RATE = 8000


def noise(seed: int = 0, level: float = 0.1, seconds: float = 0.5) -> np.ndarray:
    """White stereo noise, `(2, time)`."""
    drawn = np.random.default_rng(seed).standard_normal((2, round(seconds * RATE)))
    return (level * drawn).astype(np.float32)


def draws(function, amount: float, number: int, *stems: np.ndarray):
    """What an augmentation makes of the same stems, by other seeds."""
    return [function(*stems, np.random.default_rng(seed), RATE, amount) for seed in range(number)]


STEM = (augment.augment_vocals, augment.augment_accompaniment)


@pytest.mark.parametrize("function", STEM)
def test_no_amount_changes_nothing(function):
    for changed in draws(function, 0.0, 10, noise()):
        np.testing.assert_array_equal(changed, noise())


def test_no_amount_changes_no_song():
    for changed in draws(augment.augment_song, 0.0, 10, noise(1), noise(2)):
        np.testing.assert_array_equal(changed, [noise(1), noise(2)])


def test_speeds_are_drawn_within_their_range_in_one_of_three_cases():
    rng = np.random.default_rng(0)
    speeds = np.array([augment.draw_speed(rng, 1.0) for _ in range(3000)])
    assert np.mean(speeds != 1.0) == pytest.approx(1 / 3, abs=0.03)
    low, high = augment.SPEEDS
    assert low <= speeds.min() < low + 0.01
    assert high - 0.01 < speeds.max() <= high
    assert {augment.draw_speed(rng, 0.0) for _ in range(100)} == {1.0}


@pytest.mark.parametrize("function", STEM)
def test_more_amount_changes_more_stems(function):
    counts = [
        sum(
            not np.array_equal(changed, noise()) for changed in draws(function, amount, 60, noise())
        )
        for amount in (0.1, 0.5, 1.0)
    ]
    assert counts[0] < counts[1] < counts[2]


EFFECTS = (
    "tilt",
    "saturate",
    "clip",
    "impulse_response",
    "reverb",
    "compression",
    "double",
    "echo",
    "width",
    "pan",
    "swap_channels",
    "invert",
    "coloured_noise",
)


def test_every_effect_is_drawn_and_the_costly_ones_seldom(monkeypatch):
    counts: dict[str, int] = {}

    def count(module, name):
        original = getattr(module, name)

        def counted(*args, **kwargs):
            counts[name] = counts.get(name, 0) + 1
            return original(*args, **kwargs)

        monkeypatch.setattr(module, name, counted)

    for name in EFFECTS:
        count(effects, name)
    count(codec, "round_trip")
    number = 300
    for function in STEM:
        draws(function, 1.0, number, noise())
    draws(augment.augment_song, 1.0, number, noise(1), noise(2))
    assert set(counts) == {*EFFECTS, "round_trip"}
    assert 0 < counts["round_trip"] / 2 < 0.08 * number
    assert counts["reverb"] < 0.5 * number


@pytest.mark.parametrize("voice", [0.1, 0.0, 1e-5])
def test_all_that_is_drawn_is_finite_and_keeps_its_shape(voice):
    for function in STEM:
        for changed in draws(function, 1.0, 80, noise(level=voice)):
            assert (changed.shape, changed.dtype) == (noise().shape, np.float32)
            assert np.isfinite(changed).all()


@pytest.mark.parametrize("silent", [0, 1])
def test_a_silent_stem_stays_silent_in_its_song(silent):
    stems = [noise(1), noise(2)]
    stems[silent] = np.zeros_like(stems[silent])
    for changed in draws(augment.augment_song, 1.0, 150, *stems):
        assert not changed[silent].any()
        assert np.isfinite(changed[1 - silent]).all()


def test_what_happens_to_a_song_keeps_the_balance_of_its_stems():
    stems = noise(1, 0.2), noise(2, 0.05)
    for changed in draws(augment.augment_song, 1.0, 100, *stems):
        balance = mixing.level_db(changed[0]) - mixing.level_db(changed[1])
        assert balance == pytest.approx(12.0, abs=1.0)
