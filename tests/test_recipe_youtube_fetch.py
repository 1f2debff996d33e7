"""Fetching by the real yt-dlp from a web server on loopback.

What YouTube itself says can not be provoked here; its messages, as yt-dlp words them, are sorted in
`test_messages_are_sorted`.
"""

import json
import re
import sys
from collections import Counter

import pytest
from youtube_site import Corpus, offer, write_list

from recipes import youtube
from recipes.youtube_faults import classify
from recipes.youtube_fetch import Manners, _Messages
from recipes.youtube_lists import locate, read_lists
from recipes.youtube_records import describe

pytest.importorskip("yt_dlp")
pytestmark = pytest.mark.usefixtures("no_proxy")


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
