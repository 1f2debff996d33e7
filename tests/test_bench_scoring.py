"""eval/bench/scoring.py and the record it leaves: one song for both engines, and what that took."""

import argparse
import json
import sys

import numpy as np
import pytest

from asteroid_karaoke import audio, bsseval
from eval.bench import record, scoring

RATE = 8000
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


@pytest.fixture
def song(tmp_path):
    """A mono song of 3 s."""
    white = 0.1 * np.random.default_rng(0).standard_normal((2, 1, 3 * RATE))
    white[1] = np.convolve(white[1, 0], np.hanning(6), "same")
    for stem, wav in zip(("vocals", "accompaniment"), white.astype(np.float32), strict=True):
        audio.write(tmp_path / "song" / f"{stem}.wav", wav, RATE)
    return tmp_path / "song"


@linux
def test_both_engines_score_the_same_song_and_the_record_says_what_that_took(
    song, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(scoring, "alone", lambda function, *arguments: function(*arguments))
    place = tmp_path / "results" / "scoring"
    arguments = [str(song), "--seconds", "2", "-o", str(place)]
    monkeypatch.setattr(sys, "argv", ["scoring.py", *arguments])
    scoring.main()
    left = json.loads(place.with_suffix(".json").read_text())
    assert {"commit", "date", "machine"} <= {*left}
    assert {"museval", "numpy", "scipy"} <= {*left["versions"]}
    theirs, ours = left["rows"]
    assert (theirs["engine"], ours["engine"]) == ("museval", "fast")
    for row in (theirs, ours):
        assert (row["song"], row["seconds"], row["frames"]) == ("song", 2, 2)
        assert min(row["wall"], row["cpu"]) > 0
    assert ours["share"] == ours["wall"] / theirs["wall"]
    assert {*ours["off"]} == {*bsseval.METRICS}
    assert max(ours["off"].values()) < 1e-6
    table = place.with_suffix(".md").read_text()
    assert f"| 2 | fast | {ours['wall']:.1f} |" in table
    assert table.splitlines()[-1] in capsys.readouterr().out


def test_frames_that_only_one_leaves_out_are_no_result():
    found = {"wall": 1.0, "scores": np.zeros((4, 2, 3))}
    gaps = {"wall": 1.0, "scores": np.where(np.arange(3) == 1, np.nan, found["scores"])}
    with pytest.raises(ValueError, match="leave out different frames"):
        scoring.compared(found, gaps)


def test_a_row_of_its_own_process_is_measured_and_printed(monkeypatch, capsys):
    def measure(args, way):
        return {"way": way, "threads": args.threads}

    def options(*words):
        monkeypatch.setattr(sys, "argv", ["bench.py", *words])
        parser = argparse.ArgumentParser()
        parser.add_argument("--threads", type=int)
        return record.options(parser, measure)

    with pytest.raises(SystemExit) as ended:
        options("--threads", "2", "--row", '{"way": "x"}')
    assert not ended.value.code
    assert json.loads(capsys.readouterr().out) == {"way": "x", "threads": 2}
    assert str(options("-o", "place").output) == "place"
