"""Scores of a song are museval's own numbers, whatever happens to a stem."""

import sys

import numpy as np
import pytest
from scored import RATE, noise, rms

from asteroid_karaoke import scores


def frames(record, stem: str, metric: str) -> list[float]:
    (target,) = (target for target in record["targets"] if target["name"] == stem)
    return [frame["metrics"][metric] for frame in target["frames"]]


@pytest.mark.parametrize("kind", ["mono", "stereo", "silent frame"])
def test_frames_are_musevals(stems, leaky, kind):
    import museval

    if kind == "stereo":
        stems = np.concatenate([stems, 0.5 * stems + np.stack([noise(3.3, 2), noise(3.3, 3)])], 1)
        leaky = stems + 0.1 * stems[::-1, ::-1]
    if kind == "silent frame":
        stems[0, :, RATE : 2 * RATE] = 0
    stems, leaky = (np.round(wav * 32768) / 32768 for wav in (stems, leaky))
    record = scores.score_song(stems, leaky, RATE)
    expected = museval.evaluate(
        stems.swapaxes(1, 2), leaky.swapaxes(1, 2), win=RATE, hop=RATE, mode="v4", padding=False
    )
    for metric, values in zip(("SDR", "ISR", "SIR", "SAR"), expected, strict=True):
        for stem, row in zip(scores.STEMS, values, strict=True):
            np.testing.assert_allclose(frames(record, stem, metric), row, atol=1.1e-5)
    assert record["song"]["frames"] == 3
    assert record["song"]["silent_reference_frames"] == int(kind == "silent frame")


def test_known_leakage_and_noise(stems, leaky):
    row = scores.summarise(scores.score_song(stems, leaky, RATE))
    for stem in scores.STEMS:
        assert row[f"{stem}_SIR"] == pytest.approx(20, abs=1)
        assert row[f"{stem}_SAR"] == pytest.approx(30, abs=1.5)
        assert row[f"{stem}_SDR"] == pytest.approx(row[f"{stem}_uSDR"], abs=0.2)


def test_band_limited_references_keep_their_scores():
    import soxr

    def half_band(wav):
        low = soxr.resample(wav.T.astype(np.float32), RATE, RATE / 2)
        return soxr.resample(low, RATE / 2, RATE).T

    stems = np.stack([half_band(noise(3, 1, channels=2)), half_band(noise(3, 5, channels=2))])
    estimates = stems + 0.1 * stems[::-1] * rms(stems) / rms(stems[::-1])
    estimates += 0.001 * rms(stems) * np.random.default_rng(0).standard_normal(stems.shape)
    row = scores.summarise(scores.score_song(stems, estimates, RATE))
    assert row["vocals_SIR"] == pytest.approx(20, abs=1)


@pytest.mark.parametrize("decibel", [-10, 0, 13.7])
def test_usdr_is_the_ratio_of_powers(stems, decibel):
    dirt = noise(3.3, 7)
    dirt *= rms(stems[0]) / rms(dirt) * 10 ** (-decibel / 20)
    assert scores.usdr(stems[0], stems[0] + dirt) == pytest.approx(decibel, abs=1e-6)


def test_usdr_of_nothing_and_of_the_truth(stems):
    assert scores.usdr(stems[0], 0 * stems[0]) == pytest.approx(0)
    assert 80 < scores.usdr(stems[0], stems[0]) < 200
    with pytest.raises(ValueError, match=r"\(1, 26400\), estimate \(1, 26399\)"):
        scores.usdr(stems[0], stems[0, :, 1:])


def test_perfect_estimates(stems):
    row = scores.summarise(scores.score_song(stems, stems, RATE))
    for stem in scores.STEMS:
        assert row[f"{stem}_SDR"] is None or row[f"{stem}_SDR"] > 100
        assert row[f"{stem}_uSDR"] > 80


def test_a_silent_voice_has_no_scores_but_a_level(stems):
    stems[0] = 0
    estimates = np.stack([np.full_like(stems[0], 0.1), stems[1]])
    record = scores.score_song(stems, estimates, RATE)
    assert np.isnan(frames(record, "vocals", "SDR") + frames(record, "accompaniment", "SIR")).all()
    assert record["song"]["silent_reference_frames"] == record["song"]["frames"] == 3
    assert record["song"]["vocals"]["uSDR"] is None
    assert record["song"]["vocals"]["silence_dB"] == pytest.approx(-20, abs=0.01)
    assert record["song"]["accompaniment"]["uSDR"] > 80
    assert record["song"]["accompaniment"]["silence_dB"] is None


def test_a_silent_estimate_is_counted_apart(stems):
    estimates = stems.copy()
    estimates[0] = 1e-6  # silent once it is rounded to 16 bit
    record = scores.score_song(stems, estimates, RATE)
    assert record["song"]["silent_reference_frames"] == 0
    assert record["song"]["silent_estimate_frames"] == 3
    assert record["song"]["vocals"]["uSDR"] == pytest.approx(0)
    assert scores.summarise(record)["vocals_SDR"] is None


def test_shorter_than_a_window(stems):
    record = scores.score_song(stems[..., :5000], 0.5 * stems[..., :5000], RATE)
    assert record["song"]["frames"] == 1
    assert frames(record, "vocals", "SDR") == pytest.approx([6.02], abs=0.01)


def test_singular_equations_are_no_error(monkeypatch):
    """The same click in both stems: museval asks for numpy.linalg.linalg.LinAlgError."""
    if hasattr(np.linalg, "linalg"):
        monkeypatch.delattr(np.linalg, "linalg")
    clicks = np.zeros((2, 1, RATE))
    clicks[:, :, 0] = 4
    row = scores.summarise(scores.score_song(clicks, 1.125 * clicks, RATE))
    assert row["vocals_SDR"] == pytest.approx(18.06, abs=0.01)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r, e: (r, e[..., 1:]), r"26400\), estimates \(2, 1, 26399\)"),
        (lambda r, e: (r, np.repeat(e, 2, axis=1)), r"1, 26400\), estimates \(2, 2, 26400\)"),
        (lambda r, e: (r[0], e[0]), r"expected \(2, channels, time\)"),
        (lambda r, e: (r[..., :0], e[..., :0]), r"expected \(2, channels, time\)"),
        (lambda r, e: (r, np.where(e > e.max() / 2, np.nan, e)), "estimate of vocals has .* NaN"),
        (lambda r, e: (r / 0, e), "reference of vocals has 26400 NaN"),
    ],
)
def test_what_can_not_be_scored_names_the_song(stems, change, message):
    with np.errstate(divide="ignore"), pytest.raises(ValueError, match=message) as caught:
        scores.score_song(*change(stems, stems.copy()), RATE, "My Song")
    assert "'My Song'" in str(caught.value)


def test_without_ffmpeg_one_line_says_what_to_do(monkeypatch, stems):
    for name in [n for n in sys.modules if n.split(".")[0] in ("museval", "stempeg", "musdb")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(RuntimeError, match="apt-get install ffmpeg") as caught:
        scores.score_song(stems, stems, RATE)
    assert "\n" not in str(caught.value)
