"""CCMixter: the checks of each song, the split, both steps, from a folder or its archive."""

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from test_recipe_archives import pack

from asteroid_karaoke import audio, manifest
from recipes import ccmixter, pairs

RATE = 44100
NAMES = [f"artist - song {number}" for number in range(12)]


def voice(number: int, seconds: float = 0.5) -> np.ndarray:
    """A bright tone, `(2, time)`, whole numbers of 16 bits."""
    time = np.arange(round(seconds * RATE)) / RATE
    tone = np.sin(2 * np.pi * (500 + 40 * number) * time) + np.sin(2 * np.pi * 2000 * time)
    return np.round(np.stack([tone, tone]) * 4000) / 2**15


def backing(number: int, seconds: float = 0.5) -> np.ndarray:
    """A bass with a little noise, `(2, time)`, whole numbers of 16 bits."""
    time = np.arange(round(seconds * RATE)) / RATE
    noise = np.random.default_rng(number).normal(0, 0.02, (2, time.size))
    return np.round((np.sin(2 * np.pi * 60 * time) + noise) * 8000) / 2**15


def save(path: Path, sound: np.ndarray, rate: int = RATE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, sound.T, rate)
    return path


def save_song(folder: Path, number: int, **changes: np.ndarray) -> Path:
    """A song's three files; ``mix``, ``backing`` and ``voice`` change what is in them."""
    parts = {"backing": backing(number), "voice": voice(number)} | changes
    mix = changes.get("mix", backing(number) + voice(number))
    save(folder / "mix.wav", mix)
    save(folder / "source-01.wav", parts["backing"])
    save(folder / "source-02.wav", parts["voice"])
    return folder


@pytest.fixture
def corpus(tmp_path) -> Path:
    root = tmp_path / "ccmixter_corpus"
    for number, name in enumerate(NAMES):
        save_song(root / name, number)
    return root


def prepare(corpus: Path, storage: Path, **options) -> dict[str, manifest.Song]:
    """All songs by their id, as the manifests give them back."""
    ccmixter.download_ccmixter(storage, corpus)
    ccmixter.prepare_ccmixter(storage, **options)
    read = [s for split in manifest.SPLITS for s in manifest.read(storage / f"{split}.jsonl")]
    return {song.id: song for song in read}


def remarks(storage: Path) -> dict[str, str]:
    with (storage / "pairs.csv").open(encoding="utf-8", newline="") as file:
        return {row["song"]: row["remark"] for row in csv.DictReader(file)}


# The corpus


def test_the_backing_is_source_01_and_the_voice_source_02(corpus, tmp_path):
    songs = prepare(corpus, tmp_path / "out")
    assert set(songs) == set(NAMES)
    for number, name in enumerate(NAMES):
        song = songs[name]
        assert song.role == "stems" and song.mixture is None
        np.testing.assert_allclose(audio.read(song.vocals), voice(number), atol=1e-6)
        np.testing.assert_allclose(audio.read(song.accompaniment), backing(number), atol=1e-6)
    (licence,) = json.loads((tmp_path / "out" / "licenses.json").read_text())
    assert licence == ccmixter.LICENSE
    assert set(licence) == {
        *("title", "title_link", "author", "author_link", "license", "license_link"),
        "non_commercial",
    }


def test_a_missing_or_a_new_song_moves_no_other(corpus, tmp_path):
    before = {name: song.split for name, song in prepare(corpus, tmp_path / "out").items()}
    # Frozen: another split would put songs that were trained on into somebody's test set.
    assert [n for n in range(12) if before[NAMES[n]] == "test"] == [2, 11]
    assert [n for n in range(12) if before[NAMES[n]] == "valid"] == [9]
    for file in (corpus / NAMES[3]).iterdir():
        file.unlink()
    save_song(corpus / "new", 99)
    after = {name: song.split for name, song in prepare(corpus, tmp_path / "out").items()}
    assert set(after) == set(NAMES) - {NAMES[3]} | {"new"}
    assert all(after[name] == before[name] for name in before if name in after)


def test_a_fifth_is_tested_and_a_tenth_of_the_rest_validated(tmp_path):
    for number in range(1500):
        folder = tmp_path / f"song {number}"
        folder.mkdir()
        for name in ("mix.wav", "source-01.wav", "source-02.wav"):
            (folder / name).touch()
    entries, faults = ccmixter.find_songs(tmp_path)
    splits = [entry.split for entry in entries]
    assert not faults
    assert splits.count("test") == pytest.approx(300, abs=50)
    assert splits.count("valid") == pytest.approx(120, abs=35)


def test_a_second_run_repeats_only_what_has_changed(corpus, tmp_path, monkeypatch):
    storage = tmp_path / "out"
    first = prepare(corpus, storage)
    manifests = {path.name: path.read_bytes() for path in storage.glob("*.*")}
    # What was cut off in the middle: of one song the record is missing, of one the checks.
    (storage / "songs" / f"{NAMES[0]}.json").unlink()
    (storage / "pairs" / f"{NAMES[1]}.json").unlink()
    save(corpus / NAMES[2] / "source-02.wav", voice(2) * 0.5)
    heard = []
    compare = pairs.compare
    monkeypatch.setattr(pairs, "compare", lambda *files: heard.append(files[0]) or compare(*files))
    assert prepare(corpus, storage) == first
    assert {file.parent.name for file in heard} == set(NAMES[:3])
    again = {path.name: path.read_bytes() for path in storage.glob("*.*")}
    manifests.pop("pairs.csv")
    assert {name: again[name] for name in manifests} == manifests


# The checks


def test_residual_and_level_of_the_mix_are_told(corpus, tmp_path, caplog):
    save_song(corpus / NAMES[0], 0, mix=0.5 * (backing(0) + voice(0)))
    noise = np.random.default_rng(0).normal(0, 0.05, voice(1).shape)
    save_song(corpus / NAMES[1], 1, mix=backing(1) + voice(1) + noise)
    caplog.set_level("INFO")
    prepare(corpus, tmp_path / "out")
    with (tmp_path / "out" / "pairs.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["song"]: row for row in csv.DictReader(file)}
    assert float(rows[NAMES[2]]["residual_db"]) < -90
    assert float(rows[NAMES[0]]["level_db"]) == pytest.approx(-6.02, abs=0.05)
    assert float(rows[NAMES[0]]["residual_db"]) < -60
    whole = backing(1) + voice(1)
    expected = 10 * np.log10((noise**2).mean() / ((noise + whole) ** 2).mean())
    assert float(rows[NAMES[1]]["residual_db"]) == pytest.approx(expected, abs=0.1)
    assert "not quite the sum" in rows[NAMES[1]]["remark"]
    assert f"{NAMES[2]}: residual -" in caplog.text


def test_a_swapped_pair_is_named_and_kept(corpus, tmp_path, caplog):
    save_song(corpus / NAMES[4], 4, backing=voice(4), voice=backing(4))
    songs = prepare(corpus, tmp_path / "out")
    told = {name: remark for name, remark in remarks(tmp_path / "out").items() if remark}
    assert set(told) == {NAMES[4]}
    assert "source-01.wav and source-02.wav seem to be swapped" in told[NAMES[4]]
    assert f"{NAMES[4]}: source-01.wav" in caplog.text
    assert songs[NAMES[4]].role == "stems"


def test_a_few_samples_more_are_cut_off(corpus, tmp_path):
    save_song(corpus / NAMES[5], 5, voice=voice(5, 0.55))
    song = prepare(corpus, tmp_path / "out")[NAMES[5]]
    assert song.frames == RATE // 2
    np.testing.assert_allclose(audio.read(song.vocals), voice(5), atol=1e-6)
    assert "stored once more" in remarks(tmp_path / "out")[NAMES[5]]
    assert Path(song.vocals[0]).is_relative_to(tmp_path / "out" / "audio")
    assert audio.info(corpus / NAMES[5] / "source-02.wav").frames > song.frames


def test_a_voice_of_one_channel_goes_to_both(corpus, tmp_path):
    save_song(corpus / NAMES[5], 5, voice=voice(5)[:1])
    song = prepare(corpus, tmp_path / "out")[NAMES[5]]
    np.testing.assert_allclose(audio.read(song.vocals), voice(5), atol=1e-6)


def test_a_song_without_a_voice_is_music(corpus, tmp_path):
    save_song(corpus / NAMES[5], 5, voice=0 * voice(5), mix=backing(5))
    song = prepare(corpus, tmp_path / "out")[NAMES[5]]
    assert (song.role, song.vocals) == ("music", None)
    assert "is silent" in remarks(tmp_path / "out")[NAMES[5]]


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda song: (song / "mix.wav").write_bytes(b"no sound"), "mix.wav"),
        (lambda song: (song / "source-02.wav").unlink(), "has no source-02.wav"),
        (lambda song: save(song / "source-02.wav", voice(0, 0.7)), "lengths differ by more than"),
        (lambda song: save(song / "source-02.wav", voice(0), 48000), "sample rates differ"),
        (lambda song: save(song / "mix.wav", voice(7)), "is not the sum of"),
        (lambda song: save(song / "mix.wav", 0 * voice(0)), "mix.wav is silent"),
        (
            lambda song: [
                save(song / name, 0 * voice(0)) for name in ("source-01.wav", "source-02.wav")
            ],
            "are silent",
        ),
        (
            lambda song: (song / "source-01.wav").write_bytes(
                (song / "source-01.wav").read_bytes()[:-9000]
            ),
            "is cut off",
        ),
    ],
)
def test_a_bad_song_is_listed_and_the_rest_goes_on(corpus, tmp_path, caplog, spoil, reason):
    spoil(corpus / NAMES[0])
    songs = prepare(corpus, tmp_path / "out")
    assert set(songs) == set(NAMES[1:])
    (told,) = [r.getMessage() for r in caplog.records if "left out" in r.getMessage()]
    assert f"{NAMES[0]}: " in told
    assert reason in told


def test_names_that_can_not_be_kept_apart_are_told(corpus, tmp_path):
    save_song(corpus / "more" / NAMES[0], 0)
    try:
        save_song(corpus / "more" / "x", 1).rename(corpus / "more" / os.fsdecode(b"caf\xe9"))
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    entries, faults = ccmixter.find_songs(corpus)
    assert {entry.id for entry in entries} == set(NAMES)
    assert sorted(fault.reason.split(":")[0] for fault in faults) == [
        f"is there twice, again in {corpus / 'more' / NAMES[0]}",
        "its name is no valid UTF-8",
    ]


# The command line


def test_without_a_corpus_it_says_where_to_get_it(tmp_path, capsys):
    assert ccmixter.main(["download", "--storage_dir", str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert "members.loria.fr/ALiutkus/kam" in told
    assert "--ccmixter_zip" in told and "--ccmixter_dir" in told
    assert ccmixter.main(["prepare", "--storage_dir", str(tmp_path)]) == 2
    assert "run download" in capsys.readouterr().err


def test_the_command_line_does_both_steps(corpus, tmp_path, capsys):
    storage = ["--storage_dir", str(tmp_path / "out")]
    both = ["--ccmixter_dir", str(corpus), "--ccmixter_zip", "x.zip"]
    assert ccmixter.main(["download", *storage, *both]) == 2
    assert "give one of them" in capsys.readouterr().err
    empty = tmp_path / "empty"
    empty.mkdir()
    assert ccmixter.main(["download", *storage, "--ccmixter_dir", str(empty)]) == 2
    assert "holds no folder with mix.wav" in capsys.readouterr().err
    assert ccmixter.main(["download", *storage, "--ccmixter_dir", str(corpus)]) == 0
    # Where it is stays known.
    assert ccmixter.main(["download", *storage]) == 0
    assert ccmixter.main(["prepare", *storage, "--jobs", "1"]) == 0
    assert sum(len(manifest.read(path)) for path in (tmp_path / "out").glob("*.jsonl")) == 12


# The archive


def test_the_archive_is_unpacked_and_used(corpus, tmp_path):
    files = sorted(path for path in corpus.rglob("*") if path.is_file())
    members = [(str(path.relative_to(tmp_path)), path.read_bytes()) for path in files]
    litter = [("__MACOSX/ccmixter_corpus/._mix.wav", b"x"), ("ccmixter_corpus/.DS_Store", b"x")]
    archive = pack(tmp_path / "corpus.zip", *members, *litter)
    folder = ccmixter.download_ccmixter(tmp_path / "out", ccmixter_zip=archive)
    assert folder == tmp_path / "out" / "corpus"
    unpacked = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*.wav")}
    assert unpacked == dict(members)
    assert not list(folder.rglob(".DS_Store"))
    assert len(ccmixter.find_songs(folder)[0]) == 12
