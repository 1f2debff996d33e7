"""Songs that are no files yet: standard input, and addresses, fetched by yt-dlp into a file.

yt-dlp (extra ``youtube``) knows plain http(s) addresses of files as well as the pages of YouTube
and many others; https://github.com/yt-dlp/yt-dlp#embedding-yt-dlp tells of the interface. Nothing
is converted, and no ffmpeg is needed.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from .audio import split_source
from .inputs import STANDARD_INPUT, Song
from .parts import hidden
from .terminal import standard_input

#: What yt-dlp is told, whoever fetches.
OPTIONS: dict[str, Any] = {
    # Sound alone where it is offered, in stereo where there is a choice, else a small picture.
    "format": "bestaudio[audio_channels<=?2]/bestaudio/best[height<=?480]/best",
    "noplaylist": True,
    "playlist_items": "1",
    # Its errors, and its own bugs, cost one song and come as messages.
    "ignoreerrors": True,
    "skip_unavailable_fragments": False,
    # YouTube's player is a program; any of these can run it.
    "js_runtimes": {"deno": {}, "node": {}, "bun": {}, "quickjs": {}},
    # Containers stay as they were served, with ffmpeg and without.
    "fixup": "never",
    "updatetime": False,
    "cachedir": False,
    "noprogress": True,
    "color": "never",
}
#: No song is larger, in bytes.
_LARGEST = 4 << 30


class Fetched(NamedTuple):
    """A song as a file.

    Args:
        source: Its path, perhaps with ``#stream=N``.
        path: Its path.
        name: What its results are named after. None: the file.
    """

    source: str
    path: Path
    name: str | None


@contextmanager
def as_file(song: Song, folder: Path, max_seconds: float) -> Iterator[Fetched]:
    """The file of a song; one that was fetched is there for as long as the ``with`` block.

    Args:
        song: The song.
        folder: Where standard input is kept meanwhile, made where it is not there.
        max_seconds: The longest song that is fetched.

    Raises:
        ValueError: The song can not be had, or yt-dlp is missing.
        OSError: The disk is full.
    """
    if song.fault:
        raise ValueError(song.fault)
    if song.local:
        yield Fetched(song.source, split_source(song.source)[0], None)
    elif song.source == STANDARD_INPUT:
        stream = standard_input()
        folder.mkdir(parents=True, exist_ok=True)
        path = hidden(folder / "stdin")
        try:
            with path.open("wb") as file:
                shutil.copyfileobj(stream, file, 1 << 20)
            yield Fetched(str(path), path, "stdin")
        finally:
            path.unlink(missing_ok=True)
    else:
        with tempfile.TemporaryDirectory(prefix="asteroid-karaoke-") as place:
            path, name = _fetch(song.source, Path(place), max_seconds)
            yield Fetched(str(path), path, name)


def _fetch(address: str, folder: Path, max_seconds: float) -> tuple[Path, str]:
    try:
        import yt_dlp
    except ImportError as error:
        raise ValueError(
            f"{address}: fetching needs yt-dlp, which is not installed: "
            "pip install 'asteroid-karaoke[youtube]'"
        ) from error
    messages = _Messages(max_seconds)
    with yt_dlp.YoutubeDL(_options(folder, messages)) as downloader:
        info = _first(downloader.extract_info(address))
    path = landed(info)
    if path is not None:
        return path, str(info.get("title") or "song")
    reason = messages.why or messages.last or "nothing came"
    raise ValueError(f"{address} can not be fetched: {reason}")


def _first(info: dict[str, Any] | None) -> dict[str, Any]:
    """What yt-dlp knows of the song itself: of a search or a list, its only entry."""
    while info and info.get("entries"):
        info = info["entries"][0]
    # None: an entry that failed.
    return info or {}


def landed(info: dict[str, Any]) -> Path | None:
    """The file that yt-dlp left. Its return code says nothing: it is 0 for a refused one, too."""
    for download in info.get("requested_downloads", ()):
        path = Path(download.get("filepath", ""))
        if path.is_file():
            return path
    return None


def _options(folder: Path, messages: "_Messages") -> dict[str, Any]:
    return {
        **OPTIONS,
        "paths": {"home": str(folder)},
        # No title in the name: it would be the server's.
        "outtmpl": {"default": "song.%(ext)s"},
        "match_filter": messages.refuse,
        "max_filesize": _LARGEST,
        "retries": 5,
        "fragment_retries": 5,
        "extractor_retries": 1,
        "socket_timeout": 20,
        "logger": messages,
    }


class Messages:
    """What yt-dlp says of a song: its logger.

    Attributes:
        why: Its first error, or why the song was refused.
        last: Its last line: there are refusals that are no errors to it.
    """

    def __init__(self) -> None:
        self.why, self.last = "", ""

    def debug(self, message: str) -> None:
        """Note a line."""
        self.last = message

    def warning(self, message: str) -> None:
        """Note a line."""
        self.last = message

    def error(self, message: str) -> None:
        """Note an error; blank lines stand for tracebacks."""
        self.why = self.why or message.strip().removeprefix("ERROR:").strip()


class _Messages(Messages):
    """The same, and what is not to be fetched."""

    def __init__(self, max_seconds: float) -> None:
        super().__init__()
        self._max_seconds = max_seconds

    def refuse(self, info: dict[str, Any], *, incomplete: bool) -> str | None:
        """Why not to fetch a video, or None."""
        reason = None
        if info.get("is_live"):
            reason = "it is a live broadcast: wait for its end"
        elif (info.get("duration") or 0) > self._max_seconds:
            reason = (
                f"it is {info['duration']} s long, the limit is {self._max_seconds:g} s: raise it "
                "with --max-duration"
            )
        self.why = self.why or reason or ""
        return reason
