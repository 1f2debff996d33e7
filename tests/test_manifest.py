"""Manifests: what is written comes back, wherever the folder is moved, and faults are named."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asteroid_karaoke import manifest
from asteroid_karaoke.manifest import Song

RATE = 8000


def song(folder: Path, **changes) -> Song:
    """A song of two files, which need not exist."""
    fields = {
        "id": "song",
        "split": "train",
        "corpus": "test",
        "role": "stems",
        "licence": "CC0 1.0",
        "sample_rate": RATE,
        "channels": 2,
        "frames": 400,
        "vocals": str(folder / "vocals.wav"),
        "accompaniment": str(folder / "accompaniment.wav"),
    }
    return Song(**(fields | changes))


def sound(path: Path, frames: int = 400, channels: int = 2, rate: int = RATE) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    audio = np.random.default_rng(0).uniform(-0.5, 0.5, (frames, channels))
    soundfile.write(path, audio, rate)
    return str(path)


@pytest.fixture
def real(tmp_path) -> Song:
    """A song whose files are there."""
    for name in ("vocals", "accompaniment"):
        sound(tmp_path / f"{name}.wav")
    return song(tmp_path)


# A song


def test_one_source_or_many_always_becomes_a_tuple(tmp_path):
    one = song(tmp_path, vocals="a.wav", accompaniment=["b.wav", "c.wav"])
    assert one.vocals == ("a.wav",) and one.accompaniment == ("b.wav", "c.wav")
    assert list(one.sources()) == [
        ("vocals", "a.wav"),
        ("accompaniment", "b.wav"),
        ("accompaniment", "c.wav"),
    ]


def test_the_whole_song_may_be_used_unless_a_span_says_otherwise(tmp_path):
    assert (song(tmp_path).start, song(tmp_path).stop) == (0, 400)
    assert song(tmp_path).seconds == 400 / RATE
    assert song(tmp_path, start=100, stop=180).seconds == 80 / RATE


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"split": "dev"}, "split is 'dev', expected one of train, valid, test"),
        ({"role": "choir"}, "role is 'choir', expected one of"),
        ({"vocals": None}, "role 'stems' needs vocals"),
        ({"accompaniment": ()}, "role 'stems' needs accompaniment"),
        ({"role": "mixture"}, "role 'mixture' needs mixture"),
        ({"role": "music", "accompaniment": None}, "role 'music' needs accompaniment"),
        ({"sample_rate": 0}, "sample_rate is 0, expected more than 0"),
        ({"channels": -1}, "channels is -1"),
        ({"frames": 0}, "frames is 0"),
        ({"weight": 0.0}, "weight is 0.0"),
        ({"weight": float("nan")}, "weight is nan"),
        ({"start": -1}, "span -1..400 does not lie within 0..400"),
        ({"start": 400}, "span 400..400"),
        ({"start": 5, "stop": 5}, "span 5..5"),
        ({"stop": 0}, "span 0..0"),
        ({"stop": 401}, "span 0..401"),
    ],
)
def test_what_no_song_can_be_is_refused_with_its_name(tmp_path, changes, said):
    with pytest.raises(ValueError, match=r"^song 'song': ") as caught:
        song(tmp_path, **changes)
    assert said in str(caught.value)


def test_all_faults_of_a_song_are_named_at_once(tmp_path):
    with pytest.raises(ValueError) as caught:
        song(tmp_path, split="dev", role="stems", vocals=None, channels=0, start=-4)
    for said in ("split is 'dev'", "needs vocals", "channels is 0", "span -4..400"):
        assert said in str(caught.value)


@pytest.mark.parametrize(
    ("role", "stem"), [("vocals", "vocals"), ("music", "accompaniment"), ("mixture", "mixture")]
)
def test_songs_of_one_stem(tmp_path, role, stem):
    stems = dict.fromkeys(manifest.STEMS) | {stem: "a.wav"}
    assert list(song(tmp_path, role=role, **stems).sources()) == [(stem, "a.wav")]


# Round trip


def test_what_is_written_comes_back(tmp_path):
    songs = [
        song(tmp_path),
        song(tmp_path, id="span", start=3, stop=77, weight=0.25, split="test"),
        song(tmp_path, id="real mixture", mixture=str(tmp_path / "mixture.wav")),
        song(tmp_path, id="voice", role="vocals", accompaniment=None),
    ]
    path = manifest.write(songs, tmp_path / "train.jsonl")
    assert path == tmp_path / "train.jsonl"
    assert manifest.read(path) == songs
    assert manifest.read(str(path)) == songs
    assert len(path.read_text(encoding="utf-8").splitlines()) == 4


@pytest.mark.parametrize(
    "name",
    [
        "Björk – Jóga",
        "坂本九 – 上を向いて歩こう",
        "Кино ‘Группа крови’",
        "e\u0301 and é",
        'quotes " and \\ back slashes',
        "emoji 🎤",
        "tab\tand new\nline",
        "#stream=1",
        "line\u2028paragraph\u2029separators",
        "Windows\x85 dots, form\x0cfeed, \x1cfile separator",
    ],
)
def test_any_title_comes_back(tmp_path, name):
    one = song(tmp_path / name, id=name, licence=name)
    assert manifest.read(manifest.write([one], tmp_path / "a.jsonl")) == [one]


def test_a_title_is_readable_in_the_file(tmp_path):
    path = manifest.write([song(tmp_path, id="Björk")], tmp_path / "a.jsonl")
    assert "Björk" in path.read_text(encoding="utf-8")


@pytest.mark.skipif(os.name != "posix", reason="other systems' file names are Unicode")
def test_a_file_name_that_is_no_unicode_comes_back(tmp_path):
    one = song(tmp_path, vocals=str(tmp_path / os.fsdecode(b"caf\xe9.wav")))
    assert manifest.read(manifest.write([one], tmp_path / "a.jsonl")) == [one]


def test_sources_that_are_summed_and_streams_of_containers_come_back(tmp_path):
    stems = tmp_path / "song.stem.mp4"
    one = song(
        tmp_path,
        vocals=f"{stems}#stream=4",
        accompaniment=tuple(f"{stems}#stream={number}" for number in (1, 2, 3)),
    )
    path = manifest.write([one], tmp_path / "a.jsonl")
    assert manifest.read(path) == [one]
    line = json.loads(path.read_text(encoding="utf-8"))
    assert line["vocals"] == "song.stem.mp4#stream=4"
    assert line["accompaniment"] == [f"song.stem.mp4#stream={number}" for number in (1, 2, 3)]
    assert "mixture" not in line


def test_an_empty_manifest_and_empty_lines(tmp_path):
    assert manifest.read(manifest.write([], tmp_path / "a.jsonl")) == []
    path = manifest.write([song(tmp_path)], tmp_path / "b.jsonl")
    path.write_text("\n" + path.read_text(encoding="utf-8") + "\n  \n", encoding="utf-8")
    assert len(manifest.read(path)) == 1


def test_lines_that_end_as_on_windows(tmp_path):
    path = manifest.write([song(tmp_path), song(tmp_path, id="two")], tmp_path / "a.jsonl")
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert [one.id for one in manifest.read(path)] == ["song", "two"]


# Paths


def test_a_folder_can_be_moved_with_its_manifest(tmp_path):
    old, new = tmp_path / "old", tmp_path / "elsewhere" / "new"
    one = song(old, vocals=sound(old / "a" / "v.wav"), accompaniment=sound(old / "b.wav"))
    manifest.write([one], old / "train.jsonl")
    new.parent.mkdir()
    shutil.move(old, new)
    (moved,) = manifest.read(new / "train.jsonl")
    assert moved.vocals == (str(new / "a" / "v.wav"),)
    manifest.validate([moved])


def test_files_outside_the_folder_stay_where_they_are(tmp_path):
    one = song(tmp_path / "corpus")
    path = manifest.write([one], tmp_path / "data" / "train.jsonl")
    shutil.move(path, tmp_path / "train.jsonl")
    assert manifest.read(tmp_path / "train.jsonl") == [one]


def test_a_folder_whose_name_begins_alike_is_outside(tmp_path):
    one = song(tmp_path / "data2")
    path = manifest.write([one], tmp_path / "data" / "train.jsonl")
    assert manifest.read(path) == [one]


def test_a_manifest_can_be_read_from_any_working_directory(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    (tmp_path / "other").mkdir()
    manifest.write([song(tmp_path / "data")], tmp_path / "data" / "train.jsonl")
    monkeypatch.chdir(tmp_path / "other")
    (one,) = manifest.read(Path("..") / "data" / "train.jsonl")
    assert Path(one.vocals[0]) == tmp_path / "data" / "vocals.wav"


def test_relative_sources_mean_the_same_file_after_writing(tmp_path, monkeypatch):
    """A recipe run as ``--storage_dir data`` names files from where it stands."""
    monkeypatch.chdir(tmp_path)
    one = song(Path("corpus"), vocals=sound(Path("corpus") / "v.wav"), accompaniment="corpus/v.wav")
    (back,) = manifest.read(manifest.write([one], Path("data") / "train.jsonl"))
    assert Path(back.vocals[0]).resolve() == tmp_path / "corpus" / "v.wav"
    manifest.validate([back])


def test_relative_sources_in_a_hand_written_line_lie_beside_the_manifest(tmp_path):
    line = '{"id": "x", "split": "train", "corpus": "c", "role": "vocals", "licence": "CC0", '
    line += '"sample_rate": 8000, "channels": 1, "frames": 9, "vocals": "sub/v.wav"}'
    (tmp_path / "a.jsonl").write_text(line, encoding="utf-8")
    (one,) = manifest.read(tmp_path / "a.jsonl")
    assert one.vocals == (str(tmp_path / "sub" / "v.wav"),)


# Reading what is no manifest


def test_a_missing_manifest_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"gone\.jsonl.*stage 1"):
        manifest.read(tmp_path / "gone.jsonl")


@pytest.mark.parametrize(
    "line",
    [
        "{not json",
        "null",
        "[1, 2]",
        '"text"',
        "{}",
        '{"id": "x"}',
        "changed: split=dev",
        "changed: frames='400'",
        "changed: sample_rate=None",
        "changed: unknown=1",
        "changed: vocals=5",
        "changed: vocals=[1, 2]",
        "changed: stop='all'",
    ],
)
def test_a_malformed_line_is_named_by_file_and_number(tmp_path, line):
    path = manifest.write([song(tmp_path), song(tmp_path, id="two")], tmp_path / "a.jsonl")
    good = path.read_text(encoding="utf-8").splitlines()
    if line.startswith("changed: "):
        name, value = line.removeprefix("changed: ").split("=")
        values = {"dev": "dev", "'400'": "400", "None": None, "1": 1, "5": 5, "[1, 2]": [1, 2]}
        line = json.dumps(json.loads(good[1]) | {name: values.get(value, "all")})
    path.write_text("\n".join([good[0], "", line]), encoding="utf-8")
    with pytest.raises(ValueError) as caught:
        manifest.read(path)
    assert f"{path}, line 3: " in str(caught.value)


def test_a_file_that_is_no_text_is_named(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(b"\xff\xfe\x00RIFF")
    with pytest.raises(ValueError, match=r"a\.jsonl"):
        manifest.read(tmp_path / "a.jsonl")


# Writing whole or not at all


def broken(folder: Path):
    yield song(folder)
    raise RuntimeError("the corpus breaks off")


def test_a_manifest_that_can_not_be_finished_leaves_the_old_one_and_nothing_else(tmp_path):
    path = manifest.write([song(tmp_path, id="old")], tmp_path / "a.jsonl")
    with pytest.raises(RuntimeError, match="breaks off"):
        manifest.write(broken(tmp_path), path)
    assert [one.id for one in manifest.read(path)] == ["old"]
    assert list(tmp_path.iterdir()) == [path]


def test_a_manifest_is_replaced(tmp_path):
    for name in ("one", "two"):
        path = manifest.write([song(tmp_path, id=name)], tmp_path / "a.jsonl")
    assert [one.id for one in manifest.read(path)] == ["two"]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")
def test_others_may_read_a_manifest(tmp_path):
    path = manifest.write([song(tmp_path)], tmp_path / "new" / "a.jsonl")
    assert path.stat().st_mode & 0o444 == 0o444


# Validation


def test_a_true_manifest_is_valid(real):
    manifest.validate([real])
    manifest.validate([])


def test_sources_that_are_summed_are_all_opened(tmp_path, real):
    more = sound(tmp_path / "more.wav")
    manifest.validate([replace(real, accompaniment=(*real.accompaniment, more))])
    with pytest.raises(ValueError, match=r"1 fault.*\n.*gone\.wav"):
        manifest.validate([replace(real, accompaniment=(more, str(tmp_path / "gone.wav")))])


def test_every_fault_of_every_song_is_named_at_once(tmp_path, real):
    (tmp_path / "text.wav").write_text("no sound")
    (tmp_path / "empty.wav").touch()
    songs = [
        real,
        replace(real, id="twice"),
        replace(real, id="twice"),
        replace(real, id="gone", vocals=(str(tmp_path / "gone.wav"),)),
        replace(real, id="text", vocals=(str(tmp_path / "text.wav"),)),
        replace(real, id="empty", vocals=(str(tmp_path / "empty.wav"),)),
        replace(real, id="folder", vocals=(str(tmp_path),)),
        replace(real, id="long", vocals=(sound(tmp_path / "long.wav", frames=401),)),
        replace(real, id="mono", accompaniment=(sound(tmp_path / "mono.wav", channels=1),)),
        replace(real, id="fast", mixture=(sound(tmp_path / "fast.wav", rate=16000),)),
    ]
    with pytest.raises(ValueError) as caught:
        manifest.validate(iter(songs))
    first, *faults = str(caught.value).splitlines()
    assert first.startswith("8 fault(s)")
    assert len(faults) == 8
    for fault, (name, *words) in zip(
        faults,
        [
            ("twice", "twice"),
            ("gone", "vocals", "gone.wav"),
            ("text", "text.wav"),
            ("empty", "empty.wav"),
            ("folder", str(tmp_path)),
            ("long", "frames 401", "says 400"),
            ("mono", "accompaniment", "channels 1", "says 2"),
            ("fast", "mixture", "sample_rate 16000", f"says {RATE}"),
        ],
        strict=True,
    ):
        assert fault.strip().startswith(f"{name}: ")
        assert all(word in fault for word in words), fault


def test_a_file_can_be_wrong_in_every_way(tmp_path, real):
    wrong = sound(tmp_path / "wrong.wav", frames=100, channels=1, rate=16000)
    with pytest.raises(ValueError, match=r"^3 fault\(s\)"):
        manifest.validate([replace(real, vocals=(wrong,))])


def test_two_corpora_may_use_the_same_id(real):
    """An id is unique within its corpus."""
    manifest.validate([real, replace(real, corpus="another")])
