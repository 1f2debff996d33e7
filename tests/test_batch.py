"""Many songs: done, skipped, failed; a run that was killed goes on."""

import http.server
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
import types
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from stand_ins import Gain, dead_part

from asteroid_karaoke import audio, inputs, parts
from asteroid_karaoke.batch import DONE, FAILED, SKIPPED, Work, plan, run, separate_song
from asteroid_karaoke.inputs import Song
from asteroid_karaoke.ledger import NAME, Ledger
from asteroid_karaoke.options import OutputOptions

RATE = 8000


@pytest.fixture
def library(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate(("lib/a.wav", "lib/x/b.wav", "lib/x/c.flac")):
        audio.write(name, noise(seed), RATE)
    (tmp_path / "lib" / "bad.wav").write_text("no sound")
    return tmp_path


def noise(seed=0):
    return np.random.default_rng(seed).uniform(-0.5, 0.5, (2, 4000)).astype(np.float32)


def worked(tmp_path, *sources, model=None, **options):
    """What became of each song, as the command does it."""
    skip = options.pop("skip_existing", False)
    facts = {"name": "gain", "sha256": options.pop("weights", "0")}
    out = tmp_path / "out"
    work = Work(out, OutputOptions(**options), Gain, facts, skip, ledger=True)
    songs = plan(inputs.expand(sources, Ledger(out).results()), out, work.options)
    return [separate_song(model or Gain(), song, work) for song in songs]


def statuses(outcomes):
    return [outcome.status for outcome in outcomes]


def tree(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.*")}


def test_a_folder_keeps_its_shape_and_a_bad_song_costs_itself(library):
    outcomes = worked(library, "lib")
    assert statuses(outcomes) == [DONE, FAILED, DONE, DONE]
    assert "bad.wav is not audio" in outcomes[1].reason
    assert sorted(tree(library / "out")) == sorted(
        [
            NAME,
            *(f"a_{stem}.wav" for stem in ("karaoke", "vocals")),
            *(f"x/b_{stem}.wav" for stem in ("karaoke", "vocals")),
            *(f"x/c_{stem}.flac" for stem in ("karaoke", "vocals")),
        ]
    )


def test_only_the_stems_that_are_asked_for_are_written(library):
    (outcome,) = worked(library, "lib/a.wav", stems=("karaoke",))
    assert list(outcome.paths) == ["karaoke"]
    assert sorted(tree(library / "out")) == ["a_karaoke.wav", NAME]


def test_nothing_is_overwritten_unless_that_is_asked_for(library):
    (library / "out").mkdir()
    (library / "out" / "a_vocals.wav").write_text("mine")
    (outcome,) = worked(library, "lib/a.wav")
    assert outcome.status == FAILED
    assert "a_vocals.wav exists: give --overwrite" in outcome.reason
    assert tree(library / "out") == {"a_vocals.wav": b"mine"}
    (outcome,) = worked(library, "lib/a.wav", skip_existing=True)
    assert (outcome.status, list(outcome.paths)) == (DONE, ["karaoke"])
    assert (library / "out" / "a_vocals.wav").read_text() == "mine"
    (outcome,) = worked(library, "lib/a.wav", skip_existing=True)
    assert (outcome.status, outcome.reason) == (SKIPPED, "its results exist")
    (outcome,) = worked(library, "lib/a.wav", overwrite=True)
    assert outcome.status == DONE
    assert audio.info(library / "out" / "a_vocals.wav").frames == 4000


class NoWork(Gain):
    def forward(self, wav):
        pytest.fail("work was begun")


def test_what_is_done_is_not_done_again(library):
    worked(library, "lib/a.wav", "lib/x")
    outcomes = worked(library, "lib/a.wav", "lib/x", model=NoWork())
    assert statuses(outcomes) == [SKIPPED] * 3
    # Another option, another model, another song: the results in the way are not of this run.
    for change in ({"clip": "limit"}, {"weights": "1"}):
        assert statuses(worked(library, "lib/a.wav", **change)) == [FAILED]
    audio.write("lib/a.wav", noise(9), RATE)
    assert statuses(worked(library, "lib/a.wav")) == [FAILED]
    assert statuses(worked(library, "lib/a.wav", overwrite=True)) == [DONE]


def test_a_result_that_is_missing_or_changed_is_noticed(library):
    worked(library, "lib/a.wav")
    (library / "out" / "a_karaoke.wav").unlink()
    # The other one is ours, so it may be replaced.
    assert statuses(worked(library, "lib/a.wav")) == [DONE]
    (library / "out" / "a_karaoke.wav").write_text("edited")
    assert statuses(worked(library, "lib/a.wav")) == [FAILED]


def test_the_ledger_tells_what_was_done_and_outlives_half_a_line(library):
    worked(library, "lib/a.wav")
    path = library / "out" / NAME
    (record,) = map(json.loads, path.read_text().splitlines())
    assert record["source"] == "lib/a.wav"
    assert set(record["outputs"]) == {"a_vocals.wav", "a_karaoke.wav"}
    assert len(record["sha256"]) == 64
    assert record["options"]["format"] == "same"
    path.write_text(path.read_text() + '{"source": "lib/x/b')
    assert statuses(worked(library, "lib")) == [SKIPPED, FAILED, DONE, DONE]
    assert statuses(worked(library, "lib")) == [SKIPPED, FAILED, SKIPPED, SKIPPED]


def test_results_in_the_songs_own_folder_are_no_songs(library):
    folder = library / "lib"
    work = Work(folder, OutputOptions(), Gain, ledger=True)
    for _ in range(2):
        songs = plan(inputs.expand(["lib"], Ledger(folder).results()), folder, work.options)
        assert len(songs) == 4
        for song in songs:
            separate_song(Gain(), song, work)
    # Also those of a run that kept no ledger.
    (folder / NAME).unlink()
    assert len(plan(inputs.expand(["lib"]), folder, work.options)) == 4


def test_songs_that_would_share_a_name_are_told(library):
    audio.write("lib/y/a.wav", noise(), RATE)
    with pytest.raises(ValueError, match="would both be written"):
        plan(inputs.expand(["lib/a.wav", "lib/y/a.wav"]), library / "out", OutputOptions())
    songs = plan(inputs.expand(["lib/**/a.wav"]), library / "out", OutputOptions())
    assert ["would both" in song.fault for song in songs] == [False, True]


def test_a_song_that_is_met_again_is_taken_once(library):
    """In a folder, by a glob and in a playlist; only whoever names it twice is told."""
    Path("list.m3u").write_text("lib/a.wav\n")
    out = library / "out"
    ways = (["lib", "list.m3u"], ["list.m3u", "lib/*.wav"], ["lib", "lib/a.wav"])
    for words in (*ways, ["lib", "lib/x/*.wav"], ["lib/*", "lib/../lib/a.wav"]):
        songs = plan(inputs.expand(words), out, OutputOptions())
        assert not any(song.fault for song in songs)
        names = [song.path.name for song in songs]
        assert len(set(names)) == len(names) > 1
    with pytest.raises(ValueError, match="would both be written"):
        plan(inputs.expand(["lib/a.wav", "lib/a.wav"]), out, OutputOptions())


@dataclass(frozen=True)
class Load:
    """Tells of each time that the model is loaded."""

    told: Path

    def __call__(self):
        with self.told.open("a") as file:
            file.write(f"{os.getpid()}\n")
        return Gain()


def test_several_at_a_time(library):
    load = Load(library / "loads")
    work = Work(library / "out", OutputOptions(), load, {"name": "gain"}, ledger=True)
    songs = plan(inputs.expand([str(library / "lib")]), library / "out", OutputOptions())
    assert sorted(statuses(run(songs, work, 2))) == [DONE, DONE, DONE, FAILED]
    assert sorted(statuses(run(songs, work, 2))) == [FAILED, SKIPPED, SKIPPED, SKIPPED]
    # Once in each process, whatever the number of songs.
    loads = load.told.read_text().split()
    assert len(loads) == len(set(loads)) <= 2


KILLED = """
import os, sys, time
sys.path[:0] = {path!r}
import test_batch
from pathlib import Path

class Slow(test_batch.Gain):
    def forward(self, wav):
        print("begun", flush=True)
        time.sleep(0.3)
        return super().forward(wav)

print(test_batch.statuses(test_batch.worked(Path({folder!r}), "lib", model=Slow())))
"""


@pytest.mark.parametrize("blocks", (1, 2, 3))
def test_a_run_that_was_killed_goes_on(library, blocks):
    """Killed in the midst of each song, and once more between its results."""
    script = KILLED.format(path=sys.path, folder=str(library))
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", script], stdout=subprocess.PIPE, text=True
    )
    for _ in range(blocks):
        process.stdout.readline()
    time.sleep(0.1)
    process.kill()
    process.wait()
    process.stdout.close()
    assert process.returncode == -signal.SIGKILL
    left = tree(library / "out")
    for name, data in left.items():
        if name != NAME and not name.split("/")[-1].startswith("."):
            assert data
            assert audio.info(library / "out" / name).frames == 4000
    for folder in (library / "out", library / "out" / "x"):
        parts.sweep(folder)
    outcomes = worked(library, "lib")
    assert statuses(outcomes).count(SKIPPED) == blocks - 1
    assert statuses(outcomes).count(FAILED) == 1
    assert not [name for name in tree(library / "out") if name.endswith(".part")]
    assert len(tree(library / "out")) == 7


def test_a_run_that_was_killed_between_two_results_goes_on(library, monkeypatch):
    place = parts.place

    def killed(part, path, overwrite=True):
        if "karaoke" in path.name:
            raise KeyboardInterrupt
        place(part, path, overwrite)

    monkeypatch.setattr(parts, "place", killed)
    with pytest.raises(KeyboardInterrupt):
        worked(library, "lib/a.wav")
    monkeypatch.setattr(parts, "place", place)
    assert statuses(worked(library, "lib/a.wav")) == [DONE]
    assert statuses(worked(library, "lib/a.wav")) == [SKIPPED]


def test_only_what_the_dead_left_is_swept(tmp_path):
    alive, foreign = parts.hidden(tmp_path / "a"), tmp_path / f".00000000-1-{'0' * 32}.part"
    dead_part(tmp_path)
    for path in (alive, foreign):
        path.touch()
    parts.sweep(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([alive, foreign])


def test_also_in_folders_that_names_make(library):
    part = dead_part(library / "lib")
    assert statuses(worked(library, "lib/a.wav", name="by/{artist}/{song} ({stem})")) == [DONE]
    folder = library / "out" / "by" / "Unknown artist"
    part = dead_part(folder)
    worked(library, "lib/a.wav", name="by/{artist}/{song} ({stem})", overwrite=True)
    assert not part.exists()


def test_a_folder_that_can_not_be_listed_is_not_swept(tmp_path, monkeypatch):
    def refuse(folder):
        raise PermissionError("Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    parts.sweep(tmp_path)


# Songs that are no files.


def test_standard_input(library, monkeypatch):
    data = (library / "lib" / "a.wav").read_bytes()
    monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(buffer=io.BytesIO(data)))
    (outcome,) = worked(library, "-")
    assert outcome.status == DONE, outcome.reason
    assert sorted(tree(library / "out")) == [NAME, "stdin_karaoke.wav", "stdin_vocals.wav"]
    monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(buffer=io.BytesIO(b"la la")))
    (outcome,) = worked(library, "-", overwrite=True)
    assert outcome.status == FAILED
    assert outcome.reason.startswith("- is not audio")


@pytest.fixture
def address(library):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=os.fspath(library / "lib"))

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_an_address_is_fetched(library, address):
    pytest.importorskip("yt_dlp")
    (outcome,) = worked(library, f"{address}/x/b.wav")
    assert outcome.status == DONE, outcome.reason
    total = audio.read(list(outcome.paths.values()))
    np.testing.assert_allclose(total, audio.read("lib/x/b.wav"), atol=1.1 * 2**-15)
    for bad in ("none.wav", "bad.wav"):
        (outcome,) = worked(library, f"{address}/{bad}")
        assert outcome.status == FAILED
        assert f"{address}/{bad}" in outcome.reason
    assert len(tree(library / "out")) == 3


def test_what_has_a_fault_is_not_opened(library):
    (outcome,) = [
        separate_song(NoWork(), Song("lib/a.wav", fault="no"), Work(library, OutputOptions(), Gain))
    ]
    assert (outcome.status, outcome.reason) == (FAILED, "no")
