"""Mixtures without end, to train on; see :mod:`asteroid_karaoke.datasets`."""

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from . import augment, effects, mixing
from .items import SOURCES, Item, ItemDataset, as_item, check_segment
from .manifest import Song
from .pool import BOTH, Pool, draw_excerpt, read_excerpt

#: Words for :attr:`Mixing.level`.
LEVELS = ("db", "share")
#: How often another place is looked for where a voice pauses; silent targets have their own share.
_TRIES = 4


@dataclass(frozen=True)
class Mixing:
    """How :class:`RandomMixtures` mixes; all are shares of the examples, from 0 to 1, unless said.

    What `original`, `no_voice` and `no_backing` leave over is remixed: a voice of one song over the
    backing of another. Where no song has both stems, the share of `original` is remixed as well.

    Args:
        original: Voice and backing of the same song at the same time, in the song's own balance.
        no_voice: Backing alone: the target is silence.
        no_backing: Voice alone.
        second_voice: Share of all voices that get a second one on top.
        level: How loud the voice of a remix is: ``db`` draws its level over the backing's,
            ``share`` its share of the mixture, :func:`asteroid_karaoke.mixing.share`.
        level_mean: With ``db``, mean of a normal distribution, in dB.
        level_std: With ``db``, its standard deviation, in dB.
        share_mean: With ``share``, mean of a normal distribution that is clipped to 0…1.
        share_std: With ``share``, its standard deviation.
        augmentation: How much stems are changed, see :mod:`asteroid_karaoke.augment`.

    Raises:
        ValueError: A field has a value that it can not have.
    """

    original: float = 0.3
    no_voice: float = 0.08
    no_backing: float = 0.02
    second_voice: float = 0.1
    level: str = "db"
    level_mean: float = -2.0
    level_std: float = 5.0
    share_mean: float = 0.6
    share_std: float = 0.15
    augmentation: float = 1.0

    def __post_init__(self) -> None:
        kinds = self.original + self.no_voice + self.no_backing
        # What is 1 on paper may be 1 + 2e-16 here.
        if kinds > 1 + 1e-9:
            raise ValueError(f"original, no_voice and no_backing add up to {kinds}, at most 1 goes")
        for name in ("original", "no_voice", "no_backing", "second_voice", "augmentation"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}, expected 0 to 1")
        for name in ("level_std", "share_std"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}, expected 0 or more")
        if self.level not in LEVELS:
            raise ValueError(f"level is {self.level!r}, expected one of {', '.join(LEVELS)}")


class RandomMixtures(ItemDataset):
    """A random voice over a random backing, anew for each index.

    An item depends on the seed and its index alone, whatever the number of workers. An index may be
    any number from 0 on: :class:`asteroid_karaoke.datasets.EpochSampler` gives other ones in each
    epoch, an ordinary sampler the same ``length`` ones, as one wants them to validate on. Songs are
    drawn by weight times length.

    Args:
        songs: Songs of the roles ``stems``, ``vocals`` and ``music``.
        segment: Length of an item in s.
        length: Items an epoch.
        sample_rate: In Hz, of the items.
        mixing: How to mix.
        seed: Of all that is drawn; 0 or more.
        licenses: Licence dicts in Asteroid's form, for the model's card.

    Raises:
        ValueError: The songs hold no voice or no backing, or one has more than two channels.
    """

    endless = True
    #: Stems that some song must have.
    NEEDS: Sequence[str] = SOURCES

    def __init__(
        self,
        songs: Iterable[Song],
        segment: float = 6.0,
        length: int = 1000,
        sample_rate: int = 44100,
        mixing: Mixing | None = None,
        seed: int = 0,
        licenses: Sequence = (),
    ):
        self.songs = Pool(songs)
        for stem in self.NEEDS:
            if not self.songs.has(stem):
                raise ValueError(f"none of {len(self.songs)} songs has {stem}: nothing to mix")
        self.segment = check_segment(segment, sample_rate)
        self.length = length
        self.sample_rate = sample_rate
        self.mixing = mixing or Mixing()
        self.seed = seed
        self.licenses = list(licenses)

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Item:
        rng = np.random.default_rng((self.seed, index))
        stems = self._mix(rng)
        amount = self.mixing.augmentation
        return as_item(*augment.augment_song(*stems, rng, self.sample_rate, amount))

    def describe(self, index: int) -> str:
        """The songs of an item, in the order in which they are drawn.

        The item is mixed once more to find out: what is drawn depends on what was read before.
        """
        listener = copy.copy(self)
        listener.songs = listening = _ListeningPool(self.songs)
        listener._mix(np.random.default_rng((self.seed, index)))
        return f"item {index}: {' + '.join(listening.heard) or 'no song'}"

    @property
    def frames(self) -> int:
        """Length of an item in samples."""
        return round(self.segment * self.sample_rate)

    def _mix(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        kind = rng.random()
        for share, mix in (
            (self.mixing.original, self._original),
            (self.mixing.no_voice, self._no_voice),
            (self.mixing.no_backing, self._no_backing),
        ):
            if kind < share:
                return mix(rng)
            kind -= share
        return self._remix(rng)

    def _original(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        if not self.songs.has(BOTH):
            return self._remix(rng)
        amount = self.mixing.augmentation
        song = self.songs.draw(BOTH, rng)
        excerpt = draw_excerpt(song, self.segment, rng, augment.draw_speed(rng, amount))
        vocals, accompaniment = (
            read_excerpt(excerpt, stem, self.frames, self.sample_rate) for stem in SOURCES
        )
        vocals = mixing.gain(vocals, rng.normal(0.0, 2.0) * amount)
        if rng.random() < 0.5 * amount:
            vocals, accompaniment = map(effects.swap_channels, (vocals, accompaniment))
        return vocals, accompaniment

    def _no_voice(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        backing = self._backing(rng)
        return np.zeros_like(backing), backing

    def _no_backing(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        vocals = self._voices(rng)
        return vocals, np.zeros_like(vocals)

    def _remix(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        how = self.mixing
        backing, vocals = self._backing(rng), self._voices(rng)
        if how.level == "share":
            drawn = np.clip(rng.normal(how.share_mean, how.share_std), 0.0, 1.0)
            return mixing.share(vocals, backing, float(drawn))
        return mixing.balance(vocals, backing, rng.normal(how.level_mean, how.level_std)), backing

    def _read(
        self, stem: str, rng: np.random.Generator, speeds: tuple[float, float] = augment.SPEEDS
    ) -> np.ndarray:
        song = self.songs.draw(stem, rng)
        speed = augment.draw_speed(rng, self.mixing.augmentation, speeds)
        excerpt = draw_excerpt(song, self.segment, rng, speed)
        return read_excerpt(excerpt, stem, self.frames, self.sample_rate)

    def _backing(self, rng: np.random.Generator) -> np.ndarray:
        backing = self._read("accompaniment", rng)
        return augment.augment_accompaniment(
            backing, rng, self.sample_rate, self.mixing.augmentation
        )

    def _voice(self, rng: np.random.Generator) -> np.ndarray:
        for _ in range(_TRIES):
            vocals = self._read("vocals", rng, augment.VOICE_SPEEDS)
            if not mixing.is_silent(vocals):
                break
        return augment.augment_vocals(vocals, rng, self.sample_rate, self.mixing.augmentation)

    def _voices(self, rng: np.random.Generator) -> np.ndarray:
        vocals = self._voice(rng)
        if rng.random() < self.mixing.second_voice:
            vocals = vocals + mixing.balance(self._voice(rng), vocals, rng.uniform(-12.0, 0.0))
        return vocals


class _ListeningPool(Pool):
    """A pool that keeps in mind what was drawn from it."""

    def __init__(self, pool: Pool):
        self.__dict__.update(vars(pool))
        self.heard: list[str] = []

    def draw(self, stem: str, rng: np.random.Generator) -> Song:
        song = super().draw(stem, rng)
        self.heard.append(f"{stem} of {song.id}")
        return song


class VoiceAndNoise(RandomMixtures):
    """Pre-training: a voice in noise of drawn colour and level; the target is the voice.

    So the network first learns what a voice is. The songs need only hold voices; arguments as for
    :class:`RandomMixtures`, where the backing is noise in all kinds of examples, and the level of
    the voice over the noise's is drawn as over a backing's.
    """

    NEEDS = ("vocals",)

    def _original(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        return self._remix(rng)

    def _backing(self, rng: np.random.Generator) -> np.ndarray:
        noise = effects.coloured_noise(rng, self.frames, rng.uniform(0.0, 2.0), self.sample_rate)
        return mixing.gain(effects.width(noise, rng.uniform(0.0, 1.0)), rng.uniform(-40.0, -15.0))
