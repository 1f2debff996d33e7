"""Floor and ceiling are where the physics puts them."""

import numpy as np
import pytest

from asteroid_karaoke import audio, scores
from asteroid_karaoke.baselines import BASELINES

RATE = 44100


@pytest.fixture
def sources():
    """A gliding tone over noise, stereo, the tone 6 dB below the noise: ``(2, 2, time)``."""
    time = np.arange(2 * RATE) / RATE
    tone = np.sin(2 * np.pi * (300 * time + 100 * time**2))
    noise = np.random.default_rng(0).standard_normal((2, len(time)))
    return np.stack([0.1 * np.stack([tone, 0.5 * tone]), 0.1 * noise]).astype(np.float32)


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize("shape", [(1, 1), (1, 700), (2, 5000), (6, 4097)])
def test_any_length_and_channels(name, shape):
    sources = np.random.default_rng(0).standard_normal((2, *shape)).astype(np.float32)
    estimates = BASELINES[name](sources.sum(axis=0), sources, RATE)
    assert estimates.shape == sources.shape
    assert np.isfinite(estimates).all()


@pytest.mark.parametrize("name", BASELINES)
def test_silence_stays_silence(name):
    silence = np.zeros((2, 9000), np.float32)
    assert not BASELINES[name](silence, np.stack([silence, silence]), RATE).any()


def test_mixture_has_the_ratio_of_powers(sources):
    mixture = sources.sum(axis=0)
    estimates = BASELINES["mixture"](mixture, sources, RATE)
    vocals, accompaniment = (
        scores.usdr(s, e) for s, e in zip(sources.astype(float), estimates, strict=True)
    )
    power = np.sum(sources.astype(float) ** 2, axis=(1, 2))
    assert vocals == pytest.approx(10 * np.log10(power[0] / power[1]), abs=1e-3)
    assert accompaniment == pytest.approx(-vocals, abs=1e-3)


def test_ratio_mask_adds_up_and_beats_the_mixture(sources):
    mixture = sources.sum(axis=0)
    floor = BASELINES["mixture"](mixture, sources, RATE)
    ceiling = BASELINES["ideal_ratio_mask"](mixture, sources, RATE)
    np.testing.assert_allclose(ceiling.sum(axis=0), mixture, atol=1e-6)
    for source, low, high in zip(sources, floor, ceiling, strict=True):
        assert scores.usdr(source, high) > scores.usdr(source, low) + 6


def test_ratio_mask_separates_what_does_not_overlap():
    time = np.arange(RATE) / RATE
    sources = np.stack([np.sin(2 * np.pi * f * time)[None] for f in (200, 5000)]) * 0.3
    estimates = BASELINES["ideal_ratio_mask"](sources.sum(axis=0), sources, RATE)
    assert min(map(scores.usdr, sources, estimates)) > 30


def test_ratio_mask_of_silent_vocals_leaves_the_accompaniment(sources):
    sources[0] = 0
    estimates = BASELINES["ideal_ratio_mask"](sources[1], sources, RATE)
    np.testing.assert_allclose(estimates, sources, atol=1e-6)


def test_shapes_must_fit(sources):
    with pytest.raises(ValueError, match="expected"):
        BASELINES["ideal_ratio_mask"](sources[0, :, 1:], sources, RATE)


def test_the_real_excerpt_has_its_known_scores(stempeg_excerpt):
    """The numbers that the docstring quotes; museval's SDR of a frame needs no filters."""

    def sdr(source, estimate):
        error = (source - estimate).astype(float)
        seconds = range(0, source.shape[1] - RATE + 1, RATE)
        power = [[np.sum(w[:, s : s + RATE] ** 2) for s in seconds] for w in (source, error)]
        return np.median(10 * np.log10(np.divide(*power)))

    streams = [f"{stempeg_excerpt}#stream={n}" for n in (1, 2, 3, 4)]
    sources = np.stack([audio.read(streams[3]), audio.read(streams[:3])])
    for name, expected in (("mixture", [-6.23, 6.23]), ("ideal_ratio_mask", [7.98, 14.96])):
        estimates = BASELINES[name](sources.sum(axis=0), sources, RATE)
        assert list(map(sdr, sources, estimates)) == pytest.approx(expected, abs=0.02)
