import tempfile

import numpy as np
import pytest
from sound_files import full_disk

from asteroid_karaoke import clipping
from asteroid_karaoke.clipping import Limiter, clip

RATE = 8000


def stems(level=1.0, frames=3 * RATE, channels=2):
    """Vocals and karaoke with peaks of their own, at different times."""
    generator = np.random.default_rng(0)
    vocals, karaoke = generator.uniform(-0.4, 0.4, (2, channels, frames)).astype(np.float32)
    vocals[0, frames // 3] = level
    karaoke[-1, frames // 2 : frames // 2 + 40] = -1.2 * level
    return vocals, karaoke


def clipped(mode, vocals, karaoke, size=1009, **options):
    starts = range(0, vocals.shape[1], size)
    pairs = ((vocals[:, i : i + size], karaoke[:, i : i + size]) for i in starts)
    done = list(clip(mode, pairs, RATE, **options))
    return [np.concatenate(stem, axis=1) for stem in zip(*done, strict=True)]


@pytest.mark.parametrize("mode", clipping.MODES)
def test_what_stays_within_full_scale_goes_through_to_the_bit(mode):
    given = stems(level=1 / 1.2)
    for stem, before in zip(clipped(mode, *given), given, strict=True):
        np.testing.assert_array_equal(stem, before)


def test_none_leaves_all_as_it_is():
    given = stems(level=2)
    for stem, before in zip(clipped("none", *given), given, strict=True):
        np.testing.assert_array_equal(stem, before)


def test_rescale_turns_both_down_by_one_gain(tmp_path):
    given = stems(level=2)
    vocals, karaoke = clipped("rescale", *given, folder=tmp_path)
    assert np.abs(karaoke).max() == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(vocals, given[0] / 2.4, rtol=1e-6)
    np.testing.assert_allclose(karaoke, given[1] / 2.4, rtol=1e-6)
    assert not list(tmp_path.iterdir())


def test_rescale_waits_on_disk_and_leaves_nothing_after_an_error(tmp_path, monkeypatch):
    asked = []
    make = tempfile.TemporaryFile
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda dir: asked.append(dir) or make(dir=dir))

    def failing():
        yield stems()
        raise RuntimeError("the model gives NaN")

    with pytest.raises(RuntimeError, match="NaN"):
        list(clip("rescale", failing(), RATE, folder=tmp_path))
    assert asked == [str(tmp_path)]
    assert not list(tmp_path.iterdir())


def test_rescale_says_where_there_is_no_room(tmp_path):
    with (
        full_disk(50_000),
        pytest.raises(OSError, match=f"kept for a while in {tmp_path}, .* room"),
    ):
        list(clip("rescale", [stems()], RATE, folder=tmp_path))


@pytest.mark.parametrize("size", (1, 39, 41, 1009, 10**6))
def test_limit_keeps_both_within_full_scale_by_one_curve(size):
    frames = 2000 if size == 1 else 3 * RATE
    given = stems(level=2, frames=frames)
    vocals, karaoke = clipped("limit", *given, size=size)
    assert max(np.abs(vocals).max(), np.abs(karaoke).max()) <= 1 + 1e-6
    gain = (vocals[0] + karaoke[0]) / (given[0][0] + given[1][0])
    for stem, before in zip((vocals, karaoke), given, strict=True):
        np.testing.assert_allclose(stem, gain * before, atol=1e-4)


def test_the_limiter_s_gain_moves_smoothly_and_comes_back():
    sound = np.full((1, 3 * RATE), 0.5, np.float32)
    sound[0, RATE] = 2
    limiter = Limiter(RATE)
    limited = np.concatenate([limiter(sound), limiter(sound[:, :0], last=True)], axis=1)
    gain = (limited / sound)[0].astype(np.float64)
    assert gain[RATE] == pytest.approx(0.5, abs=1e-6)
    # Down within 5 ms, not before; no step is more than one 5 ms' share.
    np.testing.assert_array_equal(gain[: RATE - RATE // 200], 1)
    assert np.abs(np.diff(gain)).max() < 0.5 / (RATE // 200) * 1.01
    # Up again with 0.15 s: to 1/e of the reduction, and to nothing.
    assert 1 - gain[RATE + round(0.15 * RATE)] == pytest.approx(0.5 / np.e, rel=0.05)
    assert gain[-1] > 0.9999
    assert (np.diff(gain[RATE + RATE // 200 :]) >= -1e-7).all()


@pytest.mark.parametrize("size", (1, 7, 40, 41, 5000))
def test_the_limiter_s_blocks_make_no_difference(size):
    generator = np.random.default_rng(0)
    sound = generator.normal(0, 0.6, (3, 9001)).astype(np.float32)
    whole = Limiter(RATE)(sound, last=True)
    limiter = Limiter(RATE)
    parts = [limiter(sound[:, i : i + size]) for i in range(0, 9001, size)]
    parts.append(limiter(sound[:, :0], last=True))
    np.testing.assert_allclose(np.concatenate(parts, axis=1), whole, atol=1e-6)


@pytest.mark.parametrize("mode", ("limit", "rescale"))
def test_stems_of_unequal_length_are_treated_too(mode):
    vocals, karaoke = stems(level=2)
    karaoke = karaoke[:, : 2 * RATE]
    pairs = [(vocals[:, :RATE], karaoke[:, :0]), (vocals[:, RATE:], karaoke)]
    done = list(clip(mode, pairs, RATE, joint=False))
    for stem, before in zip(zip(*done, strict=True), (vocals, karaoke), strict=True):
        after = np.concatenate(stem, axis=1)
        assert after.shape == before.shape
        assert np.abs(after).max() <= 1 + 1e-6


@pytest.mark.parametrize("frames", (1, 10, 40, 41))
def test_a_few_samples_are_limited_too(frames):
    sound = np.full((2, frames), 3, np.float32)
    np.testing.assert_allclose(clipped("limit", sound, -sound), [sound / 3, -sound / 3], atol=1e-6)


def test_an_unknown_mode_is_refused_at_once():
    with pytest.raises(ValueError, match=r"'clamp'.*none, rescale, limit"):
        clip("clamp", iter(()), RATE)
