"""Tags and covers go from the song to its results; whatever is wrong with them costs no song."""

import base64

import mutagen
import numpy as np
import pytest
from mutagen import apev2, flac, id3, mp3, mp4
from test_corpus import by_ffmpeg, by_libsndfile, separated

from asteroid_karaoke import audio, tags

COVER = b"\x89PNG\r\n\x1a\n" + bytes(2000)
TEXTS = {
    "title": "Lied ü",
    "artist": "A/B",
    "album": "C",
    "albumartist": "D",
    "genre": "Pop",
    "date": "1999",
    "tracknumber": "3/12",
    "replaygain_track_gain": "-7.30 dB",
}
MAKERS = {
    "a.mp3": by_libsndfile("MP3", "MPEG_LAYER_III"),
    "a.wav": by_libsndfile("WAV", "PCM_16"),
    "a.aiff": by_libsndfile("AIFF", "PCM_16"),
    "a.flac": by_libsndfile("FLAC", "PCM_16"),
    "a.ogg": by_libsndfile("OGG", "VORBIS"),
    "a.opus": by_libsndfile("OGG", "OPUS", 48000),
    "a.m4a": by_ffmpeg("ipod", "aac"),
    "a.wma": by_ffmpeg("asf", "wmav2"),
}


def tagged(folder, name):
    path = folder / name
    MAKERS[name](path)
    source = tags.Tags(TEXTS, (("image/png", COVER),))
    tags.write(path, path.suffix, source, "karaoke", "a")
    # What wrote the file marks the title, as it should; here the song is the original.
    file = mutagen.File(path)
    tags._set(file.tags, "title", TEXTS["title"])
    file.save()
    return path


ACROSS = [("a.mp3", "m4a"), ("a.mp3", "flac"), ("a.m4a", "opus"), ("a.flac", "mp3")]


@pytest.mark.parametrize(("name", "format"), [*((name, "same") for name in MAKERS), *ACROSS])
def test_tags_and_cover_are_carried_over(tmp_path, name, format):
    path = tagged(tmp_path, name)
    outcome = separated(path, format=format, name="{artist} - {title} ({stem})")
    assert outcome.status == "done", outcome.reason
    for stem, result in outcome.paths.items():
        assert result.stem == f"A_B - Lied ü ({stem})"
        found = tags.read(result)
        assert found.fields == {**TEXTS, "title": f"Lied ü ({stem.capitalize()})"}
        assert found.pictures == (("image/png", COVER),)
        assert audio.read(result).any()


def test_odd_frames_of_one_family_are_copied_as_they_are(tmp_path):
    path = tagged(tmp_path, "a.mp3")
    file = mp3.MP3(path)
    file.tags.add(id3.USLT(3, "eng", "", "la la la"))
    file.tags.add(id3.RVA2("track", 1, -3.0, 0.9))
    file.save()
    result = separated(path).paths["karaoke"]
    frames = mp3.MP3(result).tags
    assert frames.getall("USLT")[0].text == "la la la"
    assert frames.getall("RVA2")[0].gain == -3.0


def test_the_padding_of_another_encoding_is_not_carried_over(tmp_path):
    path = tagged(tmp_path, "a.m4a")
    file = mp4.MP4(path)
    file.tags["----:com.apple.iTunes:iTunSMPB"] = [mp4.MP4FreeForm(b" 00000000 00000840")]
    file.tags["----:com.apple.iTunes:iTunNORM"] = [mp4.MP4FreeForm(b" 00000001")]
    file.save()
    found = mp4.MP4(separated(path).paths["vocals"]).tags
    assert "----:com.apple.iTunes:iTunSMPB" not in found
    assert "----:com.apple.iTunes:iTunNORM" in found


@pytest.mark.parametrize("fault", ("picture", "frame", "no title"))
def test_broken_tags_cost_no_song(tmp_path, fault):
    if fault == "picture":
        path = tagged(tmp_path, "a.ogg")
        file = mutagen.File(path)
        file["metadata_block_picture"] = [base64.b64encode(b"nonsense").decode(), "%%%"]
        file.save()
    elif fault == "frame":
        path = tagged(tmp_path, "a.mp3")
        data = bytearray(path.read_bytes())
        data[14:18] = b"\x7f\x7f\x7f\x7f"
        path.write_bytes(data)
    else:
        path = tmp_path / "a.flac"
        MAKERS["a.flac"](path)
        file = flac.FLAC(path)
        file["artist"] = "x" * 100_000
        file.save()
    outcome = separated(path, name="{artist}_{stem}")
    assert outcome.status == "done", outcome.reason
    assert np.isfinite(audio.read(outcome.paths["karaoke"])).all()


def test_a_cover_of_an_ape_tag_costs_no_text(tmp_path):
    path = tmp_path / "a.wv"
    by_ffmpeg("wv", "wavpack")(path)
    file = mutagen.File(path)
    del file.tags["encoder"]
    file["Title"], file["replaygain_track_gain"] = TEXTS["title"], TEXTS["replaygain_track_gain"]
    file["Cover Art (Front)"] = apev2.APEValue(b"cover.png\0" + COVER, apev2.BINARY)
    file.save()
    found = tags.read(path)
    assert found.fields == {name: TEXTS[name] for name in ("title", "replaygain_track_gain")}
    assert found.pictures == (("image/png", COVER),)
    outcome = separated(path)
    assert tags.read(outcome.paths["karaoke"]).pictures == found.pictures


def test_an_mp3_may_have_ape_tags_alone(tmp_path):
    path = tmp_path / "a.mp3"
    MAKERS["a.mp3"](path)
    file = apev2.APEv2()
    file.update({"Title": "Lied ü", "Artist": ["A", "B"], "Year": "1999", "Track": "3/12"})
    file.save(path)
    expected = {"title": "Lied ü", "artist": "A", "date": "1999", "tracknumber": "3/12"}
    assert tags.read(path).fields == expected
    results = separated(path).paths
    assert tags.read(results["vocals"]).fields == {**expected, "title": "Lied ü (Vocals)"}


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
def test_texts_of_a_wav_are_read_in_windows_code_page_too(tmp_path, encoding):
    path = tmp_path / "a.wav"
    MAKERS["a.wav"](path)
    text = "Björk".encode(encoding).ljust(8, b"\0")
    chunk = b"LIST" + (12 + len(text)).to_bytes(4, "little") + b"INFOIART"
    data = path.read_bytes() + chunk + len(text).to_bytes(4, "little") + text
    path.write_bytes(data[:4] + (len(data) - 8).to_bytes(4, "little") + data[8:])
    assert tags.read(path).fields == {"artist": "Björk"}


def test_a_song_without_tags_gets_none(tmp_path):
    path = tmp_path / "a.wav"
    MAKERS["a.wav"](path)
    assert not mutagen.File(separated(path).paths["karaoke"]).tags
