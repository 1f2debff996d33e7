"""Where songs and results are kept for an hour: a folder of the server's own, gone when it ends."""

import os
import re
import secrets
import shutil
import tempfile
import weakref
from pathlib import Path

from ..parts import alive

_PREFIX = "asteroid-karaoke-web-"
_NAME = re.compile(rf"{_PREFIX}(\d+)-")
#: What is left free on the disk, in bytes: others use it, too.
_SPARE = 1 << 30


class Store:
    """A folder that nobody else may look into, with a folder for each song.

    Args:
        place: Where to make it. None: the system's folder for temporary files.
    """

    def __init__(self, place: Path | None = None) -> None:
        parent = Path(place or tempfile.gettempdir())
        _sweep(parent)
        self.folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=parent))
        # Also where the program ends before it has come to its own end.
        self._gone = weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)

    def new(self) -> tuple[str, Path]:
        """An id that can not be guessed, and the folder of that name."""
        name = secrets.token_urlsafe(16)
        folder = self.folder / name
        folder.mkdir()
        return name, folder

    def full(self, coming: int) -> bool:
        """Whether there is no room for a song of so many bytes and all that is made of it."""
        # A compressed song becomes three files of samples, of some ten times its size each.
        return shutil.disk_usage(self.folder).free < _SPARE + 30 * coming

    def remove(self, folder: Path) -> None:
        """Delete a song with all its results."""
        shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        """Delete everything."""
        self._gone()


def _sweep(parent: Path) -> None:
    """Delete what servers have left that were killed."""
    if os.name != "posix":
        # Elsewhere, asking after a process may end it.
        return
    for folder in parent.glob(f"{_PREFIX}*"):
        found = _NAME.match(folder.name)
        ours = found and not folder.is_symlink() and folder.stat().st_uid == os.getuid()
        if found and ours and not alive(int(found[1])):
            shutil.rmtree(folder, ignore_errors=True)
