"""Who sings, and what a singer does over time: pitch, vocal folds, breath, tongue.

What makes it singing and not an instrument: vibrato that sets in late, glides, drift, jitter,
syllables, breath between phrases. After J. Sundberg, The Science of the Singing Voice (1987).
"""

from dataclasses import dataclass

import numpy as np

from . import dsp, phones
from .tune import Melody, Note, Tune

#: Frames of the control tracks, a second.
RATE = 400
#: Range of a song, in semitones.
SPAN = 13
#: Range as MIDI numbers, and length of the tract: its formants over a man's.
VOICES = {
    "bass": (38, 57, 0.95),
    "baritone": (43, 61, 0.99),
    "tenor": (47, 66, 1.03),
    "alto": (52, 69, 1.11),
    "mezzo": (55, 73, 1.15),
    "soprano": (59, 78, 1.19),
}


@dataclass(frozen=True)
class Singer:
    """Who sings.

    Args:
        low: Lowest note of the song as a MIDI number.
        high: Highest note.
        tract: Formants over a man's.
        open_quotient: Share of a period in which the glottis is open: pressed 0.4, soft 0.8.
        bright: Frequency in Hz above which the source falls by another 6 dB an octave.
        breath: Level in dB of the breath under the voice.
        rough: Depth 0–1 of the subharmonic of a raw voice.
        vibrato: Rate in Hz.
        depth: Of the vibrato, in cents.
        glide: Time in s from note to note.
        scoop: Chance that a note is come to from below, and that a phrase's last note is let fall.
        drift: Slow wandering of the pitch, in cents.
        jitter: Fast wandering of the pitch, in cents.
        ring: Gain in dB of the singer's formant near 3 kHz.
    """

    low: float
    high: float
    tract: float
    open_quotient: float
    bright: float
    breath: float
    rough: float
    vibrato: float
    depth: float
    glide: float
    scoop: float
    drift: float
    jitter: float
    ring: float


@dataclass
class Tracks:
    """All that the singer does, in RATE frames a second.

    Args:
        pitch: In Hz ``(frames,)``.
        voice: Amplitude of the vocal folds ``(frames,)``, 0 in pauses.
        breath: Amplitude of the noise at the glottis ``(frames,)``.
        formants: Lowest three in Hz, not scaled yet ``(3, frames)``.
        hiss: Amplitude of the consonants' noise in each of BANDS ``(bands, frames)``.
    """

    pitch: np.ndarray
    voice: np.ndarray
    breath: np.ndarray
    formants: np.ndarray
    hiss: np.ndarray


def draw(rng: np.random.Generator) -> Singer:
    """Make up a singer."""
    lowest, highest, tract = VOICES[str(rng.choice(list(VOICES)))]
    low = rng.uniform(lowest, highest - SPAN)
    tuned = rng.random() < 0.25
    return Singer(
        low=low,
        high=low + SPAN,
        tract=tract * rng.uniform(0.95, 1.05),
        open_quotient=rng.uniform(0.42, 0.75),
        bright=np.exp(rng.uniform(np.log(2000), np.log(9000))),
        breath=rng.uniform(-30, -14),
        rough=rng.uniform(0.1, 0.4) if rng.random() < 0.25 else 0.0,
        vibrato=rng.uniform(5.0, 6.5),
        depth=rng.uniform(10, 30) if tuned else rng.uniform(25, 80),
        glide=rng.uniform(0.03, 0.05) if tuned else np.exp(rng.uniform(np.log(0.05), np.log(0.25))),
        scoop=rng.uniform(0.1, 0.6),
        drift=3.0 if tuned else rng.uniform(6, 18),
        jitter=rng.uniform(4, 12),
        ring=rng.uniform(0, 6),
    )


def perform(
    rng: np.random.Generator,
    singer: Singer,
    song: Tune,
    melody: Melody,
    text: list[list[phones.Syllable]],
    seconds: float,
) -> Tracks:
    """Sing a melody, one syllable to a note.

    Args:
        rng: Source of all that no two takes have in common.
        singer: Who sings.
        song: The key that the melody's steps belong to.
        melody: Phrases of notes.
        text: Phrases of syllables, as many as notes.
        seconds: Length of the tracks.
    """
    frames = int(np.ceil(seconds * RATE)) + 1
    tracks = Tracks(
        pitch=_pitch(rng, singer, song, melody, frames),
        voice=np.zeros(frames),
        breath=np.zeros(frames),
        formants=np.repeat(np.array(phones.VOWELS["V"], dtype=float)[:, None], frames, axis=1),
        hiss=np.zeros((len(phones.BANDS), frames)),
    )
    for phrase, words in zip(melody, text, strict=True):
        if rng.random() < 0.5:
            _inhale(rng, tracks, phrase[0].start)
        for number, (note, syllable) in enumerate(zip(phrase, words, strict=True)):
            _articulate(rng, tracks, note, syllable, (number + 1) / len(phrase))
    tracks.formants = dsp.smooth(tracks.formants, int(0.05 * RATE))
    tracks.voice = dsp.smooth(tracks.voice, int(0.03 * RATE))
    tracks.breath = dsp.smooth(tracks.breath, int(0.025 * RATE))
    tracks.hiss = dsp.smooth(tracks.hiss, int(0.012 * RATE))
    return tracks


def _pitch(
    rng: np.random.Generator, singer: Singer, song: Tune, melody: Melody, frames: int
) -> np.ndarray:
    """Pitch track in Hz ``(frames,)``."""
    midi = np.full(frames, float(song.midi(melody[0][0].step)))
    depth = np.zeros(frames)
    bend = np.zeros(frames)
    for note, last in [(note, note is phrase[-1]) for phrase in melody for note in phrase]:
        span = slice(int(note.start * RATE), min(int(note.stop * RATE), frames))
        time = np.arange(span.stop - span.start) / RATE
        midi[span.start :] = song.midi(note.step) + rng.normal(0, 0.08)
        if rng.random() < singer.scoop:
            bend[span] -= rng.uniform(0.5, 4) * np.exp(-time / rng.uniform(0.03, 0.12))
        if last and rng.random() < singer.scoop:
            left = np.clip((note.stop - note.start - time) / 0.25, 0, 1)
            bend[span] -= rng.uniform(0.5, 4) * (1 - left) ** 2
        if note.stop - note.start > 0.3 and rng.random() < 0.85:
            onset = rng.uniform(0.12, 0.35)
            depth[span] = np.clip((time - onset) / 0.25, 0, 1) * rng.uniform(0.6, 1.2)
    midi = dsp.smooth(midi, int(singer.glide * RATE * 1.5)) + dsp.smooth(bend, int(0.02 * RATE))
    rate = singer.vibrato * (1 + 0.06 * dsp.wander(rng, frames, RATE // 2))
    turn = 2 * np.pi * np.cumsum(rate) / RATE + rng.uniform(0, 2 * np.pi)
    cents = singer.depth * dsp.smooth(depth, RATE // 10) * np.sin(turn)
    cents += singer.drift * dsp.wander(rng, frames, RATE // 3)
    cents += singer.jitter * dsp.wander(rng, frames, 3)
    return np.asarray(dsp.hertz(midi + cents / 100))


def _inhale(rng: np.random.Generator, tracks: Tracks, before: float) -> None:
    """Draw breath before a phrase."""
    last = int((before - rng.uniform(0.05, 0.15)) * RATE)
    first = max(0, last - int(rng.uniform(0.2, 0.4) * RATE))
    if last > first:
        swell = np.linspace(0, 1, last - first) ** 2
        tracks.breath[first:last] = rng.uniform(0.15, 0.6) * swell


def _articulate(
    rng: np.random.Generator,
    tracks: Tracks,
    note: Note,
    syllable: phones.Syllable,
    through: float,
) -> None:
    """Sing one syllable; its vowel begins with the note, its consonants just before.

    ``through`` is how much of the phrase is done with it, 0 to 1.
    """
    loud = np.sin(np.pi * (0.2 + 0.6 * through)) * dsp.decibels(rng.normal(0, 2))
    # In a fast song the consonants are short as well.
    hurry = min(1.0, (note.stop - note.start) / 0.25)
    start = note.start
    for phone in reversed(syllable.onset):
        start -= phone.seconds * hurry
        _fill(tracks, start, start + phone.seconds * hurry, phone, loud)
    stop = note.stop - (rng.uniform(0.03, 0.15) if through == 1 else 0.0)
    for phone in reversed(syllable.coda):
        stop -= phone.seconds * hurry
        _fill(tracks, stop, stop + phone.seconds * hurry, phone, loud)
    edges = np.linspace(note.start, stop, len(syllable.vowels) + 1)
    for first, last, vowel in zip(edges[:-1], edges[1:], syllable.vowels, strict=True):
        _fill(tracks, first, last, phones.Phone(0, vowel, 1.0), loud)
    if through == 1:
        length = rng.uniform(0.05, 0.4) * (stop - note.start)
        fade = slice(int((stop - length) * RATE), int(stop * RATE))
        tracks.voice[fade] *= np.linspace(1, rng.uniform(0.05, 0.5), len(tracks.voice[fade]))


def _fill(tracks: Tracks, start: float, stop: float, phone: phones.Phone, loud: float) -> None:
    span = slice(max(0, int(start * RATE)), max(0, int(stop * RATE)))
    tracks.voice[span] = phone.voice * loud
    tracks.breath[span] = phone.breath * loud
    tracks.hiss[:, span] = 0.0
    tracks.hiss[list(phones.BANDS).index(phone.band), span] = phone.hiss * loud
    if phone.formants is not None:
        tracks.formants[:, span] = np.array(phone.formants)[:, None]
