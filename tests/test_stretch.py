"""Ear-like measures of key and tempo: pitch, level, length, onsets, and the seams between pieces.

The figures are those of the docstring of Stretcher; the sounds are made here but for a song.
"""

import numpy as np
import pytest
from scipy.ndimage import uniform_filter1d

from asteroid_karaoke import audio, stretch
from asteroid_karaoke.stretch import Stretcher

RATE = 8000
CASES = ((-5, 1), (2, 1), (0, 0.8), (0, 1.25), (3, 1.1))


def stretched(sound, key, tempo, rate=RATE, block=10_007):
    stretcher = Stretcher(rate, len(sound), key, tempo)
    parts = [stretcher(sound[:, i : i + block]) for i in range(0, sound.shape[1], block)]
    parts.append(stretcher(sound[:, :0], last=True))
    return np.concatenate(parts, axis=1)


def tone(hertz, seconds, channels=1):
    time = np.arange(round(seconds * RATE)) / RATE
    return np.repeat(0.5 * np.sin(2 * np.pi * hertz * time)[None], channels, 0).astype(np.float32)


def pitch(sound):
    """Frequency in Hz of a tone, by a parabola through the spectrum's peak in dB."""
    length = 1 << 19
    size = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), length))
    peak = int(size.argmax())
    left, top, right = np.log(size[peak - 1 : peak + 2])
    return (peak + 0.5 * (left - right) / (left - 2 * top + right)) * RATE / length


def decibels(sound, reference):
    return 10 * np.log10(np.square(sound).mean() / np.square(reference).mean())


@pytest.fixture
def short_pieces(monkeypatch):
    """Seams every few seconds, not every 36: more of them in less time."""
    monkeypatch.setattr(stretch, "_PIECE_SECONDS", 4.0)
    monkeypatch.setattr(stretch, "_OVERLAP_SECONDS", 2.0)


@pytest.mark.parametrize("key, tempo", CASES)
@pytest.mark.parametrize("hertz", (55, 440, 1500))
def test_a_tone_lands_on_its_pitch_and_keeps_its_level_over_seams(short_pieces, hertz, key, tempo):
    sound = tone(hertz, 9)
    inner = stretched(sound, key, tempo)[0, RATE // 2 : -RATE // 2]
    wanted = hertz * 2 ** (key / 12)
    assert abs(1200 * np.log2(pitch(inner) / wanted)) < 1  # cents; the goal is 5
    # Whole periods, some tens of ms, wherever they lie.
    frame = round(max(1, 0.05 * wanted) * RATE / wanted)
    power = uniform_filter1d(np.square(inner, dtype=np.float64), frame)[frame:-frame]
    np.testing.assert_allclose(10 * np.log10(power / 0.125), 0, atol=0.5)


@pytest.mark.parametrize("key, tempo", CASES)
def test_a_song_keeps_its_level(stempeg_excerpt, key, tempo):
    rate = audio.info(f"{stempeg_excerpt}#stream=0").sample_rate
    # Drums, bass and the rest: what a karaoke version holds.
    song = sum(audio.read(f"{stempeg_excerpt}#stream={n}") for n in (1, 2, 3))
    assert abs(decibels(stretched(song, key, tempo, rate), song)) < 0.5


@pytest.mark.parametrize("key, tempo", CASES[:4])
def test_onsets_stay_in_place_and_are_not_smeared(key, tempo):
    """Bursts of 5 ms: their energy stays where it was, 90 % of it within 8 ms."""
    generator = np.random.default_rng(0)
    burst, onsets = round(0.005 * RATE), range(RATE // 2, 8 * RATE, RATE // 2)
    sound = np.zeros((2, 8 * RATE + RATE // 2), np.float32)
    for onset in onsets:
        sound[:, onset : onset + burst] = generator.uniform(-0.8, 0.8, (2, burst))
    energy = np.square(stretched(sound, key, tempo)).sum(axis=0)
    for onset in onsets:
        middle, reach = round((onset + burst / 2) / tempo), RATE // 8
        share = np.cumsum(energy[middle - reach : middle + reach])
        first, half, last = np.searchsorted(share / share[-1], (0.05, 0.5, 0.95))
        assert abs(half - reach) < 0.002 * RATE
        assert last - first < 0.008 * RATE


@pytest.mark.parametrize("key, tempo", ((0, 0.8), (2, 1)))
def test_onsets_stay_in_place_behind_seams(short_pieces, key, tempo):
    """A tone, whose phase moves the pieces, with clicks, which show where they were moved to."""
    sound = tone(110, 10)
    onsets = range(RATE // 2, 10 * RATE - RATE // 2, RATE // 4)
    for onset in onsets:
        sound[:, onset : onset + 8] += 20
    energy = uniform_filter1d(np.square(stretched(sound, key, tempo))[0], 16)
    reach = RATE // 20
    for onset in onsets:
        middle = round((onset + 4) / tempo)
        place = int(energy[middle - reach : middle + reach].argmax())
        assert abs(place - reach) <= (stretch._SHIFT_SECONDS + 0.003) * RATE


@pytest.mark.parametrize("seconds", (0.001, 0.3, 3.999, 4, 4.001, 7.3))
@pytest.mark.parametrize("key, tempo", ((-12, 1), (0, 0.5), (7, 1.9)))
def test_the_length_is_exact(short_pieces, seconds, key, tempo):
    sound = tone(200, seconds, 2)
    assert stretched(sound, key, tempo).shape == (2, round(sound.shape[1] / tempo))


def test_key_and_tempo_are_independent():
    both = stretched(tone(440, 5), 7, 0.8)
    alone = stretched(tone(440, 5), 7, 1)
    assert both.shape[1] == alone.shape[1] * 5 // 4
    inner = slice(RATE, -RATE)
    assert pitch(both[0, inner]) == pytest.approx(pitch(alone[0, inner]), rel=1e-4)


@pytest.mark.parametrize("block", (1000, 10**7))
def test_blocks_make_no_difference(short_pieces, block):
    sound = np.random.default_rng(0).uniform(-0.5, 0.5, (1, 7 * RATE)).astype(np.float32)
    reference = stretched(sound, 0, 0.9, block=7919)
    np.testing.assert_array_equal(stretched(sound, 0, 0.9, block=block), reference)


def test_what_waits_has_a_bound(short_pieces):
    stretcher, came = Stretcher(RATE, 1, -3, 0.9), 0
    for seconds in range(1, 16):
        came += stretcher(tone(300, 1)).shape[1]
        assert came >= (seconds - 4) * RATE / 0.9
        assert stretcher._input.shape[1] < 4 * RATE
        assert stretcher._held.shape[1] < 2.1 * RATE / stretcher._factor


@pytest.mark.parametrize("channels", (1, 3, 5))
def test_any_number_of_channels_stays_together(short_pieces, channels):
    """The same sound on every channel is the same afterwards, over seams too."""
    sound = np.repeat(tone(123, 9) + tone(1000, 9), channels, axis=0)
    result = stretched(sound, -2, 1.1)
    for channel in result:
        np.testing.assert_allclose(channel, result[0], atol=1e-3)


def test_silence_stays_silence(short_pieces):
    np.testing.assert_array_equal(
        stretched(np.zeros((2, 9 * RATE), np.float32), 3, 0.8),
        np.zeros((2, 9 * RATE * 5 // 4), np.float32),
    )


def test_no_sound_is_no_sound():
    assert stretched(np.zeros((2, 0), np.float32), 3, 0.8).shape == (2, 0)


def test_a_seam_in_a_noisy_song_is_put_where_it_is_quiet(short_pieces):
    """Phases of noise never agree; a break in it is where nobody hears that."""
    generator = np.random.default_rng(0)
    sound = generator.uniform(-0.5, 0.5, (1, 6 * RATE)).astype(np.float32)
    sound[:, round(2.6 * RATE) : round(3.0 * RATE)] = 0
    seams = []
    stretcher = Stretcher(RATE, 1, 0, 0.9)
    find = stretcher._seam

    def noting(*args):
        place, shift = find(*args)
        seams.append((stretcher._held_start + place) / RATE * 0.9)
        return place, shift

    stretcher._seam = noting
    stretcher(sound)
    stretcher(sound[:, :0], last=True)
    assert 2.6 < seams[0] < 3.0
