"""The songs' line and their folders, without a server before them."""

import os
import subprocess
import sys

import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

from serving import wait

from asteroid_karaoke.web import jobs, store
from asteroid_karaoke.web.limits import Limits


def test_what_a_killed_server_left_goes_at_the_next_start(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    left, running = (
        tmp_path / f"asteroid-karaoke-web-{process}-abc" for process in (dead.pid, os.getpid())
    )
    left.mkdir()
    running.mkdir()
    kept = store.Store(tmp_path)
    assert not left.exists() and running.exists() and kept.folder.stat().st_mode & 0o077 == 0
    kept.close()


def test_a_fault_of_ours_costs_one_song(tmp_path):
    def work(job, model):
        if job.name == "bad":
            raise KeyError("a bug")

    kept = store.Store(tmp_path)
    line = jobs.Jobs([None], work, kept, Limits())
    made = [jobs.Job(*kept.new(), name) for name in ("bad", "good")]
    for job in made:
        line.add(job)
    line.start()
    wait(lambda: made[1].ended, "the second song")
    assert [job.state for job in made] == [jobs.FAILED, jobs.READY]
    line.close()
    kept.close()
