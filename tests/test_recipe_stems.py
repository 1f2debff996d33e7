"""Folders of stems: what becomes of each kind of song, and of each kind of fault."""

import json
from pathlib import Path

import numpy as np
import pytest
from stem_folders import RATE, build, prepare, save, tone

from asteroid_karaoke import audio, manifest
from recipes import stems
from recipes.songs import split_of


@pytest.fixture
def corpus(tmp_path) -> Path:
    return build(tmp_path / "corpus")


def test_every_shape_of_song_gets_its_role(corpus, tmp_path):
    songs = prepare(corpus, tmp_path / "out")
    assert {name: song.role for name, song in songs.items()} == {
        "albums/one": "stems",
        "albums/two": "stems",
        "band": "stems",
        "voice_only/anna/solo": "vocals",
        "music_only/loop": "music",
    }
    assert [Path(source).stem for source in songs["band"].vocals] == ["Lead vocal"]
    assert {Path(source).stem for source in songs["band"].accompaniment} == {
        "drums",
        "bass",
        "guitar",
    }
    assert all(song.licence == "unknown" and song.weight == 1 for song in songs.values())


def test_a_finished_backing_is_not_summed_with_its_parts(corpus, tmp_path):
    save(corpus / "albums" / "one" / "drums.wav", tone(60))
    songs = prepare(corpus, tmp_path / "out")
    assert [Path(source).name for source in songs["albums/one"].accompaniment] == [
        "accompaniment.flac"
    ]


def test_decoded_stems_sound_like_the_sum_of_their_files(corpus, tmp_path):
    song = prepare(corpus, tmp_path / "out", decode=True)["band"]
    backing = sum(tone(frequency, level=0.1) for frequency in (60, 90, 200))
    (source,) = song.accompaniment
    assert audio.info(source).subtype == "PCM_16"
    np.testing.assert_allclose(audio.read(source), backing, atol=4 / 2**15)


def test_decoding_resamples_and_widens(tmp_path):
    root, mono = tmp_path / "corpus", tone(1000, rate=48000)[:1]
    save(root / "song" / "vocals.wav", mono, 48000)
    save(root / "song" / "accompaniment.wav", tone(100, rate=48000), 48000)
    song = prepare(root, tmp_path / "out", decode=True)["song"]
    assert (song.sample_rate, song.channels, song.frames) == (RATE, 2, RATE)
    middle = slice(RATE // 4, 3 * RATE // 4)
    expected = tone(1000)[:, middle]
    np.testing.assert_allclose(audio.read(song.vocals)[:, middle], expected, atol=1e-3)


def test_a_song_too_loud_for_pcm_is_turned_down_as_a_whole(tmp_path):
    root = tmp_path / "corpus"
    save(root / "song" / "vocals.wav", tone(440, level=0.5))
    for name in ("drums", "bass", "other"):
        save(root / "song" / f"{name}.wav", tone(100, level=0.6))
    song = prepare(root, tmp_path / "out", decode=True)["song"]
    peaks = {
        stem: np.abs(audio.read(getattr(song, stem))).max() for stem in ("vocals", "accompaniment")
    }
    assert peaks["accompaniment"] == pytest.approx(0.99, abs=1e-3)
    assert peaks["vocals"] / peaks["accompaniment"] == pytest.approx(0.5 / 1.8, rel=1e-3)


def test_silence_at_the_ends_is_outside_the_span(tmp_path):
    sound = np.concatenate([np.zeros((2, 5000)), tone(440), np.zeros((2, 7000))], axis=1)
    save(tmp_path / "corpus" / "voice_only" / "a.wav", sound)
    song = prepare(tmp_path / "corpus", tmp_path / "out")["voice_only/a"]
    assert song.start == pytest.approx(5000, abs=20)
    assert song.stop == pytest.approx(5000 + RATE, abs=300)
    assert song.frames == 12000 + RATE


def test_a_song_without_a_voice_is_music(corpus, tmp_path):
    save(corpus / "albums" / "one" / "vocals.wav", tone(440, level=0))
    song = prepare(corpus, tmp_path / "out")["albums/one"]
    assert (song.role, song.vocals) == ("music", None)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda song: (song / "vocals.wav").write_bytes(b"no sound"), "vocals.wav"),
        (lambda song: (song / "vocals.wav").write_bytes(b""), "is empty"),
        (lambda song: save(song / "vocals.wav", tone(440, 0.5)), "has frames 44100"),
        (
            lambda song: save(song / "vocals.wav", tone(440, rate=48000), 48000),
            "has sample_rate 44100",
        ),
        (lambda song: save(song / "vocals.wav", tone(440)[:1]), "channels"),
        (lambda song: save(song / "Vocals.flac", tone(440)), "there twice"),
        (lambda song: (song / "meta.json").write_text("{"), "is no JSON"),
        (
            lambda song: (song / "accompaniment.flac").rename(song / "mixture.flac"),
            "but no backing",
        ),
        (
            lambda song: [
                save(song / name, tone(1, level=0)) for name in ("vocals.wav", "accompaniment.flac")
            ],
            "is silent",
        ),
    ],
)
def test_a_bad_song_is_listed_and_the_rest_goes_on(corpus, tmp_path, caplog, spoil, reason):
    spoil(corpus / "albums" / "one")
    songs = prepare(corpus, tmp_path / "out")
    assert set(songs) == {"albums/two", "band", "voice_only/anna/solo", "music_only/loop"}
    (told,) = [
        record.getMessage() for record in caplog.records if "left out" in record.getMessage()
    ]
    assert "albums/one: " in told
    assert reason in told


def test_audio_outside_songs_and_pools_is_told(corpus, tmp_path, caplog):
    save(corpus / "mixtures" / "hit.wav", tone(440))
    save(corpus / "albums" / "two" / "._vocals.wav", tone(440))
    assert len(prepare(corpus, tmp_path / "out")) == 5
    assert "mixtures: 1 audio file(s) that are neither stems nor in a pool" in caplog.text


def test_nothing_to_use_is_an_error_with_the_reasons(tmp_path):
    save(tmp_path / "corpus" / "song" / "vocals.wav", tone(440, level=0))
    with pytest.raises(ValueError, match="no song can be used:\n  song: is silent"):
        stems.prepare_stems(tmp_path / "corpus", tmp_path / "out")
    with pytest.raises(FileNotFoundError, match="no folder at"):
        stems.prepare_stems(tmp_path / "nowhere", tmp_path / "out")
    with pytest.raises(ValueError, match="nothing is left to train on"):
        stems.prepare_stems(tmp_path / "corpus", tmp_path / "out", valid=0.5, test=0.5)


def test_licence_and_artist_come_from_the_index_and_the_song(corpus, tmp_path):
    (corpus / "albums" / "one" / "meta.json").write_text(json.dumps({"licence": "CC0-1.0"}))
    (corpus / "index.csv").write_text(
        "file,artist,licence\nmusic_only/loop.wav,Anna,CC-BY-4.0\nalbums/one,Berta,unclear\n"
    )
    entries = {entry.id: entry for entry in stems.find_songs(corpus)[0]}
    assert entries["albums/one"].licence == "CC0-1.0"
    assert entries["music_only/loop"].licence == "CC-BY-4.0"
    assert entries["music_only/loop"].key == "Anna"
    assert entries["voice_only/anna/solo"].key == "anna"
    (corpus / "index.csv").write_text("path\nloop.wav\n")
    with pytest.raises(ValueError, match="expected file among them"):
        stems.find_songs(corpus)


def test_decoded_songs_are_not_taken_for_songs(corpus):
    with pytest.raises(ValueError, match="decode to a folder outside"):
        stems.prepare_stems(corpus, corpus / "out", decode=True)


def test_a_song_more_or_less_moves_no_other():
    keys = [f"song {number}" for number in range(2000)]
    splits = [split_of(key, 0.1, 0.2) for key in keys]
    assert splits.count("valid") == pytest.approx(200, abs=45)
    assert splits.count("test") == pytest.approx(400, abs=60)
    # Frozen: another split would put songs that were trained on into somebody's test set.
    assert splits[:6] == ["train", "test", "test", "train", "train", "test"]


def test_a_folder_can_say_the_split(tmp_path):
    for folder in ("train", "validation", "test"):
        save(tmp_path / "corpus" / folder / "song" / "vocals.wav", tone(440))
    songs = prepare(tmp_path / "corpus", tmp_path / "out", valid=0, test=0)
    assert {name: song.split for name, song in songs.items()} == {
        "train/song": "train",
        "validation/song": "valid",
        "test/song": "test",
    }


@pytest.mark.parametrize(
    ("names", "vocals", "backing"),
    [
        (["vocals", "no_vocals"], {"vocals"}, {"no_vocals"}),
        (["vocals", "No Vocals", "drums", "bass"], {"vocals"}, {"No Vocals"}),
        (["vocals", "instrumental", "drums"], {"vocals"}, {"instrumental"}),
        (["vocals", "accompaniment", "instrumental"], {"vocals"}, {"accompaniment"}),
        (["vocals", "drums", "mix"], {"vocals"}, {"drums"}),
        (["vocals", "bass", "master", "mix"], {"vocals"}, {"bass"}),
        (["piano vox", "other"], {"piano vox"}, {"other"}),
    ],
)
def test_which_files_are_the_voice_and_which_the_backing(names, vocals, backing, tmp_path):
    for number, name in enumerate(names):
        save(tmp_path / "corpus" / "song" / f"{name}.wav", tone(100 + 50 * number, level=0.1))
    song = prepare(tmp_path / "corpus", tmp_path / "out")["song"]
    assert {Path(source).stem for source in song.vocals} == vocals
    assert {Path(source).stem for source in song.accompaniment} == backing


def test_a_voice_and_a_mix_are_no_song(tmp_path):
    for name in ("vocals", "mix"):
        save(tmp_path / "corpus" / "song" / f"{name}.wav", tone(100))
    with pytest.raises(ValueError, match="no backing: add accompaniment"):
        prepare(tmp_path / "corpus", tmp_path / "out")


def test_a_second_run_repeats_only_what_has_changed(corpus, tmp_path, monkeypatch):
    out = tmp_path / "out"
    first = prepare(corpus, out, decode=True)
    manifests = {path.name: path.read_bytes() for path in out.glob("*.jsonl")}
    written = {path: path.stat().st_mtime_ns for path in out.rglob("*.wav")}
    # What was cut off in the middle: one song's record is missing, one decoded file is.
    (out / "songs" / "band.json").unlink()
    Path(first["albums/two"].vocals[0]).unlink()
    save(corpus / "albums" / "one" / "vocals.wav", tone(441))
    assert prepare(corpus, out, decode=True) == first
    assert {path.name: path.read_bytes() for path in out.glob("*.jsonl")} == manifests
    again = {
        str(p.relative_to(out / "audio").parent)
        for p, t in written.items()
        if p.stat().st_mtime_ns > t
    }
    assert again == {"albums/one", "albums/two", "band"}


def test_two_processes_give_the_same_manifests(corpus, tmp_path):
    alone = prepare(corpus, tmp_path / "alone")
    together = prepare(corpus, tmp_path / "together", jobs=2)
    assert alone == together


def test_the_command_line_ends_in_words_and_not_in_a_traceback(corpus, tmp_path, capsys):
    storage = ["--storage_dir", str(tmp_path / "out")]
    assert stems.main(["download", *storage]) == 2
    assert "give --corpus_dir DIR" in capsys.readouterr().err
    assert stems.main(["download", *storage, "--corpus_dir", str(tmp_path / "nowhere")]) == 2
    assert "no folder at" in capsys.readouterr().err
    assert stems.main(["prepare", *storage]) == 2
    assert "run download" in capsys.readouterr().err
    assert stems.main(["download", *storage, "--corpus_dir", str(corpus)]) == 0
    assert stems.main(["prepare", *storage, "--valid", "0.2", "--jobs", "1"]) == 0
    assert sum(len(manifest.read(path)) for path in (tmp_path / "out").glob("*.jsonl")) == 5
