"""What recipes.check finds and what it does not: planted faults and their harmless twins."""

import json
import os
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asteroid_karaoke import audio, manifest
from asteroid_karaoke.manifest import Song
from recipes import bleed, check, demo
from recipes.fingerprint import Index, fingerprint

RATE = demo.SAMPLE_RATE
SECONDS = 10.0


@pytest.fixture(scope="module")
def music() -> list[np.ndarray]:
    """Five songs that somebody sings and plays, each `(2, channels, time)`."""
    return [demo.make_song(1, "train", number, SECONDS) for number in range(5)]


def save(path: Path, sound: np.ndarray, rate: int = RATE) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, sound.T, rate)
    return str(path)


def song(name: str, split: str, role: str = "stems", **sources: str) -> Song:
    found = audio.info(next(iter(sources.values())))
    return Song(
        id=name,
        split=split,
        corpus="test",
        role=role,
        licence="CC0 1.0",
        sample_rate=found.sample_rate,
        channels=found.channels,
        frames=found.frames,
        **sources,
    )


@pytest.fixture
def songs(music, tmp_path) -> dict[str, Song]:
    """One good song a split, and one more to train on."""
    found = {}
    for name, split, stems in zip("abcd", ("train", "train", "valid", "test"), music, strict=False):
        vocals = save(tmp_path / name / "vocals.wav", stems[0])
        accompaniment = save(tmp_path / name / "accompaniment.wav", stems[1])
        found[name] = song(name, split, vocals=vocals, accompaniment=accompaniment)
    return found


def findings(songs: dict[str, Song], folder: Path, **options) -> list[check.Finding]:
    paths = [
        manifest.write([s for s in songs.values() if s.split == split], folder / f"{split}.jsonl")
        for split in manifest.SPLITS
    ]
    return check.check_manifests(paths, **options)[1]


def test_good_songs_are_good(songs, tmp_path):
    assert findings(songs, tmp_path) == []


# One song


def half(path: str) -> None:
    sound, rate = soundfile.read(path)
    soundfile.write(path, sound[: len(sound) // 2], rate)


def loud(path: str) -> None:
    sound, rate = soundfile.read(path)
    soundfile.write(path, np.clip(sound / np.quantile(np.abs(sound), 0.98), -1, 1), rate)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda path: Path(path).unlink(), "does not exist"),
        (lambda path: Path(path).write_bytes(b"no sound"), "is not audio"),
        (lambda path: Path(path).write_bytes(Path(path).read_bytes()[:-5000]), "is cut off"),
        (half, "has frames 220500, the manifest says 441000"),
        (
            lambda path: save(Path(path), soundfile.read(path)[0].T, 48000),
            "has sample_rate 48000, the manifest says 44100",
        ),
        (
            lambda path: save(Path(path), soundfile.read(path)[0].T[:1]),
            "has channels 1, the manifest says 2",
        ),
        (lambda path: save(Path(path), np.zeros((2, 441000))), "vocals is silent"),
        (loud, "vocals is clipped"),
    ],
)
def test_a_fault_is_told_with_the_song_and_both_numbers(songs, tmp_path, spoil, reason):
    spoil(songs["b"].vocals[0])
    (found,) = findings(songs, tmp_path)
    assert found.fault and found.id == "b" and reason in found.reason


def test_all_faults_are_told_at_once(songs, tmp_path):
    Path(songs["a"].vocals[0]).unlink()
    Path(songs["a"].accompaniment[0]).write_bytes(b"no sound")
    half(songs["b"].vocals[0])
    save(Path(songs["c"].accompaniment[0]), np.zeros((2, 441000)))
    found = findings(songs, tmp_path, jobs=2)
    assert [finding.id for finding in found] == ["a", "a", "b", "c"]
    assert all(finding.fault for finding in found)


def test_a_little_clipping_is_a_warning(songs, tmp_path):
    sound, rate = soundfile.read(songs["b"].vocals[0])
    sound[1000:1100] = 1.0
    soundfile.write(songs["b"].vocals[0], sound, rate)
    (found,) = findings(songs, tmp_path)
    assert not found.fault and "vocals is clipped: 0.02% of its samples" in found.reason


def test_only_the_span_counts(songs, tmp_path):
    sound, rate = soundfile.read(songs["b"].vocals[0])
    sound[:44100] = 1.0
    soundfile.write(songs["b"].vocals[0], sound, rate)
    songs["b"] = replace(songs["b"], start=44100)
    assert findings(songs, tmp_path) == []


@pytest.mark.parametrize("level", [-10, -14])
def test_the_voice_in_the_backing_is_told(songs, music, tmp_path, level):
    vocals, accompaniment = music[0]
    # A room: some ms later, and through a filter.
    room = np.zeros(400)
    room[[100, 180, 399]] = 0.8, -0.5, 0.3
    late = np.stack([np.convolve(channel, room)[: len(channel)] for channel in vocals])
    late *= 10 ** (level / 20) * np.sqrt((vocals**2).sum() / (late**2).sum())
    save(Path(songs["a"].accompaniment[0]), accompaniment + late)
    (found,) = findings(songs, tmp_path)
    assert found.fault and "the voice is in the backing as well" in found.reason


def test_bleed_is_measured_and_chance_is_not(music):
    def mono(stem):
        return audio.resample(stem, RATE, bleed.SAMPLE_RATE).mean(axis=0)

    voices, backings = zip(*[(mono(song[0]), mono(song[1])) for song in music], strict=True)
    for voice in voices:
        for backing in backings:
            assert bleed.bleed(voice, backing) < bleed.LIMIT
    level = 10 ** (-12 / 20)
    for voice in voices:
        assert bleed.bleed(voice, backings[1] + level * voice) == pytest.approx(-12, abs=2)
    assert bleed.bleed(0 * voices[0], backings[0]) is None
    assert bleed.bleed(voices[0][:5000], backings[0][:5000]) is None


# The same sound twice


@pytest.mark.parametrize("split", ["valid", "test"])
def test_a_copy_in_another_split_is_a_leak(songs, music, tmp_path, split):
    other = next(name for name, song in songs.items() if song.split == split)
    songs["copy"] = replace(songs[other], id="copy", split="train")
    (found,) = findings(songs, tmp_path)
    assert found.fault and found.id == "copy (train)"
    assert f"{split} too, as" in found.reason and f"of {other}" in found.reason


def test_encoded_anew_and_quieter_and_cut_it_is_still_a_leak(songs, music, tmp_path):
    vocals, accompaniment = music[3] * 10 ** (-3 / 20)
    stems = {
        "vocals": save(tmp_path / "leak" / "vocals.mp3", vocals[:, 54321:]),
        "accompaniment": save(tmp_path / "leak" / "accompaniment.mp3", accompaniment[:, 54321:]),
    }
    songs["leak"] = song("leak", "train", **stems)
    (found,) = findings(songs, tmp_path)
    assert found.fault and found.id == "leak (train)" and "of d: " in found.reason


def test_only_the_voice_is_a_leak_too(songs, music, tmp_path):
    narrow = audio.resample(music[3][0], RATE, 22050).mean(axis=0, keepdims=True)
    path = save(tmp_path / "voice.ogg", narrow, 22050)
    songs["voice"] = song("voice", "train", role="vocals", vocals=path)
    (found,) = findings(songs, tmp_path)
    assert found.fault and "vocals stands in test too, as vocals of d" in found.reason


def test_a_mixture_of_stems_that_are_tested_is_a_leak(songs, music, tmp_path):
    path = save(tmp_path / "mixture.mp3", music[3].sum(axis=0))
    songs["mixture"] = song("mixture", "train", role="mixture", mixture=path)
    (found,) = findings(songs, tmp_path)
    assert found.fault and found.id == "mixture (train)" and "of d: 10 s" in found.reason


def test_pieces_of_one_file_are_not_the_same(songs, tmp_path):
    whole = songs.pop("d")
    songs["first"] = replace(whole, id="first", split="train", stop=220500)
    songs["second"] = replace(whole, id="second", split="test", start=220500)
    assert findings(songs, tmp_path) == []


def test_twice_in_one_split_is_a_warning(songs, tmp_path):
    songs["copy"] = replace(songs["a"], id="copy")
    found = findings(songs, tmp_path)
    assert found and not any(finding.fault for finding in found)
    assert {finding.id for finding in found} == {"copy"}
    assert "is the same as in a, sample for sample" in found[0].reason


def test_a_fingerprint_tells_where_and_how_long(music):
    def mono(stem, rate=RATE):
        return audio.resample(stem, rate, 11025).mean(axis=0)

    prints = [fingerprint(mono(song[1])) for song in music]
    index = Index(prints)
    cut = music[2][1][:, 3 * RATE + 123 : 8 * RATE]
    (match,) = index.find(fingerprint(mono(cut)))
    assert match.number == 2
    assert match.start == pytest.approx(0, abs=0.1)
    assert match.other_start == pytest.approx(3, abs=0.1)
    assert match.seconds == pytest.approx(4.6, abs=0.3)
    assert list(Index(prints[:2]).find(prints[2])) == []
    silence = fingerprint(np.zeros(50000, np.float32))
    assert list(Index([silence]).find(silence)) == []
    assert list(Index([]).find(prints[0])) == []


# The manifest itself


def test_bad_lines_do_not_hide_good_ones(songs, tmp_path):
    half(songs["a"].vocals[0])
    plain = [asdict(song) for song in songs.values()]
    lines = ["{", json.dumps({**plain[1], "split": "dev"}), '{"id": 3}', json.dumps(plain[0])]
    lines.append(json.dumps({**plain[1], "vocals": [1, 2]}))
    (tmp_path / "train.jsonl").write_bytes("\n".join(lines).encode() + b"\n\xff\n")
    read, found = check.check_manifests([tmp_path / "train.jsonl"])
    assert [song.id for song in read] == ["a"]
    assert [finding.id.rpartition("/")[2] for finding in found] == [
        "train.jsonl, line 1",
        "train.jsonl, line 2",
        "train.jsonl, line 3",
        "train.jsonl, line 5",
        "train.jsonl, line 6",
        "a",
    ]


@pytest.mark.skipif(os.name != "posix", reason="other systems' file names are Unicode")
def test_a_file_name_that_is_no_unicode_is_no_fault(music, tmp_path, capfdbinary):
    path = tmp_path / os.fsdecode(b"caf\xe9.flac")
    with path.open("wb") as file:
        soundfile.write(file, music[0][0].T, RATE, format="FLAC")
    voice = song("a", "train", role="vocals", vocals=str(path))
    assert findings({"a": voice}, tmp_path) == [
        (str(tmp_path / f"{split}.jsonl"), "holds no song", False) for split in ("valid", "test")
    ]
    path.unlink()
    assert check.main([str(tmp_path / "train.jsonl")]) == 1
    assert b"caf\\udce9.flac" in capfdbinary.readouterr().out


def test_an_id_that_leads_elsewhere_is_a_fault_and_a_path_a_warning(songs, tmp_path):
    plain = [asdict(songs["a"]) | {"id": "../../a"}]
    plain.append(asdict(songs["b"]) | {"vocals": "../b/vocals.wav"})
    (tmp_path / "manifests").mkdir()
    path = tmp_path / "manifests" / "train.jsonl"
    path.write_text("\n".join(map(json.dumps, plain)))
    found = check.check_manifests([path])[1]
    assert [(finding.id, finding.fault) for finding in found] == [("b", False), ("../../a", True)]
    assert "leads out of the manifest's folder" in found[0].reason


def test_an_id_twice_is_a_fault(songs, tmp_path):
    songs["b"] = replace(songs["b"], id="a")
    (found,) = findings(songs, tmp_path)
    assert found.fault and found.reason == "stands 2 times in corpus test"


def test_the_command_line_tells_and_its_status_says_it(songs, tmp_path, capsys):
    assert findings(songs, tmp_path) == []
    paths = [str(tmp_path / f"{split}.jsonl") for split in manifest.SPLITS]
    assert check.main(paths) == 0
    assert capsys.readouterr().out == "4 songs, 0.01 h: 0 fault(s), 0 warning(s)\n"
    Path(songs["b"].vocals[0]).unlink()
    assert check.main(paths) == 1
    assert capsys.readouterr().out.startswith("fault: b: vocals: ")
    assert check.main([*paths, str(tmp_path / "nowhere.jsonl")]) == 2
    assert "no manifest at" in capsys.readouterr().err
