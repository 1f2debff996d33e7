"""Measures of whole songs are what their definitions say, and tell of mixed-up files."""

import numpy as np
import pytest

from asteroid_karaoke import bsseval, measures

STEMS = ("vocals", "accompaniment")


@pytest.fixture
def stems() -> np.ndarray:
    return 0.1 * np.random.default_rng(0).standard_normal((2, 2, 5000))


@pytest.fixture
def estimates(stems) -> np.ndarray:
    return 0.8 * stems + 0.03 * np.random.default_rng(1).standard_normal(stems.shape)


def test_si_sdr_is_asteroids(stems, estimates):
    import torch
    from asteroid.losses.sdr import SingleSrcNegSDR

    # Asteroid knows no channels: side by side in time they share one factor.
    flat = [torch.from_numpy(x.reshape(2, -1)) for x in (estimates, stems)]
    expected = -SingleSrcNegSDR("sisdr", zero_mean=False)(*flat)
    found, _ = measures.measure(stems, estimates)
    assert [row["SI-SDR"] for row in found] == pytest.approx(expected.tolist(), abs=1e-4)
    louder, _ = measures.measure(stems, 7 * estimates)
    assert louder[0]["SI-SDR"] == pytest.approx(found[0]["SI-SDR"], abs=1e-4)


def test_blocks_equal_the_whole(stems, estimates, monkeypatch):
    whole, _ = measures.measure(stems, estimates, bsseval.to_16_bit)
    monkeypatch.setattr(measures, "BLOCK", 777)
    found, correlations = measures.measure(stems, estimates, bsseval.to_16_bit)
    for row, expected, reference, estimate, correlation in zip(
        found, whole, stems, estimates, correlations.diagonal(), strict=True
    ):
        assert row == pytest.approx(expected)
        rounded = bsseval.to_16_bit(reference), bsseval.to_16_bit(estimate)
        assert row["uSDR"] == pytest.approx(measures.usdr(*rounded))
        sums = np.sum(rounded[0] * rounded[1]) / np.sqrt(np.prod([np.sum(x**2) for x in rounded]))
        assert row["correlation"] == pytest.approx(sums) == pytest.approx(correlation)
        assert row["silence_dB"] is None


def test_silence_has_no_ratio(stems, estimates):
    none, _ = measures.measure(stems * [[[0]], [[1]]], np.full_like(stems, 0.1))
    assert none[0] == {
        "uSDR": None,
        "SI-SDR": None,
        "correlation": None,
        "silence_dB": pytest.approx(-20, abs=1e-6),
    }
    silent, correlations = measures.measure(stems, 0 * stems)
    # Two sums of the same squares may differ in their last bit, as memory happens to lie.
    nothing = pytest.approx(0, abs=1e-9)
    assert silent[0] == {"uSDR": nothing, "SI-SDR": None, "correlation": None, "silence_dB": None}
    assert not measures.remarks(correlations, STEMS)
    perfect, _ = measures.measure(stems, stems)
    assert 80 < perfect[0]["SI-SDR"] < 200


def test_what_is_right_is_not_remarked(stems, estimates):
    mixture = np.stack([stems.sum(axis=0)] * 2)
    inverted = -estimates
    for found in (estimates, mixture, inverted):
        assert measures.remarks(measures.measure(stems, found)[1], STEMS) == []


def test_swapped_stems_and_another_song_are_remarked(stems, estimates):
    (swapped,) = measures.remarks(measures.measure(stems, estimates[::-1])[1], STEMS)
    assert "are the files swapped?" in swapped
    assert "vocals resembles the accompaniment" in swapped
    other = np.random.default_rng(7).standard_normal(stems.shape)
    found = measures.remarks(measures.measure(stems, other)[1], STEMS)
    assert len(found) == 2
    for line, stem in zip(found, STEMS, strict=True):
        assert line.startswith(f"the estimate of {stem} has a correlation of 0.0")
        assert "another song's" in line
    shifted = np.roll(estimates, 100, axis=-1)
    found = measures.remarks(measures.measure(stems, shifted)[1], STEMS)
    assert sum("shifted in time" in line for line in found) == 2


@pytest.mark.parametrize(("seconds", "start"), [(0.1, 1.0), (1.0, 3.0), (30.0, 0.0)])
def test_the_loudest_stretch_is_found_to_half_a_second(seconds, start):
    rate = 8000
    wav = np.full((2, 5 * rate), 0.01)
    for channel, begin, level in ((1, 1.0, -0.5), (0, 3.0, 0.4), (1, 3.6, 0.4)):
        wav[channel, round(begin * rate) : round((begin + 0.2) * rate)] = level
    assert measures.loudest(wav, rate, seconds) == start * rate
