"""What the command line says while it works: one line a complaint, and a bar a song."""

import io
import os
import sys
import time
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, TextIO

from tqdm import tqdm

PROGRAM = "asteroid-karaoke"
_BAR = "{desc}: {percentage:3.0f}%|{bar}| {n:.0f}/{total:.0f} s [{elapsed}<{remaining}]"


def say(text: str) -> None:
    """Print one line to standard output, above a bar if there is one."""
    _print(printable(text, sys.stdout), sys.stdout)


def complain(error: object) -> None:
    """Print one line to standard error."""
    line = f"{PROGRAM}: {' '.join(str(error).split())}"
    _print(printable(line, sys.stderr), sys.stderr)


def _print(text: str, file: TextIO | None) -> None:
    if file is None:
        # It was closed before the program began.
        return
    try:
        tqdm.write(text, file=file)
        file.flush()
    except OSError:
        # As behind `| head`, or on a full disk: the songs are worth finishing all the same.
        forget(file)


def standard_input() -> BinaryIO:
    """The bytes that come on standard input.

    Raises:
        ValueError: It was closed before the program began.
    """
    if sys.stdin is None:
        raise ValueError("got -, but there is no standard input: name a file, or pipe one in")
    return sys.stdin.buffer


def forget(file: TextIO) -> None:
    """Let what is printed go nowhere, since nobody reads it; Python's last flush would complain."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, file.fileno())
    os.close(nowhere)


def printable(text: str, file: TextIO | None) -> str:
    """Escape what a terminal can not show, or would obey: names of files are anybody's.

    These are bytes that are no valid UTF-8, characters that the terminal's code page has not, and
    control characters, which can clear the screen or give the window another title.
    """
    shown = (
        char.encode("unicode_escape").decode() if unicodedata.category(char) == "Cc" else char
        for char in text
    )
    encoding = getattr(file, "encoding", None) or "utf-8"
    return "".join(shown).encode(encoding, "backslashreplace").decode(encoding)


@contextmanager
def song_progress(source: str) -> Iterator[Callable[[float, float], None]]:
    """A bar for one song; once its first block is through, say how long it will take.

    Yields:
        A function to be called with the seconds done and the seconds in all.
    """
    started = time.monotonic()
    name = printable(Path(source).name, sys.stderr)
    # disable=None: no bar where standard error is no terminal.
    with tqdm(total=1, desc=name, disable=None, leave=False, bar_format=_BAR) as bar:
        first = True

        def progress(done: float, total: float) -> None:
            nonlocal first
            if first:
                expected = (time.monotonic() - started) * total / done
                say(f"{source}: {_clock(total)} long, about {_clock(expected)} to separate")
                first = False
            bar.total = total
            bar.update(done - bar.n)

        yield progress


def _clock(seconds: float) -> str:
    minutes, rest = divmod(max(1, round(seconds)), 60)
    return f"{minutes}:{rest:02d} min" if minutes else f"{rest} s"


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Keep C libraries from the terminal: mpg123 comments on each broken file, past Python.

    Python's own standard error goes on to where it went.
    """
    try:
        kept = os.dup(2)
    except OSError:
        # There is no standard error.
        yield
        return
    before = sys.stderr
    nowhere = os.open(os.devnull, os.O_WRONLY)
    with suppress(AttributeError, io.UnsupportedOperation):
        before.flush()
        if before.fileno() == 2:
            sys.stderr = os.fdopen(kept, "w", 1, before.encoding, before.errors, closefd=False)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        sys.stderr = before
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
