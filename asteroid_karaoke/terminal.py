"""What the command line says while it works: one line a complaint, and a bar a song."""

import io
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tqdm import tqdm

PROGRAM = "asteroid-karaoke"
_BAR = "{desc}: {percentage:3.0f}%|{bar}| {n:.0f}/{total:.0f} s [{elapsed}<{remaining}]"


def say(text: str) -> None:
    """Print to standard output, above a bar if there is one."""
    tqdm.write(_printable(text))


def complain(error: object) -> None:
    """Print one line to standard error."""
    line = f"{PROGRAM}: {' '.join(str(error).split())}"
    tqdm.write(_printable(line), file=sys.stderr)


def _printable(text: str) -> str:
    """Escape what no terminal can show: the bytes of file names that are no valid UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


@contextmanager
def song_progress(source: str) -> Iterator[Callable[[float, float], None]]:
    """A bar for one song; once its first block is through, say how long it will take.

    Yields:
        A function to be called with the seconds done and the seconds in all.
    """
    started = time.monotonic()
    name = _printable(Path(source).name)
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
