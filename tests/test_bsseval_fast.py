"""The fast engine gives museval's numbers, for every kind of song; both give the frozen ones."""

import json
from pathlib import Path

import numpy as np
import pytest
import scipy.linalg

from asteroid_karaoke import bsseval, bsseval_fast

RATE = 8000
#: museval 0.4.1's own scores of `frozen_song`, written by ``python tests/test_bsseval_fast.py``.
FROZEN = Path(__file__).parent / "data" / "museval_scores.json"


def noise(seconds: float, channels: int, seed: int) -> np.ndarray:
    """Coloured noise ``(channels, time)``, another colour for another seed."""
    white = np.random.default_rng(seed).standard_normal((channels, round(seconds * RATE)))
    return np.apply_along_axis(np.convolve, 1, white, np.hanning(4 + seed % 5), "same") * 0.1


def stems(seconds: float, channels: int = 1) -> np.ndarray:
    return np.stack([noise(seconds, channels, 1), noise(seconds, channels, 5)])


def leaky(references: np.ndarray) -> np.ndarray:
    """A tenth of the other stem in each, and some noise."""
    dirt = np.random.default_rng(9).standard_normal(references.shape)
    return references + 0.1 * references[::-1] + 0.002 * dirt


def dual_mono_voice():
    references = stems(2.5, 2)
    references[0, 1] = references[0, 0]
    return references, leaky(references)


def silent_frame():
    references = stems(3.3)
    references[0, :, RATE : 2 * RATE] = 0
    return references, leaky(references)


def single_steps():
    """So little that museval's regularisation, the smallest float, is not nothing beside it."""
    references = np.zeros((2, 1, RATE))
    references[0, 0, 100], references[1, 0, 3000] = 1, 3
    estimates = 2 * references
    estimates[0, 0, [3010, 6000]] = estimates[1, 0, [110, 6000]] = 1
    return references / 2**15, estimates / 2**15


def silent_channel():
    references = stems(2.5, 2)
    references[0, 1] = 0
    return references, leaky(references)


def frozen_song() -> tuple[np.ndarray, np.ndarray]:
    """A song that no library's random numbers can change: hashed integers, 16 bit."""
    count = np.arange(4 * 20011, dtype=np.uint64)
    hashed = (count * np.uint64(2654435761)) % np.uint64(2**32)
    hashed = (hashed ^ (hashed >> np.uint64(15))) * np.uint64(2246822519) % np.uint64(2**32)
    white = ((hashed >> np.uint64(20)).astype(float) - 2048) / 2**15
    references, dirt = white.reshape(2, 2, 1, -1)
    references[1] += np.roll(references[0], 3) / 2
    return references, references + references[::-1] / 8 + dirt / 16


SONGS = {
    "mono": lambda: (stems(3.3), leaky(stems(3.3))),
    "stereo": lambda: (stems(2.2, 2), leaky(stems(2.2, 2))),
    "voice on both channels": dual_mono_voice,
    "silent channel": silent_channel,
    "single steps": single_steps,
    "silent frame": silent_frame,
    "odd length": lambda: (stems(1.0)[..., 1:], leaky(stems(1.0))[..., 1:]),
    "whole frames": lambda: (stems(2.0), leaky(stems(2.0))),
    "less than a second": lambda: (stems(0.7), leaky(stems(0.7))),
    "mixture as estimate": lambda: (stems(2.0), np.stack([stems(2.0).sum(axis=0)] * 2)),
    "changed places": lambda: (stems(2.0), leaky(stems(2.0))[::-1]),
}


def check(found, expected):
    for metric in bsseval.METRICS:
        np.testing.assert_array_equal(np.isnan(found[metric]), np.isnan(expected[metric]))
        np.testing.assert_allclose(found[metric], expected[metric], rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", SONGS)
def test_every_frame_is_musevals(name):
    references, estimates = SONGS[name]()
    found = bsseval_fast.evaluate(references, estimates, RATE)
    expected = bsseval.evaluate(references, estimates, RATE)
    assert found["SDR"].shape == (2, max(1, references.shape[-1] // RATE))
    assert np.isfinite(found["SDR"]).any()
    check(found, expected)


def test_equations_that_lose_digits_are_solved_to_the_last():
    """A sound of few frequencies: a factorisation alone is off by 1e-8 there."""
    slow = np.convolve(noise(4, 1, 1)[0], np.hanning(160), "same")
    lags = np.correlate(slow, slow, "full")[len(slow) - 1 :][: bsseval_fast.TAPS]
    gram = scipy.linalg.toeplitz(np.round(lags * 2**20) / 2**20)
    expected = np.arange(bsseval_fast.TAPS)[:, None] % 9 - 4.0
    found = bsseval_fast._solve(gram, gram @ expected)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10)


def test_blocks_of_correlations_join(monkeypatch):
    references, estimates = SONGS["mono"]()
    whole = bsseval_fast.evaluate(references, estimates, RATE)
    monkeypatch.setattr(bsseval_fast, "N_FFT", 2048)
    check(bsseval_fast.evaluate(references, estimates, RATE), whole)


@pytest.mark.parametrize("engine", [bsseval, bsseval_fast])
@pytest.mark.parametrize("which", ["reference", "estimate", "inverted channel"])
def test_silence_throughout_has_no_scores(engine, which):
    references = stems(2.0, 2)
    estimates = leaky(references)
    if which == "inverted channel":
        references[0, 1] = -references[0, 0]  # which museval takes for silence
    else:
        (references if which == "reference" else estimates)[0] = 0
    scores = engine.evaluate(references, estimates, RATE)
    assert all(values.shape == (2, 2) and np.isnan(values).all() for values in scores.values())


def test_a_click_in_both_stems():
    """Singular equations, where museval's least squares take minutes of stereo."""
    clicks = np.zeros((2, 2, RATE))
    clicks[..., 0] = 4
    scores = bsseval_fast.evaluate(clicks, 1.125 * clicks, RATE)
    np.testing.assert_allclose(scores["SDR"], 20 * np.log10(8))
    np.testing.assert_allclose(scores["ISR"], 20 * np.log10(8))
    assert (scores["SIR"] > 150).all()


def test_perfect_estimates_have_the_limit():
    references = stems(2.0)
    scores = bsseval_fast.evaluate(references, references, RATE)
    assert (scores["SDR"] == bsseval_fast.LIMIT).all()
    assert all((values > 150).all() for values in scores.values())


def test_a_voice_of_a_few_samples_counts_beside_a_loud_song():
    references = np.stack([np.zeros((1, RATE)), 100 * noise(1.0, 1, 5)])
    references[0, 0, [100, 5000]] = 2**-15
    estimates = references * [[[2]], [[1]]]
    scores = bsseval_fast.evaluate(references, estimates, RATE)
    # The filter from the voice to its estimate is 2: there is no other error.
    np.testing.assert_allclose(scores["SDR"][0], 0, atol=1e-9)
    np.testing.assert_allclose(scores["ISR"][0], 0, atol=1e-4)
    assert scores["SIR"][0, 0] > 60


def test_signals_are_rounded_and_left_alone():
    references, estimates = SONGS["mono"]()
    references, estimates = references.astype(np.float32), estimates.astype(np.float32)
    before = references.copy(), estimates.copy()
    found = bsseval_fast.evaluate(references, estimates, RATE)
    rounded = [bsseval.to_16_bit(x) for x in (references, estimates)]
    check(found, bsseval_fast.evaluate(*rounded, RATE))
    np.testing.assert_array_equal([references, estimates], before)


@pytest.mark.parametrize("engine", [bsseval, bsseval_fast])
def test_frozen_scores(engine):
    frozen = json.loads(FROZEN.read_text())
    found = engine.evaluate(*frozen_song(), RATE)
    check(found, {metric: np.array(frozen[metric]) for metric in bsseval.METRICS})


if __name__ == "__main__":
    scores = bsseval.evaluate(*frozen_song(), RATE)
    FROZEN.parent.mkdir(exist_ok=True)
    FROZEN.write_text(
        json.dumps({metric: scores[metric].round(9).tolist() for metric in scores}, indent=1) + "\n"
    )
