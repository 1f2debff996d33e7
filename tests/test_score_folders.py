"""Scores of folders of songs: each once, all that can be, and the summary of them."""

import json

import numpy as np
import pytest
import soundfile
from scored import RATE, noise
from sound_files import encode

from asteroid_karaoke import audio, cli, cluster, results, scores
from asteroid_karaoke.report import collect


@pytest.fixture
def folders(tmp_path, stems, leaky):
    """Folders of references and of estimates with the songs ``one`` and ``two``."""
    for name in ("one", "two"):
        put(tmp_path / "references" / name, vocals=stems[0], accompaniment=stems[1])
        put(tmp_path / "estimates" / name, vocals=leaky[0], karaoke=leaky[1])
    return tmp_path / "references", tmp_path / "estimates", tmp_path / "scores"


def put(folder, suffix=".wav", sample_rate=RATE, **files: np.ndarray) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, wav in files.items():
        audio.write(folder / f"{name}{suffix}", wav.astype(np.float32), sample_rate, "PCM_16")


def store(*folders):
    import museval

    evaluation = museval.EvalStore()
    for folder in folders:
        evaluation.add_eval_dir(folder)
    return evaluation


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


def test_stems_in_any_format_are_read(tmp_path):
    for name in ("vocals.wma", "karaoke.wma"):
        encode(tmp_path / name, noise(1, seed=0, channels=2).astype(np.float32), "wmav2")
    stems, rate = scores.read_stems(tmp_path)
    assert (len(stems), rate) == (2, 48000)


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


def test_a_folder_that_is_called_as_a_baseline_would_be_taken_for_it(folders, capsys, monkeypatch):
    references, estimates, output = folders
    command = ["score", "--references", str(references), "-o", str(output), "--estimates"]
    estimates.rename(estimates.parent / "mixture")
    given = str(estimates.parent / "mixture")
    assert cli.main([*command, given, "--floor-and-ceiling"]) == 2
    assert "is called as what --floor-and-ceiling scores: rename the folder" in (
        capsys.readouterr().err
    )
    monkeypatch.chdir(given)
    assert cli.main([*command, "."]) == 0
    assert "| mixture |" in capsys.readouterr().out


def test_an_engine_that_there_is_not():
    stems = np.stack([noise(1.0, 1), noise(1.0, 2)])
    with pytest.raises(ValueError, match="got engine 'slow', expected one of fast, museval"):
        scores.score_song(stems, stems, RATE, engine="slow")


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
