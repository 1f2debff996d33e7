"""Datasets over manifests, with Asteroid's contract: an item is `(mixture, sources)`.

:class:`SongDataset` gives songs as they are, to validate and test on. :class:`RandomMixtures` draws
a fresh mixture for each index, from songs with stems, voice-only and music-only tracks alike, to
train on; :class:`VoiceAndNoise` is for pre-training. The classes with a corpus' name, such as
:class:`CCMixterDataset`, take the folder that the corpus' recipe has left, and are one or the
other; :class:`WeightedUnion` draws from several. Nothing is read but the segment asked for, and
memory does not grow with the number of songs.
"""

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from . import audio, manifest, mixing
from .items import SOURCES, Item, ItemDataset, as_item, check_segment
from .manifest import Song
from .mixtures import Mixing, RandomMixtures, VoiceAndNoise
from .pool import Pool, as_stereo
from .sampler import EpochSampler
from .union import WeightedUnion

__all__ = [
    "CCMixterDataset",
    "Corpus",
    "EpochSampler",
    "MUSDB18Vocals",
    "Mixing",
    "RandomMixtures",
    "SongDataset",
    "StemFolder",
    "VoiceAndNoise",
    "WeightedUnion",
    "YouTubeMixtures",
    "read_licenses",
]

#: What Asteroid's publisher reads of a licence.
LICENSE_KEYS = (
    "title",
    "title_link",
    "author",
    "author_link",
    "license",
    "license_link",
    "non_commercial",
)


class SongDataset(ItemDataset):
    """Songs with known stems, unchanged.

    Args:
        songs: Songs of role ``stems``; others are left out.
        sample_rate: In Hz, of the items.
        licenses: Licence dicts in Asteroid's form, for the model's card.
        segment: Cut each song into pieces of so many s, the last of them filled up with silence.
            None: an item is a whole song.

    Raises:
        ValueError: None of the songs has stems, or one has more than two channels.
    """

    def __init__(
        self,
        songs: Iterable[Song],
        sample_rate: int = 44100,
        licenses: Sequence = (),
        segment: float | None = None,
    ):
        songs = list(songs)
        with_stems = [song for song in songs if song.role == "stems"]
        if not with_stems:
            raise ValueError(
                f"none of {len(songs)} songs has stems: nothing to validate or test on"
            )
        self.songs = Pool(with_stems)
        self.sample_rate = sample_rate
        self.segment = check_segment(segment, sample_rate)
        self.licenses = list(licenses)
        self._ends = np.cumsum([len(self._pieces(song)) for song in with_stems])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __getitem__(self, index: int) -> Item:
        index = range(len(self))[index]
        number = int(np.searchsorted(self._ends, index, side="right"))
        song = self.songs[number]
        pieces = self._pieces(song)
        start = pieces[index - int(self._ends[number])]  # counted from the song's end
        assert song.stop is not None
        frames = min(pieces.step, song.stop - start)
        seconds = self.segment or frames / song.sample_rate
        stems = [
            as_stereo(audio.read(getattr(song, stem), start, frames, self.sample_rate))
            for stem in SOURCES
        ]
        return as_item(*(mixing.fit(stem, round(seconds * self.sample_rate)) for stem in stems))

    def _pieces(self, song: Song) -> range:
        """First samples of a song's pieces, and as step their length."""
        assert song.stop is not None
        whole = song.stop - song.start
        frames = round(self.segment * song.sample_rate) if self.segment else whole
        return range(song.start, song.stop, frames)


class Corpus(ItemDataset):
    """A corpus, as ``recipes/<corpus>.py`` has prepared it.

    Args:
        data_dir: The recipe's folder, with ``{train,valid,test}.jsonl`` and ``licenses.json``.
        split: One of ``train``, ``valid``, ``test``.
        sample_rate: In Hz, of the items.
        segment: Length of an item in s. None, for songs as they are only: an item is a whole song.
        mixture: ``remix`` for fresh mixtures (:class:`RandomMixtures`), ``original`` for songs as
            they are (:class:`SongDataset`). None: fresh mixtures to train on, songs as they are to
            validate and test on.
        mixing: How to remix.
        length: Items an epoch, where they are remixed.
        seed: Of the remixing.

    Raises:
        FileNotFoundError: The folder lacks a file.
        ValueError: A manifest or a licence is broken, an argument has a value that it can not have,
            or no song fits.
    """

    #: How songs are remixed unless told otherwise: as the recipe's conf.yml says.
    MIXING = Mixing()

    def __init__(
        self,
        data_dir: str | os.PathLike,
        split: str = "train",
        sample_rate: int = 44100,
        segment: float | None = None,
        mixture: str | None = None,
        mixing: Mixing | None = None,
        length: int = 1000,
        seed: int = 0,
    ):
        if split not in manifest.SPLITS:
            raise ValueError(f"split is {split!r}, expected one of {', '.join(manifest.SPLITS)}")
        mixture = mixture or ("remix" if split == "train" else "original")
        if mixture not in ("remix", "original"):
            raise ValueError(f"mixture is {mixture!r}, expected remix or original")
        songs = manifest.read(Path(data_dir) / f"{split}.jsonl")
        self.licenses = read_licenses(data_dir)
        self.items: ItemDataset
        if mixture == "original":
            self.items = SongDataset(songs, sample_rate, segment=segment)
        elif segment is None:
            raise ValueError("segment is None, which fresh mixtures can not be: give their s")
        else:
            how = mixing or self.MIXING
            self.items = RandomMixtures(songs, segment, length, sample_rate, how, seed)
        self.endless = mixture == "remix"
        self.sample_rate = sample_rate

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Item:
        return self.items[index]

    def describe(self, index: int) -> str:
        """What an item is made of, for messages."""
        return self.items.describe(index)


class CCMixterDataset(Corpus):
    """Fifty songs of ccMixter with their stems (Liutkus et al. 2014); see :class:`Corpus`."""

    dataset_name = "CCMixter"
    MIXING = Mixing(original=0.4, level="share")


class MUSDB18Vocals(Corpus):
    """Vocals against all else of MUSDB18 (Rafii et al. 2017); see :class:`Corpus`."""

    dataset_name = "MUSDB18"
    MIXING = Mixing(original=0.4)


class StemFolder(Corpus):
    """People's own stems, voices and backings; see :class:`Corpus`."""

    dataset_name = "stems"


class YouTubeMixtures(Corpus):
    """Voices of some videos over the music of others; see :class:`Corpus`.

    No track has both, so nothing is left as it was; the voice is mixed by its share, as the project
    did that this one goes on from. The recipe has rendered what is validated and tested on.
    """

    dataset_name = "YouTube"
    MIXING = Mixing(original=0.0, no_voice=0.1, level="share")


def read_licenses(data_dir: str | os.PathLike) -> list[dict]:
    """The licences that a recipe has written beside its manifests.

    Raises:
        FileNotFoundError: There are none.
        ValueError: The file is no list of licences, or one lacks what Asteroid's publisher needs.
    """
    path = Path(data_dir) / "licenses.json"
    if not path.is_file():
        raise FileNotFoundError(f"no licences at {path}: run the recipe's stage 1 first")
    try:
        licenses = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is no JSON: {error}; run the recipe's stage 1 again") from error
    if not (isinstance(licenses, list) and licenses and all(type(one) is dict for one in licenses)):
        raise ValueError(f"{path} holds no list of licences: run the recipe's stage 1 again")
    for one in licenses:
        missing = [key for key in LICENSE_KEYS if key not in one]
        if missing:
            raise ValueError(
                f"{path}: the licence of {one.get('title', 'an unnamed work')!r} lacks "
                f"{', '.join(missing)}: run the recipe's stage 1 again"
            )
    return licenses
