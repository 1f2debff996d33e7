"""What can be wrong with one song of a manifest, heard from end to end."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import NamedTuple

import numpy as np

from asteroid_karaoke import audio, manifest
from asteroid_karaoke.manifest import Song

from . import bleed
from .fingerprint import SAMPLE_RATE, Fingerprint, fingerprint
from .pcm import BLOCK, SILENCE

#: At least so many samples in a row at full scale are a clipped peak.
_RUN = 3
_FULL_SCALE = 0.999
#: Share of clipped samples from which on it is worth a word, and from which on it can be heard.
_TOUCHED, _CLIPPED = 1e-4, 1e-3


class Finding(NamedTuple):
    """Something that is wrong.

    Args:
        id: The song's.
        reason: What.
        fault: Whether the song is no good as it is; else it is a warning.
    """

    id: str
    reason: str
    fault: bool = True


@dataclass(frozen=True)
class Print:
    """What tells a stem's sound.

    Args:
        content: Checksum of the decoded sound: equal for equal files, whatever their format.
        shape: What stays the same when the sound is encoded anew.
    """

    content: str
    shape: Fingerprint


@dataclass(frozen=True)
class Report:
    """What hearing a song told.

    Args:
        song: The song.
        findings: What is wrong with it.
        prints: By stem; ``mixture`` is the sum where the song has none.
    """

    song: Song
    findings: tuple[Finding, ...] = ()
    prints: Mapping[str, Print] = field(default_factory=dict)


@dataclass
class _Heard:
    """A source: its highest level, clipped samples, and one channel of it at `SAMPLE_RATE`."""

    peak: float
    clipped: int
    mono: np.ndarray


def check_song(song: Song) -> Report:
    """Open and hear all of a song's sources, and say what is wrong with each."""
    findings = [Finding(song.id, reason) for reason in _check_places(song)]
    tracks: dict[str, np.ndarray] = {}
    for stem in manifest.STEMS:
        heard = []
        for source in getattr(song, stem) or ():
            try:
                heard.append(_listen(song, source))
            except (OSError, ValueError) as error:
                findings.append(Finding(song.id, f"{stem}: {error}"))
        if not heard or len(heard) < len(getattr(song, stem)):
            continue
        findings += _check_levels(song, stem, heard)
        tracks[stem] = np.sum([one.mono for one in heard], axis=0)
    if song.role == "stems" and {"vocals", "accompaniment"} <= set(tracks):
        tracks.setdefault("mixture", tracks["vocals"] + tracks["accompaniment"])
        level = bleed.bleed(tracks["vocals"], tracks["accompaniment"])
        if level is not None and level > bleed.LIMIT:
            findings.append(
                Finding(
                    song.id,
                    f"the voice is in the backing as well, at {level:.0f} dB of its own level "
                    f"(expected below {bleed.LIMIT:.0f}): do not test with it",
                )
            )
    # All silences are alike.
    sounding = {k: mono for k, mono in tracks.items() if np.abs(mono).max(initial=0) > SILENCE}
    prints = {stem: _print(mono) for stem, mono in sounding.items()}
    return Report(song, tuple(findings), prints)


def _check_places(song: Song) -> Iterable[str]:
    if PurePath(song.id).is_absolute() or ".." in PurePath(song.id).parts:
        yield "its id leads out of a folder: results are stored under it, so give it another"


def _listen(song: Song, source: str) -> _Heard:
    """Hear a source, within the song's span.

    Raises:
        OSError, ValueError: It can not be read, or is not what the manifest says.
    """
    with audio.open_audio(source) as reader:
        for name in ("sample_rate", "channels"):
            if getattr(reader, name) != getattr(song, name):
                raise ValueError(
                    f"{source} has {name} {getattr(reader, name)}, the manifest says "
                    f"{getattr(song, name)}"
                )
        resampler = audio.Resampler(song.sample_rate, SAMPLE_RATE, 1)
        frames, peak, clipped, parts = 0, 0.0, 0, []
        last = False
        while not last:
            block = reader.read(BLOCK)
            last = block.shape[1] < BLOCK
            used = block[:, max(song.start - frames, 0) : max((song.stop or 0) - frames, 0)]
            frames += block.shape[1]
            peak = max(peak, float(np.abs(used).max(initial=0.0)))
            clipped += _count_clipped(used)
            mono = used.mean(axis=0, keepdims=True) if used.size else np.zeros((1, 0), np.float32)
            parts.append(resampler(mono, last=last)[0])
    if frames != song.frames:
        raise ValueError(f"{source} has frames {frames}, the manifest says {song.frames}")
    return _Heard(peak, clipped, np.concatenate(parts))


def _count_clipped(block: np.ndarray) -> int:
    """Samples of a block `(channels, time)` that stand in a row at full scale."""
    full = np.abs(block) >= _FULL_SCALE
    if not full.any() or block.shape[1] < _RUN:
        return 0
    # Where a run of that length begins, and then all that it covers.
    length = block.shape[1] - _RUN + 1
    begins = np.logical_and.reduce([full[:, i : i + length] for i in range(_RUN)])
    covered = np.zeros_like(full)
    for i in range(_RUN):
        covered[:, i : i + length] |= begins
    return int(covered.sum())


def _check_levels(song: Song, stem: str, heard: Iterable[_Heard]) -> Iterable[Finding]:
    heard = list(heard)
    peak = max(one.peak for one in heard)
    if peak <= SILENCE:
        yield Finding(song.id, f"{stem} is silent: nothing is louder than 60 dB below full scale")
    samples = len(heard) * song.channels * ((song.stop or 0) - song.start)
    share = sum(one.clipped for one in heard) / samples
    if share > _TOUCHED:
        reason = f"{stem} is clipped: {share:.2%} of its samples stand in rows at full scale"
        yield Finding(song.id, reason, fault=share > _CLIPPED)


def _print(mono: np.ndarray) -> Print:
    plain = np.round(mono * 2**15).astype("<i4").tobytes()
    return Print(hashlib.sha256(plain).hexdigest(), fingerprint(mono))
