"""The server behind the page: what it takes, what it refuses, what it gives, what it forgets."""

import io
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

import matplotlib.image
import numpy as np
import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

from serving import RATE, serving, song, tiny_weights, wait

from asteroid_karaoke import audio, cli
from asteroid_karaoke.formats import FORMATS
from asteroid_karaoke.web import fetch, jobs, render, store
from asteroid_karaoke.web.limits import Limits

PAGE = Path(store.__file__).parent / "page"


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return tiny_weights(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="module")
def server(weights, tmp_path_factory):
    limits = Limits(max_bytes=3 * 10**6, max_seconds=40, queue=2)
    with serving(weights, tmp_path_factory.mktemp("songs"), limits) as served:
        yield served


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    return song(tmp_path_factory.mktemp("short") / "Lied.wav", 3)


@pytest.fixture(scope="module")
def ready(server, short):
    """A song that is through."""
    status, _, state = server.upload(short)
    assert status == 201
    return server.until(state, "ready")


def save(server, ready, **order):
    path = f"/api/songs/{ready['id']}/files"
    status, _, made = server.ask(path, "POST", {"level": "-inf", **order})
    assert status == 200, made
    status, headers, data = server.ask(made["url"])
    assert status == 200 and len(data) == made["bytes"]
    return made["name"], headers, data


def saved(server, ready, folder, **order):
    """A saved file's samples."""
    name, _, data = save(server, ready, **order)
    path = folder / name
    path.write_bytes(data)
    return audio.read(path)


def test_saved_stems_add_up_to_the_song(server, ready, short, tmp_path):
    mixture = audio.read(short)
    stems = {}
    for stem in ("vocals", "karaoke"):
        stems[stem] = saved(server, ready, tmp_path, stem=stem, format="wav32f")
    assert np.abs(stems["vocals"]).max() > 0.01 and np.abs(stems["karaoke"]).max() > 0.01
    np.testing.assert_allclose(stems["vocals"] + stems["karaoke"], mixture, atol=1e-6)


def test_the_level_that_plays_is_saved(server, ready, tmp_path):
    vocals, karaoke, mixed = (
        saved(server, ready, tmp_path, format="wav32f", **order)
        for order in (
            {"stem": "vocals"},
            {"stem": "karaoke"},
            {"stem": "karaoke", "level": "-12dB"},
        )
    )
    np.testing.assert_allclose(mixed, karaoke + 10 ** (-12 / 20) * vocals, atol=1e-6)


def test_key_and_tempo_are_those_of_both_tracks(server, ready, tmp_path):
    pytest.importorskip("python_stretch")
    for stem in ("vocals", "karaoke"):
        sound = saved(server, ready, tmp_path, stem=stem, format="wav32f", key=12, tempo=1.5)
        assert sound.shape[1] == round(3 * RATE / 1.5)
        spectrum = np.abs(np.fft.rfft(sound.mean(axis=0) * np.hanning(sound.shape[1])))
        # The chord's lowest note is 82.5 Hz; the spectrum has two lines for each Hz.
        assert spectrum[330] > 20 * spectrum[165]


@pytest.mark.parametrize("format", ["same", "mp3", "m4a"])
def test_files_have_the_format_that_was_chosen(server, ready, format):
    name, headers, data = save(server, ready, stem="karaoke", format=format)
    suffix, start = {
        "same": (".wav", b"RIFF"),
        "mp3": (".mp3", b"\xff"),
        "m4a": (".m4a", None),
    }[format]
    assert name == f"Lied_karaoke{suffix}"
    assert data.startswith(start) if start else data[4:8] == b"ftyp"
    assert headers["Content-Disposition"].startswith("attachment")


def test_the_player_gets_both_tracks_side_by_side_by_range(server, ready, short):
    mixture = audio.read(short)
    assert ready["frames"] == mixture.shape[1] and ready["rate"] == RATE
    path = f"/api/songs/{ready['id']}/sound"
    status, headers, data = server.ask(path, Range=f"bytes={8 * 1000}-{8 * 3000 - 1}")
    assert status == 206 and headers["Content-Range"].endswith(f"/{8 * ready['frames']}")
    frames = np.frombuffer(data, "<i2").reshape(-1, 4) / 32768 / ready["scale"]
    np.testing.assert_allclose(frames[:, :2].T + frames[:, 2:].T, mixture[:, 1000:3000], atol=2e-4)


def test_peaks_and_pictures(server, ready):
    path = f"/api/songs/{ready['id']}"
    peaks = server.ask(f"{path}/peaks")[2]
    assert len(peaks["voice"]) == len(peaks["karaoke"]) == 1200
    assert 0.01 < max(peaks["karaoke"]) <= 1
    style, drawn = (PAGE / "style.css").read_text(encoding="utf-8"), set()
    for query in ("theme=light&size=wide", "theme=dark&size=wide", "theme=light&size=narrow"):
        picture = server.ask(f"{path}/picture?{query}")[2]
        height, width = matplotlib.image.imread(io.BytesIO(picture)).shape[:2]
        # The page keeps just this room for it.
        assert f".frame {{ aspect-ratio: {width} / {height};" in style
        drawn.add(picture)
    assert len(drawn) == 3
    for query in ("theme=../../etc&size=wide", "theme=light&size=../../etc", ""):
        assert server.ask(f"{path}/picture?{query}")[0] == 422


def test_what_is_written_can_be_read():
    """4.5 is what WCAG 2.2 asks of the contrast of text, level AA (success criterion 1.4.3)."""
    style = (PAGE / "style.css").read_text(encoding="utf-8")
    for theme in style.split(":root {")[1:]:
        colours = dict(re.findall(r"--(\w+): (#[0-9a-f]{6,8});", theme.partition("}")[0]))
        for ground in ("paper", "card"):
            for text in ("ink", "soft", "voice", "bad"):
                assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
        # A button that is pressed: a wash of its own colour on the card.
        share = int(colours["wash"][7:], 16) / 255
        mixed = share * rgb(colours["wash"]) + (1 - share) * rgb(colours["card"])
        washed = "#" + "".join(f"{round(255 * part):02x}" for part in mixed)
        assert contrast(colours["voice"], washed) >= 4.45


def rgb(colour):
    return np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255


def contrast(one, other):
    def luminance(colour):
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb(colour)]
        return np.dot(linear, (0.2126, 0.7152, 0.0722))

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_a_file_that_is_no_song_is_refused_at_once(server, tmp_path):
    before = server.folders()
    for name, content in (
        ("letter.mp3", b"Dear Sir, "),
        ("empty.wav", b""),
        ("a.m3u8", b"#EXTM3U"),
    ):
        (tmp_path / name).write_bytes(content)
        status, _, answer = server.upload(tmp_path / name)
        assert status == 422
        assert answer["error"].startswith(name) and str(server.place) not in answer["error"]
    assert server.folders() == before


def test_what_is_too_large_or_too_long_is_refused(server, tmp_path):
    large = tmp_path / "large.wav"
    large.write_bytes(bytes(3 * 10**6 + 1))
    status, _, answer = server.upload(large)
    assert status == 413 and "3 MB" in answer["error"]
    status, _, answer = server.upload(song(tmp_path / "long.ogg", 41, 8000))
    assert status == 413 and "0:41" in answer["error"] and "0:40" in answer["error"]


def test_a_body_larger_than_it_said_is_refused(server):
    """Sent in pieces, without a length."""
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        head = "POST /api/songs?name=a.wav HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        connection.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        piece = b"100000\r\n" + bytes(1 << 20) + b"\r\n"
        for _ in range(4):
            connection.sendall(piece)
        assert b" 413 " in connection.recv(1000)


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../../etc/passwd.wav", "passwd"),
        ("..\\..\\boot.wav", "boot"),
        ("<img src=x onerror=alert(1)>.wav", "<img src=x onerror=alert(1)>"),
        (".wav", ".wav"),
        ("a" * 500 + ".wav", "a" * 200),
        ("Größe \u202e\n.wav", "Größe \u202e\n"),
    ],
)
def test_names_are_shown_but_lead_nowhere(server, short, name, kept):
    status, _, state = server.upload(short, name)
    assert status == 201 and state["name"] == kept
    try:
        server.until(state, "ready")
        (source,) = [
            path
            for folder in server.folders()
            for path in folder.glob("song*")
            if folder.name == state["id"]
        ]
        assert source.name in ("song.wav", "song")
        made, headers, _ = save(server, state, stem="karaoke", format="wav")
        assert not set(made) & set('/\\<>:"\n\u202e') and len(made.encode()) <= 255
        assert "\n" not in headers["Content-Disposition"]
    finally:
        server.ask(f"/api/songs/{state['id']}", "DELETE")


def test_songs_wait_in_line_and_the_line_ends(server, short):
    server.gate.close()
    try:
        first = server.upload(short)[2]
        server.until(first, "separating")
        second, third = (server.upload(short)[2] for _ in range(2))
        assert [server.until(job, "queued")["ahead"] for job in (second, third)] == [1, 2]
        status, _, answer = server.upload(short)
        assert status == 503 and "waiting" in answer["error"]
        # One that is cancelled lets the others move up.
        assert server.ask(f"/api/songs/{second['id']}", "DELETE")[0] == 204
        assert server.until(third, "queued")["ahead"] == 1
    finally:
        server.gate.open()
    for job in (first, third):
        server.until(job, "ready")
        server.ask(f"/api/songs/{job['id']}", "DELETE")
    assert len({first["id"], second["id"], third["id"]}) == 3


def test_cancelling_stops_the_work_and_deletes_the_song(server, tmp_path):
    """A song of several blocks, cancelled in its second."""
    path = song(tmp_path / "longer.wav", 30, 16000)
    server.gate.close()
    server.gate.let(1)
    try:
        job = server.upload(path)[2]
        wait(lambda: server.until(job, "separating")["done"], "the first block")
        state = server.until(job, "separating")
        assert 0 < state["done"] < state["total"] == pytest.approx(30)
        assert state["left"] > 0
        assert server.ask(f"/api/songs/{job['id']}", "DELETE")[0] == 204
        status, _, answer = server.ask(f"/api/songs/{job['id']}")
        assert status == 404 and "no longer here" in answer["error"]
        # One more block, which was under way; not the third.
        server.gate.let(1)
        wait(lambda: job["id"] not in [folder.name for folder in server.folders()], "its end")
    finally:
        server.gate.open()


def test_songs_are_deleted_when_their_time_is_over(weights, short, tmp_path, monkeypatch):
    monkeypatch.setattr("asteroid_karaoke.web.server._SWEEP_SECONDS", 0.1)
    with serving(weights, tmp_path / "songs", Limits(keep_seconds=1)) as served:
        job = served.upload(short)[2]
        assert served.until(job, "ready")["expires"] <= 1
        wait(lambda: not served.folders(), "the song to be deleted")
        assert served.ask(f"/api/songs/{job['id']}")[0] == 404


def test_a_server_that_ends_stops_its_work(weights, tmp_path):
    """serving() itself looks whether anything is left."""
    with serving(weights, tmp_path / "songs") as served:
        served.gate.close()
        job = served.upload(song(tmp_path / "longer.wav", 30, 16000))[2]
        served.until(job, "separating")


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


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", ""])
def test_other_names_of_this_machine_are_refused(server, host):
    """Else a page of evil.example, whose name comes to stand for 127.0.0.1, could read answers."""
    for path in ("/", "/api/about"):
        status, _, answer = server.ask(path, Host=host)
        assert status == 403 and "name" in answer["error"]


def test_other_pages_may_not_change_anything(server, ready):
    path, host = f"/api/songs/{ready['id']}", f"127.0.0.1:{server.port}"
    for headers in (
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
    ):
        assert server.ask(path, "DELETE", **headers)[0] == 403
    assert server.ask(path)[0] == 200
    assert server.ask("/api/addresses", "POST", {"address": "x"}, Origin=f"http://{host}")[0] == 422


def test_every_answer_says_what_the_page_may_do(server):
    for path in ("/", "/app.js", "/api/about", "/api/songs/none", "/nowhere"):
        headers = server.ask(path)[1]
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "unsafe" not in headers["Content-Security-Policy"]
    assert server.ask("/../server.py")[0] == 404
    assert server.ask("/%2e%2e/server.py")[0] == 404


def test_the_page_names_nobody_else():
    for path in PAGE.iterdir():
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "http://" not in text and "https://" not in text.replace("https://…", ""), path.name
    script = (PAGE / "words.js").read_text(encoding="utf-8")
    block = script[script.index("FORMAT_NAMES") :]
    names = [line.split(":")[0].strip() for line in block[: block.index("}")].splitlines()[1:]]
    assert {*names} - {""} == {*FORMATS} - {"wav"}


@pytest.mark.parametrize("order", [{"key": 13}, {"tempo": 0}, {"key": "nan"}, {"level": "+3dB"}])
def test_what_can_not_be_played_is_refused(server, ready, order):
    path = f"/api/songs/{ready['id']}/renderings"
    status, _, answer = server.ask(path, "POST", order)
    assert status == 422 and "expected" in answer["error"]


def test_what_nobody_waits_for_is_given_up(server, ready, monkeypatch):
    """Somebody who steps through the keys has the server work on the last one alone."""
    pytest.importorskip("python_stretch")
    blocks = []

    class Slow:
        def __init__(self, *_):
            pass

        def __call__(self, both, last=False):
            blocks.append(both)
            time.sleep(0.05)
            return both

    monkeypatch.setattr(render, "Stretcher", Slow)
    monkeypatch.setattr(render, "_READ_FRAMES", 500)
    body = b'{"key": 3}'
    head = f"POST /api/songs/{ready['id']}/renderings HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        wait(lambda: "rendered" in server.ask(f"/api/songs/{ready['id']}")[2], "the rendering")
    wait(lambda: "rendered" not in server.ask(f"/api/songs/{ready['id']}")[2], "its end")
    assert len(blocks) < 3 * RATE / 500
    assert server.ask(f"/api/songs/{ready['id']}/sound?key=3")[0] == 404


def test_orders_that_are_none(server, ready):
    path = f"/api/songs/{ready['id']}/files"
    for body in (b"", b"[]", b"{", b'{"a": "' + bytes(1 << 15) + b'"}'):
        assert server.ask(path, "POST", body)[0] in (413, 422)
    assert server.ask(path, "POST", {"stem": "drums", "format": "mp3"})[0] == 422
    assert server.ask(f"{path}/../../etc", "GET")[0] == 404


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


# Addresses.


@pytest.fixture
def site(short, monkeypatch):
    """A web server on loopback that counts who comes."""

    class Site(BaseHTTPRequestHandler):
        asked = 0

        def do_GET(self):
            Site.asked += 1
            data = short.read_bytes()
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


def test_an_address_becomes_a_song_where_that_is_allowed(site, weights, tmp_path):
    pytest.importorskip("yt_dlp")
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


@pytest.mark.parametrize(
    "address",
    ["file:///etc/passwd", "ytsearch1:song", "/etc/passwd", "https://", "https://a b", "-o x", ""],
)
def test_what_is_no_web_address_is_refused(server, address):
    status, _, answer = server.ask("/api/addresses", "POST", {"address": address})
    assert status == 422 and "https://" in answer["error"]


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
        ("os.system", (b"rm",)),
        ("socket.connect", (None, ("127.0.0.1", 80))),
        ("socket.connect", (None, "/run/docker.sock")),
    ):
        with pytest.raises(PermissionError):
            fetch._guard(event, arguments)
    fetch._guard("subprocess.Popen", ("/usr/bin/deno", [], None, None))


# The command.


def test_a_port_that_is_taken_is_named(capsys, weights):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        assert cli.main(["serve", "--port", port, "--model", str(weights)]) == 2
    assert f"port {port}" in capsys.readouterr().err


@pytest.mark.parametrize("option", [["--port", "70000"], ["--max-size", "0"], ["--jobs", "x"]])
def test_options_that_make_no_sense(option, capsys):
    assert cli.main(["serve", *option]) == 2
    assert option[0] in capsys.readouterr().err


@pytest.mark.skipif(os.name != "posix", reason="signals as terminals send them")
def test_the_command_serves_until_it_is_stopped_and_leaves_nothing(weights, tmp_path):
    place = tmp_path / "songs"
    place.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "asteroid_karaoke.cli", "serve", "--port", "0"]
        + ["--model", str(weights), "--device", "cpu", "--backend", "torch"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(place), "PYTHONUNBUFFERED": "1"},
    )
    with process:
        try:
            lines = [process.stdout.readline() for _ in range(2)]
            assert "torch" in lines[0]
            address = lines[1].split()[1]
            with build_opener(ProxyHandler({})).open(f"{address}/api/about") as answer:
                assert answer.status == 200
            assert [folder.name for folder in place.iterdir() if "web" in folder.name]
        finally:
            process.send_signal(signal.SIGINT)
        assert process.wait() == 0
    assert not [folder.name for folder in place.iterdir() if "web" in folder.name]
