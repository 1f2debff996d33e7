"""The server behind the page: what it takes, what it refuses, what it gives, what it forgets."""

import io
import socket

import matplotlib.image
import numpy as np
import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

from serving import RATE, serving, song, wait
from stand_ins import tiny_weights

from asteroid_karaoke import audio
from asteroid_karaoke.web.limits import Limits
from asteroid_karaoke.web.server import PAGE


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
        assert status == 503
        assert answer["error"].startswith("2 songs are waiting or arriving already")
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


@pytest.mark.parametrize("order", [{"key": 13}, {"tempo": 0}, {"key": "nan"}, {"level": "+3dB"}])
def test_what_can_not_be_played_is_refused(server, ready, order):
    path = f"/api/songs/{ready['id']}/renderings"
    status, _, answer = server.ask(path, "POST", order)
    assert status == 422 and "expected" in answer["error"]


def test_orders_that_are_none(server, ready):
    path = f"/api/songs/{ready['id']}/files"
    for body in (b"", b"[]", b"{", b"[" * 9000, b'{"a": "' + bytes(1 << 15) + b'"}'):
        assert server.ask(path, "POST", body)[0] in (413, 422)
    assert server.ask(path, "POST", {"stem": "drums", "format": "mp3"})[0] == 422
    assert server.ask(f"{path}/../../etc", "GET")[0] == 404


@pytest.mark.parametrize(
    "address",
    ["file:///etc/passwd", "ytsearch1:song", "/etc/passwd", "https://", "https://a b", "-o x", ""],
)
def test_what_is_no_web_address_is_refused(server, address):
    status, _, answer = server.ask("/api/addresses", "POST", {"address": address})
    assert status == 422 and "https://" in answer["error"]
