"""Files that appear whole or not at all: written beside their place, under a hidden name.

The hidden name tells whose it is, ``.<machine>-<process>-<random>.part``, so that what a process
left that was killed can be found and removed by the next one.
"""

import hashlib
import os
import platform
import re
import shutil
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

#: Stands for this machine: a folder may be shared by several, whose process numbers are alike.
_MACHINE = hashlib.sha256(platform.node().encode()).hexdigest()[:8]
_Self = TypeVar("_Self", bound="WholeFile")
_NAME = re.compile(r"\.([0-9a-f]{8})-(\d+)-[0-9a-f]{32}\.part$")


def hidden(path: Path) -> Path:
    """A new name beside ``path`` for a file that is being written."""
    return path.parent / f".{_MACHINE}-{os.getpid()}-{uuid.uuid4().hex}.part"


def place(part: Path, path: Path, overwrite: bool = True) -> None:
    """Move a finished file to its place, at once.

    Args:
        part: The hidden file.
        path: Where it belongs.
        overwrite: Whether a file that is there may be replaced.

    Raises:
        FileExistsError: A file is there that may not be replaced.
    """
    if overwrite:
        os.replace(part, path)
        return
    try:
        # A link is refused where the name is taken, also by a process that was faster.
        os.link(part, path)
    except FileExistsError as error:
        raise exists(path) from error
    except OSError as error:
        # Not every file system has links.
        if path.exists():
            raise exists(path) from error
        os.replace(part, path)
    else:
        part.unlink()


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A hidden name to write to; the file is moved to ``path`` when the ``with`` block is left.

    Its folder is made. Where the block is left by an error, nothing remains.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = hidden(path)
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes) -> Path:
    """Write a small file, whole or not at all; its folder is made.

    Returns:
        The path.
    """
    with whole(path) as part:
        part.write_bytes(content)
    return path


def exists(path: Path) -> FileExistsError:
    """The complaint about a file that may not be replaced."""
    return FileExistsError(
        f"{path} exists: give --overwrite to replace it, or --skip-existing to leave it"
    )


def sweep(folder: Path) -> None:
    """Remove what processes of this machine that are no more have left half-written."""
    if os.name != "posix" or not folder.is_dir():
        # Elsewhere, asking after a process may end it.
        return
    paths: list[Path] = []
    with suppress(OSError):
        # It may be written to, but not be read.
        paths += folder.iterdir()
    for path in paths:
        found = _NAME.match(path.name)
        if found and found[1] == _MACHINE and not alive(int(found[2])):
            with suppress(OSError):
                path.unlink()


def alive(process: int) -> bool:
    """Whether there is a process of this number; asking may end it on Windows."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


class WholeFile(ABC):
    """A file under a hidden name, which is moved to its place when a ``with`` block is left.

    Where the block is left by an error, nothing remains. A subclass opens the file and closes it.

    Args:
        path: Where the file belongs. Its folder is made.
        overwrite: Whether a file that is there may be replaced.

    Attributes:
        path: As above.
        part: The hidden file.

    Raises:
        FileExistsError: The file is there and may not be replaced.
        OSError: The place can not be written to.
    """

    def __init__(self, path: str | os.PathLike, overwrite: bool) -> None:
        self.path, self._overwrite = Path(path), overwrite
        self.part = hidden(self.path)
        # The system's errors say more than those of the libraries that write.
        if self.path.is_dir():
            raise IsADirectoryError(f"{self.path} is a folder, so no file can be written there")
        if not overwrite and self.path.exists():
            raise exists(self.path)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.part.touch(exist_ok=False)
        except OSError as error:
            raise type(error)(
                f"the folder {self.path.parent} can not be written to ({error.strerror}): "
                "choose another one"
            ) from error

    @abstractmethod
    def close(self) -> None:
        """Finish the hidden file and see that all is in it; it is moved when ``with`` is left."""

    @abstractmethod
    def abandon(self) -> None:
        """Let go of the hidden file, if it is still open."""

    def failure(self) -> OSError:
        """The error of a disk that is full."""
        free = shutil.disk_usage(self.path.parent).free / 1e6
        return OSError(
            f"{self.path} could not be written to its end; that disk has {free:.0f} MB left: "
            "make room or choose another folder"
        )

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self.close()
                place(self.part, self.path, self._overwrite)
        finally:
            self.abandon()
            self.part.unlink(missing_ok=True)
