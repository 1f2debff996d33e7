import json
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from asteroid.models import publisher
from torch.utils.data import DataLoader

from asteroid_karaoke import KaraokeNet, audio, manifest
from asteroid_karaoke.datasets import (
    LICENSE_KEYS,
    CCMixterDataset,
    Mixing,
    MUSDB18Vocals,
    RandomMixtures,
    SongDataset,
    StemFolder,
    WeightedUnion,
    YouTubeMixtures,
    read_licenses,
)
from asteroid_karaoke.manifest import Song

RATE = 8000
CORPORA = (CCMixterDataset, MUSDB18Vocals, StemFolder)
LICENSE = {
    "title": "Noise",
    "title_link": "https://example.org/noise",
    "author": "Nobody",
    "author_link": "https://example.org/nobody",
    "license": "CC0",
    "license_link": "https://creativecommons.org/publicdomain/zero/1.0/",
    "non_commercial": False,
}


def make_song(
    folder: Path,
    name: str,
    split: str = "train",
    role: str = "stems",
    rate: int = RATE,
    channels: int = 2,
    seconds: float = 2.0,
    **facts,
) -> Song:
    """A song of noise; the backing is the louder stem."""
    length = round(seconds * rate)
    rng = np.random.default_rng(len(name) + length)
    stems = {"vocals": 0.05, "accompaniment": 0.2}
    if role != "stems":
        stems.pop("accompaniment" if role == "vocals" else "vocals")
    paths = {stem: str(folder / f"{name}-{stem}.wav") for stem in stems}
    for stem, level in stems.items():
        noise = level * rng.standard_normal((channels, length))
        audio.write(paths[stem], np.clip(noise, -1, 1).astype(np.float32), rate, "FLOAT")
    return Song(name, split, "test", role, "CC0", rate, channels, length, **paths, **facts)


@pytest.fixture
def corpus(tmp_path) -> Path:
    """What a recipe leaves behind, with all roles in the training set."""
    songs = {
        "train": [
            make_song(tmp_path, "a"),
            make_song(tmp_path, "b", role="vocals", channels=1),
            make_song(tmp_path, "c", role="music", rate=12000),
        ],
        "valid": [make_song(tmp_path, "d", "valid", seconds=1.25)],
        "test": [make_song(tmp_path, "e", "test"), make_song(tmp_path, "f", "test", seconds=1.0)],
    }
    for split, members in songs.items():
        manifest.write(members, tmp_path / f"{split}.jsonl")
    (tmp_path / "licenses.json").write_text(json.dumps([LICENSE]))
    return tmp_path


def is_item(item, frames: int) -> bool:
    """Whether an item keeps the contract."""
    mixture, sources = item
    return (
        (mixture.shape, sources.shape) == ((2, frames), (2, 2, frames))
        and mixture.dtype == sources.dtype == torch.float32
        and torch.equal(mixture, sources[0] + sources[1])
        and bool(torch.isfinite(sources).all())
    )


def test_a_song_comes_whole_and_unchanged(tmp_path):
    song = make_song(tmp_path, "a")
    (item,) = SongDataset([song], RATE)
    assert is_item(item, 2 * RATE)
    for source, stem in zip(item[1], ("vocals", "accompaniment"), strict=True):
        np.testing.assert_array_equal(source, audio.read(getattr(song, stem)))


def test_only_the_span_of_a_song_is_given(tmp_path):
    song = make_song(tmp_path, "a", start=1000, stop=9000)
    (item,) = SongDataset([song], RATE)
    np.testing.assert_array_equal(item[1][0], audio.read(song.vocals)[:, 1000:9000])


@pytest.mark.parametrize(("rate", "channels"), [(48000, 2), (44100, 1), (6000, 1)])
def test_other_rates_and_mono_come_as_asked_for(tmp_path, rate, channels):
    song = make_song(tmp_path, "a", rate=rate, channels=channels, seconds=0.5)
    (item,) = SongDataset([song], 44100)
    assert is_item(item, 22050)
    whole = audio.resample(audio.read(song.vocals), rate, 44100)
    np.testing.assert_allclose(item[1][0], np.broadcast_to(whole, (2, 22050)), atol=1e-6)


def test_songs_without_stems_are_left_out(tmp_path):
    songs = [make_song(tmp_path, "a", role="vocals"), make_song(tmp_path, "b")]
    assert [song.id for song in SongDataset(songs, RATE).songs] == ["b"]
    with pytest.raises(ValueError, match="none of 1 songs has stems"):
        SongDataset(songs[:1], RATE)


@pytest.mark.parametrize("own_rate", [RATE, 12000])
def test_pieces_together_are_the_song(tmp_path, own_rate):
    span = {"start": own_rate // 5, "stop": own_rate}
    first = make_song(tmp_path, "a", rate=own_rate, seconds=1.2, **span)
    songs = [first, make_song(tmp_path, "bb", seconds=0.6)]
    dataset = SongDataset(songs, RATE, segment=0.3)
    assert len(dataset) == 3 + 2
    assert all(is_item(item, 2400) for item in dataset)
    last = torch.cat([dataset[index][1] for index in (3, 4)], dim=-1)
    assert torch.equal(last, SongDataset(songs, RATE)[1][1])
    whole = SongDataset(songs, RATE)[0][1]
    pieces = torch.cat([dataset[index][1] for index in (0, 1, 2)], dim=-1)
    assert not pieces[..., whole.shape[-1] :].any(), "sound from outside the song"
    if own_rate == RATE:
        assert torch.equal(pieces[..., : whole.shape[-1]], whole)
    else:
        # Alike but at the cuts, where the resampler does not know what comes.
        error = (pieces[..., : whole.shape[-1]] - whole).abs()
        assert error.median() < 1e-5


def test_an_index_beyond_the_end_is_one(tmp_path):
    dataset = SongDataset([make_song(tmp_path, "a")], RATE, segment=1.0)
    assert torch.equal(dataset[-1][1], dataset[1][1])
    with pytest.raises(IndexError):
        dataset[2]


@pytest.mark.parametrize("kind", CORPORA)
def test_a_corpus_is_remixed_to_train_on_and_whole_to_test_on(corpus, kind):
    train_set = kind(corpus, "train", RATE, segment=0.5, length=5)
    assert len(train_set) == 5
    assert all(is_item(train_set[index], RATE // 2) for index in (0, 1, 2, 123456))
    test_set = kind(corpus, "test", sample_rate=RATE)
    assert len(test_set) == 2
    assert is_item(test_set[0], 2 * RATE) and is_item(test_set[1], RATE)
    with pytest.raises(IndexError):
        test_set[2]


def test_how_a_corpus_is_mixed_can_be_said(corpus):
    whole = StemFolder(corpus, "train", RATE, mixture="original")
    assert (len(whole), is_item(whole[0], 2 * RATE)) == (1, True)
    pieces = StemFolder(corpus, "train", RATE, 0.5, "original")
    assert (len(pieces), is_item(pieces[3], RATE // 2)) == (4, True)
    backing = StemFolder(corpus, "train", RATE, 0.5, mixing=Mixing(0.0, 1.0, 0.0))
    assert not backing[0][1][0].any()
    first, second = (StemFolder(corpus, "train", RATE, 0.5, seed=seed) for seed in (0, 1))
    assert not torch.equal(first[0][0], second[0][0])


@pytest.mark.parametrize(
    ("kind", "corpus"),
    [(CCMixterDataset, "ccmixter"), (MUSDB18Vocals, "musdb18"), (YouTubeMixtures, "youtube")],
)
def test_a_corpus_is_mixed_as_its_recipe_does(kind, corpus):
    path = Path(__file__).parents[1] / "egs" / corpus / "KaraokeNet" / "local" / "conf.yml"
    data = yaml.safe_load(path.read_text())["data"]
    names = [field.name for field in fields(Mixing)]
    assert Mixing(**{name: data[name] for name in names}) == kind.MIXING


def test_videos_are_mixed_by_the_share_of_the_voice(corpus):
    """Voices and backings are noise here, so a share is one of levels."""
    train_set = YouTubeMixtures(corpus, "train", RATE, segment=0.5)
    plain = replace(train_set.MIXING, no_voice=0.0, no_backing=0.0, augmentation=0.0)
    assert (plain.level, plain.original) == ("share", 0.0)
    mixed = YouTubeMixtures(corpus, "train", RATE, segment=0.5, mixing=plain)
    levels = torch.stack([mixed[i][1].square().mean((1, 2)).sqrt() for i in range(60)])
    assert (levels[:, 0] / levels.sum(1)).mean() == pytest.approx(0.6, abs=0.06)
    assert len(YouTubeMixtures(corpus, "test", RATE)) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"split": "dev"}, "split is 'dev', expected one of train, valid, test"),
        ({"segment": None}, "segment is None"),
        ({"segment": 0.0}, "segment is 0.0 s"),
        ({"segment": 1e-5}, "segment is 1e-05 s, expected more than 0: at least a sample"),
        ({"mixture": "fresh"}, "mixture is 'fresh', expected remix or original"),
    ],
)
def test_what_a_corpus_can_not_be(corpus, arguments, message):
    with pytest.raises(ValueError, match=message):
        StemFolder(corpus, **({"segment": 1.0} | arguments))


def test_a_folder_that_no_recipe_has_prepared(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"train\.jsonl: run the recipe's stage 1"):
        StemFolder(tmp_path, segment=1.0)


def test_licences_are_complete(corpus):
    infos = MUSDB18Vocals(corpus, segment=1.0).get_infos()
    assert infos == {
        "dataset": "MUSDB18",
        "task": "singing_voice_separation",
        "licenses": [LICENSE],
    }
    assert [kind.dataset_name for kind in CORPORA] == ["CCMixter", "MUSDB18", "stems"]


def test_asteroids_publisher_takes_them(corpus):
    model = KaraokeNet(size="tiny").serialize() | CCMixterDataset(corpus, "valid").get_infos()
    model["infos"] |= {"training_config": {"data": {}}, "recipe_name": "r", "final_metrics": {}}
    publisher._populate_publishable(model, uploader="Somebody", git_username="somebody")
    assert "CCMixter" in publisher.make_metadata_from_model(model)["description"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is no JSON"),
        ("[]", "no list of licences"),
        ('{"title": "x"}', "no list of licences"),
        ("[3]", "no list of licences"),
        (
            json.dumps([{k: v for k, v in LICENSE.items() if k != "title_link"}]),
            "'Noise' lacks title_link",
        ),
    ],
)
def test_licences_that_the_publisher_would_fail_on(tmp_path, content, message):
    (tmp_path / "licenses.json").write_text(content)
    with pytest.raises(ValueError, match=message):
        read_licenses(tmp_path)


def test_missing_licences_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"licenses\.json: run the recipe's stage 1"):
        read_licenses(tmp_path)
    assert set(LICENSE_KEYS) == set(LICENSE)


class Constant:
    """Items that tell whose they are, and their index."""

    sample_rate = RATE
    dataset_name = "constant"

    def __init__(self, value: float, length: int, endless: bool = False):
        self.value, self.length, self.endless = value, length, endless

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int):
        assert self.endless or index < self.length
        return torch.tensor(self.value), torch.tensor(index)

    def get_infos(self) -> dict:
        return {"dataset": self.dataset_name, "task": "t", "licenses": [LICENSE]}


def test_a_union_draws_by_weight():
    union = WeightedUnion([Constant(0.0, 3), Constant(1.0, 5, True)], [1.0, 3.0])
    assert len(union) == 8
    values, indices = torch.tensor([[float(x) for x in union[i]] for i in range(2000)]).T
    assert values.mean() == pytest.approx(0.75, abs=0.04)
    # Any item of the one that ends; of the endless one, that of the index.
    assert set(indices[values == 0].tolist()) == {0, 1, 2}
    assert torch.equal(indices[values == 1], torch.arange(2000.0)[values == 1])


def test_a_union_hangs_on_seed_and_index_alone():
    parts = [Constant(0.0, 99), Constant(1.0, 99)]
    first, again, other = (WeightedUnion(parts, [1, 1], 10, seed) for seed in (0, 0, 1))
    drawn = [[union[index] for index in range(20)] for union in (first, again, other)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_the_choice_of_a_part_says_nothing_of_what_the_part_draws(tmp_path):
    """Both have the same seed, and must not draw the same numbers."""
    songs = [make_song(tmp_path, "a", seconds=1.0)]
    how = Mixing(original=0.0, no_voice=0.5, no_backing=0.0, augmentation=0.0)
    part = RandomMixtures(songs, 0.1, 100, RATE, how)
    union = WeightedUnion([part, Constant(0.0, 9, True)], [1.0, 1.0])
    voiced = [
        bool(sources[0].any()) for _, sources in map(union.__getitem__, range(200)) if sources.ndim
    ]
    assert np.mean(voiced) == pytest.approx(0.5, abs=0.12)


def test_a_union_of_corpora(corpus):
    parts = [
        CCMixterDataset(corpus, segment=0.5, sample_rate=RATE),
        MUSDB18Vocals(corpus, mixture="original", segment=0.5, sample_rate=RATE),
    ]
    union = WeightedUnion(parts, [0.5, 0.5], length=12)
    batches = list(DataLoader(union, 4, num_workers=1, multiprocessing_context="forkserver"))
    assert [mixture.shape for mixture, _ in batches] == [(4, 2, RATE // 2)] * 3
    assert union.get_infos()["dataset"] == "CCMixter + MUSDB18"
    assert union.get_infos()["licenses"] == [LICENSE]


@pytest.mark.parametrize("weights", [[1.0], [1.0, -1.0], [0.0, 0.0], [1.0, 1.0, 1.0]])
def test_weights_that_can_not_be(weights):
    with pytest.raises(ValueError, match="expected a weight"):
        WeightedUnion([Constant(0.0, 3), Constant(1.0, 5)], weights)


def test_parts_of_one_rate():
    other = Constant(1.0, 5)
    other.sample_rate = 44100
    with pytest.raises(ValueError, match=r"\[8000, 44100\] Hz"):
        WeightedUnion([Constant(0.0, 3), other], [1, 1])
