"""Renderings of a song: whose turn it is, who waits meanwhile, what nobody waits for any more."""

import json
import socket
import threading
import time
from contextlib import ExitStack

import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
pytest.importorskip("python_stretch")

from serving import PATIENCE, RATE, serving, song, wait
from stand_ins import tiny_weights

from asteroid_karaoke import audio
from asteroid_karaoke.web import render


@pytest.fixture
def short(tmp_path):
    return song(tmp_path / "Lied.wav", 3)


@pytest.fixture
def server(tmp_path):
    with serving(tiny_weights(tmp_path), tmp_path / "songs") as served:
        yield served


@pytest.fixture
def ready(server, short):
    """A song that is through."""
    return server.until(server.upload(short)[2], "ready")


def order(server, ready, key):
    """A connection that has ordered a key and waits for it."""
    body = json.dumps({"key": key}).encode()
    head = f"POST /api/songs/{ready['id']}/renderings HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    connection = socket.create_connection(("127.0.0.1", server.port))
    connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    return connection


def test_what_nobody_waits_for_is_given_up(server, ready, monkeypatch):
    """Somebody who steps through the keys has the server work on the last one alone."""
    blocks = []

    class Slow:
        def __init__(self, *_):
            pass

        def __call__(self, both, last=False):
            blocks.append(both)
            time.sleep(0.05)
            return both

    monkeypatch.setattr(render, "Stretcher", Slow)
    monkeypatch.setattr(audio, "_BLOCK", 500)
    with order(server, ready, 3):
        wait(lambda: "rendered" in server.ask(f"/api/songs/{ready['id']}")[2], "the rendering")
    wait(lambda: "rendered" not in server.ask(f"/api/songs/{ready['id']}")[2], "its end")
    assert len(blocks) < 3 * RATE / 500
    assert server.ask(f"/api/songs/{ready['id']}/sound?key=3")[0] == 404


def test_renderings_that_wait_keep_no_upload_waiting(server, short, ready, monkeypatch):
    """More of them than asyncio has threads, which look at uploads as well."""
    keys, turn = [], threading.Event()

    class Held:
        def __init__(self, rate, channels, key, tempo):
            keys.append(key)

        def __call__(self, both, last=False):
            turn.wait(PATIENCE)
            return both

    monkeypatch.setattr(render, "Stretcher", Held)
    with ExitStack() as orders:
        # Also where the test fails.
        orders.callback(turn.set)
        for step in range(1, 34):
            orders.enter_context(order(server, ready, step / 10))
        wait(lambda: keys, "the first rendering")
        assert server.upload(short)[0] == 201
        assert len(keys) == 1


def test_a_server_that_ends_stops_what_it_renders(tmp_path, short, monkeypatch):
    stops = []

    def endless(job, knobs, stop):
        stops.append(stop)
        stop.wait(PATIENCE)
        raise render.Stopped

    monkeypatch.setattr(render, "to_play", endless)
    with ExitStack() as orders:
        with serving(tiny_weights(tmp_path), tmp_path / "songs") as served:
            ready = served.until(served.upload(short)[2], "ready")
            orders.enter_context(order(served, ready, 3))
            wait(lambda: stops, "the rendering")
        assert stops[0].is_set()
