"""What is printed: any name, on any terminal, to anybody or nobody."""

import io
import os
import sys

import pytest

from asteroid_karaoke import terminal


def on(encoding):
    return io.TextIOWrapper(io.BytesIO(), encoding)


@pytest.mark.parametrize("encoding", ("utf-8", "cp1252", "ascii"))
def test_any_name_can_be_shown(monkeypatch, encoding):
    screens = {"stdout": on(encoding), "stderr": on(encoding)}
    for name, screen in screens.items():
        monkeypatch.setattr(sys, name, screen)
    for name in ("é😀歌.wav", os.fsdecode(b"\xff\xfe.wav")):
        terminal.say(name)
        terminal.complain(name)
        with terminal.song_progress(name) as progress:
            progress(1, 2)
    assert all(screen.buffer.getvalue().count(b".wav") >= 2 for screen in screens.values())


def test_names_do_not_command_the_terminal(capsys):
    name = "a\x1b[2J\x9b31m\x07\rb\nc.wav"
    terminal.say(name)
    terminal.complain(name)
    with terminal.song_progress(name) as progress:
        progress(1, 2)
    for text in capsys.readouterr():
        assert text
        for line in text.splitlines():
            assert line.isprintable()
            assert "c.wav" in line


def test_nobody_needs_to_listen(monkeypatch):
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as screen:
        monkeypatch.setattr(sys, "stdout", screen)
        for _ in range(3):
            terminal.say("a line")
