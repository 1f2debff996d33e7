"""YouTube: the real yt-dlp against a web server on loopback that serves real audio, some broken.

What YouTube itself says can not be provoked here; its messages, as yt-dlp words them, are sorted in
`test_messages_are_sorted`.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
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
from recipes import youtube, youtube_cut
from recipes.songs import split_of
from recipes.youtube_faults import classify
from recipes.youtube_fetch import Manners, _Messages
from recipes.youtube_lists import COLUMNS, locate, read_lists
from recipes.youtube_records import describe

pytest.importorskip("yt_dlp")
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


@pytest.fixture(autouse=True)
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


@pytest.fixture(scope="session")
def ramp(tmp_path_factory) -> bytes:
    """310 s of wav at 8 kHz in which the pitch tells the time: 200 Hz and 10 Hz more every 10 s."""
    seconds = np.arange(310 * 8000) / 8000
    pitch = 200 + 10 * (seconds // 10)
    samples = 0.3 * np.sin(2 * np.pi * np.cumsum(pitch) / 8000, dtype=np.float32)
    return encode(tmp_path_factory.mktemp("ramp") / "ramp.wav", samples[None], 8000)


def pitch_of(samples: np.ndarray) -> float:
    """The strongest frequency, in Hz."""
    spectrum = np.abs(np.fft.rfft(samples[0] * np.hanning(samples.shape[1])))
    return float(spectrum.argmax() * RATE / samples.shape[1])


# Lists


def test_the_seeds_own_lines_are_read(tmp_path):
    vocals, music = tmp_path / "vocals.csv", tmp_path / "music.csv"
    vocals.write_text(
        '"youtube-url","start_buffer","end_buffer","gender","type"\n"abc-EFGH_-1",0,7.5,"fm","music"\n'
        '\n "https://www.youtube.com/watch?v=bbbbbbbbbbb&t=3s" ,,"","",""\n'
    )
    music.write_text(
        '\ufeff"youtube-url","start_buffer","end_buffer","compilation"\r\n"ccccccccccc",3,10,"y"\r\n'
        '"ddddddddddd",0,0,""\r\n',
        encoding="utf-8",
    )
    tracks = read_lists(vocals, music)
    assert [(t.key, t.stem, t.start_buffer, t.end_buffer, t.compilation) for t in tracks] == [
        ("abc-EFGH_-1", "vocals", 0, 7.5, False),
        ("bbbbbbbbbbb", "vocals", 0, 0, False),
        ("ccccccccccc", "accompaniment", 3, 10, True),
        ("ddddddddddd", "accompaniment", 0, 0, False),
    ]
    assert tracks[1].where == "vocals.csv, line 4"
    assert {track.url for track in tracks} == {
        f"https://www.youtube.com/watch?v={track.key}" for track in tracks
    }


@pytest.mark.parametrize(
    "entry",
    [
        "abcdefghijk",
        "https://www.youtube.com/watch?list=PL1&v=abcdefghijk",
        "http://m.youtube.com/watch?v=abcdefghijk#t=1",
        "youtu.be/abcdefghijk?si=x",
        "https://youtube.com/shorts/abcdefghijk/",
        "https://www.youtube-nocookie.com/embed/abcdefghijk",
        "music.youtube.com/watch?v=abcdefghijk",
    ],
)
def test_every_address_of_a_video_is_the_same_video(entry):
    assert locate(entry)[0] == "abcdefghijk"


@pytest.mark.parametrize(
    "entry",
    [
        "",
        "a b",
        "../../etc/passwd",
        "/etc/passwd",
        "file:///etc/passwd",
        "ftp://host/x.mp3",
        "https://",
        "http://[",
        "https://www.youtube.com/playlist?list=PLabcdefghijk",
        "https://www.youtube.com/@abcdefghij",
        "https://www.youtube.com/watch?v=../../../etc",
        "http://host/" + "x" * 3000,
    ],
)
def test_what_is_no_track_is_refused(entry):
    with pytest.raises(ValueError):
        locate(entry)


def test_other_hosts_are_not_taken_for_youtube():
    for address in ("http://notyoutube.com/watch?v=abcdefghijk", "http://host/../../x.mp3?v=1"):
        key, url = locate(address)
        assert re.fullmatch(r"web-[0-9a-f]{16}", key)
        assert url == address


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ('"abcdefghijk",0,0', "line 3: has 3 cells, expected 5"),
        ('"abcdefghijk",-1,0,"",""', "line 3: start_buffer is '-1', expected seconds, 0 or more"),
        ('"abcdefghijk",0,1:30,"",""', "line 3: end_buffer is '1:30', expected seconds"),
        ('"abcdefghijk",nan,0,"",""', "line 3: start_buffer is 'nan'"),
        ('"abcdefghijk",0,inf,"",""', "line 3: end_buffer is 'inf'"),
        ('"../../x",0,0,"",""', "line 3: '../../x' is neither a YouTube id"),
        ('"fine_______",0,0,"",""', "line 3: fine_______ stands in vocals.csv, line 2 already"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, row, complaint):
    vocals = write_list(tmp_path / "vocals.csv", "vocals", ["fine_______"])
    vocals.write_text(vocals.read_text() + row + "\n")
    music = write_list(tmp_path / "music.csv", "accompaniment", [("ddddddddddd", 0, 0, "maybe")])
    with pytest.raises(ValueError) as caught:
        read_lists(vocals, music)
    assert complaint in str(caught.value)
    assert "music.csv, line 2: compilation is 'maybe'" in str(caught.value), "all faults at once"


def test_a_wrong_list_is_named(tmp_path):
    vocals = write_list(tmp_path / "vocals.csv", "vocals", ["fine_______"])
    music = write_list(tmp_path / "music.csv", "accompaniment", ["ddddddddddd"])
    with pytest.raises(ValueError, match=r"music\.csv has columns .*; expected .*gender, type"):
        read_lists(music, vocals)
    with pytest.raises(FileNotFoundError, match=r"no list at .*nowhere.*--vocals_csv FILE"):
        read_lists(tmp_path / "nowhere", music)
    with pytest.raises(FileNotFoundError, match="no list at ''"):
        read_lists("", music)
    for content in (b"", b"\n", '"youtube-url","sängerin"\n'.encode("latin-1"), b"a\0b,c\n"):
        (tmp_path / "broken.csv").write_bytes(content)
        with pytest.raises(ValueError, match=r"broken\.csv"):
            read_lists(vocals, tmp_path / "broken.csv")
    lists = ROOT / "recipes" / "lists"
    with pytest.raises(ValueError, match="is empty: add a line for each track"):
        read_lists(lists / "vocals.csv", lists / "music.csv")
    with pytest.raises(ValueError, match="is empty: add a line for each track"):
        read_lists(vocals, lists / "music.csv")


# Fetching


def test_files_come_whole_and_once(site, corpus):
    assert corpus.fetch() == {}
    for track in read_lists(corpus.vocals, corpus.music):
        (path,) = (
            path
            for path in youtube.fetched_folder(corpus.storage).glob(f"{track.key}.*")
            if path.suffix != ".json"
        )
        assert path.read_bytes() == site.files[track.url.removeprefix(site.address)]
    served = Counter(site.served)
    assert corpus.fetch() == {}
    assert site.served == served, "the second run fetched something"


def test_broken_transfers_go_on_where_they_stopped(site, sounds, tmp_path):
    voice = offer(site, sounds["voice.webm"], "/breaks/{}.webm")
    slow = offer(site, sounds["music.mp3"], "/slow/{}.mp3")
    corpus = Corpus(tmp_path, [voice], [slow])
    assert corpus.fetch() == {}
    key, _ = locate(voice)
    path = youtube.fetched_folder(corpus.storage) / f"{key}.webm"
    assert path.read_bytes() == sounds["voice.webm"]
    assert not list((path.parent / "fetching").iterdir())


def test_each_failure_has_its_reason_and_stops_nothing(site, sounds, tmp_path):
    site.files["/page/x"] = b"<html><body>No sound here</body></html>"
    site.files["/junk.mp3"] = b"\x01no sound" * 1000
    site.files["/empty.mp3"] = b""
    cases = {
        f"{site.address}/missing.mp3": ("removed", "HTTP Error 404"),
        offer(site, sounds["voice.mp3"], "/rangeless/{}.mp3"): ("cut off", "bytes read"),
        offer(site, sounds["voice.webm"], "/lengthless/{}.webm"): ("cut off", "promises 6.01 s"),
        offer(site, sounds["voice.m4a"], "/lengthless/{}.m4a"): ("cut off", "cut off at"),
        offer(site, sounds["voice.mp3"], "/lengthless/{}.mp3"): ("cut off", "264600 samples"),
        offer(site, sounds["voice.mp3"], "/down/{}.mp3"): ("network", "HTTP Error 503"),
        f"{site.address}/page/x": ("not a track", "Unsupported URL"),
        f"{site.address}/junk.mp3": ("not a track", "is not audio"),
        f"{site.address}/empty.mp3": ("cut off", "Did not get any data"),
        "http://127.0.0.1:9/x.mp3": ("network", "Connection refused"),
        "abcdefghijk": ("network", "Failed to resolve 'www.youtube.com'"),
    }
    corpus = Corpus(
        tmp_path,
        [*cases, offer(site, sounds["voice.mp3"], "/fine/{}.mp3", "train")],
        [offer(site, sounds["music.mp3"], "/music/{}.mp3", "train")],
    )
    failures = corpus.fetch()
    assert set(failures) == {f"vocals.csv, line {2 + number}" for number in range(len(cases))}
    for (kind, reason), (address, expected) in zip(failures.values(), cases.items(), strict=True):
        assert kind == expected[0], address
        assert expected[1] in reason, address
        assert not reason.startswith(("ERROR", "["))
    assert corpus.fetched() == [".mp3", ".mp3"]

    songs = corpus.prepare(valid=0, test=0)
    assert [song.role for song in songs["train"]] == ["vocals", "music"]


def test_a_server_that_falls_silent_is_not_waited_for(site, sounds, tmp_path):
    voice = offer(site, sounds["voice.m4a"], "/stuck/{}.m4a")
    corpus = Corpus(tmp_path, [voice], [offer(site, sounds["music.mp3"], "/{}.mp3")])
    ((kind, reason),) = corpus.fetch(Manners(pause=0, retries=1, timeout=1.0)).values()
    assert (kind, "timed out" in reason) == ("network", True)
    assert site.served["/stuck/0.m4a"] == 3, "a look, a try and a retry"


def test_what_is_missing_is_told_by_the_manifests_as_well(site, sounds, tmp_path, caplog):
    voices = [f"{site.address}/gone.mp3", offer(site, sounds["voice.mp3"], "/{}.mp3", "train")]
    corpus = Corpus(tmp_path, voices, [offer(site, sounds["music.mp3"], "/m{}.mp3", "train")])
    with pytest.raises(ValueError, match="line 2: it was not fetched"):
        corpus.prepare(valid=0, test=0)
    corpus.fetch()
    caplog.clear()
    corpus.prepare(valid=0, test=0)
    assert "vocals.csv, line 2: removed: Unable to download webpage: HTTP Error 404" in caplog.text


def test_files_of_the_same_name_are_two_tracks(site, sounds, tmp_path):
    voice = offer(site, sounds["voice.mp3"], "/voice/song.mp3")
    music = offer(site, sounds["music.mp3"], "/music/song.mp3")
    corpus = Corpus(tmp_path, [voice], [music])
    assert corpus.fetch() == {}
    folder = youtube.fetched_folder(corpus.storage)
    for address, name in ((voice, "voice.mp3"), (music, "music.mp3")):
        assert (folder / f"{locate(address)[0]}.mp3").read_bytes() == sounds[name]


def test_hostile_names_become_no_file_names(site, sounds, tmp_path):
    paths = ["/x/..%2F..%2Fevil.mp3", "/%2Fetc%2Fpasswd.mp3", "/-rf%20~;$(id)%00%0A.mp3"]
    for path in paths:
        site.files[path] = sounds["voice.mp3"]
    script = "/evil.sh"
    site.files[script] = sounds["voice.mp3"]
    corpus = Corpus(
        tmp_path,
        [site.address + path for path in [*paths, script]],
        [offer(site, sounds["music.mp3"], "/{}.mp3")],
    )
    failures = corpus.fetch()
    assert list(failures) == ["vocals.csv, line 5"]
    names = {path.name for path in tmp_path.rglob("*") if path.is_file()} - {
        "vocals.csv",
        "music.csv",
    }
    assert len(names) == 9
    assert all(re.fullmatch(r"web-[0-9a-f]{16}\.(mp3|json)", name) for name in names), names


def test_a_file_that_is_lost_is_fetched_again(site, sounds, tmp_path):
    voice = offer(site, sounds["voice.mp3"], "/{}.mp3")
    corpus = Corpus(tmp_path, [voice], [offer(site, sounds["music.mp3"], "/m{}.mp3")])
    corpus.fetch()
    path = youtube.fetched_folder(corpus.storage) / f"{locate(voice)[0]}.mp3"
    for spoil in (path.unlink, lambda: path.write_bytes(sounds["voice.mp3"][:5000])):
        spoil()
        assert corpus.fetch() == {}
        assert path.read_bytes() == sounds["voice.mp3"]


def test_another_address_of_a_video_that_is_there_is_not_fetched(site, sounds, tmp_path):
    """yt-dlp's archive: a page that only shows a video of the other list."""
    site.files["/page/x"] = (
        b'<html><iframe src="https://www.youtube.com/embed/abcdefghijk"></iframe></html>'
    )
    corpus = Corpus(tmp_path, ["abcdefghijk"], [f"{site.address}/page/x"])
    folder = youtube.fetched_folder(corpus.storage)
    folder.mkdir(parents=True)
    (folder / "abcdefghijk.webm").write_bytes(sounds["voice.webm"])
    facts = {"title": "", "artist": "", "licence": "", "page": "", "seconds": 6.0}
    size = len(sounds["voice.webm"])
    record = {"file": "abcdefghijk.webm", "size": size, "archive_id": "youtube abcdefghijk"}
    (folder / "abcdefghijk.json").write_text(json.dumps({**facts, **record}))
    failures = corpus.fetch()
    assert list(failures) == ["music.csv, line 2"]
    assert "has already been recorded in the archive" in failures["music.csv, line 2"][1]


def test_an_unusable_network_ends_in_a_summary(tmp_path, capsys):
    voices = [f"http://127.0.0.1:9/{number}.mp3" for number in range(5)]
    corpus = Corpus(tmp_path, voices, ["abcdefghijk"])
    lists = ["--vocals_csv", str(corpus.vocals), "--music_csv", str(corpus.music)]
    options = ["--storage_dir", str(corpus.storage), *lists, "--pause", "0"]
    assert youtube.main(["download", *options]) == 1
    told = capsys.readouterr().err
    assert "0 of 6 tracks are there" in told
    assert "network (6): see that the network and the host can be reached" in told
    assert told.count("Connection refused") == 3
    assert "  2 more at the same host were not tried" in told
    assert youtube.main(["prepare", *options[:-2]]) == 2
    told = capsys.readouterr().err
    assert "train has no voice" in told
    assert "network: Unable to download webpage" in told


def test_a_host_that_answers_in_between_is_not_given_up(site, sounds, tmp_path):
    fine = offer(site, sounds["voice.mp3"], "/{}.mp3")
    for number in range(5):
        site.files[f"/down/{number}.mp3"] = b"x"
    down = [f"{site.address}/down/{number}.mp3" for number in range(5)]
    corpus = Corpus(tmp_path, [*down[:2], fine, *down[2:4]], [down[4], f"{site.address}/404.mp3"])
    *tried, (kind, reason) = corpus.fetch().values()
    assert len(tried) == 5
    assert all(reason for _, reason in tried)
    assert (kind, reason, site.served["/404.mp3"]) == ("network", "", 0), "three in a row, at last"


def test_what_is_there_needs_neither_network_nor_yt_dlp(site, corpus, monkeypatch, capsys):
    options = ["--vocals_csv", str(corpus.vocals), "--music_csv", str(corpus.music)]
    options += ["--storage_dir", str(corpus.storage)]
    monkeypatch.setitem(sys.modules, "yt_dlp", None)
    assert youtube.main(["download", *options]) == 2
    assert "pip install -e '.[youtube]'" in capsys.readouterr().err
    monkeypatch.undo()
    assert youtube.main(["download", *options, "--pause", "0"]) == 0
    site.close()
    monkeypatch.setitem(sys.modules, "yt_dlp", None)
    assert youtube.main(["download", *options]) == 0
    assert "6 of 6 tracks are there" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("message", "kind", "reason"),
    [
        (
            "ERROR: [youtube] abcdefghijk: Private video. Sign in if you've been granted access to "
            "this video. Use --cookies-from-browser or --cookies for the authentication.",
            "private",
            "Private video. Sign in if you've been granted access to this video",
        ),
        ("ERROR: [youtube] abcdefghijk: Video unavailable", "removed", "Video unavailable"),
        (
            "ERROR: [youtube] abcdefghijk: Video unavailable. This video is private",
            "private",
            "Video unavailable. This video is private",
        ),
        (
            "ERROR: [youtube] abcdefghijk: This video has been removed by the uploader",
            "removed",
            "This video has been removed by the uploader",
        ),
        (
            "ERROR: [youtube] abcdefghijk: The uploader has not made this video available in your "
            "country\nThis video is available in France.\nYou might want to use a VPN or a proxy "
            "server (with --proxy) to workaround.",
            "region",
            "The uploader has not made this video available in your country This video is "
            "available in France",
        ),
        (
            "ERROR: [youtube] abcdefghijk: Sign in to confirm your age. This video may be "
            "inappropriate for some users. Use --cookies-from-browser or --cookies for the ...",
            "age",
            "Sign in to confirm your age. This video may be inappropriate for some users",
        ),
        (
            "ERROR: [youtube] abcdefghijk: Sign in to confirm you’re not a bot. Use --cookies",
            "bot check",
            "Sign in to confirm you’re not a bot",
        ),
        (
            "ERROR: [youtube] abcdefghijk: Video unavailable. This content isn't available, try "
            "again later. The current session has been rate-limited by YouTube for up to an hour. "
            "It is recommended to use `-t sleep`",
            "rate limit",
            "Video unavailable. This content isn't available, try again later. The current session "
            "has been rate-limited by YouTube for up to an hour",
        ),
        ("ERROR: [youtube] abcdefghijk: HTTP Error 429: Too Many Requests", "rate limit", None),
        ("ERROR: unable to download video data: HTTP Error 403: Forbidden", "refused", None),
        (
            "ERROR: [youtube] abcdefghijk: Requested format is not available. Use --list-formats",
            "refused",
            "Requested format is not available",
        ),
        (
            "ERROR: unable to open for writing: [Errno 28] No space left on device",
            "disk full",
            None,
        ),
        (
            "ERROR: [youtube] abcdefghijk: Join this channel to get access to members-only content",
            "members only",
            None,
        ),
        ("ERROR: [youtube] abcdefghijk: This video is DRM protected", "protected", None),
        ("ERROR: something new\x1b[31m under the sun", "other", "something new[31m under the sun"),
        ("", "other", "yt-dlp left no file and gave no reason"),
    ],
)
def test_messages_are_sorted(message, kind, reason):
    sorted_as = classify(message)
    assert sorted_as.kind.name == kind
    assert reason is None or sorted_as.reason == reason


def test_lists_and_broadcasts_are_no_tracks():
    for info in ({"playlist_index": 1}, {"is_live": True}):
        messages = _Messages()
        assert classify(messages.refuse(info, incomplete=False)).kind.name == "not a track"
        assert messages.why
    messages = _Messages()
    messages.error("ERROR: one that yt-dlp got over")
    assert messages.refuse({"title": "song"}, incomplete=False) is None


def test_wrong_manners_are_refused(tmp_path):
    with pytest.raises(ValueError, match="pause is -1"):
        Manners(pause=-1)
    with pytest.raises(FileNotFoundError, match="no cookies at"):
        Manners(cookies=str(tmp_path / "cookies.txt"))
    (tmp_path / "cookies.txt").write_text("no cookies\n")
    corpus = Corpus(tmp_path, ["abcdefghijk"], ["bbbbbbbbbbb"])
    with pytest.raises(ValueError, match=r"cookies\.txt holds no cookies in Netscape's format"):
        corpus.fetch(Manners(cookies=str(tmp_path / "cookies.txt")))


def test_a_page_of_youtube_says_title_and_licence(tmp_path):
    (tmp_path / "x.webm").write_bytes(b"12345")
    track = read_lists(
        write_list(tmp_path / "v.csv", "vocals", ["abcdefghijk"]),
        write_list(tmp_path / "m.csv", "accompaniment", ["bbbbbbbbbbb"]),
    )[0]
    info = {
        "extractor_key": "Youtube",
        "title": "../../etc\n\x1b[2Jpasswd\u202e",
        "uploader": "Somebody",
        "webpage_url": "https://www.youtube.com/watch?v=abcdefghijk",
    }
    record = describe(info, track, tmp_path / "x.webm", 6.0, "youtube abcdefghijk")
    assert (record.file, record.size, record.artist) == ("abcdefghijk.webm", 5, "Somebody")
    assert record.title == "../../etc [2Jpasswd"
    assert record.licence == "Standard YouTube License"
    free = {**info, "license": "Creative Commons Attribution license (reuse allowed)"}
    assert describe(free, track, tmp_path / "x.webm", 6.0, "").licence == "CC BY"


# Preparing


def test_each_split_gets_its_songs(corpus):
    corpus.fetch()
    songs = corpus.prepare()
    assert [song.role for song in songs["train"]] == ["vocals", "music"]
    for split in ("valid", "test"):
        (mix,) = manifest.read(corpus.storage / f"{split}.jsonl")
        assert (mix, mix.role, mix.split) == (songs[split][0], "stems", split)
        sources = {stem: audio.read(getattr(mix, stem)) for stem in ("vocals", "accompaniment")}
        assert sources["vocals"].shape == sources["accompaniment"].shape == (2, mix.frames)
        assert mix.frames == pytest.approx(6 * RATE, abs=RATE // 10)
        assert pitch_of(sources["vocals"]) == pytest.approx(700, abs=1)
        assert pitch_of(sources["accompaniment"]) == pytest.approx(150, abs=1)
        assert np.abs(sum(sources.values())).max() <= 0.9 + 1e-4
        levels = {stem: np.sqrt(np.mean(np.square(found))) for stem, found in sources.items()}
        share = levels["vocals"] / sum(levels.values())
        assert 0.1 - 1e-3 <= share <= 0.9 + 1e-3
    (licence,) = json.loads((corpus.storage / "licenses.json").read_text())
    assert set(licence) == set(youtube.LICENSE)
    assert licence["non_commercial"] is True, "nobody said that it may be sold"
    manifest.validate(song for split in songs.values() for song in split)


def test_the_seed_decides_the_mixes_and_nothing_else_does(corpus, tmp_path):
    corpus.fetch()
    first = corpus.prepare()
    written = {path: path.stat().st_mtime_ns for path in corpus.storage.rglob("*.flac")}
    assert corpus.prepare() == first
    assert written == {path: path.stat().st_mtime_ns for path in corpus.storage.rglob("*.flac")}
    sound = audio.read(first["test"][0].vocals)
    other = corpus.prepare(seed=1)
    assert np.abs(audio.read(other["test"][0].vocals) - sound).max() > 1e-3


def test_cuts_are_exact(site, tmp_path):
    rng = np.random.default_rng(0)
    noise = rng.uniform(-0.5, 0.5, (2, 10 * RATE)).astype(np.float32)
    sound = encode(tmp_path / "noise.wav", noise)
    voice = offer(site, sound, "/{}.wav", "train")
    corpus = Corpus(
        tmp_path, [(voice, 1.5, 2.25)], [(offer(site, sound, "/m{}.wav", "train"), "", "")]
    )
    corpus.fetch()
    cut, whole = corpus.prepare(valid=0, test=0)["train"]
    expected = noise[:, round(1.5 * RATE) : round(7.75 * RATE)]
    np.testing.assert_allclose(audio.read(cut.vocals), expected, atol=2 / 2**15)
    np.testing.assert_allclose(audio.read(whole.accompaniment), noise, atol=2 / 2**15)
    # The same line with other cuts, without fetching anew.
    write_list(corpus.vocals, "vocals", [(voice, 2, 0)])
    again, _ = corpus.prepare(valid=0, test=0)["train"]
    np.testing.assert_allclose(audio.read(again.vocals), noise[:, 2 * RATE :], atol=2 / 2**15)


def test_loud_tracks_are_turned_down_and_silence_is_left_out(site, tmp_path):
    quiet = np.zeros((2, RATE), np.float32)
    loud = np.concatenate([quiet, tone(300, 6, level=1.0), quiet], axis=1)
    (tmp_path / "loud.wav").parent.mkdir(exist_ok=True)
    audio.write(tmp_path / "loud.wav", 1.5 * loud, RATE, "FLOAT")
    address = offer(site, (tmp_path / "loud.wav").read_bytes(), "/{}.wav", "train")
    music = offer(site, (tmp_path / "loud.wav").read_bytes(), "/m{}.wav", "train")
    corpus = Corpus(tmp_path, [address], [music])
    corpus.fetch()
    voice = corpus.prepare(valid=0, test=0)["train"][0]
    assert np.abs(audio.read(voice.vocals)).max() == pytest.approx(0.99, abs=1e-3)
    assert (voice.start, voice.stop) == (
        pytest.approx(RATE, abs=20),
        pytest.approx(7 * RATE, abs=20),
    )


def test_a_compilation_gives_a_minute_in_four(site, sounds, ramp, tmp_path):
    music = offer(site, ramp, "/{}.wav", "train")
    corpus = Corpus(
        tmp_path, [offer(site, sounds["voice.mp3"], "/v{}.mp3", "train")], [(music, 2, 5, "y")]
    )
    corpus.fetch()
    pieces = [song for song in corpus.prepare(valid=0, test=0)["train"] if song.role == "music"]
    assert [song.id for song in pieces] == [f"music/{locate(music)[0]}-{n:03d}" for n in (0, 1)]
    for piece, begin in zip(pieces, (2, 242), strict=True):
        assert piece.frames == 60 * RATE
        for second in (0, 30, 57):
            here = audio.read(piece.accompaniment, second * RATE, RATE)
            expected = 200 + 10 * ((begin + second) // 10)
            assert pitch_of(here) == pytest.approx(expected, abs=2)


@pytest.mark.parametrize(
    ("start", "end", "complaint"),
    [
        (4, 3, "start_buffer 4 s and end_buffer 3 s leave 0.0 s of 6.0 s"),
        (1.5, 0, "start_buffer 1.5 s and end_buffer 0 s leave 4.5 s of 6.0 s, expected 5 s"),
        (0, 6, "start_buffer 0 s and end_buffer 6 s leave 0.0 s of 6.0 s"),
        (1e9, 0, "start_buffer 1e+09 s and end_buffer 0 s leave 0.0 s"),
    ],
)
def test_an_overlong_cut_is_named(site, sounds, tmp_path, caplog, start, end, complaint):
    cut = offer(site, sounds["voice.mp3"], "/cut/{}.mp3", "train")
    voices = [offer(site, sounds["voice.mp3"], "/{}.mp3", "train"), (cut, start, end)]
    corpus = Corpus(tmp_path, voices, [offer(site, sounds["music.mp3"], "/m{}.mp3", "train")])
    corpus.fetch()
    songs = corpus.prepare(valid=0, test=0)["train"]
    assert len(songs) == 2
    assert f"vocals/{locate(cut)[0]}: vocals.csv, line 3: {complaint}" in caplog.text


def test_a_silent_track_is_named(site, sounds, tmp_path, caplog):
    silence = encode(tmp_path / "silence.wav", np.zeros((2, 6 * RATE), np.float32))
    voices = [offer(site, sounds["voice.mp3"], "/{}.mp3", "train")]
    voices.append(offer(site, silence, "/{}.wav", "train"))
    corpus = Corpus(tmp_path, voices, [offer(site, sounds["music.mp3"], "/m{}.mp3", "train")])
    corpus.fetch()
    assert len(corpus.prepare(valid=0, test=0)["train"]) == 2
    assert "vocals.csv, line 3: is silent" in caplog.text


def test_a_split_without_voice_or_music_is_told(site, sounds, tmp_path):
    corpus = Corpus(
        tmp_path,
        [offer(site, sounds["voice.mp3"], "/{}.mp3", "train")],
        [offer(site, sounds["music.mp3"], "/m{}.mp3", "test")],
    )
    corpus.fetch()
    with pytest.raises(ValueError, match="train has no music, valid has no voice, valid has no"):
        corpus.prepare()
    assert not list(corpus.storage.glob("*.jsonl"))
    with pytest.raises(ValueError, match="nothing is left to train on"):
        corpus.prepare(valid=0.5, test=0.5)


def songs_of(role: str, count: int) -> list[manifest.Song]:
    stem = {"vocals": "vocals", "music": "accompaniment"}[role]
    facts = {"split": "test", "corpus": "youtube", "role": role, "licence": "unknown"}
    shape = {"sample_rate": RATE, "channels": 2, "frames": 60 * RATE}
    return [
        manifest.Song(id=f"{role}/{role}-{n}", **facts, **shape, **{stem: (f"{role}{n}.flac",)})
        for n in range(count)
    ]


def test_a_missing_song_changes_no_pair_but_its_own():
    voices, music = songs_of("vocals", 5), songs_of("music", 9)
    pairs = {entry.id for entry in youtube_cut.draw_pairs(voices + music, seed=0)}
    assert 9 <= len(pairs) <= 13
    for missing in voices + music:
        left = [song for song in voices + music if song is not missing]
        name = missing.id.partition("/")[2]
        others = {pair for pair in pairs if name not in pair.split("+")}
        assert others <= {entry.id for entry in youtube_cut.draw_pairs(left, seed=0)}
    assert pairs != {entry.id for entry in youtube_cut.draw_pairs(voices + music, seed=1)}
    many = youtube_cut.draw_pairs(songs_of("vocals", 30) + songs_of("music", 30), seed=0)
    assert len(many) == youtube_cut.MIXES


# Killed


def killed(script: str, *arguments: object, when=None) -> None:
    """Run a script in a process of its own and kill -9 it, unless it does that itself."""
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", script, *map(str, arguments)],
        cwd=ROOT,
        stderr=subprocess.DEVNULL,
    )
    try:
        while when is not None and not when():
            assert process.poll() is None, "it ended before it could be killed"
            time.sleep(0.02)
        if when is not None:
            process.kill()
        assert process.wait(60) == -signal.SIGKILL
    finally:
        process.kill()
        process.wait()


def test_killed_while_fetching_and_while_preparing(site, sounds, corpus, tmp_path):
    gated = offer(site, sounds["voice.webm"], "/gated/{}.webm", "train")
    voices = [track.url for track in read_lists(corpus.vocals, corpus.music)[:3]]
    write_list(corpus.vocals, "vocals", [voices[0], gated, *voices[1:]])
    under_way = youtube.fetched_folder(corpus.storage) / "fetching" / f"{locate(gated)[0]}.mpeg"
    part = under_way.with_name(f"{under_way.name}.webm.part")
    lists = [corpus.vocals, corpus.music]
    killed(
        "import sys; from recipes import youtube; from recipes.youtube_fetch import Manners;"
        "youtube.download_youtube(*sys.argv[1:], Manners(pause=0))",
        corpus.storage,
        *lists,
        when=lambda: part.exists() and part.stat().st_size > 0,
    )
    with pytest.raises(ValueError, match="it was not fetched"):
        corpus.prepare()
    site.open_gate.set()
    asked = Counter(site.served)
    assert corpus.fetch() == {}
    assert (
        site.served[voices[0].removeprefix(site.address)]
        == asked[voices[0].removeprefix(site.address)]
    ), "what was there has been fetched again"

    killed(
        "import os, signal, sys\n"
        "from recipes import youtube\n"
        "from asteroid_karaoke import audio\n"
        "write, calls = audio.AudioWriter.write, []\n"
        "def die(self, block):\n"
        "    write(self, block)\n"
        "    calls.append(block)\n"
        "    if len(calls) == 4: os.kill(os.getpid(), signal.SIGKILL)\n"
        "audio.AudioWriter.write = die\n"
        "youtube.prepare_youtube(*sys.argv[1:], valid=0.3, test=0.3)\n",
        corpus.storage,
        *lists,
    )
    assert list(corpus.storage.rglob("songs/**/*.json")), "killed before anything was finished"
    assert not list(corpus.storage.glob("*.jsonl"))
    corpus.prepare()

    unbroken = tmp_path / "unbroken"
    youtube.download_youtube(unbroken, *lists, QUICK)
    corpus.prepare(unbroken)
    assert manifests(unbroken) == manifests(corpus.storage)
    for path in unbroken.rglob("*.flac"):
        twin = corpus.storage / path.relative_to(unbroken)
        assert twin.read_bytes() == path.read_bytes()


def test_run_sh_takes_the_lists_from_where_it_is_called(corpus):
    script = ROOT / "egs" / "youtube" / "KaraokeNet" / "run.sh"
    options = ["--vocals_csv", corpus.vocals.name, "--music_csv", corpus.music.name]
    options += ["--storage_dir", str(corpus.storage), "--stop_stage", "1", "--pause", "0"]
    done = subprocess.run(
        [str(script), "--python_path", sys.executable, *options, "--valid", "0.3", "--test", "0.3"],
        cwd=corpus.vocals.parent,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert len(manifest.read(corpus.storage / "train.jsonl")) == 2
