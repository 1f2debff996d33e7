"""separate: what it writes, what it says, and how it ends."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from command_line import RATE, names, noise, run
from sound_files import full_disk

from asteroid_karaoke import KaraokeNet, audio, knobs


def test_separate_writes_two_files_that_add_up_and_says_what_it_does(folder, weights, capfd):
    audio.write("song.wav", noise(), RATE, "FLOAT")
    code, out, err = run(capfd, "separate", "song.wav", "--model", weights, "--device", "cpu")
    assert (code, err) == (0, [])
    assert names(folder) == ["song.wav", "song_karaoke.wav", "song_vocals.wav"]
    total = audio.read(["song_karaoke.wav", "song_vocals.wav"])
    np.testing.assert_allclose(total, noise(), rtol=0, atol=1e-6)
    assert out[0].startswith(f"model {weights} on cpu: ")
    assert out[1].startswith("song.wav: 1 s long, about ")
    assert out[2] == "song_karaoke.wav  song_vocals.wav"


@pytest.mark.parametrize("format", ("wav", "flac", "mp3", "ogg"))
def test_separate_writes_the_format_asked_for(folder, weights, capfd, format):
    audio.write("a b.flac", noise(5000), RATE)
    command = ("separate", "a b.flac", "-o", "new/out", "--format", format, "--model", weights)
    assert run(capfd, *command)[0] == 0
    assert names(folder / "new" / "out") == [f"a b_karaoke.{format}", f"a b_vocals.{format}"]
    assert audio.info(f"new/out/a b_karaoke.{format}").frames == 5000


def test_a_bad_song_is_one_line_and_the_others_are_done(folder, weights, capfd):
    audio.write("good.wav", noise(), RATE)
    audio.write("long.mp3", noise(4 * RATE), RATE)
    # mpg123 comments on both of these on standard error, past Python.
    (folder / "cut.mp3").write_bytes((folder / "long.mp3").read_bytes()[:-9000])
    (folder / "text.mp3").write_text("la la la\n" * 999)
    bad = ["missing.wav", "cut.mp3", "text.mp3", "pipe"]
    os.mkfifo("pipe")
    code, out, err = run(
        capfd, "separate", *bad, "good.wav", "-o", "out", "--model", weights, "--format", "flac"
    )
    assert code == 1
    assert len(err) == len(bad)
    for name, line in zip(bad, err, strict=True):
        assert line.startswith(f"asteroid-karaoke: {name} ")
    assert names(folder / "out") == [
        "asteroid-karaoke.jsonl",
        "good_karaoke.flac",
        "good_vocals.flac",
    ]
    assert "out/good_karaoke.flac  out/good_vocals.flac" in out
    assert out[-5] == "1 done, 0 skipped, 4 failed"
    assert [line.split()[:2] for line in out[-4:]] == [["failed:", name] for name in bad]


def test_a_model_that_fails_names_the_song(folder, weights, capfd, monkeypatch):
    audio.write("song.wav", noise(5000), RATE)
    monkeypatch.setattr(KaraokeNet, "forward_vocals", lambda self, mixture: mixture * np.nan)
    code, _, err = run(capfd, "separate", "song.wav", "--model", weights)
    assert code == 1
    assert len(err) == 1
    assert "song.wav: the model gives NaN" in err[0]
    assert names(folder) == ["song.wav"]


@pytest.mark.parametrize("name", ("ü 歌.wav", b"\xff\xfe.wav", "a:b.wav"))
def test_any_file_name_will_do(folder, weights, capfd, name):
    name = os.fsdecode(name)
    try:
        audio.write(name, noise(5000), RATE)
    except OSError:
        pytest.skip("the file system refuses this name")
    code, out, err = run(capfd, "separate", name, "--model", weights)
    assert (code, err) == (0, [])
    assert len(out) == 3
    assert len(names(folder)) == 3


STOPPED = (
    "asteroid-karaoke: stopped; what is half-written is removed, by the next run at the latest"
)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (("song.wav", "song_vocals.wav"), "song_vocals.wav, a result for song.wav, is an input"),
        (("song.wav", "link_karaoke.wav", "link.wav"), "is an input"),
        (("song.wav", "other/song.wav"), "song.wav and other/song.wav would both be written"),
        (("song.wav", "song.wav"), "would both be written to song_vocals.wav"),
        (("song.wav", "-o", "song.wav"), "-o song.wav is no folder"),
    ],
)
def test_songs_that_would_overwrite_one_another_are_refused(
    folder, weights, capfd, inputs, message
):
    audio.write("song.wav", noise(5000), RATE)
    audio.write("other/song.wav", noise(5000), RATE)
    for name in ("song_vocals.wav", "link.wav"):
        audio.write(name, noise(5000), RATE)
    (folder / "link_karaoke.wav").symlink_to("song.wav")
    before = names(folder)
    code, out, err = run(capfd, "separate", *inputs, "--model", weights)
    assert (code, out, len(err)) == (2, [], 1)
    assert message in err[0]
    assert names(folder) == before


def test_a_folder_that_can_not_be_written_to_is_one_line(folder, weights, capfd):
    audio.write("song.wav", noise(5000), RATE)
    (folder / "file").write_text("in the way")
    code, _, err = run(capfd, "separate", "song.wav", "-o", "file/out", "--model", weights)
    assert (code, len(err)) == (1, 1)
    assert "song.wav: the folder file/out can not be written to" in err[0]
    assert names(folder) == ["file", "song.wav"]


def test_a_full_disk_is_one_line_and_leaves_nothing(folder, weights, capfd):
    audio.write("song.wav", noise(), RATE)
    with full_disk(100_000):
        code, _, err = run(capfd, "separate", "song.wav", "--model", weights)
    assert (code, len(err)) == (1, 1)
    assert "song_vocals.wav could not be written to its end" in err[0]
    assert names(folder) == ["song.wav"]


def test_a_format_that_can_not_hold_the_song_is_one_line(folder, weights, capfd):
    audio.write("song.wav", noise(5000, channels=6), RATE)
    code, _, err = run(capfd, "separate", "song.wav", "--format", "mp3", "--model", weights)
    assert (code, len(err)) == (1, 1)
    assert "mp3 can not hold 6 channel(s)" in err[0]
    assert names(folder) == ["song.wav"]


def test_many_songs_end_with_a_summary_and_go_on_the_next_time(folder, weights, capfd):
    for number, name in enumerate(("lib/a.wav", "lib/x/b.wav")):
        audio.write(name, noise(9000, seed=number), RATE)
    (folder / "lib" / "bad.wav").write_text("no sound")
    command = ("separate", "lib", "-o", "out", "--jobs", "2", "--model", weights)
    code, out, err = run(capfd, *command, "--stems", "karaoke", "--name", "{title} - {stem}")
    assert (code, len(err)) == (1, 1)
    assert out[-2:] == ["2 done, 0 skipped, 1 failed", "failed: " + err[0].partition(": ")[2]]
    assert sorted(path.name for path in folder.glob("out/**/*.wav")) == [
        "a - karaoke.wav",
        "b - karaoke.wav",
    ]
    code, out, _ = run(capfd, *command, "--stems", "karaoke", "--name", "{title} - {stem}")
    assert (code, out[-2]) == (1, "0 done, 2 skipped, 1 failed")


def test_the_knobs_turn(folder, weights, capfd):
    audio.write("song.wav", noise(3 * RATE), RATE, "FLOAT")
    command = ("separate", "song.wav", "--model", weights, "--vocals-level", "-6dB", "-o")
    assert run(capfd, *command, "a", "--start", "0:01", "--end", "2.5")[0] == 0
    assert run(capfd, *command, "b", "--preview", "1", "--stems", "karaoke")[0] == 0
    vocals, karaoke = (audio.read(f"a/song_{stem}.wav") for stem in ("vocals", "karaoke"))
    song = audio.read("song.wav", RATE, round(1.5 * RATE))
    wanted = song - vocals * np.float32(1 - 10 ** (-6 / 20))
    np.testing.assert_allclose(karaoke, wanted, atol=1e-6)
    assert audio.info("b/song_karaoke.wav").frames == RATE
    assert names(folder / "b") == ["song_karaoke.wav"]


def test_what_stops_a_run_before_its_first_song_is_one_line(folder, weights, capfd, monkeypatch):
    def missing():
        raise RuntimeError("another key or tempo needs the library python-stretch")

    monkeypatch.setattr(knobs, "library", missing)
    audio.write("song.wav", noise(5000), RATE)
    (folder / "out" / "asteroid-karaoke.jsonl").mkdir(parents=True)
    for arguments, said in (
        (("--key", "2"), "needs the library python-stretch"),
        (("-o", "out"), "asteroid-karaoke.jsonl"),
    ):
        code, out, err = run(capfd, "separate", "song.wav", "--model", weights, *arguments)
        assert (code, out, len(err)) == (2, [], 1)
        assert said in err[0]


@pytest.mark.parametrize(("number", "code"), ((signal.SIGINT, 130), (signal.SIGTERM, 143)))
def test_who_is_told_to_stop_leaves_nothing(folder, weights, number, code):
    audio.write("song.wav", noise(20 * RATE), RATE)
    slow = (
        "import sys, time, asteroid_karaoke, asteroid_karaoke.cli as cli\n"
        "run = asteroid_karaoke.KaraokeNet.forward\n"
        "asteroid_karaoke.KaraokeNet.forward = lambda *a: time.sleep(60) if len(done) else "
        "done.append(0) or run(*a)\n"
        "done = []\n"
        "sys.exit(cli.main())\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", slow, "separate", "song.wav", "--model", str(weights)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    # The second block is under way once the first has told how long it will take.
    for line in process.stdout:
        if "about" in line:
            break
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert err.splitlines()[-1] == STOPPED
    assert "Traceback" not in err
    assert names(folder) == ["song.wav"]


def test_those_that_work_for_it_stop_too(folder, weights):
    """They hold the pipe open, so that reading it to its end is to wait for them."""
    for number in range(4):
        audio.write(f"{number}.wav", noise(20 * RATE), RATE)
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "asteroid_karaoke.cli", "separate"]
        + [".", "-o", "out", "--jobs", "2", "--model", str(weights)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    while not (folder / "out").exists() or not any((folder / "out").glob(".*.part")):
        assert process.poll() is None
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 143
    assert err.splitlines()[-1] == STOPPED
    assert not (folder / "out" / "3_karaoke.wav").exists()


@pytest.mark.skipif(os.name != "posix", reason="closes file descriptors")
@pytest.mark.parametrize(
    ("source", "streams", "code", "said"),
    [
        ("song.wav", ">&-", 0, ""),
        ("song.wav", ">/dev/full", 0, ""),
        ("-", "<&-", 1, "got -, but there is no standard input: name a file, or pipe one in"),
    ],
)
def test_standard_streams_may_be_missing(folder, weights, source, streams, code, said):
    audio.write("song.wav", noise(5000), RATE)
    command = [sys.executable, "-m", "asteroid_karaoke.cli", "separate", source]
    result = subprocess.run(
        ["sh", "-c", f'"$@" {streams}', "sh", *command, "--model", str(weights)],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
    )
    assert (result.returncode, said in result.stderr) == (code, True), result.stderr
    assert "Traceback" not in result.stderr
    assert ("song_karaoke.wav" in names(folder)) == (code == 0)


def test_samples_beyond_all_measure_are_told(folder, weights, capfd):
    audio.write("song.wav", 1e25 * noise(RATE), RATE, "FLOAT")
    code, _, err = run(capfd, "separate", "song.wav", "--model", weights)
    assert code == 1
    assert "song.wav: holds samples of 3e+24 times full scale, so it is no sound" in err[0]
