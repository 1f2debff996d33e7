"""A band made of formulas: drums, bass, chords, and now and then a melody instrument."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from . import drums, dsp, instruments, tune
from .instruments import Instrument
from .tune import Tune

#: Plays its part of a song: (rng, tune, seconds, sample_rate) -> (2, time).
Layer = Callable[[np.random.Generator, Tune, float, int], np.ndarray]
#: Makes up an instrument.
Maker = Callable[[np.random.Generator], Instrument]
Rhythm = tuple[tuple[int, int], ...]
#: When the chords are struck within a bar of sixteen, and how long each is held, in sixteenths.
RHYTHMS: tuple[Rhythm, ...] = (
    ((0, 16),),
    ((0, 8), (8, 8)),
    ((0, 4), (4, 4), (8, 4), (12, 4)),
    ((2, 2), (6, 2), (10, 2), (14, 2)),
    ((0, 3), (3, 3), (6, 2), (8, 3), (11, 3), (14, 2)),
    ((0, 4), (4, 2), (6, 4), (10, 2), (12, 2), (14, 2)),
    tuple((step, 2) for step in range(0, 16, 2)),
)


def play(
    rng: np.random.Generator, seconds: float, sample_rate: int, song: Tune | None = None
) -> np.ndarray:
    """Synthetic backing as it stands on a record: ``(2, time)``, RMS 0.1.

    Args:
        rng: Source of chance; equal generators give equal sound.
        seconds: Length.
        sample_rate: In Hz.
        song: Key, tempo and chords. None makes up a tune.
    """
    song = tune.draw(rng) if song is None else song
    layers = _arrange(rng)
    response = dsp.room(rng, rng.uniform(0.3, 2.0), sample_rate)
    mix = np.zeros((2, round(seconds * sample_rate)), dtype=np.float32)
    send = np.zeros(mix.shape[1], dtype=np.float32)
    for number, (layer, level, wet) in enumerate(layers):
        sound = layer(rng, song, seconds, sample_rate).astype(np.float32)
        if number > 0:
            sound *= _parts(rng, song, sound.shape[1], sample_rate)
        sound *= dsp.decibels(level) / max(dsp.active_rms(sound, sample_rate), 1e-3)
        mix += sound
        send += dsp.decibels(wet) * sound.mean(axis=0)
    return _master(rng, mix + dsp.reverberation(send, response), sample_rate)


def _arrange(rng: np.random.Generator) -> list[tuple[Layer, float, float]]:
    """Who plays: layer, level in dB, level of its reverberation in dB."""
    layers: list[tuple[Layer, float, float]] = []
    for _ in range(rng.choice([1, 2, 2, 3])):
        layers.append((chords, rng.uniform(-8, 0), rng.uniform(-22, -8)))
    if rng.random() < 0.35:
        layers.append((distorted, rng.uniform(-7, 0), -30.0))
    if rng.random() < 0.9:
        layers.append((bass, rng.uniform(-4, 2), -40.0))
    if rng.random() < 0.85:
        layers.append((drums.play, rng.uniform(-3, 3), rng.uniform(-25, -12)))
    if rng.random() < 0.35:
        layers.append((arpeggio, rng.uniform(-12, -4), rng.uniform(-18, -8)))
    if rng.random() < 0.5:
        layers.append((lead, rng.uniform(-9, -1), rng.uniform(-20, -8)))
    return layers


def _parts(rng: np.random.Generator, song: Tune, time: int, sample_rate: int) -> np.ndarray:
    """Gain ``(time,)`` of a layer that rests in some parts of four bars."""
    rate = 100
    part = int(4 * song.bar * rate)
    frames = int(time / sample_rate * rate) + 2
    gains = np.where(rng.random(frames // part + 2) < 0.2, 0.0, 1.0)
    track = np.repeat(gains, part)[rng.integers(part) :][:frames]
    return dsp.per_sample(dsp.smooth(track, 5), rate, time, sample_rate).astype(np.float32)


def _near(song: Tune, degree: int, centre: float) -> int:
    """MIDI number of a degree of the scale in the octave around ``centre``."""
    midi = song.midi(degree)
    return int(midi + 12 * np.round((centre - midi) / 12))


def _player(
    rng: np.random.Generator, family: Sequence[Maker], sample_rate: int
) -> Callable[[int, float], np.ndarray]:
    """Make up one of a family: plays notes by MIDI number and length in s.

    A note that comes again is not computed again.
    """
    instrument = family[int(rng.integers(len(family)))](rng)
    known: dict[tuple[int, float], np.ndarray] = {}

    def note(midi: int, seconds: float) -> np.ndarray:
        key = midi, round(seconds, 3)
        if key not in known:
            known[key] = instrument(rng, float(dsp.hertz(midi)), seconds, sample_rate)
        return known[key]

    return note


def _strokes(
    song: Tune, rhythm: Rhythm, seconds: float
) -> Iterator[tuple[float, float, tuple[int, int, int]]]:
    """A rhythm in each bar: start and length in s, and the degrees of the chord that sounds."""
    step = song.beat / 4
    for begin in np.arange(0, seconds, song.bar):
        for start, length in rhythm:
            # A bar of three beats ends earlier.
            length = min(length, 4 * song.beats - start)
            if length > 0:
                yield begin + start * step, length * step, song.chord(begin + 0.01)


def chords(rng: np.random.Generator, song: Tune, seconds: float, sample_rate: int) -> np.ndarray:
    """Chords in a rhythm; each note has its place between left and right."""
    if slow := rng.random() < 0.3:
        note = _player(rng, [instruments.pad], sample_rate)
    else:
        note = _player(rng, instruments.CHORDAL, sample_rate)
    rhythm = RHYTHMS[rng.integers(2 if slow else len(RHYTHMS))]
    centre, width, place = rng.uniform(55, 70), rng.uniform(0, 0.8), rng.normal(0, 0.3)
    strum = rng.choice([0.0, rng.uniform(0, 0.025)])
    places = place + width * np.array([-1, 0, 1])
    track = np.zeros((2, round(seconds * sample_rate)))
    for start, length, degrees in _strokes(song, rhythm, seconds):
        force = rng.uniform(0.6, 1.0)
        voicing = sorted(_near(song, degree, centre) for degree in degrees)
        for number, (midi, where) in enumerate(zip(voicing, places, strict=True)):
            sound = dsp.pan(force * note(midi, length), where)
            dsp.add(track, sound, start + number * strum, sample_rate)
    return track


def distorted(rng: np.random.Generator, song: Tune, seconds: float, sample_rate: int) -> np.ndarray:
    """Two electric guitars, one on each side, that play the same power chords."""
    rhythm = RHYTHMS[rng.integers(len(RHYTHMS))]
    track = np.zeros((2, round(seconds * sample_rate)))
    for side in (-0.85, 0.85):
        note = _player(rng, [instruments.power_guitar], sample_rate)
        for start, length, degrees in _strokes(song, rhythm, seconds):
            sound = dsp.pan(note(_near(song, degrees[0], 44), length), side)
            dsp.add(track, sound, start + abs(rng.normal(0, 0.006)), sample_rate)
    return track


def bass(rng: np.random.Generator, song: Tune, seconds: float, sample_rate: int) -> np.ndarray:
    """Bass line: roots, some fifths and octaves."""
    note = _player(rng, instruments.LOW, sample_rate)
    rhythm = RHYTHMS[rng.integers(len(RHYTHMS))]
    walk = rng.uniform(0, 0.2)
    track = np.zeros((2, round(seconds * sample_rate)))
    for start, length, degrees in _strokes(song, rhythm, seconds):
        midi = _near(song, degrees[2 if rng.random() < walk else 0], 36)
        midi += 12 * int(rng.random() < walk)
        dsp.add(track, dsp.pan(note(midi, length), 0), start, sample_rate)
    return track


def arpeggio(rng: np.random.Generator, song: Tune, seconds: float, sample_rate: int) -> np.ndarray:
    """Broken chords in eighths or sixteenths that wander between left and right."""
    note = _player(rng, instruments.MELODIC, sample_rate)
    centre, order = rng.uniform(58, 76), rng.permutation(8) % 4
    length = song.beat / rng.choice([2, 4])
    track = np.zeros((2, round(seconds * sample_rate)))
    for number, begin in enumerate(np.arange(0, seconds, length)):
        degrees = (*song.chord(begin + 0.01), song.chord(begin + 0.01)[0] + len(song.scale))
        midi = _near(song, degrees[order[number % len(order)]], centre)
        sound = dsp.pan(note(midi, length), 0.7 * np.sin(number))
        dsp.add(track, sound, begin, sample_rate)
    return track


def lead(rng: np.random.Generator, song: Tune, seconds: float, sample_rate: int) -> np.ndarray:
    """Melody on an instrument, in one line with glides and vibrato, or note by note.

    So that having a melody, or vibrato, does not make a singer.
    """
    melody = tune.phrases(rng, song, seconds, centre := rng.uniform(57, 72), centre + 14)
    place = rng.normal(0, 0.35)
    notes = [note for phrase in melody for note in phrase]
    if rng.random() < 0.5:
        player = _player(rng, instruments.MELODIC, sample_rate)
        track = np.zeros((2, round(seconds * sample_rate)))
        for note in notes:
            sound = player(song.midi(note.step), note.stop - note.start)
            dsp.add(track, dsp.pan(sound, place), note.start, sample_rate)
        return track
    return dsp.pan(_line(rng, song, notes, seconds, sample_rate), place)


def _line(
    rng: np.random.Generator, song: Tune, notes: list[tune.Note], seconds: float, sample_rate: int
) -> np.ndarray:
    """One unbroken line ``(time,)``: violin, flute, saxophone or synthesiser, roughly."""
    rate = 200
    frames = int(seconds * rate) + 2
    midi, loud = np.full(frames, float(song.midi(notes[0].step))), np.zeros(frames)
    for note in notes:
        start, stop = int(note.start * rate), int((note.stop - 0.04) * rate)
        midi[start:] = song.midi(note.step)
        loud[start:stop] = rng.uniform(0.6, 1.0)
    depth = rng.uniform(0, 40) * dsp.smooth(loud, rate // 5)
    turn = 2 * np.pi * rng.uniform(4.5, 6.5) * np.arange(frames) / rate
    cents = depth * np.sin(turn) * (1 + 0.3 * dsp.wander(rng, frames, rate // 2))
    midi = dsp.smooth(midi, int(rate * rng.uniform(0.01, 0.12))) + cents / 100
    loud = dsp.smooth(loud, int(rate * rng.uniform(0.03, 0.15)))
    time = round(seconds * sample_rate)
    pitch = dsp.per_sample(dsp.hertz(midi), rate, time, sample_rate)
    kind = str(rng.choice(["saw", "saw", "square", "triangle"]))
    line, _ = dsp.oscillate(pitch, instruments.series(kind), sample_rate)
    line = line + rng.uniform(0, 0.1) * rng.standard_normal(time)
    line = line * dsp.per_sample(loud, rate, time, sample_rate)
    # The instrument's body has resonances that stand still, where a singer's move.
    centres = np.sort(rng.uniform(300, 6000, (1, 6)))
    body = np.abs(dsp.resonances(centres, rng.uniform(0.1, 0.4, (1, 6)) * centres, sample_rate))
    body = (0.3 + 0.7 * body / body.max()).astype(np.float32)
    line = dsp.filter_frames([(line, body)], sample_rate)
    return dsp.band_pass(line, None, rng.uniform(2500, 9000), sample_rate)


def _master(rng: np.random.Generator, mix: np.ndarray, sample_rate: int) -> np.ndarray:
    """Equalise and compress the band."""
    low = dsp.band_pass(mix, None, 200, sample_rate)
    high = dsp.band_pass(mix, 4000, None, sample_rate)
    mix = mix + (dsp.decibels(rng.uniform(-3, 3)) - 1) * low
    mix = mix + (dsp.decibels(rng.uniform(-3, 6)) - 1) * high
    mix = dsp.compress(mix, rng.uniform(0, 0.3), sample_rate)
    mix = np.tanh(rng.uniform(0.05, 0.25) * mix / dsp.rms(mix))
    return 0.1 * mix / dsp.rms(mix)
