"""A mix and the two files that it is said to be made of: do they add up, and which is the voice?

Which is the voice is told by the balance of the spectrum: a backing has bass below 120 Hz, where a
voice has next to nothing, and a voice has most of its strength between 400 and 5000 Hz. This is a
heuristic. Over all 23 814 pairs of 81 recordings of solo voices with 294 of music without (rock,
electronic, orchestral) the voice has the brighter balance in 98.5 %; a swapped pair is noticed in
96.4 %, and 0.5 % of those in order are suspected, nearly all where the music is a flute, bells or a
piano. Of 15 songs with true stems, 11 of them real, all are told right either way, by 15 dB or
more.
"""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from asteroid_karaoke import audio

#: Files of one song may differ by this much in length, in s; what is longer is cut.
TOLERANCE = 0.1
#: A mix that differs more from the sum than this, in dB of its own level, is worth a look.
SUSPECT_RESIDUAL = -20.0
#: The sum explains less than half of the mix's energy: the files are not of one song.
WRONG_RESIDUAL = -3.0
#: A voice whose balance is darker than the backing's by this much, in dB, may be the backing.
SWAPPED = -6.0
#: Bands in Hz.
_BASS, _PRESENCE = (0.0, 120.0), (400.0, 5000.0)
#: Residuals below this are rounding.
_FLOOR = -120.0
_FRAME = 4096
_BLOCK = 64 * _FRAME


@dataclass(frozen=True)
class Pair:
    """What comparing told.

    Args:
        residual: What of the mix is not the sum, in dB of the mix; the sum's level and sign fitted.
        level: Of the mix over the sum's, in dB.
        balance: How much brighter the voice is than the backing, in dB; None where one is silent.
        channels: The most channels that one of the two has.
        frames: What both have in common, in samples.
        alike: Whether both have this length and this number of channels.
    """

    residual: float
    level: float
    balance: float | None
    channels: int
    frames: int
    alike: bool

    @property
    def seems_swapped(self) -> bool:
        """Whether the voice sounds like a backing and the backing like a voice."""
        return self.balance is not None and self.balance < SWAPPED

    @property
    def seems_other(self) -> bool:
        """Whether the mix may be another one than that of the two."""
        return self.residual > SUSPECT_RESIDUAL


def compare(mix: Path, backing: Path, voice: Path) -> Pair:
    """Read a mix and its two files once, block by block.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: A file can not be read, their rates or lengths do not fit together, or they are
            of different songs.
    """
    infos = {path: audio.info(path) for path in (mix, backing, voice)}
    rates = {path.name: found.sample_rate for path, found in infos.items()}
    if len(set(rates.values())) > 1:
        raise ValueError(f"sample rates differ, expected one for all three: {rates} Hz")
    rate = infos[mix].sample_rate
    lengths = {path.name: found.frames for path, found in infos.items()}
    if max(lengths.values()) - min(lengths.values()) >= TOLERANCE * rate:
        raise ValueError(
            f"lengths differ by more than {TOLERANCE} s, expected one for all three: {lengths} "
            f"samples at {rate} Hz"
        )
    channels = {path.name: found.channels for path, found in infos.items()}
    most = max(channels.values())
    if not set(channels.values()) <= {1, most}:
        raise ValueError(f"numbers of channels do not fit together: {channels}")
    residual, level, balance = _measure(mix, backing, voice, rate)
    if residual > WRONG_RESIDUAL:
        raise ValueError(
            f"{mix.name} is not the sum of {backing.name} and {voice.name}: {residual:+.1f} dB of "
            "it are left over; are they of the same song?"
        )
    stems = (infos[backing], infos[voice])
    frames, widest = min(s.frames for s in stems), max(s.channels for s in stems)
    alike = all((s.frames, s.channels) == (frames, widest) for s in stems)
    return Pair(residual, level, balance, widest, frames, alike)


def _measure(mix: Path, backing: Path, voice: Path, rate: int) -> tuple[float, float, float | None]:
    """Residual, level and difference of balance, in dB."""
    bins = np.fft.rfftfreq(_FRAME, 1 / rate)
    bands = [(bins >= low) & (bins < high) for low, high in (_BASS, _PRESENCE)]
    # Energies: of the mix, of the sum, their product; and by stem and band.
    mixed, summed, crossed = 0.0, 0.0, 0.0
    energies = np.zeros((2, len(bands)))
    with ExitStack() as stack:
        readers = [stack.enter_context(audio.open_audio(path)) for path in (mix, backing, voice)]
        while True:
            blocks = [reader.read(_BLOCK) for reader in readers]
            length = min(block.shape[1] for block in blocks)
            if not length:
                break
            whole, *stems = (block[:, :length].astype(np.float64) for block in blocks)
            total = stems[0] + stems[1]
            whole, total = np.broadcast_arrays(whole, total)
            mixed += float((whole**2).sum())
            summed += float((total**2).sum())
            crossed += float((whole * total).sum())
            energies += [_band_energies(stem, bands) for stem in stems]
    if not mixed:
        raise ValueError(f"{mix.name} is silent")
    if not summed:
        raise ValueError(f"{backing.name} and {voice.name} are silent")
    residual = max(_decibels(1 - crossed**2 / (mixed * summed)), _FLOOR)
    balance = None
    if energies.sum(axis=1).all():
        # A floor at -120 dB of all: no ratio with nothing.
        floor = 1e-12 * energies.sum()
        brightness = [_decibels((high + floor) / (low + floor)) for low, high in energies]
        balance = brightness[1] - brightness[0]
    return residual, _decibels(mixed / summed), balance


def _band_energies(stem: np.ndarray, bands: list[np.ndarray]) -> np.ndarray:
    """Energy `(bands,)` of a block `(channels, time)`, whose last odd samples are left out."""
    frames = stem.shape[1] // _FRAME
    framed = stem[:, : frames * _FRAME].reshape(-1, frames, _FRAME) * np.hanning(_FRAME)
    power = (np.abs(np.fft.rfft(framed)) ** 2).sum(axis=(0, 1))
    return np.array([power[band].sum() for band in bands])


def _decibels(ratio: float) -> float:
    return float(10 * np.log10(max(ratio, 1e-30)))


def cut(source: Path, path: Path, frames: int, channels: int) -> str:
    """Store the beginning of a file under another name, with as many channels as wanted.

    Args:
        source: What to store. One channel is copied to all.
        path: Where to, a wav.
        frames: How much of it, in samples.
        channels: How many channels.

    Returns:
        The new file's name.
    """
    found = audio.info(source)
    subtype = found.subtype if found.subtype in ("PCM_16", "PCM_24", "FLOAT") else "PCM_16"
    with (
        audio.open_audio(source) as reader,
        audio.AudioWriter(path, found.sample_rate, channels, subtype, frames=frames) as writer,
    ):
        while frames:
            block = reader.read(min(_BLOCK, frames))
            writer.write(block.repeat(channels // len(block), axis=0))
            frames -= block.shape[1]
    return str(path)
