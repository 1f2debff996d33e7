"""Tracks fetched by yt-dlp, one after the other: nothing twice, nothing half.

A folder holds, of each track, ``<key>.<ending>`` as it was served and ``<key>.json``, which says
what it is or why it is not there. Whatever is under way, whole or not, is in the folder
``fetching`` below; a file leaves it when it has been decoded to its end. yt-dlp takes up a broken
transfer where it stopped, so that a run can be killed at any time. Nothing is converted, and no
ffmpeg is needed.

https://github.com/yt-dlp/yt-dlp#embedding-yt-dlp tells of the interface.
"""

import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from tqdm import tqdm

from asteroid_karaoke import fetching

from .youtube_faults import Kind, NotFetched, classify
from .youtube_lists import Track
from .youtube_records import describe, listen, recall, write

#: No track is as large, in bytes.
_MAX_SIZE = 2 << 30
#: The longest wait before a broken transfer is taken up, in s.
_LONGEST_WAIT = 30.0


@dataclass(frozen=True)
class Manners:
    """How to behave towards a server.

    Args:
        pause: Least time between two tracks, in s, at most twice that; 0 for no waiting at all. The
            default is yt-dlp's own against YouTube's limit.
        retries: How often a broken transfer is taken up.
        timeout: How long a server may be silent, in s.
        cookies: A browser's cookies in Netscape's format, for what asks for an account.

    Raises:
        FileNotFoundError: There are no such cookies.
        ValueError: The pause is negative.
    """

    pause: float = 10.0
    retries: int = 5
    timeout: float = 20.0
    cookies: str | None = None

    def __post_init__(self) -> None:
        if not self.pause >= 0:
            raise ValueError(f"pause is {self.pause} s, expected 0 or more")
        if self.cookies and not Path(self.cookies).is_file():
            raise FileNotFoundError(f"no cookies at {self.cookies}: export them from a browser")


class Failure(NamedTuple):
    """A track that is not there; without a reason it was not even tried."""

    track: Track
    kind: Kind
    reason: str


def fetch(tracks: Iterable[Track], folder: Path, manners: Manners) -> list[Failure]:
    """Fetch what is not there yet, with a progress bar.

    A failure costs one track. Where a host refuses several in a row for a reason that will meet the
    next one as well (see `Kind.patience`), its other tracks are not tried.

    Args:
        tracks: What to fetch.
        folder: Where to.
        manners: How to.

    Returns:
        What is missing.

    Raises:
        ValueError: yt-dlp is not installed, or can not read the cookies.
        OSError: The folder can not be written to.
    """
    tracks = list(tracks)
    there = {track.key: recall(folder, track.key) for track in tracks}
    missing = [track for track in tracks if there[track.key] is None]
    if not missing:
        return []
    archive = {record.archive_id for record in there.values() if record}
    with _Downloader(folder, manners, archive) as downloader:
        return _fetch_missing(missing, downloader)


def _fetch_missing(missing: list[Track], downloader: "_Downloader") -> list[Failure]:
    failures: list[Failure] = []
    in_a_row: dict[str, tuple[Kind, int]] = {}
    for track in tqdm(missing, desc="tracks", unit="track"):
        host = urlsplit(track.url).netloc
        last, times = in_a_row.get(host, (None, 0))
        if last and 0 < last.patience <= times:
            failures.append(Failure(track, last, ""))
            continue
        try:
            downloader.fetch(track)
        except NotFetched as failure:
            failures.append(Failure(track, failure.kind, failure.reason))
            in_a_row[host] = failure.kind, times + 1 if failure.kind == last else 1
        else:
            in_a_row.pop(host, None)
    return failures


class _Downloader:
    """yt-dlp, set up for one folder.

    Args:
        folder: Where to.
        manners: How to.
        archive: Names of the videos that are there: yt-dlp leaves out another address of the same.
    """

    def __init__(self, folder: Path, manners: Manners, archive: set[str]) -> None:
        try:
            import yt_dlp
        except ImportError as error:
            raise ValueError(
                "fetching needs yt-dlp, which is not installed: pip install -e '.[youtube]'"
            ) from error
        self._folder, self._archive, self._known = folder, set(archive), set(archive)
        self._under_way = folder / "fetching"
        self._under_way.mkdir(parents=True, exist_ok=True)
        self._messages = _Messages()
        self._archive_id = yt_dlp.utils.make_archive_id
        self._ydl = yt_dlp.YoutubeDL(self._options(manners))
        try:
            self._ydl.cookiejar  # noqa: B018  (reads them, else the first track would)
        except yt_dlp.cookies.CookieLoadError as error:
            raise ValueError(f"{manners.cookies} holds no cookies in Netscape's format") from error

    def _options(self, manners: Manners) -> dict:
        def wait(n: int) -> float:
            return min(2.0**n, _LONGEST_WAIT) if manners.pause else 0.0

        return {
            **fetching.OPTIONS,
            "paths": {"home": str(self._under_way)},
            "download_archive": self._archive,
            "match_filter": self._messages.refuse,
            "max_filesize": _MAX_SIZE,
            "retries": manners.retries,
            "fragment_retries": manners.retries,
            # Not more: where there is no network, that is to be known soon.
            "extractor_retries": min(manners.retries, 1),
            "retry_sleep_functions": {"http": wait, "fragment": wait, "extractor": wait},
            "socket_timeout": manners.timeout,
            "sleep_interval": manners.pause,
            "max_sleep_interval": 2 * manners.pause,
            "sleep_interval_requests": 0.75 if manners.pause else 0.0,
            "cookiefile": manners.cookies,
            "logger": self._messages,
        }

    def __enter__(self) -> "_Downloader":
        return self

    def __exit__(self, *_: object) -> None:
        self._ydl.close()

    def fetch(self, track: Track) -> None:
        """Fetch a track and write down what came of it.

        Raises:
            NotFetched: It can not be had.
        """
        try:
            self._fetch(track)
        except NotFetched as failure:
            write(self._folder, track.key, {"failure": f"{failure.kind.name}: {failure.reason}"})
            raise

    def _fetch(self, track: Track) -> None:
        self._messages.forget()
        # A generic address has only the last part of its path for a name there.
        self._archive.intersection_update(self._known)
        # The format is in the name: a transfer is not taken up with another format's bytes.
        self._ydl.params["outtmpl"] = {"default": f"{track.key}.%(format_id)s.%(ext)s"}
        info = self._ydl.extract_info(track.url) or {}
        path = fetching.landed(info)
        if path is None:
            raise classify(self._messages.why or self._messages.last)
        try:
            seconds = listen(path, info.get("duration"))
        except NotFetched:
            path.unlink()
            raise
        archive_id = self._name(info)
        record = describe(info, track, path, seconds, archive_id)
        # The record first: killed in between, the next run finds the file under way, and whole.
        write(self._folder, track.key, asdict(record))
        os.replace(path, self._folder / record.file)
        self._known.add(archive_id)
        for left in self._under_way.glob(f"{track.key}.*"):
            left.unlink()

    def _name(self, info: dict) -> str:
        generic = info["extractor_key"] == "Generic"
        return "" if generic else self._archive_id(info["extractor_key"], info["id"])


class _Messages(fetching.Messages):
    """What yt-dlp says of a track, and what it is not to fetch."""

    def forget(self) -> None:
        """Begin a new track."""
        self.why, self.last = "", ""

    def warning(self, message: str) -> None:
        """Show the one warning that explains all failures to come."""
        if "JavaScript runtime" in message:
            tqdm.write(f"yt-dlp: {message}")

    def refuse(self, info: dict, *, incomplete: bool) -> str | None:
        """Why not to fetch a video, or None."""
        reason = None
        if info.get("playlist_index"):
            reason = "is a list of videos, not one: give each a line of its own"
        elif info.get("is_live"):
            reason = "is a live broadcast: wait for its end"
        self.why = self.why or reason or ""
        return reason
