"""Scores are museval's own numbers, whatever happens to a song, a stem or a file."""

import json
import sys

import numpy as np
import pytest
import soundfile

from asteroid_karaoke import audio, cli, cluster, results, scores
from asteroid_karaoke.report import collect

RATE = 8000


def noise(seconds: float, seed: int, channels: int = 1) -> np.ndarray:
    """Smooth noise ``(channels, time)``, so that the stems do not have the same spectrum.

    One channel by default: with two, museval solves 2048 equations a song, which takes 2 s.
    """
    rng = np.random.default_rng(seed)
    white = rng.standard_normal((channels, round(seconds * RATE)))
    return np.apply_along_axis(np.convolve, 1, white, np.hanning(4 + seed % 5), "same") * 0.1


@pytest.fixture
def stems() -> np.ndarray:
    return np.stack([noise(3.3, 1), noise(3.3, 5)])


@pytest.fixture
def leaky(stems):
    """Estimates with 10 % of the other stem in each (20 dB), and some noise (30 dB)."""
    dirt = np.stack([noise(3.3, 11), noise(3.3, 12)])
    estimates = stems + 0.1 * stems[::-1] * rms(stems) / rms(stems[::-1])
    return estimates + 10 ** (-30 / 20) * dirt * rms(stems) / rms(dirt)


@pytest.fixture(scope="module")
def record():
    """The record of a song, made once."""
    stems = np.stack([noise(2.0, 1), noise(2.0, 5)])
    return scores.score_song(stems, stems + 0.1 * stems[::-1], RATE, "a song")


@pytest.fixture
def folders(tmp_path, stems, leaky):
    """Folders of references and of estimates with the songs ``one`` and ``two``."""
    for name in ("one", "two"):
        put(tmp_path / "references" / name, vocals=stems[0], accompaniment=stems[1])
        put(tmp_path / "estimates" / name, vocals=leaky[0], karaoke=leaky[1])
    return tmp_path / "references", tmp_path / "estimates", tmp_path / "scores"


def rms(wav: np.ndarray) -> np.ndarray:
    return np.sqrt(np.mean(wav**2, axis=(-2, -1), keepdims=True))


def put(folder, suffix=".wav", sample_rate=RATE, **files: np.ndarray) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, wav in files.items():
        audio.write(folder / f"{name}{suffix}", wav.astype(np.float32), sample_rate, "PCM_16")


def frames(record, stem: str, metric: str) -> list[float]:
    (target,) = (target for target in record["targets"] if target["name"] == stem)
    return [frame["metrics"][metric] for frame in target["frames"]]


def store(*folders):
    import museval

    evaluation = museval.EvalStore()
    for folder in folders:
        evaluation.add_eval_dir(folder)
    return evaluation


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


def test_folders(folders, stems):
    *_, output = folders
    final = scores.score_folders(*folders)
    assert final["songs"] == 2
    assert final["failed"] == final["left_out"] == {}
    assert final["frames"] == 6
    assert final["vocals_SIR"] == pytest.approx(20, abs=1)
    assert json.loads((output / "final_metrics.json").read_text()) == final
    lines = (output / "all_metrics.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["song", "one", "two"]
    assert lines[0].split(",")[2:10] == [
        f"vocals_{m}"
        for m in ("SDR", "SIR", "SAR", "ISR", "uSDR", "SI-SDR", "correlation", "silence_dB")
    ]
    assert not list(output.rglob("*.part"))
    over_songs = store(output).agg_frames_tracks_scores()
    for stem in scores.STEMS:
        for metric in results.FRAME_METRICS:
            assert final[f"{stem}_{metric}"] == pytest.approx(over_songs[stem, metric], abs=1e-9)


def test_scored_songs_are_not_scored_again(folders, leaky, monkeypatch):
    _, estimates, output = folders
    first = scores.score_folders(*folders)
    scored = []

    def spy(references, estimates, sample_rate, name, engine, original=scores.score_song):
        scored.append(name)
        return original(references, estimates, sample_rate, name, engine)

    monkeypatch.setattr(scores, "score_song", spy)
    assert scores.score_folders(*folders) == first
    assert scored == []

    path = output / "test" / "one.json"
    path.write_text(path.read_text()[:1000])
    assert scores.score_folders(*folders) == first
    assert scored == ["one"]

    put(estimates / "two", vocals=0.5 * leaky[0])
    changed = scores.score_folders(*folders)
    assert scored == ["one", "two"]
    assert changed["vocals_SDR"] < first["vocals_SDR"]

    (estimates / "two" / "vocals.wav").unlink()
    assert set(scores.score_folders(*folders)["failed"]) == {"two"}
    assert [p.name for p in (output / "test").iterdir()] == ["one.json"]


def test_the_engine_is_a_choice_and_part_of_what_was_scored(folders, monkeypatch):
    used = []
    for engine, function in scores.ENGINES.items():

        def spy(*arguments, engine=engine, function=function):
            used.append(engine)
            return function(*arguments)

        monkeypatch.setitem(scores.ENGINES, engine, spy)
    fast = scores.score_folders(*folders)
    reference = scores.score_folders(*folders, engine="museval")
    assert used == ["fast", "fast", "museval", "museval"]
    for key, value in fast.items():
        assert reference[key] == pytest.approx(value, abs=2e-5)
    record = json.loads((folders[2] / "test" / "one.json").read_text())
    assert record["song"]["engine"] == "museval"


def test_mixed_up_files_are_reported(folders, stems, caplog):
    references, estimates, _ = folders
    put(references / "swapped", vocals=stems[0], accompaniment=stems[1])
    put(estimates / "swapped", vocals=stems[1], accompaniment=stems[0])
    put(references / "other", vocals=stems[0], accompaniment=stems[1])
    put(estimates / "other", vocals=noise(3.3, 21), accompaniment=noise(3.3, 22))
    final = scores.score_folders(*folders)
    assert final["songs"] == 4 and not final["failed"]
    assert set(final["remarks"]) == {"swapped", "other"}
    assert "are the files swapped?" in final["remarks"]["swapped"][0]
    assert "another song's" in final["remarks"]["other"][0]
    assert len(caplog.messages) == 3
    assert any(text.startswith("song 'swapped': the estimate of") for text in caplog.messages)
    # Reported again when nothing is scored again.
    assert scores.score_folders(*folders) == final
    assert len(caplog.messages) == 6


def test_an_output_that_can_not_be_written_ends_the_run(folders, caplog):
    references, estimates, output = folders
    output.write_text("a file")
    with pytest.raises(OSError, match="scores"):
        scores.score_folders(references, estimates, output)
    assert not caplog.records


def test_bad_songs_do_not_stop_the_others(folders, leaky, caplog):
    references, estimates, output = folders
    for name in ("short", "rate", "text", "twice"):
        put(references / name, vocals=leaky[0], accompaniment=leaky[1])
        put(estimates / name, vocals=leaky[0], accompaniment=leaky[1])
    put(estimates / "short", vocals=leaky[0, :, :-1])
    put(estimates / "rate", sample_rate=RATE * 2, vocals=leaky[0])
    (estimates / "text" / "vocals.wav").write_text("not a sound")
    put(estimates / "twice", suffix=".flac", vocals=leaky[0])
    put(references / "nan", vocals=leaky[0], accompaniment=leaky[1])
    put(estimates / "nan", vocals=leaky[0], accompaniment=leaky[1])
    broken = np.where(np.arange(leaky.shape[-1]) == 7, np.nan, leaky[0]).astype(np.float32)
    soundfile.write(estimates / "nan" / "vocals.wav", broken.T, RATE, "FLOAT")
    put(references / "empty", vocals=leaky[0], accompaniment=leaky[1])
    (estimates / "empty").mkdir()
    put(references / "lost", vocals=leaky[0], accompaniment=leaky[1])
    put(estimates / "unknown", vocals=leaky[0], accompaniment=leaky[1])
    (estimates / "log").mkdir()
    (references / ".hidden").mkdir()
    final = scores.score_folders(*folders)
    assert final["songs"] == 2
    failed = final["failed"]
    assert sorted(caplog.messages) == sorted(failed.values())
    assert set(failed) == {*("short", "rate", "text", "twice", "lost", "unknown", "nan", "empty")}
    assert all(f"'{name}'" in message for name, message in failed.items())
    assert "26399 samples" in failed["short"] and "26400 samples" in failed["short"]
    assert "8000 Hz" in failed["rate"] and "16000 Hz" in failed["rate"]
    assert "vocals.wav" in failed["text"]
    assert "vocals.flac, vocals.wav" in failed["twice"]
    assert all("found none" in failed[name] for name in ("lost", "unknown", "empty"))
    assert "NaN" in failed["nan"] and "vocals" in failed["nan"]
    assert sorted(p.name for p in (output / "test").iterdir()) == ["one.json", "two.json"]


def test_no_song_at_all(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        scores.score_folders(tmp_path / "nowhere", tmp_path, tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="no song in"):
        scores.score_folders(tmp_path / "empty", tmp_path / "empty", tmp_path)


def test_two_jobs_give_what_one_gives(folders, tmp_path):
    references, estimates, output = folders
    one = scores.score_folders(references, estimates, output)
    assert scores.score_folders(references, estimates, tmp_path / "parallel", jobs=2) == one


def test_floor_and_ceiling_stand_beside_what_is_scored(folders, capsys):
    """And a report finds them there, with the files that were scored."""
    references, estimates, output = folders
    command = ["score", "--references", str(references), "--estimates", str(estimates)]
    assert cli.main([*command, "-o", str(output), "--floor-and-ceiling"]) == 0
    rows = [line.split("|")[1].strip() for line in capsys.readouterr().out.splitlines()]
    assert rows[2:] == ["estimates", "mixture", "ideal_ratio_mask"]
    kept = output / "baselines" / "ideal_ratio_mask" / "test" / "one.json"
    before = kept.stat().st_mtime_ns
    assert cli.main([*command, "-o", str(output), "--floor-and-ceiling"]) == 0
    assert kept.stat().st_mtime_ns == before, "scored once"
    found = collect.collect([output])[collect.UNNAMED]
    assert list(found) == ["mixture", "scores", "ideal_ratio_mask"]
    sdr = [found[name]["one"].row["vocals_SDR"] for name in found]
    # Of noise with one spectrum a mask makes little, of 20 dB estimates nothing.
    assert sdr[0] < sdr[2] < sdr[1]
    files = found["scores"]["one"].audio
    assert files["accompaniment_estimate"] == (str(estimates / "one" / "karaoke.wav"),)
    assert {*files} == {*scores.STEMS, *(f"{stem}_estimate" for stem in scores.STEMS)}


def test_a_song_that_no_worker_survives_fails_alone(folders, monkeypatch, caplog):
    def run(function, items, jobs, scheduler, in_order):
        assert (scheduler, in_order) == ("tcp://x", False)
        assert all(path.is_absolute() for path in function.args[:3])
        yield function(items[0])
        yield cluster.Lost(items[1], "all workers that were given it died")

    monkeypatch.setattr(cluster, "run", run)
    final = scores.score_folders(*folders, scheduler="tcp://x")
    assert final["songs"] == 1
    assert final["failed"] == {"two": "song 'two': all workers that were given it died"}


def test_songs_without_scores_are_left_out_and_counted(record, stems, tmp_path):
    stems[0] = 0
    silent = scores.score_song(stems, stems, RATE, "silent")
    assert silent["song"]["silent_estimate_frames"] == 0  # each frame is counted once
    for song in (record, silent):
        scores.save_song(song, tmp_path)
    final = scores.write_summary([record, silent], tmp_path)
    assert final["vocals_SDR"] == final["vocals_SDR_mean"] == scores.summarise(record)["vocals_SDR"]
    assert final["left_out"]["vocals_SDR"] == final["left_out"]["accompaniment_SIR"] == 1
    assert "accompaniment_uSDR" not in final["left_out"]
    assert final["vocals_silence_dB"] == pytest.approx(-100)
    assert final["silent_reference_frames"] == 3
    for value in final.values():
        assert type(value) in (float, int, dict, type(None))
    text = (tmp_path / "final_metrics.json").read_text() + (
        tmp_path / "all_metrics.csv"
    ).read_text()
    assert "nan" not in text.lower()
    assert set(store(tmp_path).df["track"]) == {"a song", "silent"}
    alone = scores.write_summary([silent], tmp_path)
    assert alone["vocals_SDR"] is None
    assert json.loads((tmp_path / "final_metrics.json").read_text()) == alone


def test_stored_songs_come_back_for_the_same_inputs_only(record, tmp_path):
    path = scores.save_song(record, tmp_path, inputs={"model": "abc"})
    loaded = scores.load_song(tmp_path, "a song", inputs={"model": "abc"})
    assert loaded == {**record, "inputs": {"model": "abc"}}
    assert scores.load_song(tmp_path, "a song", inputs={"model": "xyz"}) is None
    assert scores.load_song(tmp_path, "another", inputs={"model": "abc"}) is None
    path.write_text("[]")
    assert scores.load_song(tmp_path, "a song", inputs={"model": "abc"}) is None
    with pytest.raises(ValueError, match=r"'a/b'"):
        scores.load_song(tmp_path, "a/b")


def test_a_failed_write_leaves_the_old_file(record, tmp_path, monkeypatch):
    path = scores.save_song(record, tmp_path)
    before = path.read_text()

    def no_space(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(results.os, "replace", no_space)
    with pytest.raises(OSError, match="No space"):
        scores.save_song(record | {"museval_version": "?"}, tmp_path)
    assert path.read_text() == before
    assert [p.name for p in path.parent.iterdir()] == ["a song.json"]


def test_table(record):
    final = scores.aggregate([record])
    lines = scores.table({"mixture": final, "our model": final | {"vocals_SIR": None}}).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[0].split("|")[1:4] == [" dB        ", " vocals SDR ", " vocals SIR "]
    assert set(lines[1]) == set("|-: ")
    assert f" {final['vocals_SDR']:.2f} " in lines[2]
    assert lines[3].split("|")[3].strip() == "–"
