"""The command line as a whole: help, wrong usage, and score."""

import pytest
from command_line import names, run

from asteroid_karaoke import __version__, scores


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("sing",),
        ("separate",),
        ("separate", "song.wav", "--format", "aac"),
        ("separate", "song.wav", "--device", "toaster"),
        ("separate", "song.wav", "--stems", "drums"),
        ("separate", "song.wav", "--name", "{title.__class__}"),
        ("separate", "song.wav", "--overwrite", "--skip-existing"),
        ("separate", "song.wav", "--bitrate", "1"),
        ("separate", "song.wav", "--bitrate", "inf"),
        ("separate", "song.wav", "--bitrate", "192", "--format", "flac"),
        ("separate", "song.wav", "--start", "9" * 400),
        ("separate", "song.wav", "--start", "2", "--end", "1"),
        ("separate", "song.wav", "--preview", "0"),
        ("separate", "song.wav", "--max-duration", "9" * 400),
        ("separate", "song.wav", "--jobs", "two"),
        ("separate", "song.wav", "--preview", "--start", "3"),
        ("separate", "*.wav"),
        ("score", "--references", "a"),
        ("score", "--references", "a", "--estimates", "b", "-o", "c", "--jobs", "0"),
        ("score", "--references", "none", "--estimates", "none", "-o", "out"),
        ("infer",),
    ],
)
def test_wrong_usage_ends_with_2_and_says_so(folder, capfd, arguments):
    code, out, err = run(capfd, *arguments)
    assert (code, out) == (2, [])
    assert "asteroid-karaoke" in err[-1]
    # argparse's words where a type has none of its own, which name a function of ours.
    assert "invalid" not in err[-1] or "choose from" in err[-1]
    assert names(folder) == []


def test_help_and_version(capfd):
    code, out, _ = run(capfd, "--help")
    assert code == 0
    for command in ("separate", "infer", "score", "models"):
        assert any(line.split()[:1] == [command] for line in out)
    for command in ("separate", "score", "models", "infer"):
        assert run(capfd, command, "--help")[0] == 0
    assert run(capfd, "--version") == (0, [f"asteroid-karaoke {__version__}"], [])


def test_score_prints_a_table_and_counts_failures(folder, capfd, monkeypatch):
    asked = {}

    def score_folders(references, estimates, output, jobs, engine, scheduler):
        asked.update(references=references, estimates=estimates, output=str(output), jobs=jobs)
        assert (engine, scheduler) == ("fast", None)
        stems = {f"{stem}_{m}": 1.5 for stem in scores.STEMS for m in ("SDR", "SIR", "ISR", "SAR")}
        return {**stems, "failed": failed}

    monkeypatch.setattr(scores, "score_folders", score_folders)
    command = ("score", "--references", "r", "--estimates", "e", "-o", "out", "--jobs", "3")
    failed: dict = {}
    code, out, err = run(capfd, *command)
    assert (code, err) == (0, [])
    assert asked == {"references": "r", "estimates": "e", "output": "out", "jobs": 3}
    assert "vocals SDR" in out[0]
    assert "1.50" in out[2]
    failed = {"song": "song: no vocals"}
    assert run(capfd, *command)[0] == 1

    def no_museval(*args, **kwargs):
        raise RuntimeError("museval needs ffmpeg\nand more")

    monkeypatch.setattr(scores, "score_folders", no_museval)
    code, _, err = run(capfd, *command)
    assert (code, err) == (1, ["asteroid-karaoke: museval needs ffmpeg and more"])
