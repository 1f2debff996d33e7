"""What a folder of stems says of its songs: index.csv, meta.json, and the licences from them."""

import json
from pathlib import Path

import pytest
from stem_folders import build, prepare, save, tone

from recipes import stems


@pytest.fixture
def corpus(tmp_path) -> Path:
    return build(tmp_path / "corpus")


@pytest.mark.parametrize("path", ["../secret.wav", "/etc/secret.wav", "a/../../secret.wav"])
def test_an_index_leads_nowhere_else(corpus, path):
    (corpus / "index.csv").write_text(f"file\n{path}\n")
    with pytest.raises(ValueError, match="expected paths inside its folder"):
        stems.find_songs(corpus)


@pytest.mark.parametrize(
    ("row", "licence"),
    [
        ("file,artist,licence\nalbums/one,Anna,CC0-1.0\n", "CC0-1.0"),
        ("\ufefffile,artist,licence\nalbums/one,Anna,CC0-1.0\n", "CC0-1.0"),
        ("file,artist,license\nalbums\\one, Anna , CC0-1.0 \n\n,,\n", "CC0-1.0"),
        ("file,artist,licence\nalbums/one,Anna\n", "unknown"),
        ('file,artist,licence\r\nalbums/one,"An\x0cna\u2028\nB",CC0-1.0\r\n', "CC0-1.0"),
        ("file,artist,licence\nalbums/one/,Anna,CC0-1.0,more,than,columns\n", "CC0-1.0"),
    ],
)
def test_an_index_as_spreadsheets_write_it(row, licence, corpus, tmp_path):
    (corpus / "index.csv").write_bytes(row.encode())
    songs = prepare(corpus, tmp_path / "out")
    assert songs["albums/one"].licence == licence
    assert all(songs[name].licence == "unknown" for name in ("albums/two", "band"))


@pytest.mark.parametrize(
    ("index", "complaint"),
    [
        (b"file,licence\nalbums/one,\xe9\n", "no UTF-8"),
        (b"path\nalbums/one\n", "expected file among them"),
        (b"", "expected file among them"),
        (b"file,title\nalbums/one," + b"x" * 200_000 + b"\n", "no table of commas"),
        (b"file\n../elsewhere\n", "expected paths inside its folder"),
        (b"file\nC:\\songs\\one\n", "expected paths inside its folder"),
    ],
)
def test_an_index_that_can_not_be_read(index, complaint, corpus, tmp_path):
    (corpus / "index.csv").write_bytes(index)
    with pytest.raises(ValueError, match=complaint):
        prepare(corpus, tmp_path / "out")


def test_rows_of_an_index_that_name_no_sound_are_told(corpus, tmp_path, caplog):
    rows = ["file,licence", "albums/one,CC0", "albums/oen,CC0", "voice_only/anna/solo.ogg,CC0"]
    (corpus / "index.csv").write_text("\n".join(rows))
    prepare(corpus, tmp_path / "out")
    assert "albums/oen: is in index.csv, but no sound is there" in caplog.text
    assert "albums/one:" not in caplog.text and "solo.ogg:" not in caplog.text


def test_only_words_of_a_meta_json_are_taken(corpus, tmp_path):
    meta = {"licence": ["CC0"], "license": "CC BY 4.0", "bpm": 120}
    (corpus / "albums" / "one" / "meta.json").write_text(json.dumps(meta), encoding="utf-8-sig")
    assert prepare(corpus, tmp_path / "out")["albums/one"].licence == "CC BY 4.0"


def test_licences_stand_beside_the_manifests(corpus, tmp_path):
    prepare(corpus, tmp_path / "out", valid=0, test=0)
    (unknown,) = json.loads((tmp_path / "out" / "licenses.json").read_text())
    assert unknown["license"] == "unknown" and unknown["non_commercial"] is True
    (corpus / "index.csv").write_text("file,artist,title,licence\nalbums/one,Anna,One,CC0-1.0\n")
    prepare(corpus, tmp_path / "out", valid=0, test=0)
    known, unknown = json.loads((tmp_path / "out" / "licenses.json").read_text())
    assert (known["author"], known["title"], known["non_commercial"]) == ("Anna", "One", False)
    assert unknown == stems.LICENSE


def test_the_card_names_what_is_trained_on_and_not_what_is_tested_on(corpus, tmp_path):
    rows = ["file,artist,licence", "albums/one,Anna,CC0", "test/three,Bert,CC0"]
    (corpus / "index.csv").write_text("\n".join(rows))
    save(corpus / "test" / "three" / "vocals.wav", tone(440))
    save(corpus / "test" / "three" / "accompaniment.wav", tone(110))
    songs = prepare(corpus, tmp_path / "out", valid=0, test=0)
    assert songs["test/three"].split == "test"
    works = json.loads((tmp_path / "out" / "licenses.json").read_text())
    assert [work["author"] for work in works] == ["Anna", stems.LICENSE["author"]]
