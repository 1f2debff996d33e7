"""The YouTube corpus as a whole: cut, mixed, killed and gone on with, and run by run.sh."""

import json
import signal
import subprocess
import sys
import time
from collections import Counter

import numpy as np
import pytest
from youtube_site import QUICK, RATE, ROOT, Corpus, encode, manifests, offer, tone, write_list

from asteroid_karaoke import audio, manifest
from recipes import youtube, youtube_cut
from recipes.youtube_lists import locate, read_lists

pytest.importorskip("yt_dlp")
pytestmark = pytest.mark.usefixtures("no_proxy")


@pytest.fixture(scope="session")
def ramp(tmp_path_factory) -> bytes:
    """310 s of wav at 8 kHz in which the pitch tells the time: 200 Hz and 10 Hz more every 10 s."""
    seconds = np.arange(310 * 8000) / 8000
    pitch = 200 + 10 * (seconds // 10)
    samples = 0.3 * np.sin(2 * np.pi * np.cumsum(pitch) / 8000, dtype=np.float32)
    return encode(tmp_path_factory.mktemp("ramp") / "ramp.wav", samples[None], 8000)


def pitch_of(samples: np.ndarray) -> float:
    """The strongest frequency, in Hz."""
    spectrum = np.abs(np.fft.rfft(samples[0] * np.hanning(samples.shape[1])))
    return float(spectrum.argmax() * RATE / samples.shape[1])


def test_each_split_gets_its_songs(corpus):
    corpus.fetch()
    songs = corpus.prepare()
    assert [song.role for song in songs["train"]] == ["vocals", "music"]
    for split in ("valid", "test"):
        (mix,) = manifest.read(corpus.storage / f"{split}.jsonl")
        assert (mix, mix.role, mix.split) == (songs[split][0], "stems", split)
        sources = {stem: audio.read(getattr(mix, stem)) for stem in ("vocals", "accompaniment")}
        assert sources["vocals"].shape == sources["accompaniment"].shape == (2, mix.frames)
        assert mix.frames == pytest.approx(6 * RATE, abs=RATE // 10)
        assert pitch_of(sources["vocals"]) == pytest.approx(700, abs=1)
        assert pitch_of(sources["accompaniment"]) == pytest.approx(150, abs=1)
        assert np.abs(sum(sources.values())).max() <= 0.9 + 1e-4
        levels = {stem: np.sqrt(np.mean(np.square(found))) for stem, found in sources.items()}
        share = levels["vocals"] / sum(levels.values())
        assert 0.1 - 1e-3 <= share <= 0.9 + 1e-3
    (licence,) = json.loads((corpus.storage / "licenses.json").read_text())
    assert set(licence) == set(youtube.LICENSE)
    assert licence["non_commercial"] is True, "nobody said that it may be sold"
    manifest.validate(song for split in songs.values() for song in split)


def test_the_seed_decides_the_mixes_and_nothing_else_does(corpus, tmp_path):
    corpus.fetch()
    first = corpus.prepare()
    written = {path: path.stat().st_mtime_ns for path in corpus.storage.rglob("*.flac")}
    assert corpus.prepare() == first
    assert written == {path: path.stat().st_mtime_ns for path in corpus.storage.rglob("*.flac")}
    sound = audio.read(first["test"][0].vocals)
    other = corpus.prepare(seed=1)
    assert np.abs(audio.read(other["test"][0].vocals) - sound).max() > 1e-3


def test_cuts_are_exact(site, tmp_path):
    rng = np.random.default_rng(0)
    noise = rng.uniform(-0.5, 0.5, (2, 10 * RATE)).astype(np.float32)
    sound = encode(tmp_path / "noise.wav", noise)
    voice = offer(site, sound, "/{}.wav", "train")
    corpus = Corpus(
        tmp_path, [(voice, 1.5, 2.25)], [(offer(site, sound, "/m{}.wav", "train"), "", "")]
    )
    corpus.fetch()
    cut, whole = corpus.prepare(valid=0, test=0)["train"]
    expected = noise[:, round(1.5 * RATE) : round(7.75 * RATE)]
    np.testing.assert_allclose(audio.read(cut.vocals), expected, atol=2 / 2**15)
    np.testing.assert_allclose(audio.read(whole.accompaniment), noise, atol=2 / 2**15)
    # The same line with other cuts, without fetching anew.
    write_list(corpus.vocals, "vocals", [(voice, 2, 0)])
    again, _ = corpus.prepare(valid=0, test=0)["train"]
    np.testing.assert_allclose(audio.read(again.vocals), noise[:, 2 * RATE :], atol=2 / 2**15)


def test_loud_tracks_are_turned_down_and_silence_is_left_out(site, tmp_path):
    quiet = np.zeros((2, RATE), np.float32)
    loud = np.concatenate([quiet, tone(300, 6, level=1.0), quiet], axis=1)
    (tmp_path / "loud.wav").parent.mkdir(exist_ok=True)
    audio.write(tmp_path / "loud.wav", 1.5 * loud, RATE, "FLOAT")
    address = offer(site, (tmp_path / "loud.wav").read_bytes(), "/{}.wav", "train")
    music = offer(site, (tmp_path / "loud.wav").read_bytes(), "/m{}.wav", "train")
    corpus = Corpus(tmp_path, [address], [music])
    corpus.fetch()
    voice = corpus.prepare(valid=0, test=0)["train"][0]
    assert np.abs(audio.read(voice.vocals)).max() == pytest.approx(0.99, abs=1e-3)
    assert (voice.start, voice.stop) == (
        pytest.approx(RATE, abs=20),
        pytest.approx(7 * RATE, abs=20),
    )


def test_a_compilation_gives_a_minute_in_four(site, sounds, ramp, tmp_path):
    music = offer(site, ramp, "/{}.wav", "train")
    corpus = Corpus(
        tmp_path, [offer(site, sounds["voice.mp3"], "/v{}.mp3", "train")], [(music, 2, 5, "y")]
    )
    corpus.fetch()
    pieces = [song for song in corpus.prepare(valid=0, test=0)["train"] if song.role == "music"]
    assert [song.id for song in pieces] == [f"music/{locate(music)[0]}-{n:03d}" for n in (0, 1)]
    for piece, begin in zip(pieces, (2, 242), strict=True):
        assert piece.frames == 60 * RATE
        for second in (0, 30, 57):
            here = audio.read(piece.accompaniment, second * RATE, RATE)
            expected = 200 + 10 * ((begin + second) // 10)
            assert pitch_of(here) == pytest.approx(expected, abs=2)


@pytest.mark.parametrize(
    ("start", "end", "complaint"),
    [
        (4, 3, "start_buffer 4 s and end_buffer 3 s leave 0.0 s of 6.0 s"),
        (1.5, 0, "start_buffer 1.5 s and end_buffer 0 s leave 4.5 s of 6.0 s, expected 5 s"),
        (0, 6, "start_buffer 0 s and end_buffer 6 s leave 0.0 s of 6.0 s"),
        (1e9, 0, "start_buffer 1e+09 s and end_buffer 0 s leave 0.0 s"),
    ],
)
def test_an_overlong_cut_is_named(site, sounds, tmp_path, caplog, start, end, complaint):
    cut = offer(site, sounds["voice.mp3"], "/cut/{}.mp3", "train")
    voices = [offer(site, sounds["voice.mp3"], "/{}.mp3", "train"), (cut, start, end)]
    corpus = Corpus(tmp_path, voices, [offer(site, sounds["music.mp3"], "/m{}.mp3", "train")])
    corpus.fetch()
    songs = corpus.prepare(valid=0, test=0)["train"]
    assert len(songs) == 2
    assert f"vocals/{locate(cut)[0]}: vocals.csv, line 3: {complaint}" in caplog.text


def test_a_silent_track_is_named(site, sounds, tmp_path, caplog):
    silence = encode(tmp_path / "silence.wav", np.zeros((2, 6 * RATE), np.float32))
    voices = [offer(site, sounds["voice.mp3"], "/{}.mp3", "train")]
    voices.append(offer(site, silence, "/{}.wav", "train"))
    corpus = Corpus(tmp_path, voices, [offer(site, sounds["music.mp3"], "/m{}.mp3", "train")])
    corpus.fetch()
    assert len(corpus.prepare(valid=0, test=0)["train"]) == 2
    assert "vocals.csv, line 3: is silent" in caplog.text


def test_a_split_without_voice_or_music_is_told(site, sounds, tmp_path):
    corpus = Corpus(
        tmp_path,
        [offer(site, sounds["voice.mp3"], "/{}.mp3", "train")],
        [offer(site, sounds["music.mp3"], "/m{}.mp3", "test")],
    )
    corpus.fetch()
    with pytest.raises(ValueError, match="train has no music, valid has no voice, valid has no"):
        corpus.prepare()
    assert not list(corpus.storage.glob("*.jsonl"))
    with pytest.raises(ValueError, match="nothing is left to train on"):
        corpus.prepare(valid=0.5, test=0.5)


def songs_of(role: str, count: int) -> list[manifest.Song]:
    stem = {"vocals": "vocals", "music": "accompaniment"}[role]
    facts = {"split": "test", "corpus": "youtube", "role": role, "licence": "unknown"}
    shape = {"sample_rate": RATE, "channels": 2, "frames": 60 * RATE}
    return [
        manifest.Song(id=f"{role}/{role}-{n}", **facts, **shape, **{stem: (f"{role}{n}.flac",)})
        for n in range(count)
    ]


def test_a_missing_song_changes_no_pair_but_its_own():
    voices, music = songs_of("vocals", 5), songs_of("music", 9)
    pairs = {entry.id for entry in youtube_cut.draw_pairs(voices + music, seed=0)}
    assert 9 <= len(pairs) <= 13
    for missing in voices + music:
        left = [song for song in voices + music if song is not missing]
        name = missing.id.partition("/")[2]
        others = {pair for pair in pairs if name not in pair.split("+")}
        assert others <= {entry.id for entry in youtube_cut.draw_pairs(left, seed=0)}
    assert pairs != {entry.id for entry in youtube_cut.draw_pairs(voices + music, seed=1)}
    many = youtube_cut.draw_pairs(songs_of("vocals", 30) + songs_of("music", 30), seed=0)
    assert len(many) == youtube_cut.MIXES


def killed(script: str, *arguments: object, when=None) -> None:
    """Run a script in a process of its own and kill -9 it, unless it does that itself."""
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", script, *map(str, arguments)],
        cwd=ROOT,
        stderr=subprocess.DEVNULL,
    )
    try:
        while when is not None and not when():
            assert process.poll() is None, "it ended before it could be killed"
            time.sleep(0.02)
        if when is not None:
            process.kill()
        assert process.wait(60) == -signal.SIGKILL
    finally:
        process.kill()
        process.wait()


def test_killed_while_fetching_and_while_preparing(site, sounds, corpus, tmp_path):
    gated = offer(site, sounds["voice.webm"], "/gated/{}.webm", "train")
    voices = [track.url for track in read_lists(corpus.vocals, corpus.music)[:3]]
    write_list(corpus.vocals, "vocals", [voices[0], gated, *voices[1:]])
    under_way = youtube.fetched_folder(corpus.storage) / "fetching" / f"{locate(gated)[0]}.mpeg"
    part = under_way.with_name(f"{under_way.name}.webm.part")
    lists = [corpus.vocals, corpus.music]
    killed(
        "import sys; from recipes import youtube; from recipes.youtube_fetch import Manners;"
        "youtube.download_youtube(*sys.argv[1:], Manners(pause=0))",
        corpus.storage,
        *lists,
        when=lambda: part.exists() and part.stat().st_size > 0,
    )
    with pytest.raises(ValueError, match="it was not fetched"):
        corpus.prepare()
    site.open_gate.set()
    asked = Counter(site.served)
    assert corpus.fetch() == {}
    assert (
        site.served[voices[0].removeprefix(site.address)]
        == asked[voices[0].removeprefix(site.address)]
    ), "what was there has been fetched again"

    killed(
        "import os, signal, sys\n"
        "from recipes import youtube\n"
        "from asteroid_karaoke import audio\n"
        "write, calls = audio.AudioWriter.write, []\n"
        "def die(self, block):\n"
        "    write(self, block)\n"
        "    calls.append(block)\n"
        "    if len(calls) == 4: os.kill(os.getpid(), signal.SIGKILL)\n"
        "audio.AudioWriter.write = die\n"
        "youtube.prepare_youtube(*sys.argv[1:], valid=0.3, test=0.3)\n",
        corpus.storage,
        *lists,
    )
    assert list(corpus.storage.rglob("songs/**/*.json")), "killed before anything was finished"
    assert not list(corpus.storage.glob("*.jsonl"))
    corpus.prepare()

    unbroken = tmp_path / "unbroken"
    youtube.download_youtube(unbroken, *lists, QUICK)
    corpus.prepare(unbroken)
    assert manifests(unbroken) == manifests(corpus.storage)
    for path in unbroken.rglob("*.flac"):
        twin = corpus.storage / path.relative_to(unbroken)
        assert twin.read_bytes() == path.read_bytes()


def test_run_sh_takes_the_lists_from_where_it_is_called(corpus):
    script = ROOT / "egs" / "youtube" / "KaraokeNet" / "run.sh"
    options = ["--vocals_csv", corpus.vocals.name, "--music_csv", corpus.music.name]
    options += ["--storage_dir", str(corpus.storage), "--stop_stage", "1", "--pause", "0"]
    done = subprocess.run(
        [str(script), "--python_path", sys.executable, *options, "--valid", "0.3", "--test", "0.3"],
        cwd=corpus.vocals.parent,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert len(manifest.read(corpus.storage / "train.jsonl")) == 2
