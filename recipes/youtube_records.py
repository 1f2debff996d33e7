"""What is known of each fetched track: a small JSON file beside it."""

import json
from dataclasses import dataclass
from pathlib import Path

from asteroid_karaoke import audio

from .songs import write_json
from .youtube_faults import NotFetched, kind
from .youtube_lists import Track

#: Sound may end this much before its source says, in s and as a share.
_TOLERANCE = (3.0, 0.02)
_BLOCK = 1 << 18


@dataclass(frozen=True)
class Fetched:
    """A track that is there.

    Args:
        file: Its name in the folder.
        size: In bytes.
        seconds: Its length as decoded.
        archive_id: yt-dlp's name of the video; empty where the source has none.
        title: As the source says, like all that follows.
        artist: Who published it.
        licence: Its licence.
        page: Its page.
    """

    file: str
    size: int
    seconds: float
    archive_id: str
    title: str
    artist: str
    licence: str
    page: str


def recall(folder: Path, key: str) -> Fetched | None:
    """What is known of a track whose file is there, whole; else None."""
    try:
        record = Fetched(**_read(folder, key))
        whole = (folder / record.file).stat().st_size == record.size
    except (OSError, ValueError, TypeError):
        return None
    return record if whole else None


def why_missing(folder: Path, key: str) -> str:
    """Why a track is not there, as far as it was tried."""
    try:
        return str(_read(folder, key)["failure"])
    except (OSError, ValueError, KeyError):
        return "it was not fetched"


def _read(folder: Path, key: str) -> dict:
    return json.loads((folder / f"{key}.json").read_text(encoding="utf-8"))


def write(folder: Path, key: str, content: dict) -> None:
    """Write down what a track is, or that there is a ``failure``."""
    write_json(folder / f"{key}.json", content)


def describe(info: dict, track: Track, path: Path, seconds: float, archive_id: str) -> Fetched:
    """What yt-dlp found out about a track whose file has been decoded."""
    return Fetched(
        file=track.key + path.suffix,
        size=path.stat().st_size,
        seconds=seconds,
        archive_id=archive_id,
        title=_words(info.get("title")),
        artist=_words(info.get("uploader") or info.get("channel")),
        licence=_licence(info),
        page=str(info.get("webpage_url") or track.url),
    )


def listen(path: Path, promised: float | None) -> float:
    """Decode a file to its end.

    Args:
        path: The file.
        promised: How long the source says that it is, in s, if it does.

    Returns:
        Its length in s.

    Raises:
        NotFetched: It can not be decoded, or ends before it should.
    """
    frames = 0
    try:
        with audio.open_audio(path) as reader:
            while (block := reader.read(_BLOCK)).size:
                frames += block.shape[1]
    except ValueError as error:
        reason = str(error).replace(str(path), "the file").partition(";")[0]
        name = "cut off" if "cut off" in reason else "not a track"
        raise NotFetched(kind(name), reason) from error
    seconds = frames / reader.sample_rate
    tolerance, share = _TOLERANCE
    if promised and seconds < promised - max(tolerance, share * promised):
        raise NotFetched(
            kind("cut off"),
            f"the source promises {promised:.0f} s of sound, {seconds:.0f} s came",
        )
    return seconds


def _licence(info: dict) -> str:
    """The licence as the source states it; of YouTube's two, in the usual words."""
    stated = _words(info.get("license"))
    if info["extractor_key"] != "Youtube":
        return stated
    return "CC BY" if "Creative Commons" in stated else "Standard YouTube License"


def _words(text: object) -> str:
    """A text of somebody else's as one printable line; "unknown" where there is none."""
    line = " ".join(str(text or "unknown").split())
    return "".join(letter for letter in line if letter.isprintable())[:300]
