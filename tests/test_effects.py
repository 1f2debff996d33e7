"""Each effect does to a sound what its name promises, and nothing to silence."""

import numpy as np
import pytest

from asteroid_karaoke import effects, mixing

RATE = 44100


def tone(frequency: float, level: float = 0.1, seconds: float = 1.0) -> np.ndarray:
    """A sine on both channels, `(2, time)`."""
    time = np.arange(round(seconds * RATE)) / RATE
    return np.repeat([level * np.sin(2 * np.pi * frequency * time)], 2, axis=0).astype(np.float32)


def noise(seed: int = 0, seconds: float = 1.0) -> np.ndarray:
    """White stereo noise at -20 dB, each channel its own."""
    drawn = np.random.default_rng(seed).standard_normal((2, round(seconds * RATE)))
    return 0.1 * drawn.astype(np.float32)


def pitch(audio: np.ndarray) -> float:
    """The strongest frequency in Hz."""
    spectrum = np.abs(np.fft.rfft(audio[0] * np.hanning(audio.shape[1])))
    return float(np.argmax(spectrum)) * RATE / audio.shape[1]


def level_db(audio: np.ndarray) -> float:
    """The level away from the ends, where filters have not settled."""
    return mixing.level_db(audio[:, 4410:-4410])


def test_inverted_it_cancels_itself():
    sound = noise()
    assert not (sound + effects.invert(sound)).any()


def test_swapping_channels_twice_changes_nothing():
    sound = noise()
    swapped = effects.swap_channels(sound)
    np.testing.assert_array_equal(swapped[0], sound[1])
    np.testing.assert_array_equal(effects.swap_channels(swapped), sound)


@pytest.mark.parametrize("factor", [0.0, 0.5, 1.0, 1.5])
def test_width_scales_the_side_and_leaves_the_middle(factor):
    sound = noise()
    widened = effects.width(sound, factor)
    np.testing.assert_allclose(widened[0] + widened[1], sound[0] + sound[1], atol=1e-6)
    np.testing.assert_allclose(widened[0] - widened[1], factor * (sound[0] - sound[1]), atol=1e-6)


@pytest.mark.parametrize("position", [-1.0, -0.4, 0.0, 0.7, 1.0])
def test_panning_moves_power_from_one_channel_to_the_other(position):
    sound = tone(440.0)
    left, right = np.square(effects.pan(sound, position)).sum(-1)
    assert left + right == pytest.approx(np.square(sound).sum(), rel=1e-5)
    assert np.sign(np.round(right - left, 3)) == np.sign(position)
    if abs(position) == 1.0:
        assert min(left, right) == pytest.approx(0.0, abs=1e-6)


def test_the_middle_changes_nothing():
    np.testing.assert_allclose(effects.pan(noise(), 0.0), noise(), rtol=1e-6)


@pytest.mark.parametrize("factor", [0.89, 1.0, 1.12])
def test_faster_is_higher_and_shorter(factor):
    sound = tone(1000.0, seconds=2.0)
    played = effects.speed(sound, factor, 4 * RATE)
    end = round(2 * RATE / factor)
    assert pitch(played[:, : end - 500]) == pytest.approx(1000.0 * factor, abs=1.0)
    assert np.abs(played[:, end - 500 : end]).max() > 0.05
    assert not played[:, end + 2 :].any()
    assert mixing.level_db(played[:, :end]) == pytest.approx(mixing.level_db(sound), abs=0.1)


@pytest.mark.parametrize("slope", [-2.0, 1.0])
@pytest.mark.parametrize("octaves", [-3, 0, 2])
def test_a_tilt_is_so_many_db_an_octave_about_1_khz(slope, octaves):
    sound = tone(1000.0 * 2.0**octaves)
    change = level_db(effects.tilt(sound, slope, RATE)) - level_db(sound)
    assert change == pytest.approx(slope * octaves, abs=0.05)


def test_a_tilt_moves_nothing_in_time():
    click = np.zeros((2, RATE), np.float32)
    click[:, RATE // 3] = 1.0
    assert np.abs(effects.tilt(click, 2.0, RATE)).argmax(axis=1).tolist() == [RATE // 3] * 2


@pytest.mark.parametrize("seconds", [0.4, 2.0])
def test_a_room_decays_by_60_db_in_its_time(seconds):
    response = effects.impulse_response(np.random.default_rng(1), seconds, RATE)
    np.testing.assert_allclose(np.square(response).sum(-1), 1.0, rtol=1e-4)
    # Schroeder's backward integration, read between -5 and -35 dB (ISO 3382).
    decay = 10 * np.log10(np.cumsum(np.square(response[0])[::-1])[::-1])
    begin, end = np.argmax(decay < -5.0), np.argmax(decay < -35.0)
    assert 2 * (end - begin) / RATE == pytest.approx(seconds, rel=0.15)


def test_a_room_answers_after_the_sound_at_its_level_and_grows_darker():
    response = effects.impulse_response(np.random.default_rng(2), 1.0, RATE)
    gap = int(np.argmax(response[0] != 0))
    assert 0.005 * RATE - 1 <= gap <= 0.03 * RATE
    early, late = (
        np.abs(np.fft.rfft(response[0, gap + s : gap + s + 4410])) for s in (0, RATE // 2)
    )
    assert early[2000:].mean() / early[:500].mean() > 3 * late[2000:].mean() / late[:500].mean()

    click = np.zeros((2, RATE), np.float32)
    click[:, 1000] = 1.0
    wet = effects.reverb(click, response, -12.0) - click
    assert not np.round(wet[:, : 1000 + gap], 6).any()
    assert mixing.level_db(wet) == pytest.approx(mixing.level_db(click) - 12.0, abs=0.5)


def test_rooms_make_a_voice_in_the_middle_wide():
    voice = np.repeat(noise()[:1], 2, axis=0)
    response = effects.impulse_response(np.random.default_rng(3), 0.5, RATE)
    assert np.abs(np.diff(effects.reverb(voice, response, -6.0), axis=0)).max() > 0.01


def test_an_echo_comes_again_later_and_quieter():
    click = np.zeros((1, 1000), np.float32)
    click[0, 10] = 1
    wet = effects.echo(click, 300, -6.0, 5)[0]
    assert np.flatnonzero(wet).tolist() == [10, 310, 610, 910], "the fifth would come after the end"
    np.testing.assert_allclose(20 * np.log10(wet[10::300]), [0, -6, -12, -18], atol=1e-4)


def test_a_double_is_late_by_each_channels_delay_and_higher_by_its_detune():
    sound = noise()
    twice = effects.double(sound, [441, 882], 1.0, -6.0) - sound
    for line, copy, delay in zip(sound, twice, (441, 882), strict=True):
        assert not copy[:delay].any()
        np.testing.assert_allclose(copy[delay:], line[:-delay] * 10 ** (-6 / 20), atol=1e-6)
    tone = np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE).astype(np.float32)[None]
    copy = effects.double(tone, [0], 1.01, 0.0) - tone
    spectrum = np.abs(np.fft.rfft(copy[0, : RATE // 2]))
    assert 2 * spectrum.argmax() == 1010


@pytest.mark.parametrize(("over", "expected"), [(-6.0, -6.0), (12.0, 3.0), (8.0, 2.0)])
def test_a_compressor_turns_down_what_is_above_its_threshold(over, expected):
    sound = tone(500.0, 10 ** ((-30.0 + over + 3.01) / 20))
    compressed = sound * effects.compression(sound, -30.0, 4.0, RATE)
    assert level_db(compressed) == pytest.approx(-30.0 + expected, abs=0.1)


def test_a_compressor_of_the_mixture_keeps_the_stems_sum():
    stems = noise(1), tone(300.0, 0.3)
    gains = effects.compression(sum(stems), -30.0, 3.0, RATE)
    np.testing.assert_allclose(
        stems[0] * gains + stems[1] * gains, sum(stems) * gains, rtol=1e-5, atol=1e-7
    )
    assert gains.min() > 0 and gains.max() <= 1


def test_saturation_leaves_small_signals_and_adds_odd_overtones_to_large_ones():
    quiet = tone(500.0, 1e-3)
    np.testing.assert_allclose(effects.saturate(quiet, 6.0), quiet, atol=1e-8)
    loud = effects.saturate(tone(500.0, 1.0), 12.0)
    assert np.abs(loud).max() <= 10 ** (-12 / 20)
    spectrum = np.abs(np.fft.rfft(loud[0]))
    assert spectrum[1500] > 0.1 * spectrum[500] > 1000 * spectrum[1000]


def test_clipping_cuts_the_peaks_and_nothing_else():
    sound = noise()
    clipped = effects.clip(sound, 6.0)
    limit = np.abs(sound).max() * 10 ** (-6 / 20)
    assert np.abs(clipped).max() == pytest.approx(limit, rel=1e-5)
    inside = np.abs(sound) <= limit
    np.testing.assert_array_equal(clipped[inside], sound[inside])
    np.testing.assert_array_equal(effects.clip(sound, 0.0), sound)


@pytest.mark.parametrize(("exponent", "slope"), [(0.0, 0.0), (1.0, -3.01), (2.0, -6.02)])
def test_noise_has_the_colour_asked_for(exponent, slope):
    found = effects.coloured_noise(np.random.default_rng(0), 4 * RATE, exponent, RATE)
    assert found.shape == (2, 4 * RATE)
    assert mixing.level_db(found) == pytest.approx(0.0, abs=1e-3)
    power = np.square(np.abs(np.fft.rfft(found[0])))
    hertz = np.fft.rfftfreq(found.shape[1], 1 / RATE)
    densities = [
        power[(hertz >= f) & (hertz < 2 * f)].mean() for f in (100.0, 200.0, 400.0, 800.0, 1600.0)
    ]
    assert np.diff(10 * np.log10(densities)).mean() == pytest.approx(slope, abs=0.3)
    assert power[hertz < 15].sum() < 1e-3 * power.sum(), "rumble that nobody hears"
    assert abs(np.corrcoef(found)[0, 1]) < 0.1, "both channels have the same noise"


RESPONSE = effects.impulse_response(np.random.default_rng(0), 0.3, RATE)
ALL = {
    "invert": effects.invert,
    "swap_channels": effects.swap_channels,
    "width": lambda audio: effects.width(audio, 1.4),
    "pan": lambda audio: effects.pan(audio, 0.6),
    "speed": lambda audio: effects.speed(audio, 1.07, audio.shape[1]),
    "tilt": lambda audio: effects.tilt(audio, 2.0, RATE),
    "reverb": lambda audio: effects.reverb(audio, RESPONSE[: len(audio)], -6.0),
    "echo": lambda audio: effects.echo(audio, 5, -6.0, 3),
    "double": lambda audio: effects.double(audio, [3, 40][: len(audio)], 1.003, -6.0),
    "compression": lambda audio: audio * effects.compression(audio, -40.0, 4.0, RATE),
    "saturate": lambda audio: effects.saturate(audio, 20.0),
    "clip": lambda audio: effects.clip(audio, 6.0),
}


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("length", [1, 7, 4411])
def test_shape_and_type_stay_silence_too(name, channels, length):
    sound = noise()[:channels, :length].copy()
    before = sound.copy()
    changed = ALL[name](sound)
    assert (changed.shape, changed.dtype) == (sound.shape, np.float32)
    assert np.isfinite(changed).all()
    np.testing.assert_array_equal(sound, before, "the input was changed")
    assert not ALL[name](np.zeros_like(sound)).any()
