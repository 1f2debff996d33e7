"""Blind comparison: a page that hides who is who, answers from a real browser, and their count."""

import json
import re
import time
from collections import Counter

import numpy as np
import pytest

from asteroid_karaoke import audio, cli
from asteroid_karaoke.listening import comparison, make_page, unblind

RATE = 44100
#: A song in a folder "<", whose name would end the page's script.
HOSTILE = "</script><b>song"


@pytest.fixture
def folders(tmp_path):
    """Three songs by two systems, in the two layouts there are; b's are quieter."""
    rng = np.random.default_rng(0)
    for number, song in enumerate(("one", "two", HOSTILE)):
        wav = 0.1 * rng.standard_normal((1, 3 * RATE)).astype(np.float32)
        audio.write(tmp_path / "a" / song / "accompaniment.wav", wav, RATE)
        # From 1 s on they differ.
        wav[:, RATE:] *= 0.5
        audio.write(tmp_path / "b" / f"{song}_karaoke.flac", wav, RATE)
        if number == 0:
            audio.write(tmp_path / "a" / "only here" / "karaoke.wav", wav, RATE)
    return tmp_path / "a", tmp_path / "b", tmp_path / "page"


def answer(key, path, chosen, listener="x"):
    """A listener's file who always prefers one side."""
    known = json.loads(key.read_text())
    answers = ["first" if trial["first"] == chosen else "second" for trial in known["trials"]]
    path.write_text(json.dumps({"page": known["page"], "listener": listener, "answers": answers}))
    return path


def test_the_page_tells_nobody_who_is_who(folders):
    a, b, page = folders
    key = make_page(a, b, page, seconds=1.5, seed=1)
    names = sorted(str(path.relative_to(page)) for path in page.rglob("*") if path.is_file())
    assert names == [*(f"audio/00{n}-{i}.flac" for n in (1, 2, 3) for i in (1, 2)), "index.html"]
    html = (page / "index.html").read_text()
    assert not re.search(r'"(a|b|first|seed)":', html)
    assert str(a) not in html
    assert "only here" not in html
    assert key.parent == page.parent, "not among what listeners get"
    known = json.loads(key.read_text())
    assert sorted(trial["song"] for trial in known["trials"]) == sorted(["one", "two", HOSTILE])
    # The key is right: b is quieter. And what is heard is where they differ.
    for number, trial in enumerate(known["trials"], 1):
        levels = [
            float(np.std(audio.read(page / f"audio/00{number}-{place}.flac"))) for place in (1, 2)
        ]
        assert ("a" if levels[0] > levels[1] else "b") == trial["first"]
        assert min(levels) / max(levels) == pytest.approx(0.5, abs=0.01)
        assert audio.info(page / f"audio/00{number}-1.flac").frames == 1.5 * RATE


def test_the_order_is_balanced_drawn_and_repeatable():
    songs = [str(number) for number in range(40)]
    trials = comparison.draw(songs, 7)
    assert trials == comparison.draw(songs, 7)
    assert trials != comparison.draw(songs, 8)
    assert [trial.song for trial in trials] != songs
    assert sorted(trial.song for trial in trials) == sorted(songs)
    assert Counter(trial.first for trial in trials) == {"a": 20, "b": 20}
    pairs = [(trial.song, trial.first) for trial in trials]
    assert sum((int(song) % 2 == 0) == (first == "a") for song, first in pairs) < 35


@pytest.mark.parametrize("suffix", (".aiff", ".au", ".caf", ".w64", ".webm", ".wma"))
def test_whatever_separate_writes_is_found(tmp_path, suffix):
    path = tmp_path / f"song_karaoke{suffix}"
    path.touch()
    assert comparison.stem_files(tmp_path, "karaoke") == {"song": path}


def test_answers_are_counted_and_tested(folders, tmp_path):
    key = make_page(*folders, seconds=1)
    files = [answer(key, tmp_path / f"{n}.json", "a", str(n)) for n in range(3)]
    undecided = json.loads(files[0].read_text()) | {"listener": "last"}
    undecided["answers"][:2] = ["none", None]
    files.append(tmp_path / "last.json")
    files[-1].write_text(json.dumps(undecided))
    verdict = unblind(key, files)
    assert verdict.total == {"a": 10, "none": 1}
    assert verdict.listeners == 4
    assert verdict.p_value == pytest.approx(2 * 0.5**10)
    assert str(verdict).splitlines()[0] == "11 answers by 4 listener(s), 10 with a preference"
    assert "two-sided binomial test: p = 0.00195" in str(verdict)
    assert sum(counts.total() for counts in verdict.songs.values()) == 11
    both = [answer(key, tmp_path / f"b{n}.json", "ab"[n], f"b{n}") for n in (0, 1)]
    assert unblind(key, both).p_value == 1


def test_what_can_not_be_compared_ends_in_words(folders, tmp_path, capsys):
    a, b, page = folders
    with pytest.raises(FileNotFoundError, match="is not a folder: expected one with estimates"):
        make_page(a, tmp_path / "none", page)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="no song is in both"):
        make_page(a, tmp_path / "empty", page)
    with pytest.raises(ValueError, match="no song is in both"):
        make_page(a, b, page, stem="vocals")
    with pytest.raises(ValueError, match="expected more than 0"):
        make_page(a, b, page, seconds=0)
    audio.write(b / "two_accompaniment.wav", np.zeros((1, RATE), np.float32), RATE)
    with pytest.raises(ValueError, match="song 'two' is there twice"):
        make_page(a, b, page)
    (b / "two_karaoke.flac").unlink()
    with pytest.raises(ValueError, match=r"are 3\.00 s and 1\.00 s long: they are not versions"):
        make_page(a, b, tmp_path / "other")
    (b / "two_accompaniment.wav").write_bytes(b"no sound")
    with pytest.raises(ValueError, match="two_accompaniment"):
        make_page(a, b, tmp_path / "third")
    (b / "two_accompaniment.wav").unlink()
    key = make_page(a, b, page)
    with pytest.raises(FileExistsError, match="answers belong to one page"):
        make_page(a, b, page)
    good = answer(key, tmp_path / "good.json", "a")
    for content, message in (
        ('{"page": "x"', "is no file of answers"),
        ('{"page": "x", "listener": "y"}', "it has no answers"),
        ('{"page": "x", "listener": "y", "answers": []}', "answers another page"),
        (good.read_text().replace("first", "fist"), "'fist' is no answer"),
        (re.sub(r'\["\w+", ', "[", good.read_text()), "for each of 2 songs"),
    ):
        (tmp_path / "bad.json").write_text(content)
        with pytest.raises(ValueError, match=message):
            unblind(key, [tmp_path / "bad.json"])
    with pytest.raises(ValueError, match="are one listener's"):
        unblind(key, [good, good])
    assert cli.main(["unblind", str(key), str(tmp_path / "bad.json")]) == 2
    assert cli.main(["listen", str(a), str(tmp_path / "empty"), "-o", str(tmp_path / "x")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_a_listener_answers_by_keys_alone(folders, browser, artefacts, tmp_path, capsys):
    """From the command over a real browser to the verdict."""
    from selenium.webdriver import ActionChains, Keys

    a, b, page = folders
    command = ["listen", str(a), str(b), "-o", str(page), "--seconds", "1.5", "--seed", "3"]
    assert cli.main(command) == 0
    key = page.parent / "page.key.json"
    assert capsys.readouterr().out.split("  ")[0] == str(page / "index.html")
    trials = json.loads(key.read_text())["trials"]
    size = {"width": 375, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get((page / "index.html").as_uri())

    def press(*keys):
        ActionChains(browser).send_keys(*keys).perform()

    def shown(what):
        return browser.find_element("id", what)

    assert browser.execute_script("return document.documentElement.scrollWidth") == 375
    press("1")
    deadline = time.monotonic() + 20
    while not browser.execute_script("return sounds[0].currentTime > 0"):
        assert time.monotonic() < deadline, browser.get_log("browser")
    press("2")
    assert shown("play-1").get_attribute("aria-pressed") == "true"
    assert browser.execute_script("return sounds[0].paused && !sounds[1].paused")
    press(" ")
    assert browser.execute_script("return sounds[0].paused && sounds[1].paused")
    for trial in trials:
        assert shown("song").text == trial["song"]
        press("f" if trial["first"] == "b" else "s", Keys.ARROW_RIGHT)
    assert shown("count").text.lower() == "song 3 of 3, 3 answered"
    press(Keys.ARROW_LEFT, "n")
    browser.refresh()
    assert shown("count").text.lower() == "song 2 of 3, 3 answered", "a reload loses nothing"
    assert shown("choose-none").get_attribute("aria-pressed") == "true"
    assert browser.save_screenshot(str(artefacts / "listen-375.png"))
    shown("save").send_keys(Keys.ENTER)
    downloads = tmp_path / "downloads"
    while not (files := list(downloads.glob("answers-*.json")) if downloads.is_dir() else []):
        assert time.monotonic() < deadline + 20, "nothing was saved"
    assert [entry["message"] for entry in browser.get_log("browser")] == []
    assert cli.main(["unblind", str(key), str(files[0])]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[:4] == [
        "3 answers by 1 listener(s), 2 with a preference",
        *(f"{a}: 0", f"{b}: 2", "none: 1"),
    ]
