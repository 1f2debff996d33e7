"""Floor and ceiling are where the physics puts them."""

import numpy as np
import pytest

from asteroid_karaoke import audio, scores
from asteroid_karaoke.baselines import BASELINES

RATE = 44100
CEILINGS = {"ideal_ratio_mask", "ideal_complex_mask"}


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


@pytest.mark.parametrize("name", sorted(CEILINGS))
def test_shapes_must_fit(sources, name):
    with pytest.raises(ValueError, match="expected"):
        BASELINES[name](sources[0, :, 1:], sources, RATE)
    with pytest.raises(ValueError, match="sources are None"):
        BASELINES[name](sources[0], None, RATE)


@pytest.mark.parametrize("name", sorted({*BASELINES} - CEILINGS))
def test_only_ceilings_look_at_the_truth(sources, name):
    mixture = sources.sum(axis=0)
    blind = BASELINES[name](mixture, None, RATE)
    np.testing.assert_array_equal(blind, BASELINES[name](mixture, sources, RATE))


@pytest.mark.parametrize("name", sorted({*BASELINES} - {"mixture", "channel_inverted"}))
def test_masks_add_up_to_the_mixture(sources, name):
    mixture = sources.sum(axis=0)
    estimates = BASELINES[name](mixture, sources, RATE)
    np.testing.assert_allclose(estimates.sum(axis=0), mixture, atol=1e-6)


def test_complex_mask_is_the_higher_ceiling_and_has_a_limit(sources):
    mixture = sources.sum(axis=0)
    ratio, full = (
        BASELINES[name](mixture, sources, RATE)
        for name in ("ideal_ratio_mask", "ideal_complex_mask")
    )
    for source, low, high in zip(sources, ratio, full, strict=True):
        assert scores.usdr(source, low) + 6 < scores.usdr(source, high) < 60
    # A voice that the backing cancels to a tenth would need a mask of ten.
    sources[1] = -0.9 * sources[0]
    vocals, _ = BASELINES["ideal_complex_mask"](sources.sum(axis=0), sources, RATE)
    np.testing.assert_allclose(vocals, 0.15 * sources[0], atol=1e-5)


def test_inverting_a_channel_removes_the_middle(sources):
    middle, sides = sources[0], np.stack([sources[1, 0], 0 * sources[1, 0]])
    middle[1] = middle[0]
    vocals, accompaniment = BASELINES["channel_inverted"](middle + sides, None, RATE)
    np.testing.assert_allclose(accompaniment, np.stack([sides[0] / 2] * 2), atol=1e-7)
    np.testing.assert_allclose(vocals, middle + sides[0] / 2, atol=1e-7)
    _, silence = BASELINES["channel_inverted"](middle, None, RATE)
    assert not silence.any()


def test_repeating_bars_are_the_accompaniment():
    """Noise that comes again each second, and a note that is sung once."""
    rng = np.random.default_rng(0)
    bar = 0.1 * rng.standard_normal((1, 40 * 1024))
    time = np.arange(40 * 1024) / RATE
    vocals = np.zeros((1, 8 * bar.shape[1]))
    vocals[0, 3 * len(time) : 4 * len(time)] = 0.3 * np.sin(2 * np.pi * 440 * time)
    sources = np.stack([vocals, np.tile(bar, 8)]).astype(np.float32)
    estimates = BASELINES["repet_sim"](sources.sum(axis=0), None, RATE)
    assert scores.usdr(sources[0], estimates[0]) > 6
    # The mixture itself has 2.5 dB.
    assert scores.usdr(sources[1], estimates[1]) > 9


def test_median_filters_find_what_moves():
    """A gliding voice against a held chord and clicks."""
    time = np.arange(4 * RATE) / RATE
    phase = 2 * np.pi * (500 * time + 50 * time**2)
    voice = 0.2 * np.sin(phase) + 0.1 * np.sin(2 * phase)
    chord = sum(0.1 * np.sin(2 * np.pi * f * time) for f in (220, 277, 330))
    chord[:: RATE // 4] += 1
    sources = np.stack([voice, chord])[:, None].astype(np.float32)
    estimates = BASELINES["median_filters"](sources.sum(axis=0), None, RATE)
    assert scores.usdr(sources[0], estimates[0]) > 20
    assert scores.usdr(sources[1], estimates[1]) > 20


def test_the_real_excerpt_has_its_known_scores(stempeg_excerpt):
    """The numbers that the docstring quotes; museval's SDR of a frame needs no filters."""

    def sdr(source, estimate):
        error = (source - estimate).astype(float)
        seconds = range(0, source.shape[1] - RATE + 1, RATE)
        power = [[np.sum(w[:, s : s + RATE] ** 2) for s in seconds] for w in (source, error)]
        return np.median(10 * np.log10(np.divide(*power)))

    streams = [f"{stempeg_excerpt}#stream={n}" for n in (1, 2, 3, 4)]
    sources = np.stack([audio.read(streams[3]), audio.read(streams[:3])])
    expected_scores = {
        "mixture": [-6.23, 6.23],
        "ideal_ratio_mask": [7.98, 14.96],
        "ideal_complex_mask": [27.13, 34.99],
    }
    for name, expected in expected_scores.items():
        estimates = BASELINES[name](sources.sum(axis=0), sources, RATE)
        assert list(map(sdr, sources, estimates)) == pytest.approx(expected, abs=0.02)
