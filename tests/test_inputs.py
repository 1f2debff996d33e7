"""What a user names as input: folders, globs, playlists, addresses; and what a playlist may not."""

from pathlib import Path

import pytest

from asteroid_karaoke.inputs import Song, expand, named


@pytest.fixture
def library(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.mp3", "b/c.FLAC", "b/d/e.wav", "b/.hidden.wav", ".git/x.wav", "cover.jpg"):
        path = tmp_path / "lib" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


def sources(*inputs, **options):
    return [song.source for song in expand(inputs, **options)]


def test_a_folder_is_all_songs_below_and_keeps_its_shape(library):
    songs = expand(["lib"])
    assert [song.source for song in songs] == ["lib/a.mp3", "lib/b/c.FLAC", "lib/b/d/e.wav"]
    assert [song.folder for song in songs] == [Path(), Path("b"), Path("b/d")]
    assert all(song.listed for song in songs)
    with pytest.raises(ValueError, match="holds no songs"):
        expand(["lib/.git/nothing*"])
    (library / "empty").mkdir()
    with pytest.raises(ValueError, match="empty holds no songs"):
        expand(["empty"])


def test_stems_are_found_by_their_names_with_whatever_ending(tmp_path):
    there = ("vocals.WMA", "karaoke.w64", "vocals.json", "other.wav", "karaoke")
    for name in there:
        (tmp_path / name).touch()
    found = named(tmp_path, ("vocals", "karaoke"))
    assert [path.name for path in found] == ["karaoke.w64", "vocals.WMA"]
    assert named(tmp_path / "nowhere", ("vocals",)) == []


def test_links_that_go_round_are_not_followed(library):
    (library / "lib" / "b" / "round").symlink_to(library / "lib")
    assert len(sources("lib")) == 3


def test_earlier_results_are_no_songs(library):
    results = {(library / "lib" / "a.mp3").resolve()}
    assert sources("lib", results=results) == ["lib/b/c.FLAC", "lib/b/d/e.wav"]
    # Whoever names one means it.
    assert sources("lib/a.mp3", results=results) == ["lib/a.mp3"]


def test_globs(library):
    assert sources("lib/*") == ["lib/a.mp3"]
    assert sources("lib/**/*.wav") == ["lib/b/d/e.wav"]
    (library / "x[1].wav").touch()
    assert sources("x[1].wav") == ["x[1].wav"]
    # What does not exist is for the reader to complain about, by its name.
    assert sources("gone.wav") == ["gone.wav"]


def test_addresses_and_standard_input_are_no_paths():
    songs = expand(["-", "https://example.com/a.mp3", "ytsearch1:a song", "a.wav#stream=1"])
    assert [song.local for song in songs] == [False, False, False, True]
    assert Song("C:\\x.wav").local


def playlist(library, text, name="list.m3u", **kwargs):
    path = library / "lib" / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return expand([str(path)], **kwargs)


def test_a_playlist_names_songs_beside_it(library):
    text = "\ufeff#EXTM3U\r\n#EXTINF:1,A\r\na.mp3\r\n\r\nb\\d\\e.wav\r\nb/c.FLAC\r\n"
    songs = playlist(library, text)
    found = [Path(song.source).relative_to(library / "lib").as_posix() for song in songs]
    assert found == ["a.mp3", "b/d/e.wav", "b/c.FLAC"]
    assert not any(song.fault for song in songs)
    assert Path(playlist(library, "ü.wav\n".encode("cp1252"))[0].source).name == "ü.wav"
    with pytest.raises(ValueError, match="is no UTF-8"):
        playlist(library, "ü.wav\n".encode("cp1252"), "list.m3u8")


@pytest.mark.parametrize(
    "entry", ("../secret.wav", "/etc/secret.wav", "b/../../secret.wav", "link.wav", "loop.wav")
)
def test_a_playlist_does_not_lead_outside_its_folder(library, entry):
    (library / "secret.wav").touch()
    (library / "lib" / "link.wav").symlink_to(library / "secret.wav")
    (library / "lib" / "loop.wav").symlink_to("loop.wav")
    (song,) = playlist(library, entry)
    assert "is outside its folder" in song.fault
    assert "--playlists-anywhere" in song.fault
    (song,) = playlist(library, entry, playlists_anywhere=True)
    assert not song.fault


@pytest.mark.parametrize("entry", ("https://example.com/x.mp3", "file:///etc/passwd", "a\0b.wav"))
def test_a_playlist_names_files_only(library, entry):
    (song,) = playlist(library, entry, playlists_anywhere=True)
    assert "which is no file" in song.fault


def test_a_playlist_of_a_stream_is_refused(library):
    with pytest.raises(ValueError, match="pieces of a stream"):
        playlist(library, "#EXTM3U\n#EXT-X-TARGETDURATION:1\na.ts\n")
