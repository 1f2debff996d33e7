"""Songs from addresses: which are fetched, and what a download may do on the machine."""

import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

from serving import RATE, serving, song
from stand_ins import tiny_weights

from asteroid_karaoke.web import fetch
from asteroid_karaoke.web.limits import Limits


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A web server on loopback that counts who comes."""
    data = song(tmp_path / "Lied.wav", 3).read_bytes()

    class Site(BaseHTTPRequestHandler):
        asked = 0

        def do_GET(self):
            Site.asked += 1
            self.send_response(200)
            self.send_header("Content-Type", "audio/wav")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_HEAD = do_GET

        def log_message(self, *_):
            pass

    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield Site, f"http://127.0.0.1:{server.server_port}/lied.wav"
        server.shutdown()
        thread.join()


def test_addresses_of_this_machine_are_not_fetched(site, tmp_path):
    pytest.importorskip("yt_dlp")
    seen, address = site
    with pytest.raises(fetch.Refused, match="own network"):
        fetch.fetch(address, tmp_path, Limits(), threading.Event())
    assert seen.asked == 0


def test_an_address_becomes_a_song_where_that_is_allowed(site, tmp_path):
    pytest.importorskip("yt_dlp")
    weights = tiny_weights(tmp_path)
    with serving(weights, tmp_path / "songs", Limits(private_addresses=True)) as served:
        status, _, job = served.ask("/api/addresses", "POST", {"address": site[1]})
        assert status == 201
        state = served.until(job, "ready")
        assert state["name"] == "lied" and state["frames"] == 3 * RATE


def test_a_download_can_be_stopped(tmp_path):
    stop = threading.Event()
    stop.set()
    with pytest.raises(fetch.Stopped):
        fetch.fetch("http://127.0.0.1:9/", tmp_path, Limits(private_addresses=True), stop)


#: What yt-dlp does in its folder, again and again.
RESTLESS = """
import os
for _ in range(1000):
    os.mkdir("parts")
    open("parts/song.part", "w").close()
    os.rename("parts/song.part", "song")
    os.remove("song")
    os.rmdir("parts")
print("done")
"""


@pytest.mark.parametrize(("size", "taken"), [(1000, True), (1001, False)])
def test_files_that_come_and_go_break_no_download_off(tmp_path, monkeypatch, size, taken):
    monkeypatch.setattr(fetch, "_LOOK_SECONDS", 0.0001)
    (tmp_path / "kept").write_bytes(bytes(size))
    words = [sys.executable, "-c", RESTLESS]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    process = subprocess.Popen(words, cwd=tmp_path, start_new_session=True, **pipes)
    order = (process, "", tmp_path, Limits(max_bytes=1000), threading.Event())
    try:
        if taken:
            assert fetch._wait(*order) == "done\n"
        else:
            with pytest.raises(fetch.Refused, match="larger than"):
                fetch._wait(*order)
    finally:
        fetch._end(process)


@pytest.mark.parametrize(
    ("address", "good"),
    [
        ("93.184.215.14", True),
        ("2606:2800:21f::1", True),
        *((address, False) for address in ("127.0.0.1", "10.0.0.1", "192.168.1.1", "0.0.0.0")),
        *((address, False) for address in ("169.254.169.254", "100.64.0.1", "224.0.0.1", "::1")),
        *((address, False) for address in ("fe80::1%eth0", "fd00::1", "::ffff:10.0.0.1")),
        *((address, False) for address in ("64:ff9b::7f00:1", "2002:7f00:1::", "localhost", "")),
    ],
)
def test_the_open_internet_alone_is_reached(address, good):
    assert fetch.allowed((address, 80)) is good


def test_a_download_starts_no_programs_but_what_runs_youtubes_player():
    for event, arguments in (
        ("subprocess.Popen", ("/usr/bin/ffmpeg", [], None, None)),
        # As on Windows, where the line alone is given.
        ("subprocess.Popen", (None, "ffmpeg deno", None, None)),
        ("subprocess.Popen", (None, r'"C:\Program Files\deno\ffmpeg.exe" -i', None, None)),
        ("subprocess.Popen", (None, "", None, None)),
        ("os.system", (b"rm",)),
        ("socket.connect", (None, ("127.0.0.1", 80))),
        ("socket.connect", (None, "/run/docker.sock")),
    ):
        with pytest.raises(PermissionError):
            fetch._guard(event, arguments)
    for arguments in (
        ("/usr/bin/deno", []),
        (None, "node --version"),
        (None, r'"C:\Program Files\deno\Deno.EXE" run -'),
    ):
        fetch._guard("subprocess.Popen", (*arguments, None, None))
