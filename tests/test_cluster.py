"""Many songs at a time: on this machine, and on a real Dask cluster, of which a part dies."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from joblib.externals.loky import get_reusable_executor

from asteroid_karaoke import KaraokeNet, audio, batch, cli, cluster
from asteroid_karaoke.inputs import Song
from asteroid_karaoke.ledger import NAME
from asteroid_karaoke.options import STEMS, OutputOptions
from recipes import stems

#: Imported by the workers, which do not know the tests.
WORK = """
import os, signal, time

def who(item):
    time.sleep(0.1 * (1 + item))
    return item, os.getpid()

def deadly(item):
    # The last of those that are given: Dask suspects what waits behind it at a worker as well.
    if item == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return item

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def where(item):
    return os.getcwd()

HELD = []

def grow(item):
    time.sleep(0.6)
    HELD.append(b"x" * (200 << 20))
    return item
"""


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A module that this process and the workers can import."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "cluster_work.py").write_text(WORK)
    monkeypatch.syspath_prepend(str(tmp_path / "code"))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "code"))
    # joblib keeps its processes, which know no module that is newer than they are.
    get_reusable_executor().shutdown(wait=True)
    import cluster_work

    yield cluster_work
    del sys.modules["cluster_work"]


class Cluster:
    """A scheduler on loopback, and workers, each a process of its own."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "scheduler.json"
        self._folder = folder
        self.workers: list[subprocess.Popen] = []
        # A song is given up when it has outlived two workers.
        self._env = os.environ | {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1"}
        self.scheduler = self._start("dask_scheduler", "--port", "0", "--scheduler-file")
        self.wait_for(self._file.exists)
        self.wait_for(lambda: self._file.read_text().endswith("}"))
        self.address = next(w for w in self._file.read_text().split('"') if w.startswith("tcp://"))

    def _start(self, program: str, *options: str) -> subprocess.Popen:
        command = [sys.executable, "-W", "ignore", "-m", f"distributed.cli.{program}", *options]
        return subprocess.Popen(
            [*command, str(self._file), "--host", "127.0.0.1", "--no-dashboard"],
            env=self._env,
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def add_workers(self, count: int) -> list[subprocess.Popen]:
        """Workers that nobody starts again when they die."""
        found = [
            self._start("dask_worker", "--nthreads", "1", "--no-nanny", "--scheduler-file")
            for _ in range(count)
        ]
        self.workers += found
        from distributed import Client

        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(len(self.workers), timeout=240)
        return found

    @staticmethod
    def wait_for(condition, seconds: float = 240) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "the cluster does not come up"
            time.sleep(0.02)

    def stop(self) -> None:
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()


@pytest.fixture
def dask(tmp_path):
    pytest.importorskip("distributed")
    running = Cluster(tmp_path)
    yield running
    running.stop()


def test_workers_are_where_the_caller_is(work, tmp_path, monkeypatch):
    """Names may be relative, and joblib's processes are older than a change of folder."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        assert {*cluster.run(work.where, range(4), jobs=2)} == {str(tmp_path / name)}


def test_a_worker_that_has_grown_is_replaced_without_a_word(work, recwarn):
    """joblib ends one that takes 0.3 GB more than at first, once a second at most."""
    pytest.importorskip("psutil")  # by which it knows
    assert list(cluster.run(work.grow, range(8), jobs=2)) == [*range(8)]
    assert not [str(told.message) for told in recwarn]


def test_on_this_machine_outcomes_come_in_order(work):
    assert list(cluster.run(work.who, [])) == []
    outcomes = list(cluster.run(work.who, range(6), jobs=2))
    assert [item for item, _ in outcomes] == list(range(6))
    assert len({process for _, process in outcomes} - {os.getpid()}) == 2
    outcomes = list(cluster.run(work.who, [5, 0, 0, 0], jobs=2, in_order=False))
    assert [item for item, _ in outcomes] == [0, 0, 0, 5]


def test_a_process_that_dies_here_ends_in_words(work):
    with pytest.raises(ChildProcessError, match="with fewer --jobs; what is finished is kept"):
        list(cluster.run(work.deadly, range(6), jobs=2))


def test_a_worker_that_dies_loses_no_song(dask, tmp_path):
    """The whole way of a recipe, whose manifests are those of one machine."""
    time_axis = np.arange(20 * 44100) / 44100
    for number in range(16):
        folder = tmp_path / "corpus" / f"song {number}"
        folder.mkdir(parents=True)
        for name, frequency in (("vocals", 300 + number), ("accompaniment", 90 + number)):
            tone = 0.3 * np.sin(2 * np.pi * frequency * time_axis)
            soundfile.write(folder / f"{name}.wav", np.stack([tone, tone], axis=1), 44100)
    first, second = dask.add_workers(2)
    records = tmp_path / "out" / "songs"
    at_death = []

    def kill() -> None:
        dask.wait_for(lambda: records.is_dir() and len(list(records.iterdir())) >= 3)
        first.send_signal(signal.SIGKILL)
        first.wait()
        at_death.append(len(list(records.glob("*.json"))))

    killer = threading.Thread(target=kill)
    killer.start()
    splits = stems.prepare_stems(
        tmp_path / "corpus", tmp_path / "out", decode=True, scheduler=dask.address
    )
    killer.join()
    assert 3 <= at_death[0] < 16
    assert second.poll() is None
    assert sum(map(len, splits.values())) == 16
    stems.prepare_stems(tmp_path / "corpus", tmp_path / "here", decode=True)
    for split in splits:
        name = f"{split}.jsonl"
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "here" / name).read_bytes()


def test_workers_do_the_work_and_one_that_kills_them_is_given_up(work, dask):
    two = dask.add_workers(2)
    outcomes = list(cluster.run(work.who, range(8), scheduler=dask.address))
    assert [item for item, _ in outcomes] == list(range(8))
    assert {process for _, process in outcomes} == {worker.pid for worker in two}
    dask.add_workers(1)
    *done, lost = cluster.run(work.deadly, range(6), scheduler=dask.address)
    assert done == [0, 1, 2, 3, 4]
    assert lost.item == 5
    assert "all workers that were given it died" in lost.reason


def test_a_cluster_that_is_not_there_ends_in_words(work, dask, monkeypatch):
    monkeypatch.setattr(cluster, "_PATIENCE", 1)
    with pytest.raises(ConnectionError, match="has no workers: start some"):
        list(cluster.run(work.who, [1], scheduler=dask.address))
    dask.scheduler.kill()
    dask.scheduler.wait()
    with pytest.raises(ConnectionError, match="no Dask scheduler answers at"):
        list(cluster.run(work.who, [1], scheduler=dask.address))
    with pytest.raises(ValueError, match="'nonsense' is no address of a Dask scheduler"):
        list(cluster.run(work.who, [1], scheduler="nonsense"))
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ValueError, match=r"needs Dask, which is not installed: pip install"):
        list(cluster.run(work.who, [1], scheduler=dask.address))


def test_a_worker_that_misses_a_module_is_told(dask, work):
    dask.add_workers(1)
    Path(work.__file__).unlink()
    with pytest.raises(OSError, match="can not import cluster_work: install the package there"):
        list(cluster.run(work.who, [1], scheduler=dask.address))


@pytest.mark.parametrize("in_order", (True, False))
def test_a_scheduler_that_is_lost_ends_in_words(work, dask, in_order):
    dask.add_workers(1)
    outcomes = cluster.run(work.who, [0] * 500, scheduler=dask.address, in_order=in_order)
    assert next(outcomes)[0] == 0
    dask.scheduler.kill()
    with pytest.raises(ConnectionError, match="was lost: start it again"):
        list(outcomes)


# The command


SONGS = 7


@pytest.fixture
def library(tmp_path, monkeypatch):
    """Songs with one that is none, and a model, all named by relative paths."""
    monkeypatch.chdir(tmp_path)
    for seed in range(SONGS):
        noise = np.random.default_rng(seed).uniform(-0.5, 0.5, (2, 2 * 44100))
        audio.write(f"lib/{seed % 2}/{seed}.wav", noise.astype(np.float32), 44100)
    (tmp_path / "lib" / "bad.wav").write_text("no sound")
    torch.manual_seed(0)
    torch.save(KaraokeNet(size="tiny").serialize(), "tiny.pth")
    return tmp_path


def separate(out, *more):
    return cli.main(["separate", "lib", "-o", str(out), "--model", "tiny.pth", *more])


def records(folder):
    path = folder / NAME
    return len(path.read_text().splitlines()) if path.exists() else 0


def test_separate_loses_no_song_with_a_worker(dask, library, capfd):
    first, second = dask.add_workers(2)

    def kill() -> None:
        dask.wait_for(lambda: records(library / "out") >= 2)
        first.send_signal(signal.SIGKILL)
        first.wait()

    killer = threading.Thread(target=kill)
    killer.start()
    assert separate("out", "--scheduler", dask.address) == 1
    killer.join()
    assert second.poll() is None
    out, err = capfd.readouterr()
    ((done, skipped, failed),) = re.findall(
        r"^(\d+) done, (\d+) skipped, (\d+) failed$", out, re.MULTILINE
    )
    # One that was finished when the worker died, but not told of, is found done by the next one.
    assert (int(done) + int(skipped), int(failed)) == (SONGS, 1)
    assert int(skipped) <= 2
    (complaint,) = err.splitlines()
    assert "bad.wav is not audio" in complaint
    names = {f"{seed % 2}/{seed}_{stem}.wav" for seed in range(SONGS) for stem in STEMS}
    found = (path for path in (library / "out").rglob("*") if path.is_file())
    # Nothing else either: what the dead worker had begun is swept by the next one.
    assert {str(path.relative_to(library / "out")) for path in found} == {*names, NAME}
    for seed in range(SONGS):
        stems = [library / "out" / f"{seed % 2}/{seed}_{stem}.wav" for stem in STEMS]
        song = audio.read(f"lib/{seed % 2}/{seed}.wav")
        np.testing.assert_allclose(audio.read(stems), song, atol=1.1 * 2**-15)
    # The ledger is one that a run on this machine goes on with.
    assert separate("out") == 1
    assert f"0 done, {SONGS} skipped, 1 failed" in capfd.readouterr().out.splitlines()


def test_a_song_that_kills_all_workers_is_told(work, dask, library):
    dask.add_workers(2)
    song = Song("lib/0/0.wav")
    job = batch.Work(library / "out", OutputOptions(), work.die)
    (outcome,) = batch.run([song], job, scheduler=dask.address)
    assert (outcome.status, outcome.song.source) == (batch.FAILED, str(library / song.source))
    assert "all workers that were given it died" in outcome.reason


def test_separate_without_a_cluster_ends_in_one_line(library, monkeypatch, capfd):
    pytest.importorskip("distributed")
    monkeypatch.setattr(cluster, "_PATIENCE", 1)
    assert separate("out", "--scheduler", "tcp://127.0.0.1:1") == 1
    out, err = capfd.readouterr()
    (line,) = err.splitlines()
    assert line.startswith(
        "asteroid-karaoke: no Dask scheduler answers at tcp://127.0.0.1:1: start"
    )
    assert f"failed: {line.partition(': ')[2]}" in out
    assert separate("out", "--scheduler", "nonsense") == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert "'nonsense' is no address of a Dask scheduler" in line
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert separate("out", "--scheduler", "tcp://127.0.0.1:1") == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert "--scheduler needs Dask, which is not installed: pip install" in line
    assert not (library / "out").exists()
