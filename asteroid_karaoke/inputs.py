"""What a user names, as a list of songs: files, folders, globs, playlists, ``-``, addresses.

A playlist is hostile input: what it names must lie in its own folder, or below, links followed,
unless that is waived. Addresses in it are left out for the same reason.
"""

import glob
import os
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from .audio import split_source

#: Endings that are taken for songs, or for stems of one, in a folder; a file that is named by
#: itself may have any.
SUFFIXES = frozenset(
    (
        *(".wav", ".wave", ".rf64", ".bwf", ".w64", ".aiff", ".aif", ".aifc", ".au", ".snd"),
        *(".caf", ".flac", ".ape", ".wv", ".tta", ".alac", ".ogg", ".oga", ".opus", ".mp3"),
        *(".m4a", ".m4b", ".aac", ".ac3", ".wma", ".asf", ".mka", ".webm", ".mp4", ".m4v"),
        *(".mkv", ".mov", ".avi", ".flv", ".ts", ".mpg", ".mpeg", ".3gp"),
    )
)
PLAYLISTS = (".m3u", ".m3u8")
STANDARD_INPUT = "-"
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://|ytsearch\d*:")
#: No playlist is larger, in bytes.
_LARGEST_PLAYLIST = 1 << 24


@dataclass(frozen=True)
class Song:
    """One song to be separated.

    Args:
        source: A path, perhaps with ``#stream=N``, ``-`` or an address.
        folder: Where its results go, below the output folder.
        listed: Whether it was found in a folder, by a glob or in a playlist, not named by itself.
        fault: Why it can not be taken, found when it was looked for.
    """

    source: str
    folder: Path = Path()
    listed: bool = False
    fault: str = ""

    @property
    def local(self) -> bool:
        """Whether it is a file here."""
        return self.source != STANDARD_INPUT and not is_address(self.source)

    @property
    def path(self) -> Path:
        """Its file, with all links followed; one that leads to itself is let be."""
        return Path(os.path.realpath(split_source(self.source)[0]))

    @property
    def place(self) -> tuple[str, int]:
        """Its file's name and the stream, the same however it is named; a link has its own."""
        if not self.local:
            return self.source, 0
        path, stream = split_source(self.source)
        return os.path.normpath(path.absolute()), stream


def named(folder: Path, names: Collection[str]) -> list[Path]:
    """The sound files in a folder that bear one of these names, with whatever ending; sorted."""
    found = folder.iterdir() if folder.is_dir() else ()
    return sorted(p for p in found if p.stem in names and p.suffix.lower() in SUFFIXES)


def is_address(text: str) -> bool:
    """Whether it is no path: ``https://…``, or a search of yt-dlp's (``ytsearch1:…``)."""
    return bool(_ADDRESS.match(text))


def expand(
    inputs: Iterable[str], results: Collection[Path] = (), *, playlists_anywhere: bool = False
) -> list[Song]:
    """The songs that a user's words stand for, in their order; in folders by name.

    Args:
        inputs: As they were given.
        results: Files that are no songs, where they are met in a folder, by a glob or in a
            playlist: earlier results, resolved.
        playlists_anywhere: Whether a playlist may name files outside its folder.

    Raises:
        ValueError: A glob, a folder or a playlist has no songs, or a playlist is none.
        OSError: It can not be read.
    """
    songs: list[Song] = []
    for text in inputs:
        if text == STANDARD_INPUT or is_address(text):
            songs.append(Song(text))
            continue
        path = Path(text)
        if path.is_dir():
            found = _in_folder(path)
        elif path.suffix.lower() in PLAYLISTS and path.is_file():
            found = _in_playlist(path, playlists_anywhere)
        elif not split_source(text)[0].exists() and glob.has_magic(text):
            found = _by_glob(text)
        else:
            songs.append(Song(text))
            continue
        kept = [song for song in found if song.fault or song.path not in results]
        if not kept:
            raise ValueError(f"{text} holds no songs: expected files such as song.mp3")
        songs += [replace(song, listed=True) for song in kept]
    return songs


def _in_folder(folder: Path) -> Iterator[Song]:
    """All songs below; hidden files are none, and links to folders are not followed."""
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = Path(place, name)
            if not name.startswith(".") and path.suffix.lower() in SUFFIXES:
                yield Song(str(path), path.parent.relative_to(folder))


def _by_glob(pattern: str) -> Iterator[Song]:
    for name in sorted(glob.glob(pattern, recursive=True)):  # noqa: PTH207  (of any root)
        path = Path(name)
        if path.is_file() and path.suffix.lower() in SUFFIXES:
            yield Song(name)


def _in_playlist(playlist: Path, anywhere: bool) -> Iterator[Song]:
    if playlist.stat().st_size > _LARGEST_PLAYLIST:
        raise ValueError(f"{playlist} is larger than 16 MiB, so it is no playlist")
    data = playlist.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        if playlist.suffix.lower() == ".m3u8":
            raise ValueError(f"{playlist} is no UTF-8, as an m3u8 must be: save it anew") from None
        # The code page of the players that made up m3u.
        text = data.decode("cp1252", "replace")
    if "#EXT-X-" in text:
        raise ValueError(f"{playlist} lists the pieces of a stream, not songs: give its address")
    home = Path(os.path.realpath(playlist.parent))
    for line in text.splitlines():
        name = line.strip()
        if name and not name.startswith("#"):
            yield _entry(playlist, home, name, anywhere)


def _entry(playlist: Path, home: Path, name: str, anywhere: bool) -> Song:
    if is_address(name) or "\0" in name:
        return Song(name, fault=f"{playlist} names {name!r}, which is no file: give it by itself")
    entry = Path(name.replace("\\", "/") if "\\" in name and "/" not in name else name)
    path = playlist.parent / entry
    song = Song(str(path))
    loops = path.is_symlink() and song.path.is_symlink()
    if (loops or not song.path.is_relative_to(home)) and not anywhere:
        return replace(
            song,
            fault=f"{playlist} names {name!r}, which is outside its folder: give "
            "--playlists-anywhere if you trust it",
        )
    return song
