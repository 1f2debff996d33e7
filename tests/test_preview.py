import numpy as np
import pytest
import torch

from asteroid_karaoke import audio, preview, separation
from asteroid_karaoke.overlap_add import MARGIN_SECONDS
from asteroid_karaoke.preview import Part, cut, excerpt, most_singing, parse_time

RATE = 8000


class Left(torch.nn.Module):
    """What is on the left is voice, as far as it is on the left alone."""

    sample_rate, channels, grid, context = RATE, 2, 10, 0
    seen = 0

    def forward(self, wav):
        self.seen += wav.shape[-1]
        voice = torch.zeros_like(wav)
        voice[:, 0] = wav[:, 0] - wav[:, 1]
        return torch.stack([voice, wav - voice], dim=1)


def song(seconds, sung, rate=RATE, channels=2):
    """A loud backing in the middle, and a voice on the left: ``sung`` is (from, to, level)."""
    generator = np.random.default_rng(0)
    mixture = np.repeat(generator.uniform(-0.5, 0.5, (1, seconds * rate)), channels, axis=0)
    for start, stop, level in sung:
        mixture[0, start * rate : stop * rate] += level * generator.uniform(
            -1, 1, (stop - start) * rate
        )
    return mixture.astype(np.float32)


def blocks(mixture, size=10_007):
    return (mixture[:, i : i + size] for i in range(0, mixture.shape[1], size))


def found(mixture, seconds, rate=RATE, model=None):
    part = most_singing(model or Left(), blocks(mixture), rate, len(mixture), seconds)
    return part.start / rate, part.stop / rate


def test_the_part_with_the_most_singing_is_found():
    start, stop = found(song(120, [(10, 15, 0.3), (60, 90, 0.3)]), 30)
    assert stop - start == 30
    assert abs(start - 60) <= 3


def test_much_singing_is_preferred_to_a_shout():
    start, _ = found(song(90, [(3, 6, 0.9), (40, 60, 0.2)]), 20)
    assert abs(start - 40) <= 3


def test_another_rate_makes_no_difference():
    start, stop = found(song(60, [(30, 45, 0.3)], rate=11025), 15, rate=11025)
    assert stop - start == pytest.approx(15, abs=1e-3)
    assert abs(start - 30) <= 3


def test_the_song_s_end_can_be_the_part():
    assert found(song(61, [(40, 61, 0.3)]), 20)[1] == pytest.approx(61, abs=3)


@pytest.mark.parametrize("seconds", (30, 31, 1000))
def test_a_short_song_is_taken_whole(seconds):
    assert found(song(30, []), seconds) == (0, 30)
    assert found(song(1, []), seconds) == (0, 1)


def test_a_song_without_singing_has_a_preview_too():
    start, stop = found(np.zeros((2, 50 * RATE), np.float32), 10)
    assert stop - start == 10


def test_looking_costs_a_third():
    model = Left()
    found(song(90, []), 30, model=model)
    assert model.seen <= 30 * RATE


@pytest.mark.parametrize("seconds", (0, -3, float("nan"), float("inf")))
def test_a_preview_has_a_length(seconds):
    with pytest.raises(ValueError, match="expected more than 0"):
        found(song(5, []), seconds)


def test_no_song_has_no_preview():
    with pytest.raises(ValueError, match="no samples"):
        most_singing(Left(), [], RATE, 2)


@pytest.mark.parametrize(
    "text, seconds",
    (("0", 0), ("75", 75), ("75.5", 75.5), ("1:15", 75), ("1:05.25", 65.25), ("1:02:03", 3723)),
)
def test_times(text, seconds):
    assert parse_time(text) == seconds


@pytest.mark.parametrize(
    "text", ("", "-3", "1:", ":30", "1:2:3:4", "1m", "nan", "1e3", "1.5:00", "9" * 400)
)
def test_times_that_are_none(text):
    with pytest.raises(ValueError, match="h:mm:ss"):
        parse_time(text)


@pytest.mark.parametrize("text", ("1:75", "1:60:00"))
def test_minutes_and_seconds_go_up_to_59(text):
    with pytest.raises(ValueError, match="0 to 59"):
        parse_time(text)


def test_excerpts():
    frames = 100 * RATE
    assert excerpt(None, None, frames, RATE) == (0, frames)
    assert excerpt(10, 20.5, frames, RATE) == (10 * RATE, 164_000)
    assert excerpt(99.9, 100, frames, RATE).frames == RATE // 10


@pytest.mark.parametrize(
    "start, end, said",
    (
        (100, None, "start 100 s, the song is 100.0 s long"),
        (None, 100.1, "end 100.1 s, the song is 100.0 s long"),
        (20, 20, "not behind the start 20 s"),
        (30, 20, "not behind the start 30 s"),
        (None, 0, "not behind the start 0 s"),
        (-1, None, "start -1 s"),
    ),
)
def test_excerpts_that_are_none(start, end, said):
    with pytest.raises(ValueError, match=said):
        excerpt(start, end, 100 * RATE, RATE)


@pytest.mark.parametrize("start, stop", ((0, 5), (0, 30), (1, 4), (12, 30), (29, 30), (7, 8)))
@pytest.mark.parametrize("ending", ("wav", "flac"))
def test_a_part_of_a_file_is_that_part_of_the_whole(tmp_path, start, stop, ending):
    mixture, part = song(30, [(0, 30, 0.4)]), Part(start * RATE, stop * RATE)
    audio.write(tmp_path / f"song.{ending}", mixture, RATE)
    with audio.open_audio(tmp_path / f"song.{ending}") as reader:
        pairs = separation.stream(Left(), preview.read(reader, part), RATE, 2)
        pairs = list(cut(pairs, part.lead(RATE), part.frames))
    for stem, whole in zip(zip(*pairs, strict=True), (mixture, mixture - mixture[1]), strict=True):
        got = np.concatenate(stem, axis=1)
        assert got.shape == (2, part.frames)
        np.testing.assert_allclose(got, whole[:, part.start : part.stop], atol=1e-4)


def test_a_part_is_read_with_little_around_it(tmp_path):
    audio.write(tmp_path / "song.wav", song(30, []), RATE)
    with audio.open_audio(tmp_path / "song.wav") as reader:
        for start, around in ((10, 2), (0, 1)):
            part = Part(start * RATE, (start + 2) * RATE)
            # Wherever the reader stands.
            read = sum(x.shape[1] for x in preview.read(reader, part))
            assert read == (2 + around * MARGIN_SECONDS) * RATE


@pytest.mark.parametrize("skip, frames", ((0, 50), (7, 20), (10, 10), (45, 5), (0, 1)))
def test_cutting(skip, frames):
    count = np.arange(50, dtype=np.float32)[None]
    pairs = cut(((x, -x) for x in blocks(count, 10)), skip, frames)
    first, second = (np.concatenate(stem, axis=1) for stem in zip(*pairs, strict=True))
    np.testing.assert_array_equal(first, count[:, skip : skip + frames])
    np.testing.assert_array_equal(second, -first)
