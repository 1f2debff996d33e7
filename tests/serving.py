"""The page's server, run in the test's own process, with a model that can be held still."""

import json
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from asteroid_karaoke import KaraokeNet, audio
from asteroid_karaoke.web.limits import Limits
from asteroid_karaoke.web.server import application, listen, prepared

RATE = 44100
#: What a test waits for at most, in s: long, since machines are busy.
PATIENCE = 60


class Gate:
    """Lets so many blocks through to the model; all, where it is open."""

    def __init__(self):
        self._blocks, self._open = threading.Semaphore(0), True

    def close(self):
        self._blocks, self._open = threading.Semaphore(0), False

    def let(self, blocks):
        self._blocks.release(blocks)

    def open(self):
        self._open = True
        self._blocks.release(1000)

    def __call__(self, *_):
        if not self._open:
            self._blocks.acquire(timeout=PATIENCE)


class Served:
    """A server that runs: its address, its gate, its songs' folder, and a client."""

    def __init__(self, port, gate, place):
        self.port, self.gate, self.place = port, gate, place
        self.url = f"http://127.0.0.1:{port}"
        self._client = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def ask(self, path, method="GET", body=None, **headers):
        """Status, headers, and content: bytes, or what JSON says."""
        content = json.dumps(body).encode() if isinstance(body, dict) else body
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(self.url + path, content, names, method=method)
        try:
            answer = self._client.open(request, timeout=PATIENCE)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            data = answer.read()
            kind = answer.headers.get("Content-Type", "")
            return answer.status, answer.headers, json.loads(data) if "json" in kind else data

    def upload(self, path, name=None):
        shown = urllib.request.quote(name or path.name)
        return self.ask(f"/api/songs?name={shown}", "POST", path.read_bytes())

    def until(self, song, *states):
        """The song's state, once it is one of those."""
        return wait(lambda: self._state(song, states), f"{song['name']} to be {states}")

    def _state(self, song, states):
        status, _, state = self.ask(f"/api/songs/{song['id']}")
        assert status == 200, state
        return state if state["state"] in states else None

    def folders(self):
        """The songs' folders that are there."""
        return [folder for store in self.place.iterdir() for folder in store.iterdir()]


def wait(condition, what):
    """What a condition gives, once it is true."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"waited {PATIENCE} s for {what}")


@contextmanager
def serving(weights: Path, place: Path, limits=None, host="127.0.0.1"):
    """Run the server with one model, and end it."""
    gate = Gate()
    model = KaraokeNet.from_pretrained(str(weights)).eval()
    model.register_forward_pre_hook(gate)
    listener = listen("127.0.0.1", 0)
    place.mkdir(parents=True, exist_ok=True)
    server = prepared(application([model], limits or Limits(), host, place))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        wait(lambda: server.started, "the server")
        yield Served(listener.getsockname()[1], gate, place)
    finally:
        gate.open()
        server.should_exit = True
        thread.join()
        listener.close()
    assert not list(place.iterdir()), "a server that has ended leaves nothing behind"


def song(path: Path, seconds=6.0, rate=RATE, pitch=330.0) -> Path:
    """A steady song in stereo: a sung note, which wavers, above a chord and a hiss."""
    time = np.arange(round(seconds * rate)) / rate
    sung = pitch * time + 0.3 * np.sin(2 * np.pi * 5 * time)
    voice = sum(0.15 / n * np.sin(2 * np.pi * n * sung) for n in range(1, 11))
    chord = sum(np.sin(2 * np.pi * pitch * ratio * time) for ratio in (0.25, 0.5, 0.75))
    hiss = np.random.default_rng(0).normal(0, 0.01, time.shape)
    sound = np.stack([voice + 0.08 * chord + hiss, voice + 0.06 * chord - hiss])
    sound = sound.astype(np.float32)
    audio.write(path, sound, rate)
    return path
