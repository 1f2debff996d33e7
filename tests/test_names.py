"""Names of the results: safe on every file system, whatever the tags say."""

import unicodedata
from pathlib import PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asteroid_karaoke import names

HOSTILE = (
    "..",
    "/etc/passwd",
    "a/../../b",
    "C:\\x",
    "CON",
    "nul.txt",
    "a\0b",
    "x\u202egpj.exe",
    "",
)


def name(template, song="song", stem="karaoke", suffix=".mp3", **tags):
    return names.fill(template, {"song": song, **tags}, stem, suffix)


def test_a_template_is_filled():
    assert str(name("{song}_{stem}")) == "song_karaoke.mp3"
    found = name("{artist}/{album}/{title} ({stem})", artist="AC/DC", album="If?", title="Go: up")
    assert str(found) == "AC_DC/If_/Go_ up (karaoke).mp3"
    assert str(name("{artist} - {title}", artist=" ")) == "Unknown artist - song.mp3"


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("template", ("{title}/{artist}_{stem}", "{song}_{stem}", "{title}"))
def test_hostile_tags_stay_inside(template, value):
    check(name(template, value or "song", title=value, artist=value), template)


@given(st.text(max_size=400), st.text(max_size=400), st.sampled_from((".mp3", ".opus")))
def test_any_tag_gives_a_name_that_every_system_takes(title, artist, suffix):
    for stem in ("vocals", "karaoke"):
        template = "{artist}/{title} ({stem})"
        path = name(template, stem=stem, suffix=suffix, title=title, artist=artist)
        check(path, template)
        assert path.name.endswith(f"({stem}){suffix}")


def check(path, template):
    assert not path.is_absolute()
    assert len(path.parts) == template.count("/") + 1
    for part in path.parts:
        assert part not in ("", ".", "..")
        assert len(part.encode()) <= 255
        assert part[0] not in ". "
        assert part[-1] not in ". "
        assert not set(part) & set('<>:"/\\|?*')
        assert not any(unicodedata.category(char) in ("Cc", "Cf", "Cs") for char in part)
        assert PureWindowsPath(part).stem.split(".")[0].upper() not in ("CON", "NUL", "COM1")


def test_stems_of_a_long_name_stay_apart():
    long = "歌" * 200
    assert name("{song}_{stem}", long, "vocals") != name("{song}_{stem}", long, "karaoke")


@pytest.mark.parametrize("device", ("con", "COM1", "lpt9.tar", "Nul", "COM¹"))
def test_devices_of_windows_are_no_names(device):
    assert str(name("{title}", title=device, suffix="")).startswith("_")


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{nothing}_{stem}", "expected plain fields"),
        ("{title.__class__}_{stem}", "expected plain fields"),
        ("{title!r}_{stem}", "expected plain fields"),
        ("{title:>999999999}_{stem}", "expected plain fields"),
        ("{}_{stem}", "expected plain fields"),
        ("{title", "brace"),
        ("{title}", "add {stem}"),
        ("/tmp/{stem}", "below the output folder"),
        ("../{stem}", "below the output folder"),
        ("{stem}/", "below the output folder"),
        ("", "add {stem}"),
    ],
)
def test_a_template_that_can_not_be_filled_is_refused(template, message):
    with pytest.raises(ValueError, match=message):
        names.check(template, 2)
    names.check("{title}", 1)
