"""A web server on loopback that serves real audio, some broken, and a corpus of what it has.

A plugin of pytest's (conftest.py), so that its fixtures are every test file's.
"""

import contextlib
import os
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import numpy as np
import pytest

from asteroid_karaoke import audio, manifest
from recipes import youtube
from recipes.songs import split_of
from recipes.youtube_fetch import Manners
from recipes.youtube_lists import COLUMNS, locate

ROOT = Path(__file__).parent.parent
RATE = 44100
#: Without any waiting.
QUICK = Manners(pause=0, retries=2)


def tone(frequency: float, seconds: float, level: float = 0.3) -> np.ndarray:
    """A stereo tone `(2, time)` at RATE."""
    time_axis = np.arange(round(seconds * RATE)) / RATE
    one = np.float32(level) * np.sin(2 * np.pi * frequency * time_axis, dtype=np.float32)
    return np.stack([one, 0.8 * one])


def encode(path: Path, samples: np.ndarray, rate: int = RATE) -> bytes:
    """What a file with these samples holds; its ending names the format."""
    codec = {".webm": "libopus", ".m4a": "aac"}.get(path.suffix)
    if codec is None:
        audio.write(path, samples, rate)
        return path.read_bytes()
    # As YouTube's m4a, whose sound comes in fragments.
    options = {"movflags": "frag_keyframe+empty_moov+dash"} if codec == "aac" else {}
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(codec, rate=48000 if codec == "libopus" else rate)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), "fltp", "stereo")
        frame.sample_rate = rate
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    return path.read_bytes()


class Site:
    """A web server with files in memory; the first part of a path says how they are served."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.served: Counter[str] = Counter()
        self.open_gate = threading.Event()
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.open_gate.set()
        self.server.shutdown()
        self.server.server_close()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        self.served[request.path] += 1
        content = self.files.get(request.path)
        manner = request.path.split("/")[1]
        if manner == "down":
            return request.send_error(503)
        if content is None:
            return request.send_error(404)
        start = 0
        if manner != "rangeless" and "Range" in request.headers:
            start = int(re.match(r"bytes=(\d+)-", request.headers["Range"])[1])
        request.send_response(206 if start else 200)
        request.send_header("Content-Type", "text/html" if manner == "page" else "audio/mpeg")
        if start:
            request.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        if manner != "lengthless":
            request.send_header("Content-Length", str(len(content) - start))
        request.end_headers()
        # yt-dlp looks at the first bytes to see what it is, and hangs up.
        with contextlib.suppress(OSError):
            self.send(request, content[start:], manner, resumed=start > 0)
        return None

    def send(self, request, content: bytes, manner: str, resumed: bool) -> None:
        half = len(content) // 2
        if manner == "slow":
            for place in range(0, len(content), 1 << 12):
                request.wfile.write(content[place : place + (1 << 12)])
                time.sleep(0.01)
        elif manner == "gated":
            request.wfile.write(content[:half])
            self.open_gate.wait(60)
            request.wfile.write(content[half:])
        elif manner == "stuck":
            request.wfile.write(content[:half])
            self.open_gate.wait(60)
        elif manner in ("rangeless", "lengthless") or (manner == "breaks" and not resumed):
            request.wfile.write(content[:half])
        else:
            request.wfile.write(content)
        request.wfile.flush()


@pytest.fixture
def no_proxy(monkeypatch):
    """A proxy in the environment knows nothing of this machine's loopback."""
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def sounds(tmp_path_factory) -> dict[str, bytes]:
    """Files of each format, made once."""
    folder = tmp_path_factory.mktemp("sounds")
    made = {}
    for stem, frequency in (("voice", 700), ("music", 150)):
        for ending in ("mp3", "webm", "m4a"):
            path = folder / f"{stem}.{ending}"
            made[path.name] = encode(path, tone(frequency, 6.0))
    return made


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    yield site
    site.close()


def offer(site: Site, sound: bytes, path: str, split: str | None = None) -> str:
    """Serve a sound; where a split is asked for, under a number that is drawn into it."""
    for number in range(1000):
        place = path.format(number)
        address = f"{site.address}{place}"
        if split in (None, split_of(locate(address)[0], 0.3, 0.3)):
            site.files[place] = sound
            return address
    raise AssertionError(f"no number for {path}")


def write_list(path: Path, stem: str, rows: list) -> Path:
    """A list in the seed's format; a row is an address, or an address and its other cells."""
    lines = [",".join(f'"{name}"' for name in COLUMNS[stem])]
    for row in rows:
        cells = [row, 0, 0] if isinstance(row, str) else list(row)
        cells += [""] * (len(COLUMNS[stem]) - len(cells))
        lines.append(f'"{cells[0]}",' + ",".join(map(str, cells[1:])))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


class Corpus:
    """Two lists and where they go."""

    def __init__(self, folder: Path, voices: list, music: list) -> None:
        self.storage = folder / "data"
        self.vocals = write_list(folder / "vocals.csv", "vocals", voices)
        self.music = write_list(folder / "music.csv", "accompaniment", music)

    def fetch(self, manners: Manners = QUICK) -> dict[str, tuple[str, str]]:
        """Kind and reason of each failure, by the list's line."""
        _, failures = youtube.download_youtube(self.storage, self.vocals, self.music, manners)
        return {f.track.where: (f.kind.name, f.reason) for f in failures}

    def prepare(self, storage: Path | None = None, **options) -> dict[str, list[manifest.Song]]:
        options = {"valid": 0.3, "test": 0.3, **options}
        return youtube.prepare_youtube(storage or self.storage, self.vocals, self.music, **options)

    def fetched(self) -> list[str]:
        folder = youtube.fetched_folder(self.storage)
        return sorted(path.suffix for path in folder.iterdir() if path.suffix not in ("", ".json"))


@pytest.fixture
def corpus(site, sounds, tmp_path) -> Corpus:
    """A voice and music in each split, in each format."""
    endings = {"train": "mp3", "valid": "webm", "test": "m4a"}
    voices, music = (
        [
            offer(site, sounds[f"{stem}.{ending}"], f"/{stem}{{}}.{ending}", split)
            for split, ending in endings.items()
        ]
        for stem in ("voice", "music")
    )
    return Corpus(tmp_path, voices, music)


def manifests(storage: Path) -> dict[str, bytes]:
    names = ("train.jsonl", "valid.jsonl", "test.jsonl", "licenses.json")
    return {name: (storage / name).read_bytes() for name in names}
