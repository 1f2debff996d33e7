"""Manifests: one JSON line a song, the only thing that datasets know about a corpus.

A recipe (``recipes/<corpus>.py``) looks at a corpus once and writes ``train.jsonl``,
``valid.jsonl`` and ``test.jsonl``; from there on nobody asks again where the corpus came from. The
idea is lhotse's (https://github.com/lhotse-speech/lhotse); the fields are those of singing voice
separation.

An audio source is a path, or a path with ``#stream=N`` for the N-th audio stream of a container
such as MUSDB18's ``.stem.mp4``. Where a stem is spread over several sources, their sum is meant.
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from . import audio
from .parts import write_whole

SPLITS = ("train", "valid", "test")
STEMS = ("mixture", "vocals", "accompaniment")
#: What each role must bring along.
ROLES = {
    "stems": ("vocals", "accompaniment"),
    "vocals": ("vocals",),
    "music": ("accompaniment",),
    "mixture": ("mixture",),
}
Sources = tuple[str, ...]


@dataclass(frozen=True)
class Song:
    """One song and what is known of its stems.

    Args:
        id: Unique within its corpus.
        split: One of ``train``, ``valid``, ``test``.
        corpus: Name of the corpus, as in ``recipes/<corpus>.py``.
        role: ``stems`` (voice and backing known), ``vocals`` (voice only), ``music`` (backing only)
            or ``mixture`` (neither known).
        licence: The song's licence, as its source states it.
        sample_rate: In Hz, of all the song's sources.
        channels: Number of channels of the song's sources.
        frames: Length of the song in samples at ``sample_rate``.
        mixture: Sources of the mixture. None where it is the sum of the stems.
        vocals: Sources of the voice, summed.
        accompaniment: Sources of the backing, summed.
        start: First sample that may be used.
        stop: One past the last sample that may be used.
        weight: How often a second of this song is drawn, beside 1 for a song with true stems. Below
            1 for stems that a machine estimated.

    Raises:
        ValueError: A field has a value that no song can have. The message names the song.
    """

    id: str
    split: str
    corpus: str
    role: str
    licence: str
    sample_rate: int
    channels: int
    frames: int
    mixture: Sources | None = None
    vocals: Sources | None = None
    accompaniment: Sources | None = None
    start: int = 0
    stop: int | None = None
    weight: float = 1.0

    def __post_init__(self) -> None:
        for stem in STEMS:
            sources = getattr(self, stem)
            if sources is not None:
                sources = (sources,) if isinstance(sources, str) else tuple(sources)
                object.__setattr__(self, stem, sources or None)
        if self.stop is None:
            object.__setattr__(self, "stop", self.frames)
        faults = list(self._faults())
        if faults:
            raise ValueError(f"song {self.id!r}: " + "; ".join(faults))

    def _faults(self) -> Iterable[str]:
        if self.split not in SPLITS:
            yield f"split is {self.split!r}, expected one of {', '.join(SPLITS)}"
        if self.role not in ROLES:
            yield f"role is {self.role!r}, expected one of {', '.join(ROLES)}"
        for stem in ROLES.get(self.role, ()):
            if getattr(self, stem) is None:
                yield f"role {self.role!r} needs {stem}, which is missing"
        for name in ("sample_rate", "channels", "frames"):
            if getattr(self, name) <= 0:
                yield f"{name} is {getattr(self, name)}, expected more than 0"
        if not self.weight > 0:
            yield f"weight is {self.weight}, expected more than 0"
        if not 0 <= self.start < (self.stop or 0) <= self.frames:
            yield f"span {self.start}..{self.stop} does not lie within 0..{self.frames}"

    @property
    def seconds(self) -> float:
        """Length of the usable part, in s."""
        assert self.stop is not None
        return (self.stop - self.start) / self.sample_rate

    def sources(self) -> Iterable[tuple[str, str]]:
        """All pairs of a stem's name and one of its sources."""
        for stem in STEMS:
            for source in getattr(self, stem) or ():
                yield stem, source


def read(path: str | os.PathLike) -> list[Song]:
    """Read a manifest; relative paths are taken from the manifest's folder.

    Raises:
        FileNotFoundError: There is no such manifest.
        ValueError: A line is not a song. The message names the file and the line.
    """
    songs = []
    for number, found in lines(path):
        if not isinstance(found, Song):
            raise ValueError(f"{path}, line {number}: {found}") from found
        songs.append(found)
    return songs


def lines(path: str | os.PathLike) -> Iterator[tuple[int, Song | TypeError | ValueError]]:
    """As `read`, line by line, so that one bad line does not hide the others.

    Yields:
        The number of each line that is not empty, with its song, or with what is wrong with it.

    Raises:
        FileNotFoundError: There is no such manifest.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no manifest at {path}: run the recipe's stage 1 first")
    root = path.parent.resolve()
    # Not splitlines(), which also splits at characters that a title may hold.
    texts = path.read_text(encoding="utf-8", errors="surrogateescape").split("\n")
    for number, text in enumerate(texts, start=1):
        if not text.strip():
            continue
        try:
            song = Song(**json.loads(text))
            yield number, _map_paths(song, lambda source: os.path.join(root, source))
        except (TypeError, ValueError) as error:
            yield number, error


def write(songs: Iterable[Song], path: str | os.PathLike) -> Path:
    """Write a manifest, whole or not at all; its folder is made.

    Relative sources are those of the working directory. What lies below the manifest's folder is
    stored relative to it, so that the folder can be moved.
    """
    path = Path(path)
    root = path.parent.resolve()

    def shorten(source: str) -> str:
        place = Path(source).absolute()
        return str(place.relative_to(root) if place.is_relative_to(root) else place)

    texts = [json.dumps(_as_plain(_map_paths(song, shorten)), ensure_ascii=False) for song in songs]
    # File names need not be text: bytes that are none come and go as Python's os functions do.
    content = "".join(text + "\n" for text in texts).encode("utf-8", "surrogateescape")
    return write_whole(path, content)


def validate(songs: Iterable[Song]) -> None:
    """Open every source of every song and compare it with what the manifest says.

    Raises:
        ValueError: Names every fault of every song at once, with the song's id and both numbers.
    """
    faults: list[str] = []
    seen: set[tuple[str, str]] = set()
    for song in songs:
        if (song.corpus, song.id) in seen:
            faults.append(f"{song.id}: stands twice in the manifest")
        seen.add((song.corpus, song.id))
        for stem, source in song.sources():
            try:
                found = audio.info(source)
            except (OSError, ValueError) as error:
                faults.append(f"{song.id}: {stem}: {error}")
                continue
            for name in ("sample_rate", "channels", "frames"):
                if getattr(found, name) != getattr(song, name):
                    faults.append(
                        f"{song.id}: {stem} {source} has {name} {getattr(found, name)}, "
                        f"the manifest says {getattr(song, name)}"
                    )
    if faults:
        raise ValueError(f"{len(faults)} fault(s) in the manifest:\n  " + "\n  ".join(faults))


def _map_paths(song: Song, function: Callable[[str], str]) -> Song:
    changed: dict[str, Any] = {
        stem: tuple(function(source) for source in getattr(song, stem))
        for stem in STEMS
        if getattr(song, stem) is not None
    }
    return replace(song, **changed)


def _as_plain(song: Song) -> dict:
    plain = {name: value for name, value in asdict(song).items() if value is not None}
    for stem in STEMS:
        if stem in plain and len(plain[stem]) == 1:
            plain[stem] = plain[stem][0]
    return plain
