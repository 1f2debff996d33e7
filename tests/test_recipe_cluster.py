"""Many songs at a time: on this machine, and on a real Dask cluster, of which a part dies."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from joblib.externals.loky import get_reusable_executor

from recipes import cluster, stems

#: Imported by the workers, which do not know the tests.
WORK = """
import os, signal, time

def who(item):
    time.sleep(0.1)
    return item, os.getpid()

def deadly(item):
    if item == 3:
        os.kill(os.getpid(), signal.SIGKILL)
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
            client.wait_for_workers(len(self.workers), timeout=60)
        return found

    @staticmethod
    def wait_for(condition, seconds: float = 60) -> None:
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


def test_on_this_machine_outcomes_come_in_order(work):
    assert list(cluster.run(work.who, [])) == []
    outcomes = list(cluster.run(work.who, range(6), jobs=2))
    assert [item for item, _ in outcomes] == list(range(6))
    assert len({process for _, process in outcomes} - {os.getpid()}) == 2


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
    outcomes = list(cluster.run(work.deadly, range(8), scheduler=dask.address))
    assert [outcome for outcome in outcomes if not isinstance(outcome, cluster.Lost)] == [
        *(0, 1, 2, 4, 5, 6, 7)
    ]
    assert "all workers that were given it died" in outcomes[3].reason


def test_a_cluster_that_is_not_there_ends_in_words(work, dask, monkeypatch):
    monkeypatch.setattr(cluster, "_PATIENCE", 1)
    with pytest.raises(ConnectionError, match="has no workers: start some"):
        list(cluster.run(work.who, [1], scheduler=dask.address))
    dask.scheduler.kill()
    dask.scheduler.wait()
    with pytest.raises(ConnectionError, match="no Dask scheduler answers at"):
        list(cluster.run(work.who, [1], scheduler=dask.address))
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ValueError, match=r"needs Dask, which is not installed: pip install"):
        list(cluster.run(work.who, [1], scheduler=dask.address))


def test_a_worker_that_misses_a_module_is_told(dask, work):
    """The cluster is older than the module, so its workers do not know where that is."""
    dask.add_workers(1)
    with pytest.raises(OSError, match="can not import cluster_work: install the package there"):
        list(cluster.run(work.who, [1], scheduler=dask.address))


def test_a_scheduler_that_is_lost_ends_in_words(work, dask):
    dask.add_workers(1)
    outcomes = cluster.run(work.who, range(500), scheduler=dask.address)
    assert next(outcomes)[0] == 0
    dask.scheduler.kill()
    with pytest.raises(ConnectionError, match="was lost: start it again"):
        list(outcomes)
