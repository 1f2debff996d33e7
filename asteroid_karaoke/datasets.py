"""Datasets over manifests, with Asteroid's contract: an item is `(mixture, sources)`.

:class:`SongDataset` gives songs as they are, to validate and test on. :class:`RandomMixtures` draws a fresh
mixture for each index, from songs with stems, voice-only and music-only tracks alike, to train on. Nothing is
read but the segment asked for, so memory does not grow with the number of songs.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from . import audio, augment, mixing
from .manifest import Song, Sources

logger = logging.getLogger(__name__)
SOURCES = ("vocals", "accompaniment")
TASK = "singing_voice_separation"


def read_stem(
    sources: Sources, start: float, seconds: float, sample_rate: int, speed: float = 1.0
) -> np.ndarray:
    """Read `seconds` of a stem from `start` s on, in stereo, played `speed` times as fast.

    Returns:
        `(2, time)` with exactly `round(seconds * sample_rate)` samples; what the file lacks is silence.
    """
    own_rate = audio.info(sources[0]).sample_rate
    found = audio.read(
        sources,
        start=round(start * own_rate),
        frames=int(np.ceil(seconds * speed * own_rate)) + 1,
        sample_rate=sample_rate,
    )
    stereo = found[:2] if len(found) >= 2 else np.repeat(found, 2, axis=0)
    return mixing.speed(stereo, speed, round(seconds * sample_rate))


def _as_item(vocals: np.ndarray, accompaniment: np.ndarray) -> tuple[Tensor, Tensor]:
    sources = torch.from_numpy(np.stack([vocals, accompaniment]).astype(np.float32, copy=False))
    return sources.sum(0), sources


class SongDataset(Dataset):
    """Songs with known stems, whole and unchanged.

    Args:
        songs: Songs of role ``stems``; others are left out.
        sample_rate: In Hz, of the items.
        licenses: Licence dicts in Asteroid's form, for the model's card.

    Shape:
        `(2, time)` and `(2, 2, time)`: mixture, and vocals and accompaniment, which add up to it exactly.

    Raises:
        ValueError: None of the songs has stems.
    """

    dataset_name = "asteroid-karaoke"

    def __init__(self, songs: Sequence[Song], sample_rate: int = 44100, licenses: Sequence = ()):
        self.songs = [song for song in songs if song.role == "stems"]
        if not self.songs:
            raise ValueError(
                f"none of {len(songs)} songs has stems: nothing to validate or test on"
            )
        self.sample_rate = sample_rate
        self.licenses = list(licenses)

    def __len__(self) -> int:
        return len(self.songs)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        song = self.songs[index]
        assert song.vocals and song.accompaniment
        span = song.start / song.sample_rate, song.seconds, self.sample_rate
        return _as_item(read_stem(song.vocals, *span), read_stem(song.accompaniment, *span))

    def get_infos(self) -> dict:
        """What Asteroid's publisher wants to know."""
        return {"dataset": self.dataset_name, "task": TASK, "licenses": self.licenses}


@dataclass(frozen=True)
class Mixing:
    """How :class:`RandomMixtures` mixes; all are shares of the examples, from 0 to 1, unless said.

    Args:
        original: Voice and backing of the same song at the same time, as they were.
        no_voice: Backing alone: the target is silence.
        no_backing: Voice alone.
        second_voice: A second voice on top of the first.
        level_mean: Level of the voice over the backing's, where they are of different songs, in dB.
        level_std: Its standard deviation, in dB.
        augmentation: How much stems are changed, see :mod:`asteroid_karaoke.augment`.
    """

    original: float = 0.3
    no_voice: float = 0.08
    no_backing: float = 0.02
    second_voice: float = 0.1
    level_mean: float = -2.0
    level_std: float = 5.0
    augmentation: float = 1.0


class RandomMixtures(Dataset):
    """Mixtures without end: a random voice over a random backing.

    An item depends on the seed and its index alone, whatever the number of workers; give it to
    :class:`EpochSampler` for indices that differ between epochs. Songs are drawn by weight times length.

    Args:
        songs: Songs of the roles ``stems``, ``vocals`` and ``music``.
        segment: Length of an item in s.
        length: Items an epoch.
        sample_rate: In Hz, of the items.
        mixing: How to mix.
        seed: Of all that is drawn.
        licenses: Licence dicts in Asteroid's form, for the model's card.

    Shape:
        `(2, time)` and `(2, 2, time)`: mixture, and vocals and accompaniment, which add up to it exactly.

    Raises:
        ValueError: The songs hold no voice or no backing.
    """

    dataset_name = "asteroid-karaoke"
    #: Stems that some song must have.
    NEEDS: Sequence[str] = SOURCES

    def __init__(
        self,
        songs: Sequence[Song],
        segment: float = 6.0,
        length: int = 1000,
        sample_rate: int = 44100,
        mixing: Mixing | None = None,
        seed: int = 0,
        licenses: Sequence = (),
    ):
        self.pools = {
            stem: [song for song in songs if getattr(song, stem) and song.role != "mixture"]
            for stem in SOURCES
        }
        self.pools["both"] = [song for song in songs if song.role == "stems"]
        for stem in self.NEEDS:
            if not self.pools[stem]:
                raise ValueError(f"none of {len(songs)} songs has {stem}: nothing to mix")
        self.odds = {name: _odds(pool) for name, pool in self.pools.items() if pool}
        self.segment = segment
        self.length = length
        self.sample_rate = sample_rate
        self.mixing = mixing or Mixing()
        self.seed = seed
        self.licenses = list(licenses)

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        rng = np.random.default_rng((self.seed, index))
        if self.pools["both"] and rng.random() < self.mixing.original:
            return _as_item(*self._original(rng))
        backing = self._draw("accompaniment", rng)
        kind = rng.random()
        if kind < self.mixing.no_voice:
            return _as_item(np.zeros_like(backing), backing)
        vocals = self._draw_voices(rng)
        if kind < self.mixing.no_voice + self.mixing.no_backing:
            return _as_item(vocals, np.zeros_like(vocals))
        difference = rng.normal(self.mixing.level_mean, self.mixing.level_std)
        return _as_item(mixing.balance(vocals, backing, difference), backing)

    def get_infos(self) -> dict:
        """What Asteroid's publisher wants to know."""
        return {"dataset": self.dataset_name, "task": TASK, "licenses": self.licenses}

    def _pick(self, pool: str, rng: np.random.Generator) -> tuple[Song, float, float]:
        """A song, a place in it in s, and the speed to play it at."""
        song = self.pools[pool][rng.choice(len(self.pools[pool]), p=self.odds[pool])]
        speed = augment.draw_speed(rng, self.mixing.augmentation)
        last = max(0.0, song.seconds - self.segment * speed)
        return song, song.start / song.sample_rate + rng.uniform(0.0, last), speed

    def _read(self, song: Song, stem: str, start: float, speed: float) -> np.ndarray:
        return read_stem(getattr(song, stem), start, self.segment, self.sample_rate, speed)

    def _original(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        song, start, speed = self._pick("both", rng)
        vocals = mixing.gain(self._read(song, "vocals", start, speed), rng.normal(0.0, 2.0))
        accompaniment = self._read(song, "accompaniment", start, speed)
        if rng.random() < 0.5:
            vocals, accompaniment = map(mixing.swap_channels, (vocals, accompaniment))
        return vocals, accompaniment

    def _draw(self, stem: str, rng: np.random.Generator) -> np.ndarray:
        song, start, speed = self._pick(stem, rng)
        change = augment.augment_vocals if stem == "vocals" else augment.augment_accompaniment
        stem_audio = self._read(song, stem, start, speed)
        return change(stem_audio, rng, self.sample_rate, self.mixing.augmentation)

    def _draw_voices(self, rng: np.random.Generator) -> np.ndarray:
        vocals = self._draw("vocals", rng)
        for _ in range(3):  # singers pause; silence as a target has a share of its own
            if not mixing.is_silent(vocals):
                break
            vocals = self._draw("vocals", rng)
        if rng.random() < self.mixing.second_voice:
            second = self._draw("vocals", rng)
            vocals = vocals + mixing.balance(second, vocals, rng.uniform(-12.0, 0.0))
        return vocals


class VoiceAndNoise(RandomMixtures):
    """Pre-training: the backing is noise of a drawn colour, so the network first learns what a voice is.

    The songs need only hold voices; arguments as :class:`RandomMixtures`.
    """

    NEEDS = ("vocals",)

    def _draw(self, stem: str, rng: np.random.Generator) -> np.ndarray:
        if stem == "vocals":
            return super()._draw(stem, rng)
        noise = mixing.coloured_noise(
            rng, round(self.segment * self.sample_rate), rng.uniform(0.0, 2.0)
        )
        return mixing.gain(mixing.width(noise, rng.uniform(0.0, 1.0)), rng.uniform(-40.0, -15.0))

    def _original(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        return self._draw("vocals", rng), self._draw("accompaniment", rng)


def _odds(songs: Sequence[Song]) -> np.ndarray:
    odds = np.array([song.weight * song.seconds for song in songs])
    return odds / odds.sum()


class EpochSampler(Sampler[int]):
    """Indices that go on from epoch to epoch: epoch `e` has `e * length` to `(e + 1) * length - 1`.

    Lightning calls :meth:`set_epoch`, also after a resume, so an interrupted training draws the very mixtures
    that an unbroken one would have drawn.
    """

    def __init__(self, length: int):
        self.length = length
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration gives."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.epoch * self.length, (self.epoch + 1) * self.length))
