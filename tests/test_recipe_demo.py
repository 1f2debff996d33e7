"""The demo corpus: whole, reproducible, resumable, and with the real song read in place."""

import itertools
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from asteroid_karaoke import audio, manifest
from recipes import demo
from recipes.synth import dsp

#: A corpus of four songs of 1 s.
SMALL = {"train": (2, 1.0), "valid": (1, 1.0), "test": (1, 1.0)}


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(demo, "SONGS", SMALL)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    """A finished corpus, not to be changed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo, "SONGS", SMALL)
        storage_dir = tmp_path_factory.mktemp("demo")
        demo.prepare_demo(demo.download_demo(storage_dir, jobs=1), storage_dir)
    return storage_dir


def contents(corpus_dir: Path) -> dict[str, bytes]:
    files = (path for path in corpus_dir.rglob("*") if path.is_file())
    return {str(path.relative_to(corpus_dir)): path.read_bytes() for path in files}


def times(corpus_dir: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in corpus_dir.rglob("*.flac")}


def songs(corpus: Path) -> list[manifest.Song]:
    return [song for split in demo.SPLITS for song in manifest.read(corpus / f"{split}.jsonl")]


def synthetic(corpus: Path) -> list[manifest.Song]:
    return [song for song in songs(corpus) if song.corpus == "demo"]


def stems(song: manifest.Song) -> tuple[np.ndarray, np.ndarray]:
    length = song.stop - song.start
    return tuple(
        audio.read(sources, song.start, length) for sources in (song.vocals, song.accompaniment)
    )


def level(ratio: float) -> float:
    return 20 * float(np.log10(ratio))


def kill_after(monkeypatch, count: int) -> None:
    """Break the making of songs off after some of them."""
    write, calls = demo._write_song, itertools.count()

    def write_or_die(*args):
        if next(calls) == count:
            raise KeyboardInterrupt
        write(*args)

    monkeypatch.setattr(demo, "_write_song", write_or_die)


# Manifests


def test_manifests_are_valid_and_the_songs_are_as_promised(corpus):
    for split, (count, seconds) in SMALL.items():
        found = manifest.read(corpus / f"{split}.jsonl")
        manifest.validate(found)
        members = [song for song in found if song.corpus == "demo"]
        assert len(members) == count
        for song in members:
            assert (song.split, song.role, song.mixture) == (split, "stems", None)
            assert (song.sample_rate, song.channels) == (44100, 2)
            assert song.frames == seconds * 44100
            assert song.licence == "CC0 1.0"
            assert {audio.info(source).subtype for _, source in song.sources()} == {"PCM_16"}
    assert len({song.id for song in songs(corpus)}) == 5


def test_the_corpus_can_be_moved(corpus, tmp_path):
    moved = tmp_path / "moved"
    moved.mkdir()
    for path in corpus.iterdir():
        (moved / path.name).symlink_to(path)
    for song in manifest.read(moved / "train.jsonl"):
        assert all(Path(source).is_relative_to(moved.resolve()) for _, source in song.sources())


def test_preparing_is_pure(corpus, tmp_path):
    before = contents(corpus)
    returned = demo.prepare_demo(corpus / "demo-0", tmp_path)
    for split in demo.SPLITS:
        assert manifest.read(tmp_path / f"{split}.jsonl") == returned[split]
        assert manifest.read(corpus / f"{split}.jsonl") == returned[split]
    assert contents(corpus) == before


def test_the_licences_are_complete_as_asteroid_wants_them(corpus):
    keys = {"title", "title_link", "author", "author_link", "license", "license_link"}
    for licence in (demo.LICENSE, demo.EXCERPT_LICENSE):
        assert set(licence) == {*keys, "non_commercial"}
        assert all(licence[key] for key in keys)
    assert json.loads((corpus / "licenses.json").read_text(encoding="utf-8")) == [demo.LICENSE]
    assert demo.EXCERPT_LICENSE["non_commercial"] and not demo.LICENSE["non_commercial"]


# Sound


def test_no_stem_and_no_sum_is_clipped_and_all_of_them_sound(corpus):
    for song in synthetic(corpus):
        vocals, accompaniment = stems(song)
        for sound in (vocals, accompaniment, vocals + accompaniment):
            assert np.isfinite(sound).all()
            assert 0.1 < np.abs(sound).max() < 0.96 or sound is vocals
            assert dsp.rms(sound) > 1e-3


def test_the_voice_stands_in_its_range_over_the_backing(corpus):
    low, high = demo.VOICE_LEVEL
    for song in synthetic(corpus):
        vocals, accompaniment = stems(song)
        over = level(dsp.active_rms(vocals, 44100) / dsp.rms(accompaniment))
        assert low - 0.5 < over < high + 0.5


def test_files_hold_what_was_composed(corpus):
    (song,) = (song for song in synthetic(corpus) if song.split == "valid")
    composed = demo.make_song(0, "valid", 0, 1.0)
    assert np.abs(np.stack(stems(song)) - composed).max() < 2**-15


def test_no_song_is_another(corpus):
    """Above all no test song a training song."""
    for one, other in itertools.combinations(synthetic(corpus), 2):
        for mine, theirs in zip(stems(one), stems(other), strict=True):
            spectra = np.fft.rfft(mine[0], 2**18), np.fft.rfft(theirs[0], 2**18)
            aligned = np.abs(np.fft.irfft(spectra[0] * spectra[1].conj())).max()
            assert aligned < 0.6 * np.sqrt(np.square(mine[0]).sum() * np.square(theirs[0]).sum())


# Making it


def test_the_seed_alone_decides(corpus, tmp_path, monkeypatch):
    """Not the number of processes, and not what was made before."""
    monkeypatch.setattr(demo, "SONGS", {"train": SMALL["train"]})
    again = demo.download_demo(tmp_path, seed=0, jobs=2)
    assert contents(again / "train") == contents(corpus / "demo-0" / "train")
    song = demo.make_song(0, "train", 0, 1.0)
    for other in ((1, "train", 0), (0, "test", 0), (0, "train", 1)):
        assert not np.allclose(song, demo.make_song(*other, 1.0), atol=1e-2)


def test_a_finished_corpus_is_left_alone(corpus, monkeypatch):
    kill_after(monkeypatch, 0)
    before = times(corpus)
    assert demo.download_demo(corpus, jobs=1) == corpus / "demo-0"
    assert times(corpus) == before


def test_a_killed_run_goes_on_where_it_stopped(corpus, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        kill_after(patch, 2)
        with pytest.raises(KeyboardInterrupt):
            demo.download_demo(tmp_path, jobs=1)
    corpus_dir = tmp_path / "demo-0"
    assert not (corpus_dir / ".completed").exists()
    with pytest.raises(FileNotFoundError, match=r"no complete demo corpus.*download_demo"):
        demo.prepare_demo(corpus_dir, tmp_path)
    kept = times(corpus_dir)
    assert len(kept) == 4
    demo.download_demo(tmp_path, jobs=1)
    assert kept.items() <= times(corpus_dir).items()
    assert contents(corpus_dir) == contents(corpus / "demo-0")


def test_lost_and_broken_files_are_made_anew_and_no_others(corpus, tmp_path):
    corpus_dir = tmp_path / "demo-0"
    shutil.copytree(corpus / "demo-0", corpus_dir)
    whole = corpus_dir / "valid" / "demo-0-valid-00"
    kept = {path: time for path, time in times(corpus_dir).items() if whole in path.parents}
    lost, cut = (corpus_dir / "train" / f"demo-0-train-{i:02d}" for i in (0, 1))
    (lost / "vocals.flac").unlink()
    half = (cut / "accompaniment.flac").read_bytes()
    (cut / "accompaniment.flac").write_bytes(half[: len(half) // 2])
    (corpus_dir / "test" / "demo-0-test-00" / "vocals.flac").write_bytes(b"")
    demo.download_demo(tmp_path, jobs=1)
    assert kept.items() <= times(corpus_dir).items()
    assert contents(corpus_dir) == contents(corpus / "demo-0")


# The real song


def test_the_real_song_is_told_apart_and_only_tested_with(corpus):
    (real,) = (song for song in songs(corpus) if song.corpus != "demo")
    assert (real.corpus, real.split, real.role) == ("musdb18-excerpt", "test", "stems")
    assert real.licence == "CC BY-NC-SA 3.0"
    assert real.seconds == pytest.approx(5.9, abs=0.01)


def test_the_real_song_is_read_in_place(corpus, stempeg_excerpt):
    (real,) = (song for song in songs(corpus) if song.corpus != "demo")
    assert real.mixture == (f"{stempeg_excerpt}#stream=0",)
    assert real.vocals == (f"{stempeg_excerpt}#stream=4",)
    assert real.accompaniment == tuple(f"{stempeg_excerpt}#stream={i}" for i in (1, 2, 3))
    assert not list(corpus.rglob("*.mp4"))


def test_the_real_mixture_is_the_sum_of_its_stems_to_the_codec_s_error():
    """22.3 dB: five streams, each coded by AAC on its own, at some 240 kbit/s."""
    real = demo.excerpt()
    mixture = audio.read(real.mixture, real.start, real.stop - real.start)
    vocals, accompaniment = stems(real)
    error = level(dsp.rms(mixture) / dsp.rms(mixture - vocals - accompaniment))
    assert error == pytest.approx(22.3, abs=0.3)
    assert level(dsp.rms(mixture) / dsp.rms(mixture - accompaniment)) < 10


def test_the_real_voice_is_a_voice():
    """He holds his breath from 2.9 to 3.5 s; drums, bass and the rest go on."""
    vocals, accompaniment = stems(demo.excerpt())
    pause, singing = slice(int(2.9 * 44100), int(3.5 * 44100)), slice(0, int(1.6 * 44100))
    assert level(dsp.rms(vocals[:, singing]) / dsp.rms(vocals[:, pause])) > 20
    assert level(dsp.rms(accompaniment[:, singing]) / dsp.rms(accompaniment[:, pause])) < 6


def test_the_clicks_at_the_cuts_of_the_real_song_are_left_out():
    real = demo.excerpt()
    everything = audio.read(real.vocals)
    assert np.abs(everything).max() > 0.9
    assert np.abs(stems(real)[0]).max() < 0.5


def test_the_excerpt_is_found_without_importing_stempeg(tmp_path, monkeypatch):
    """Its import fails where ffmpeg is not installed."""
    package = tmp_path / "stempeg"
    (package / "data").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('ffmpeg or ffprobe not found')")
    (package / "data" / "song.stem.mp4").touch()
    monkeypatch.delitem(sys.modules, "stempeg", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    assert demo.excerpt_path() == package / "data" / "song.stem.mp4"
    (package / "data" / "song.stem.mp4").unlink()
    with pytest.raises(FileNotFoundError, match=r"no \*\.stem\.mp4 in .*expected MUSDB18"):
        demo.excerpt_path()


def test_without_stempeg_nothing_is_begun(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert demo.main(["--storage_dir", str(tmp_path / "new")]) == 1
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    assert "stempeg, which is not installed: pip install stempeg" in said
    assert not (tmp_path / "new").exists()


# The command line


def test_the_command_line_makes_everything(tmp_path, capsys):
    assert demo.main(["--storage_dir", str(tmp_path), "--seed", "3", "--jobs", "1"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert [line.split()[1:3] for line in printed] == [
        ["2", "songs,"],
        ["1", "songs,"],
        ["2", "songs,"],
    ]
    assert {song.id for song in manifest.read(tmp_path / "valid.jsonl")} == {"demo-3-valid-00"}


def test_the_steps_can_be_done_one_by_one(tmp_path, capsys):
    arguments = ["--storage_dir", str(tmp_path), "--jobs", "1"]
    assert demo.main(["prepare", *arguments]) == 1
    assert "run download_demo first" in capsys.readouterr().err
    assert demo.main(["download", *arguments]) == 0
    assert not list(tmp_path.glob("*.jsonl"))
    assert demo.main(["prepare", *arguments]) == 0
    assert len(songs(tmp_path)) == 5


@pytest.mark.parametrize(
    "arguments", [[], ["--storage_dir"], ["--storage_dir", "x", "--seed", "y"]]
)
def test_wrong_usage(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        demo.main(arguments)
    assert caught.value.code == 2


def test_a_place_that_can_not_be_written_to_is_one_line(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert demo.main(["--storage_dir", str(tmp_path / "file"), "--jobs", "1"]) == 1
    said = [line for line in capsys.readouterr().err.splitlines() if "recipes.demo:" in line]
    assert len(said) == 1
