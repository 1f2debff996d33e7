"""MUSDB18: both forms, the official splits, and decoding; on an excerpt that is installed."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asteroid_karaoke import audio, manifest
from recipes import musdb18

RATE = 44100
#: On the official list of songs to validate on.
HELD_OUT = "ANiMAL - Rockshow"


def save_hq(folder: Path, level: float = 0.1, leave_out: str = "") -> Path:
    """A song of MUSDB18-HQ, its stems told apart by their frequencies."""
    folder.mkdir(parents=True)
    time = np.arange(RATE // 4) / RATE
    for number, name in enumerate(("mixture", "drums", "bass", "other", "vocals"), start=1):
        if name != leave_out:
            tone = level * np.sin(2 * np.pi * 100 * number * time)
            soundfile.write(folder / f"{name}.wav", np.stack([tone, tone], axis=1), RATE)
    return folder


@pytest.fixture
def corpus(tmp_path, stempeg_excerpt) -> Path:
    """Two songs to train on, of which one to validate on, in two forms; one to test on."""
    root = tmp_path / "musdb18"
    (root / "train").mkdir(parents=True)
    (root / "train" / "A - Song.stem.mp4").symlink_to(stempeg_excerpt)
    save_hq(root / "train" / HELD_OUT)
    save_hq(root / "test" / "B - Song")
    (root / "test" / ".hidden").mkdir()
    (root / "README.md").touch()
    return root


def prepare(corpus: Path, storage: Path, **options) -> dict[str, manifest.Song]:
    """All songs by their id, as the manifests give them back."""
    musdb18.download_musdb18(storage, corpus)
    musdb18.prepare_musdb18(storage, **options)
    read = [s for split in manifest.SPLITS for s in manifest.read(storage / f"{split}.jsonl")]
    return {song.id: song for song in read}


def test_both_forms_become_songs_with_their_official_splits(corpus, tmp_path, stempeg_excerpt):
    songs = prepare(corpus, tmp_path / "out")
    assert {name: (song.split, song.role) for name, song in songs.items()} == {
        "A - Song": ("train", "stems"),
        HELD_OUT: ("valid", "stems"),
        "B - Song": ("test", "stems"),
    }
    song = songs["A - Song"]
    stems = [audio.read(f"{stempeg_excerpt}#stream={number}") for number in range(5)]
    np.testing.assert_array_equal(audio.read(song.vocals), stems[4])
    np.testing.assert_allclose(
        audio.read(song.accompaniment), stems[1] + stems[2] + stems[3], atol=1e-6
    )
    backing = audio.read(songs["B - Song"].accompaniment)
    expected = sum(
        audio.read(corpus / "test" / "B - Song" / f"{name}.wav") for name in musdb18.BACKING
    )
    np.testing.assert_allclose(backing, expected, atol=1e-6)
    (licence,) = json.loads((tmp_path / "out" / "licenses.json").read_text())
    assert licence["non_commercial"] is True


def test_the_official_list_has_fourteen_songs_and_they_count_in_train_alone(tmp_path):
    layout = musdb18._layout()
    assert len(layout["validation_tracks"]) == 14
    for name in layout["validation_tracks"]:
        save_hq(tmp_path / "train" / name)
    save_hq(tmp_path / "test" / HELD_OUT.lower())
    entries, faults = musdb18.find_songs(tmp_path)
    assert not faults
    assert [entry.split for entry in entries] == ["valid"] * 14 + ["test"]


def test_decoding_stores_two_files_a_song(corpus, tmp_path):
    songs = prepare(corpus, tmp_path / "out", decode=True)
    plain = prepare(corpus, tmp_path / "plain")
    for name, song in songs.items():
        assert len(song.accompaniment) == 1
        assert audio.info(song.vocals[0]).subtype == "PCM_16"
        told, heard = audio.read(plain[name].accompaniment), audio.read(song.accompaniment)
        # Turned down as a whole, where the sum clips.
        gain = min(1.0, 0.99 / np.abs(told).max())
        np.testing.assert_allclose(heard, gain * told, atol=4 / 2**15)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda root: (root / "test" / "B - Song" / "bass.wav").unlink(), "has no bass.wav"),
        (
            lambda root: [
                (root / "test" / "B - Song" / "bass.wav").write_bytes(b"no sound"),
            ],
            "bass.wav is not audio",
        ),
        (
            lambda root: [
                shutil.rmtree(root / "test" / "B - Song"),
                (root / "test" / "B - Song.stem.mp4").write_bytes(b"no sound"),
            ],
            "B - Song.stem.mp4",
        ),
    ],
)
def test_a_bad_song_is_listed_and_the_rest_goes_on(corpus, tmp_path, caplog, spoil, reason):
    spoil(corpus)
    assert set(prepare(corpus, tmp_path / "out")) == {"A - Song", HELD_OUT}
    assert "B - Song: " in caplog.text and reason in caplog.text
    assert "no song fell to test" in caplog.text


def test_a_song_in_both_forms_is_told(corpus):
    save_hq(corpus / "train" / "A - Song")
    _, faults = musdb18.find_songs(corpus)
    (told,) = faults
    assert "is there twice" in told.reason


def test_the_command_line_says_where_to_get_it_and_does_both_steps(corpus, tmp_path, capsys):
    storage = ["--storage_dir", str(tmp_path / "out")]
    assert musdb18.main(["download", *storage]) == 2
    assert "zenodo.1117372" in capsys.readouterr().err
    assert musdb18.main(["download", *storage, "--musdb18_dir", str(corpus / "train")]) == 2
    assert "holds no songs in train or test" in capsys.readouterr().err
    assert musdb18.main(["download", *storage, "--musdb18_dir", str(corpus)]) == 0
    assert musdb18.main(["prepare", *storage]) == 0
    assert len(manifest.read(tmp_path / "out" / "valid.jsonl")) == 1
    shutil.rmtree(corpus)
    assert musdb18.main(["prepare", *storage]) == 2
    assert "no longer at" in capsys.readouterr().err
