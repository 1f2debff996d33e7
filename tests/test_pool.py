import gc
import pickle

import numpy as np
import pytest

from asteroid_karaoke import audio
from asteroid_karaoke.manifest import Song
from asteroid_karaoke.pool import BOTH, Pool, draw_excerpt, read_excerpt

RATE = 8000


def song(name: str = "a", role: str = "stems", seconds: float = 10.0, **facts) -> Song:
    stems = {
        "stems": {"vocals": f"/{name}/v.wav", "accompaniment": f"/{name}/a.wav"},
        "vocals": {"vocals": f"/{name}/v.wav"},
        "music": {"accompaniment": f"/{name}/a.wav"},
        "mixture": {"mixture": f"/{name}/m.wav"},
    }[role]
    facts = {"sample_rate": RATE, "channels": 2, "frames": round(seconds * RATE), **facts}
    return Song(name, "train", "test", role, "CC0", **stems, **facts)


def ramp(folder, channels: int = 2, rate: int = RATE, seconds: float = 3.0) -> Song:
    """A song whose samples tell their own place: 1e-5 times their number."""
    length = round(seconds * rate)
    values = np.repeat([np.arange(length) * 1e-5], channels, axis=0).astype(np.float32)
    paths = {stem: str(folder / f"{stem}.wav") for stem in ("vocals", "accompaniment")}
    for path in paths.values():
        audio.write(path, values, rate, "FLOAT")
    return Song("ramp", "train", "test", "stems", "CC0", rate, channels, length, **paths)


def test_songs_come_back_as_they_went_in():
    songs = [song("ä b"), song("b", "vocals", start=5, weight=0.25), song("c", "mixture")]
    pool = Pool(songs)
    assert list(pool) == songs
    assert (pool[-1], pool[1:]) == (songs[-1], songs[1:])
    with pytest.raises(IndexError):
        pool[3]


def test_roles_have_the_stems_of_their_name():
    pool = Pool([song("a", "vocals"), song("b", "music"), song("c", "mixture")])
    assert [pool.has(stem) for stem in ("vocals", "accompaniment", BOTH)] == [True, True, False]
    rng = np.random.default_rng(0)
    assert {pool.draw("vocals", rng).id for _ in range(50)} == {"a"}
    assert {pool.draw("accompaniment", rng).id for _ in range(50)} == {"b"}


def test_songs_are_drawn_by_weight_times_usable_length():
    songs = [
        song("short", seconds=10),
        song("long", seconds=30),
        song("cut", seconds=30, start=10 * RATE, stop=20 * RATE),
        song("estimated", seconds=40, weight=0.25),
    ]
    pool, rng = Pool(songs), np.random.default_rng(0)
    drawn = [pool.draw(BOTH, rng).id for _ in range(6000)]
    shares = [drawn.count(s.id) / len(drawn) for s in songs]
    assert shares == pytest.approx([1 / 6, 3 / 6, 1 / 6, 1 / 6], abs=0.02)


def test_ten_thousand_songs_are_a_few_arrays():
    pool = Pool([song(f"song-{i}", "vocals") for i in range(10_000)])
    gc.collect()
    assert not [thing for thing in gc.get_objects() if type(thing) is Song]
    # What a spawned worker gets; a forked one shares it.
    assert len(pickle.dumps(pool)) < 6e6


def test_surround_sound_is_refused():
    with pytest.raises(ValueError, match=r"1 song.*wide \(6\)"):
        Pool([song("a"), song("wide", channels=6)])


@pytest.mark.parametrize("speed", [0.89, 1.0, 1.12])
def test_an_excerpt_lies_within_the_span(speed):
    rng = np.random.default_rng(0)
    found = [
        draw_excerpt(song(start=777, stop=777 + 2 * RATE), 1.0, rng, speed) for _ in range(500)
    ]
    starts = [excerpt.start for excerpt in found]
    ends = [excerpt.start + excerpt.frames for excerpt in found]
    assert min(starts) >= 777 and max(ends) <= 777 + 2 * RATE
    assert min(starts) < 777 + 100 and max(ends) > 777 + 2 * RATE - 100, "some places never come"
    assert {excerpt.frames for excerpt in found} == {int(np.ceil(speed * RATE))}


def test_a_song_as_long_as_the_segment_is_taken_whole():
    excerpt = draw_excerpt(song(seconds=2.0, start=RATE), 1.0, np.random.default_rng(0))
    assert (excerpt.start, excerpt.frames, excerpt.pause) == (RATE, RATE, 0.0)


def test_samples_are_those_of_the_place(tmp_path):
    excerpt = draw_excerpt(ramp(tmp_path), 0.5, np.random.default_rng(0))
    found = read_excerpt(excerpt, "vocals", RATE // 2, RATE)
    expected = (excerpt.start + np.arange(RATE // 2)) * 1e-5
    np.testing.assert_allclose(found, [expected] * 2, atol=1e-7)


@pytest.mark.parametrize("speed", [1.0, 1.1])
def test_a_song_shorter_than_the_segment_stands_somewhere_in_silence(tmp_path, speed):
    """Beyond the span of this one lies more sound, which must not be heard."""
    short = ramp(tmp_path)
    short = Song(**{**vars(short), "start": RATE, "stop": RATE + RATE // 2})
    rng, begins = np.random.default_rng(0), []
    for _ in range(20):
        excerpt = draw_excerpt(short, 1.0, rng, speed)
        found = read_excerpt(excerpt, "vocals", RATE, RATE)
        assert found.shape == (2, RATE)
        sounding = np.flatnonzero(np.abs(found[0]) > 0.02)
        assert len(sounding) == pytest.approx(RATE / 2 / speed, abs=20)
        assert np.ptp(sounding) + 1 == len(sounding)
        # Resampled, the edges ring a little.
        inside = found[0, sounding[20:-20]]
        assert inside.min() > RATE * 1e-5 - 1e-3 and inside.max() < 1.5 * RATE * 1e-5 + 1e-3
        begins.append(sounding[0])
    assert np.ptp(begins) > 0.2 * RATE


@pytest.mark.parametrize(("own_rate", "speed"), [(12000, 1.0), (12000, 0.9), (6000, 1.1)])
def test_rate_and_speed_change_in_one_go(tmp_path, own_rate, speed):
    excerpt = draw_excerpt(ramp(tmp_path, 1, own_rate), 0.5, np.random.default_rng(0), speed)
    found = read_excerpt(excerpt, "vocals", RATE // 2, RATE)
    places = excerpt.start + np.arange(RATE // 2) * speed * own_rate / RATE
    # Away from the cut edges, where the filter rings.
    np.testing.assert_allclose(found[:, 50:-50], [places[50:-50] * 1e-5] * 2, atol=2e-4)


def test_no_more_is_read_than_the_segment(tmp_path, monkeypatch):
    read, asked = audio.read, []
    monkeypatch.setattr(audio, "read", lambda *args: asked.append(args) or read(*args))
    excerpt = draw_excerpt(ramp(tmp_path), 0.25, np.random.default_rng(0))
    read_excerpt(excerpt, "vocals", RATE // 4, RATE)
    assert asked == [((excerpt.song.vocals), excerpt.start, RATE // 4)]
