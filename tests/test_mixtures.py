"""Fresh mixtures, from songs whose stems are tones that tell which song they are of."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from asteroid_karaoke import audio, mixing
from asteroid_karaoke.datasets import EpochSampler, Mixing, RandomMixtures, VoiceAndNoise
from asteroid_karaoke.manifest import Song

RATE = 8000
SONGS = 4
PLAIN = dict.fromkeys(("original", "no_voice", "no_backing", "second_voice", "augmentation"), 0.0)


def voice_hertz(song: int) -> int:
    return 400 + 40 * song


def backing_hertz(song: int) -> int:
    return 1000 + 40 * song


def tone(hertz: float, level: float, seconds: float, rate: int, channels: int) -> np.ndarray:
    time = np.arange(round(seconds * rate)) / rate
    wave = level * np.sin(2 * np.pi * hertz * time)
    return np.repeat([wave], channels, axis=0).astype(np.float32)


@pytest.fixture(scope="module")
def songs(tmp_path_factory) -> list[Song]:
    """Four songs of 4 s: stereo, stereo, mono, and one at a higher rate."""
    folder = tmp_path_factory.mktemp("songs")
    made = []
    for number, (rate, channels) in enumerate([(RATE, 2), (RATE, 2), (RATE, 1), (48000, 2)]):
        paths = {"vocals": folder / f"v{number}.flac", "accompaniment": folder / f"a{number}.flac"}
        audio.write(
            paths["vocals"], tone(voice_hertz(number), 0.05, 4.0, rate, channels), rate, "PCM_24"
        )
        audio.write(
            paths["accompaniment"],
            tone(backing_hertz(number), 0.2, 4.0, rate, channels),
            rate,
            "PCM_24",
        )
        stems = {stem: str(path) for stem, path in paths.items()}
        made.append(
            Song(str(number), "train", "t", "stems", "CC0", rate, channels, 4 * rate, **stems)
        )
    return made


def only(songs: list[Song], stem: str) -> list[Song]:
    """The songs as a pool of voices, or of music."""
    role = {"vocals": "vocals", "accompaniment": "music"}[stem]
    facts = ("id", "split", "corpus", "licence", "sample_rate", "channels", "frames")
    return [
        Song(role=role, **{stem: getattr(s, stem)}, **{name: getattr(s, name) for name in facts})
        for s in songs
    ]


def mixtures(songs: list[Song], seed: int = 0, **changes) -> RandomMixtures:
    how = Mixing(**(PLAIN | changes))
    return RandomMixtures(songs, 0.25, 100, RATE, how, seed)


def song_of(stem: torch.Tensor, hertz) -> int | None:
    """Which song a stem is of; None for silence."""
    if not stem.any():
        return None
    strongest = int(torch.fft.rfft(stem[0]).abs().argmax()) * 4
    (found,) = [number for number in range(SONGS) if hertz(number) == strongest]
    return found


def pairs(dataset: RandomMixtures, number: int) -> list[tuple[int | None, int | None]]:
    """The songs of voice and backing of the first items."""
    items = (dataset[index][1] for index in range(number))
    return [(song_of(v, voice_hertz), song_of(a, backing_hertz)) for v, a in items]


def test_an_item_says_which_songs_it_is_made_of(songs):
    dataset = mixtures(songs, no_voice=0.2, augmentation=1.0)
    for index, (voice, backing) in enumerate(pairs(mixtures(songs, no_voice=0.2), 20)):
        parts = [f"accompaniment of {backing}"]
        parts += [] if voice is None else [f"vocals of {voice}"]
        plain = mixtures(songs, no_voice=0.2).describe(index)
        assert plain == f"item {index}: {' + '.join(parts)}"
        before = dataset[index][0]
        assert dataset.describe(index).startswith(f"item {index}: accompaniment of ")
        assert torch.equal(dataset[index][0], before)
    noise = VoiceAndNoise(only(songs, "vocals"), 0.25, 100, RATE, Mixing(no_backing=0.5))
    assert noise.describe(0).startswith("item 0: vocals of ")


def test_an_item_is_a_mixture_and_its_exact_parts(songs):
    for index in range(60):
        mixture, sources = mixtures(songs, original=0.3, no_voice=0.1, augmentation=1.0)[index]
        assert (mixture.shape, sources.shape) == ((2, RATE // 4), (2, 2, RATE // 4))
        assert mixture.dtype == sources.dtype == torch.float32
        assert torch.equal(mixture, sources[0] + sources[1])
        assert torch.isfinite(mixture).all()


def test_kinds_come_as_often_as_asked_for(songs):
    found = pairs(mixtures(songs, original=0.3, no_voice=0.2, no_backing=0.1), 600)
    shares = [
        sum(voice is None for voice, _ in found),
        sum(backing is None for _, backing in found),
        # Of the remixed, one in four meets its own backing.
        sum(voice is not None and voice == backing for voice, backing in found),
    ]
    assert np.array(shares) / 600 == pytest.approx([0.2, 0.1, 0.3 + 0.4 / SONGS], abs=0.05)


def test_every_voice_meets_every_backing(songs):
    assert len(set(pairs(mixtures(songs), 200))) == SONGS**2


def test_songs_without_stems_are_mixed_all_the_same(songs):
    pools = only(songs[:2], "vocals") + only(songs[2:], "accompaniment")
    assert set(pairs(mixtures(pools, original=1.0), 60)) == {(0, 2), (0, 3), (1, 2), (1, 3)}


def test_an_original_is_the_song_at_one_and_the_same_time(songs, tmp_path):
    ramp = np.arange(4 * RATE, dtype=np.float32) / (4 * RATE)
    paths = {"vocals": str(tmp_path / "v.wav"), "accompaniment": str(tmp_path / "a.wav")}
    for path, sign in zip(paths.values(), (1, -1), strict=True):
        audio.write(path, sign * np.stack([ramp, ramp]), RATE, "FLOAT")
    song = Song("ramp", "train", "t", "stems", "CC0", RATE, 2, 4 * RATE, **paths)
    starts = set()
    for index in range(20):
        mixture, sources = mixtures([song], original=1.0)[index]
        assert not mixture.any()
        assert torch.equal(sources[0], -sources[1])
        starts.add(float(sources[0, 0, 0]))
    assert len(starts) == 20


def test_levels_in_db_are_drawn_as_the_mixing_says(songs):
    dataset = mixtures(songs, level_mean=-4.0, level_std=3.0)
    found = [np.subtract(*map(mixing.level_db, dataset[i][1].numpy())) for i in range(300)]
    assert (np.mean(found), np.std(found)) == (
        pytest.approx(-4.0, abs=0.6),
        pytest.approx(3.0, abs=0.5),
    )


def test_shares_are_drawn_as_the_seed_project_drew_them(songs):
    dataset = mixtures(songs, level="share", share_mean=0.6, share_std=0.15)
    levels = [np.sqrt(np.square(dataset[i][1].numpy()).mean((1, 2))) for i in range(300)]
    shares = [voice / (voice + backing) for voice, backing in levels]
    assert (np.mean(shares), np.std(shares)) == (
        pytest.approx(0.6, abs=0.03),
        pytest.approx(0.15, abs=0.02),
    )
    # The backing's level is 0.2 / √2.
    np.testing.assert_allclose([sum(pair) for pair in levels], 0.2 / np.sqrt(2), rtol=0.03)


def test_shares_are_clipped(songs):
    dataset = mixtures(songs, level="share", share_mean=2.0, share_std=0.0)
    assert not dataset[0][1][1].any()


def test_a_second_voice_comes_on_top(songs):
    voices = [mixtures(songs, second_voice=1.0)[index][1][0, 0] for index in range(20)]
    strong = [int((spectrum > 0.1 * spectrum.max()).sum()) for spectrum in map(magnitudes, voices)]
    assert 2 in strong and max(strong) <= 2


def magnitudes(wave: torch.Tensor) -> torch.Tensor:
    return torch.fft.rfft(wave).abs()


def test_an_item_hangs_on_seed_and_index_alone(songs):
    first, again, other = (mixtures(songs, s, augmentation=1.0) for s in (0, 0, 1))
    for index in (0, 7, 10**6):
        assert torch.equal(first[index][1], again[index][1])
        assert not torch.equal(first[index][1], first[index + 1][1])
        assert not torch.equal(first[index][1], first[index + len(first)][1])
        assert not torch.equal(first[index][1], other[index][1])


@pytest.mark.parametrize("start", ["forkserver", "spawn"])
def test_workers_and_epochs(songs, start):
    """Whatever the number of workers: the same items, and others in another epoch."""
    dataset = mixtures(songs, original=0.3, augmentation=1.0)

    def epoch(number: int, workers: int) -> torch.Tensor:
        sampler = EpochSampler(6)
        sampler.set_epoch(number)
        context = start if workers else None
        loader = DataLoader(
            dataset, 2, sampler=sampler, num_workers=workers, multiprocessing_context=context
        )
        return torch.cat([sources for _, sources in loader])

    counts = (1, 2) if start == "forkserver" else (1,)
    alone = [epoch(number, 0) for number in (0, 1)]
    for workers in counts:
        for number in (0, 1):
            assert torch.equal(epoch(number, workers), alone[number])
    assert not any(torch.equal(a, b) for a in alone[0] for b in alone[1])


def test_other_rates_keep_their_pitch_and_mono_comes_on_both_channels(songs):
    found = set()
    for index in range(40):
        mixture, sources = mixtures(songs)[index]
        found.add(song_of(sources[0], voice_hertz))
        assert torch.equal(mixture[0], mixture[1])
    assert found == set(range(SONGS))


def test_a_silent_song_does_no_harm(songs, tmp_path):
    path = str(tmp_path / "silent.wav")
    audio.write(path, np.zeros((2, 4 * RATE), np.float32), RATE)
    silent = Song("silent", "train", "t", "vocals", "CC0", RATE, 2, 4 * RATE, vocals=path)
    pools = [silent, *only(songs, "accompaniment")]
    for how in ("db", "share"):
        dataset = mixtures(pools, level=how, second_voice=0.5, no_backing=0.2, augmentation=1.0)
        for index in range(40):
            mixture, sources = dataset[index]
            assert torch.isfinite(mixture).all()
            assert not sources[0].any()


def test_pauses_are_passed_over(songs, tmp_path):
    """The voice sings one second in four."""
    path = str(tmp_path / "pauses.wav")
    sung = tone(voice_hertz(0), 0.1, 4.0, RATE, 2)
    sung[:, RATE:] = 0
    audio.write(path, sung, RATE)
    voice = Song("v", "train", "t", "vocals", "CC0", RATE, 2, 4 * RATE, vocals=path)
    dataset = mixtures([voice, *only(songs, "accompaniment")])
    # A place is drawn four times at most: 0.7 ^ 4 of the items stay silent.
    silent = np.mean([not dataset[index][1][0].any() for index in range(200)])
    assert silent == pytest.approx(0.7**4, abs=0.08)


def test_no_augmentation_leaves_the_file_as_it_is(songs):
    mono = only(songs[:1], "vocals") + only(songs[:1], "accompaniment")
    dataset = mixtures(mono, no_voice=1.0)
    whole = audio.read(songs[0].accompaniment)
    for index in range(5):
        backing = dataset[index][1][1].numpy()
        match = [np.array_equal(whole[:, s : s + 2000], backing) for s in range(3 * RATE)]
        assert sum(match) >= 1


@pytest.mark.parametrize("stem", ["vocals", "accompaniment"])
def test_what_is_missing_is_named(songs, stem):
    other = "accompaniment" if stem == "vocals" else "vocals"
    with pytest.raises(ValueError, match=f"none of 4 songs has {stem}"):
        mixtures(only(songs, other))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"original": 0.9, "no_voice": 0.2}, r"add up to 1\.1"),
        ({"no_voice": -0.1}, "no_voice is -0.1"),
        ({"augmentation": 2.0}, "augmentation is 2.0"),
        ({"level_std": -1.0}, "level_std is -1.0"),
        ({"level": "loud"}, "'loud', expected one of db, share"),
    ],
)
def test_a_mixing_that_can_not_be_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        Mixing(**changes)


@pytest.mark.parametrize("segment", [0.0, -1.0, float("nan")])
def test_a_segment_has_a_length(songs, segment):
    with pytest.raises(ValueError, match="expected more than 0"):
        RandomMixtures(songs, segment)


def test_it_ends_when_one_goes_through_it(songs):
    assert len(list(RandomMixtures(songs, 0.1, 3, RATE))) == 3


def test_pretraining_has_noise_for_a_backing(songs):
    """Broad, where a backing would be a tone; the voice is the target."""
    dataset = VoiceAndNoise(only(songs, "vocals"), 0.25, 100, RATE, Mixing(**PLAIN))
    levels = []
    for index in range(60):
        mixture, (voice, noise) = dataset[index]
        assert song_of(voice, voice_hertz) is not None
        spectrum = magnitudes(noise[0]).numpy()[5:]
        assert np.median(spectrum) > 1e-3 * spectrum.max()  # brown noise falls off steeply
        assert torch.equal(mixture, voice + noise)
        levels.append(mixing.level_db(voice.numpy()) - mixing.level_db(noise.numpy()))
    assert np.std(levels) == pytest.approx(Mixing().level_std, abs=1.5)


def test_pretraining_uses_no_backing_where_there_is_one(songs, monkeypatch):
    asked = []
    read = audio.read
    monkeypatch.setattr(audio, "read", lambda *a, **k: asked.append(a[0]) or read(*a, **k))
    dataset = VoiceAndNoise(songs, 0.25, 100, RATE, Mixing(original=0.5))
    for index in range(20):
        dataset[index]
    assert {Path(source).name[0] for (source,) in asked} == {"v"}
