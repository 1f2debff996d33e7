"""A song's audio for a page: the waveform of all of it, and an excerpt to see and hear."""

import base64
import logging
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import matplotlib
import numpy as np

from .. import audio, plots
from ..measures import loudest
from .collect import Score

#: Length of an excerpt, in s, and the bit rate of its sound, in bit/s.
EXCERPT, BIT_RATE = 12.0, 96_000
#: Points of a waveform.
POINTS = 480
#: What is heard, in the order of the players.
TITLES = {
    "mixture": "Song",
    "vocals": "True voice",
    "vocals_estimate": "Estimated voice",
    "accompaniment_estimate": "Karaoke",
}
#: Pictures are dark in a light page as well: so are their colours.
_DARK: Any = {
    "figure.facecolor": "#14161b",
    "text.color": "#d7dae0",
    "axes.labelcolor": "#a9afba",
    "axes.edgecolor": "#4a505c",
    "xtick.color": "#a9afba",
    "ytick.color": "#a9afba",
}

logger = logging.getLogger(__name__)


@dataclass
class Sound:
    """What a page shows and plays of a song.

    Args:
        envelope: Peak level of the mixture, ``(POINTS,)``, 1 being the song's loudest. None where
            the true stems are not at hand.
        start: Where the excerpt begins, in s.
        seconds: How long it is.
        players: Titles with their sound, as data URIs of MP3.
        picture: The excerpt's spectrograms, as a data URI of WebP.
        missing: What is not at hand, and why, in words. Empty where all is.
    """

    envelope: np.ndarray | None = None
    start: float = 0.0
    seconds: float = 0.0
    players: dict[str, str] = field(default_factory=dict)
    picture: str | None = None
    missing: str = ""


def hear(score: Score) -> Sound:
    """Read what audio of a song there is; what is missing is said, and is no error."""
    true, rate, lost = _true_stems(score)
    estimates = {}
    for name in ("vocals_estimate", "accompaniment_estimate"):
        try:
            estimates[name] = _read(score.audio[name], rate)
            rate = rate or audio.sample_rate(score.audio[name][0])
        except (KeyError, OSError, ValueError) as error:
            lost += [] if isinstance(error, KeyError) else [str(error)]
    stems = true | estimates
    if not estimates:
        lost.append("the estimates were not kept or have moved: say where they are by --audio")
    if not stems or rate is None:
        return Sound(missing="; ".join(lost))
    guide = stems.get("vocals", next(iter(estimates.values()), next(iter(stems.values()))))
    start = loudest(guide, rate, EXCERPT)
    place = slice(start, start + round(EXCERPT * rate))
    excerpts = {title: stems[name][:, place] for name, title in TITLES.items() if name in stems}
    excerpts = {title: wav for title, wav in excerpts.items() if wav.size}
    return Sound(
        envelope=_envelope(stems["mixture"]) if "mixture" in stems else None,
        start=start / rate,
        seconds=max(wav.shape[1] for wav in excerpts.values()) / rate,
        players={title: _mp3(wav, rate) for title, wav in excerpts.items()},
        picture=_picture(excerpts, rate),
        missing="; ".join(lost),
    )


def _true_stems(score: Score) -> tuple[dict[str, np.ndarray], int | None, list[str]]:
    """Mixture and voice, their rate in Hz, and what is wrong."""
    try:
        start, stop = score.span
        frames = None if stop is None else stop - start
        vocals, backing = (
            audio.read(score.audio[stem], start, frames) for stem in ("vocals", "accompaniment")
        )
        rate = audio.sample_rate(score.audio["vocals"][0])
        if len(vocals) != len(backing):
            raise ValueError("the true stems have different numbers of channels")
    except KeyError:
        return {}, None, ["the results do not say where the true stems are"]
    except (OSError, ValueError) as error:
        return {}, None, [str(error)]
    size = min(vocals.shape[1], backing.shape[1])
    vocals = vocals[:, :size]
    return {"mixture": vocals + backing[:, :size], "vocals": vocals}, rate, []


def _read(sources: tuple[str, ...], rate: int | None) -> np.ndarray:
    return audio.read(sources, sample_rate=rate)


def _envelope(wav: np.ndarray) -> np.ndarray:
    level = np.abs(wav).max(axis=0)
    starts = np.unique(np.linspace(0, len(level), POINTS, endpoint=False).astype(int))
    peaks = np.maximum.reduceat(level, starts)
    return peaks / max(peaks.max(), 1e-9)


def _mp3(wav: np.ndarray, rate: int) -> str:
    """A small file that every browser plays."""
    if rate not in (32000, 44100, 48000):
        wav, rate = audio.resample(wav, rate, 44100), 44100
    wav = wav[:2] if len(wav) > 1 else wav
    with TemporaryDirectory() as folder:
        path = Path(folder, "excerpt.mp3")
        with audio.AudioWriter(path, rate, len(wav), bit_rate=BIT_RATE) as writer:
            writer.write(np.clip(wav, -1, 1).astype(np.float32))
        return _uri("audio/mpeg", path.read_bytes())


def _picture(excerpts: dict[str, np.ndarray], rate: int) -> str:
    with TemporaryDirectory() as folder, matplotlib.rc_context(_DARK):
        path = plots.plot_spectrograms(excerpts, rate, Path(folder, "spectrograms.webp"))
        return _uri("image/webp", path.read_bytes())


def _uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
