"""A tune: key, tempo and chords, which the singer and the band share, and melodies in it."""

from dataclasses import dataclass

import numpy as np

MAJOR = (0, 2, 4, 5, 7, 9, 11)
MINOR = (0, 2, 3, 5, 7, 8, 10)
#: Common progressions of popular music, one chord a bar, as degrees of the scale counted from 0.
PROGRESSIONS = {
    MAJOR: (
        (0, 4, 5, 3),
        (5, 3, 0, 4),
        (0, 5, 3, 4),
        (0, 3, 4, 3),
        (1, 4, 0, 0),
        (0, 3, 0, 4),
        (3, 0, 4, 5),
    ),
    MINOR: (
        (0, 5, 2, 6),
        (0, 3, 5, 4),
        (0, 6, 5, 6),
        (0, 3, 0, 4),
        (0, 2, 6, 3),
        (0, 5, 3, 4),
        (0, 0, 5, 6),
    ),
}


@dataclass(frozen=True)
class Tune:
    """What a band agrees on before it starts.

    Args:
        tonic: Pitch class of the key, 0 for C to 11 for B.
        scale: Semitones of the scale above the tonic.
        beat: Length of a beat in s.
        chords: Degrees of the scale that the chords stand on, one a bar, repeated.
        beats: Beats in a bar.
        swing: Delay of the drums' every second sixteenth, in eighths.
    """

    tonic: int
    scale: tuple[int, ...]
    beat: float
    chords: tuple[int, ...]
    beats: int = 4
    swing: float = 0.0

    @property
    def bar(self) -> float:
        """Length of a bar in s."""
        return self.beats * self.beat

    def midi(self, step: int) -> int:
        """MIDI number of a step of the scale, counted from the tonic of MIDI octave 0."""
        octave, degree = divmod(step, len(self.scale))
        return self.tonic + 12 * octave + self.scale[degree]

    def steps(self, low: float, high: float) -> np.ndarray:
        """All steps of the scale whose MIDI numbers lie in ``low … high``."""
        every = range(11 * len(self.scale))
        return np.array([step for step in every if low <= self.midi(step) <= high])

    def chord(self, seconds: float) -> tuple[int, int, int]:
        """Degrees of the triad that sounds at a time in s."""
        root = self.chords[int(seconds / self.bar) % len(self.chords)]
        return root, (root + 2) % len(self.scale), (root + 4) % len(self.scale)


@dataclass(frozen=True)
class Note:
    """A note from ``start`` to ``stop`` in s at a step of the tune's scale."""

    start: float
    stop: float
    step: int


#: Phrases of notes.
Melody = list[list[Note]]


def draw(rng: np.random.Generator) -> Tune:
    """Make up a tune."""
    scale = MAJOR if rng.random() < 0.5 else MINOR
    options = PROGRESSIONS[scale]
    chords: tuple[int, ...] = options[rng.integers(len(options))]
    if rng.random() < 0.4:
        chords += options[rng.integers(len(options))]
    return Tune(
        tonic=int(rng.integers(12)),
        scale=scale,
        beat=60 / rng.uniform(70, 155),
        chords=chords,
        beats=3 if rng.random() < 0.12 else 4,
        swing=float(rng.choice([0.0, 0.0, 0.0, 0.08, 0.16])),
    )


def phrases(
    rng: np.random.Generator, tune: Tune, seconds: float, low: float, high: float
) -> Melody:
    """Sing or play along: phrases of four to eight notes (seldom more) with pauses between them.

    On the beat, and at the end of a phrase, notes of the chord are preferred; small steps are
    likelier than leaps, and the melody is drawn to the middle of the range.

    Args:
        rng: Source of chance.
        tune: The key, tempo and chords.
        seconds: Where the last phrase ends at the latest.
        low: Lowest MIDI number.
        high: Highest MIDI number.
    """
    steps = tune.steps(low, high)
    # Mean length of a note, 0.22 to 0.55 s, rounded to a whole power of two of the beat.
    wanted = np.exp(rng.uniform(np.log(0.22), np.log(0.55)))
    pace = 2.0 ** np.round(np.log2(wanted / tune.beat))
    rest = rng.uniform(0.5, 2.0)
    place = float(rng.uniform(0.3, 0.7) * (len(steps) - 1))
    now = min(rng.choice([0.0, 0.5, 1.0, 2.0]) * tune.beat, 0.3 * seconds)
    result: Melody = []
    while now < seconds:
        phrase = []
        count = int(rng.integers(4, 9)) if rng.random() < 0.85 else int(rng.integers(9, 14))
        for left in range(count, 0, -1):
            if left == 1:
                length = rng.choice([2.0, 3.0, 4.0])
            else:
                length = rng.choice([0.5, 1.0, 1.5, 2.0], p=[0.25, 0.55, 0.1, 0.1])
            length = max(0.14, length * pace * tune.beat)
            place = _next_place(rng, tune, steps, place, now, left == 1)
            phrase.append(Note(now, now + length, int(steps[round(place)])))
            now += length
        result.append([note for note in phrase if note.stop < seconds - 0.1])
        pause = rng.uniform(0.5, 1.5) * rest + (rng.uniform(3, 9) if rng.random() < 0.2 else 0)
        now = _next_eighth(now + max(0.35, pause * tune.beat), tune)
    result = [phrase for phrase in result if phrase]
    return result or [[Note(0.3 * seconds, 0.9 * seconds, int(steps[round(place)]))]]


def _next_place(
    rng: np.random.Generator, tune: Tune, steps: np.ndarray, place: float, now: float, last: bool
) -> float:
    options = np.arange(len(steps))
    leap = np.abs(options - place)
    liking = np.exp(-leap / 1.6) * np.where(leap < 0.5, 0.55, 1.0)
    liking *= np.exp(-(((options - (len(steps) - 1) / 2) / (0.45 * len(steps))) ** 2))
    in_chord = np.isin(steps % len(tune.scale), tune.chord(now))
    strong = last or abs((now / tune.beat) - round(now / tune.beat)) < 0.1
    liking *= np.where(in_chord, 1.0, 0.2 if strong else 0.7)
    return float(rng.choice(options, p=liking / liking.sum()))


def _next_eighth(now: float, tune: Tune) -> float:
    return float(np.ceil(now / (tune.beat / 2) - 1e-6) * tune.beat / 2)
