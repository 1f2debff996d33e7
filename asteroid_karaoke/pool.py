"""Many songs to draw from, and excerpts of their stems.

A worker process that touches a Python object copies the page it lies on, so a long list of songs
would grow into each of them. :class:`Pool` keeps songs as text in one array, with the numbers that
drawing needs in others: 10 000 songs take 4 MB, which all processes share, and a draw takes as long
from them as from ten.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import NamedTuple

import numpy as np

from . import audio, effects
from .manifest import Song

#: What :class:`Pool` can be asked for, beside a stem: a song that has both.
BOTH = "both"
_HAS = {
    "vocals": lambda song: song.vocals and song.role != "mixture",
    "accompaniment": lambda song: song.accompaniment and song.role != "mixture",
    BOTH: lambda song: song.role == "stems",
}


class Pool(Sequence[Song]):
    """Songs, packed.

    Args:
        songs: Of any role.

    Raises:
        ValueError: Songs have more channels than two.
    """

    def __init__(self, songs: Iterable[Song]):
        songs = list(songs)
        _check_channels(songs)
        lines = [json.dumps(asdict(song)).encode() for song in songs]
        self._text = np.frombuffer(b"".join(lines), np.uint8)
        self._ends = np.cumsum([0, *map(len, lines)])
        odds = {
            name: np.cumsum([song.weight * song.seconds * bool(has(song)) for song in songs])
            for name, has in _HAS.items()
        }
        self._odds = {name: sums / sums[-1] for name, sums in odds.items() if sums.any()}

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, index):
        if isinstance(index, slice):
            return [self[i] for i in range(len(self))[index]]
        index = range(len(self))[index]
        begin, end = self._ends[index : index + 2]
        return Song(**json.loads(self._text[begin:end].tobytes()))

    def has(self, stem: str) -> bool:
        """Whether there is a song with this stem, or with :data:`BOTH`."""
        return stem in self._odds

    def draw(self, stem: str, rng: np.random.Generator) -> Song:
        """A song with this stem, or with :data:`BOTH`, by its weight times its usable length."""
        return self[int(np.searchsorted(self._odds[stem], rng.random(), side="right"))]


def _check_channels(songs: Iterable[Song]) -> None:
    """Refuse surround sound: which of its channels hold the voice is not for us to guess.

    Raises:
        ValueError: Names the songs.
    """
    wide = [f"{song.id} ({song.channels})" for song in songs if song.channels > 2]
    if wide:
        raise ValueError(
            f"{len(wide)} song(s) have more than two channels: {', '.join(wide[:5])}; "
            "mix them down first"
        )


class Excerpt(NamedTuple):
    """A place in a song that fills a segment.

    Args:
        song: The song.
        start: First sample, at the song's own rate; never before `song.start`.
        frames: How many samples to read at the song's own rate; never beyond `song.stop`.
        speed: How fast to play them.
        pause: Silence before them, in s, where the song is shorter than the segment.
    """

    song: Song
    start: int
    frames: int
    speed: float = 1.0
    pause: float = 0.0


def draw_excerpt(
    song: Song, seconds: float, rng: np.random.Generator, speed: float = 1.0
) -> Excerpt:
    """Choose a place in a song that lasts `seconds` when played `speed` times as fast."""
    assert song.stop is not None
    usable = song.stop - song.start
    wanted = int(np.ceil(seconds * speed * song.sample_rate))
    if wanted <= usable:
        start = song.start + int(rng.integers(usable - wanted + 1))
        return Excerpt(song, start, wanted, speed)
    spare = (wanted - usable) / song.sample_rate / speed
    return Excerpt(song, song.start, usable, speed, rng.uniform(0.0, spare))


def read_excerpt(excerpt: Excerpt, stem: str, length: int, sample_rate: int) -> np.ndarray:
    """Read one stem of an excerpt.

    Returns:
        float32 `(2, length)` at `sample_rate`. What the file lacks is silence.
    """
    song = excerpt.song
    found = audio.read(getattr(song, stem), excerpt.start, excerpt.frames)
    factor = excerpt.speed * song.sample_rate / sample_rate
    pause = round(excerpt.pause * sample_rate)
    played = effects.speed(as_stereo(found), factor, length - pause)
    return np.pad(played, ((0, 0), (pause, 0))) if pause else played


def as_stereo(found: np.ndarray) -> np.ndarray:
    """`(2, time)` of one or two channels."""
    return found if len(found) == 2 else np.repeat(found, 2, axis=0)
