"""Physics of the synthetic singer and band of recipes/synth."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from scipy import signal

from recipes.synth import dsp, instruments, phones, play, sing, singer, tune, voice

RATE = 44100


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def spectrum(audio: np.ndarray, rate: int = RATE) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies in Hz and magnitudes under a window that hardly leaks."""
    size = 1 << int(np.ceil(np.log2(4 * len(audio))))
    windowed = audio * signal.windows.blackmanharris(len(audio))
    return np.fft.rfftfreq(size, 1 / rate), np.abs(np.fft.rfft(windowed, size))


def peak_near(audio: np.ndarray, low: float, high: float) -> float:
    """Frequency in Hz of the strongest partial between two others."""
    frequency, magnitude = spectrum(audio)
    inside = (frequency > low) & (frequency < high)
    return float(frequency[inside][np.argmax(magnitude[inside])])


def level(audio: np.ndarray) -> float:
    return 20 * np.log10(dsp.rms(audio))


def share(audio: np.ndarray, low: float, high: float) -> float:
    """Share of the power between two frequencies in Hz."""
    frequency, power = signal.welch(audio, RATE, nperseg=1024)
    return power[(frequency >= low) & (frequency < high)].sum() / power.sum()


def hold(phone: phones.Phone, seconds: float = 0.5) -> np.ndarray:
    """One sound, held at 150 Hz, without its first and last tenth of a second."""
    frames = int(seconds * singer.RATE) + 1
    hiss = np.zeros((len(phones.BANDS), frames))
    hiss[list(phones.BANDS).index(phone.band)] = phone.hiss
    tracks = singer.Tracks(
        pitch=np.full(frames, 150.0),
        voice=np.full(frames, phone.voice),
        breath=np.full(frames, phone.breath),
        formants=np.repeat(np.array(phone.formants, dtype=float)[:, None], frames, axis=1),
        hiss=hiss,
    )
    sound = voice.render(rng(), singer.draw(rng(3)), tracks, int(seconds * RATE), RATE)
    return sound[RATE // 10 : -RATE // 10]


def test_a_filter_of_ones_changes_nothing():
    audio = rng().standard_normal(RATE)
    ones = np.ones((1, len(dsp.bins(RATE))), dtype=np.float32)
    assert np.abs(dsp.filter_frames([(audio, ones)], RATE) - audio).max() < 1e-5


def test_resonances_stand_where_they_should_and_pass_0_hz_untouched():
    response = np.abs(dsp.resonances(np.array([[700.0, 2500.0]]), np.array([[60.0, 90.0]]), RATE))
    frequency = dsp.bins(RATE)
    assert response[0, 0] == pytest.approx(1, abs=1e-4)
    for centre in (700, 2500):
        near = np.abs(frequency - centre) < 300
        assert frequency[near][np.argmax(response[0, near])] == pytest.approx(centre, abs=22)


def test_a_tone_has_no_partial_that_does_not_belong_to_it():
    pitch = 3300.0
    tone, _ = dsp.oscillate(np.full(RATE, pitch), instruments.series("saw"), RATE)
    frequency, magnitude = spectrum(tone)
    strange = np.abs(frequency / pitch - np.round(frequency / pitch)) * pitch > 60
    assert 20 * np.log10(magnitude[strange].max() / magnitude.max()) < -60


@pytest.mark.parametrize("pitch", [55.0, 246.9, 987.8])
def test_strings_are_in_tune(pitch):
    note = instruments.string(rng(), pitch, 1.5, RATE, 4000.0, 2.0, 0.13)
    # The lowest partial to 5 cents; a whole number of samples alone would miss the highest by 20.
    assert peak_near(note, 0.9 * pitch, 1.1 * pitch) == pytest.approx(pitch, rel=0.003)


@pytest.mark.parametrize("make", [*instruments.CHORDAL, *instruments.MELODIC, instruments.pad])
def test_instruments_sound_and_end(make):
    note = make(rng())(rng(), 220.0, 0.5, RATE)
    assert np.isfinite(note).all() and 0.1 < np.abs(note).max() < 4
    assert np.abs(note[-10:]).max() < 0.05


def test_what_runs_over_the_end_of_a_track_is_cut():
    track = np.zeros((2, 100))
    dsp.add(track, np.ones((2, 50)), start=0.8, sample_rate=100)
    dsp.add(track, np.ones((2, 50)), start=2.0, sample_rate=100)
    assert track.sum() == 2 * 20


def test_panning_keeps_the_power():
    audio = rng().standard_normal(1000)
    for place in (-1.0, -0.3, 0.0, 0.8, 5.0):
        assert np.square(dsp.pan(audio, place)).sum() == pytest.approx(2 * np.square(audio).sum())


def test_compression_evens_out_what_sounds_and_leaves_pauses():
    audio = np.stack([rng().standard_normal(3 * RATE)] * 2)
    audio[:, RATE : 2 * RATE] *= 0.1
    audio[:, 2 * RATE :] *= 1e-4
    loud, soft, pause = np.split(dsp.compress(audio, 0.5, RATE), 3, axis=1)
    middle = slice(RATE // 4, -RATE // 4)
    assert level(loud[:, middle]) - level(soft[:, middle]) == pytest.approx(10, abs=0.5)
    assert level(loud[:, middle]) - level(pause[:, middle]) > 60


def take(melody: tune.Melody, **traits) -> tuple[singer.Singer, singer.Tracks, np.ndarray]:
    """A made-up singer with some traits set, what was done, and how it sounds."""
    who, song = replace(singer.draw(rng(1)), **traits), tune.draw(rng(2))
    text = [[phones.babble(rng(4)) for _ in phrase] for phrase in melody]
    seconds = melody[-1][-1].stop + 0.5
    tracks = singer.perform(rng(5), who, song, melody, text, seconds)
    return who, tracks, voice.render(rng(6), who, tracks, int(seconds * RATE), RATE)


def long_notes(count: int, seconds: float) -> tune.Melody:
    """A slow walk up the scale from about 130 Hz, in one phrase."""
    return [[tune.Note(0.5 + i * seconds, 0.5 + (i + 1) * seconds, 28 + i) for i in range(count)]]


def part_of(note: tune.Note, track: np.ndarray, rate: int, after: float, till: float) -> np.ndarray:
    """Stretch of a track from ``after`` to ``till`` s into a note."""
    return track[int((note.start + after) * rate) : int((note.start + till) * rate)]


def test_the_pitch_that_is_sung_is_the_pitch_that_sounds():
    """Each of the lowest harmonics stands at a multiple of the f0 that the generator knows."""
    melody = long_notes(8, 0.8)
    _, tracks, sound = take(melody, depth=10.0, glide=0.05, scoop=0.0)
    for note in melody[0]:
        held = part_of(note, sound, RATE, 0.2, 0.6)
        pitch = np.median(part_of(note, tracks.pitch, singer.RATE, 0.2, 0.6))
        for harmonic in (1, 2, 3):
            f0 = harmonic * pitch
            assert peak_near(held, 0.8 * f0, 1.2 * f0) == pytest.approx(f0, rel=0.015)


def test_held_notes_waver_at_the_vibrato_s_rate_but_not_at_once():
    melody = long_notes(6, 2.0)
    who, tracks, _ = take(melody, depth=80.0, drift=0.0, jitter=0.0, glide=0.03, scoop=0.0)
    wavering = 0
    for note in melody[0]:
        early, late = (
            1200 * np.log2(part / np.median(part))
            for part in (
                part_of(note, tracks.pitch, singer.RATE, 0.06, 0.11),
                part_of(note, tracks.pitch, singer.RATE, 0.7, 1.9),
            )
        )
        if np.ptp(late) > 50:
            wavering += 1
            assert np.ptp(late) > 2 * np.ptp(early)
            turns = np.count_nonzero(np.diff(np.sign(late))) / 2
            assert turns / 1.2 == pytest.approx(who.vibrato, rel=0.25)
    assert wavering >= 3


@pytest.mark.parametrize("name", ["a", "ae", "E", "u"])
def test_vowels_have_their_formants(name):
    """Whispered, as noise shows the whole tract and harmonics only points of it."""
    sound = hold(phones.Phone(0, phones.VOWELS[name], breath=1.0), seconds=3.0)
    frequency, power = signal.welch(sound, RATE, nperseg=2048)
    for formant in phones.VOWELS[name][:2]:
        formant *= singer.draw(rng(3)).tract
        near = (frequency > 0.8 * formant) & (frequency < 1.25 * formant)
        assert frequency[near][np.argmax(power[near])] == pytest.approx(formant, rel=0.08)


def test_consonants_hiss_where_vowels_do_not():
    sibilant = hold(phones.CONSONANTS["s"][0])
    vowel = hold(phones.Phone(0, phones.VOWELS["u"], voice=1.0))
    assert share(sibilant, 4000, 16000) > 0.8
    assert share(vowel, 0, 1500) > 0.95
    (shush,) = phones.CONSONANTS["sh"]
    assert share(hold(shush), 2000, 6000) > share(sibilant, 2000, 6000)


def test_nobody_sings_between_phrases():
    melody = tune.phrases(rng(3), tune.draw(rng(2)), 20.0, 50.0, 63.0)
    assert len(melody) > 2
    _, _, sound = take(melody, breath=-80.0)
    for before, after in pairwise(melody):
        pause = after[0].start - before[-1].stop
        assert pause > 0.3
        start = before[-1].stop + 0.25 * pause
        silence = sound[int(start * RATE) : int((start + 0.2 * pause) * RATE)]
        assert level(silence) < level(sound) - 50


@pytest.mark.parametrize("seed", range(4))
def test_phrases_keep_to_the_range_the_scale_and_the_time(seed):
    song = tune.draw(rng(seed))
    melody = tune.phrases(rng(seed), song, 15.0, 50.0, 63.0)
    notes = [note for phrase in melody for note in phrase]
    assert all(phrase for phrase in melody)
    assert all(50 <= song.midi(note.step) <= 63 for note in notes)
    assert {(song.midi(note.step) - song.tonic) % 12 for note in notes} <= set(song.scale)
    assert notes[0].start >= 0 and notes[-1].stop <= 15
    assert all(a.stop <= b.start + 1e-9 for a, b in pairwise(notes))
    assert len({note.step for note in notes}) > 3


@pytest.mark.parametrize("make", [sing, play])
@pytest.mark.parametrize(("seconds", "rate"), [(0.5, 44100), (4.0, 44100), (3.0, 16000)])
def test_sound_is_stereo_finite_and_of_the_level_promised(make, seconds, rate):
    sound = make(rng(7), seconds, rate)
    assert sound.shape == (2, round(seconds * rate)) and sound.dtype == np.float32
    assert np.isfinite(sound).all()
    assert dsp.active_rms(sound, rate) == pytest.approx(0.1, rel=0.3)
    assert not np.array_equal(sound[0], sound[1])


@pytest.mark.parametrize("make", [sing, play])
def test_equal_seeds_give_equal_sound_and_others_another(make):
    first, again, other = (make(rng(seed), 2.0, RATE) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert abs(np.corrcoef(first.ravel(), other.ravel())[0, 1]) < 0.2


def test_singer_and_band_keep_to_one_tune():
    """Steps of the voice fall on the pitch classes of the band's scale, whatever the seeds."""
    song = tune.Tune(tonic=2, scale=tune.MAJOR, beat=0.5, chords=(0,))
    backing = play(rng(1), 6.0, RATE, song).mean(axis=0)
    chroma = np.zeros(12)
    frequency, magnitude = spectrum(backing)
    heard = (frequency > 120) & (frequency < 1000)
    midi = 69 + 12 * np.log2(frequency[heard] / 440)
    in_tune = np.abs(midi - np.round(midi)) < 0.2
    np.add.at(chroma, np.round(midi[in_tune]).astype(int) % 12, magnitude[heard][in_tune] ** 2)
    triad = [(song.tonic + step) % 12 for step in (0, 4, 7)]
    assert chroma[triad].sum() > 0.7 * chroma.sum()


def test_too_short_to_sing():
    with pytest.raises(ValueError, match=r"got 0.2 s, expected at least 0.5 s"):
        sing(rng(), 0.2, RATE)
