"""The two lists of the YouTube corpus: the seed's own, and what is no list or no track."""

import re

import pytest
from youtube_site import ROOT, write_list

from recipes.youtube_lists import locate, read_lists


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
