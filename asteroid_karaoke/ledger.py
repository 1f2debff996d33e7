"""What was done in an output folder, a JSON object a line: a run that was killed can go on.

A line is written when a song's results are finished, just before they are put in their places. So,
whenever the run is killed, a result that is there and as the ledger has it is ours and whole; where
one of a song's results is missing, the song is done again.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .options import OutputOptions

try:
    import fcntl
except ImportError:  # Windows, whose disks append in one piece
    # To the type checker the name is the module, always: it runs where there is one.
    fcntl = None  # type: ignore[assignment]

NAME = "asteroid-karaoke.jsonl"


@dataclass(frozen=True)
class Record:
    """One song.

    Args:
        source: As it was given.
        sha256: Of the input file.
        model: The model's name and the SHA-256 of its weights.
        options: What was asked for, as :func:`described` gives it.
        outputs: SHA-256 of each result, by its path below the output folder.
    """

    source: str
    sha256: str
    model: Mapping[str, str]
    options: Mapping[str, Any]
    outputs: Mapping[str, str]


class Ledger:
    """The ledger of an output folder.

    Args:
        folder: The output folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._records: dict[frozenset[str], Record] = {}
        with suppress(FileNotFoundError, NotADirectoryError):
            for line in (folder / NAME).read_bytes().splitlines():
                # A run that was killed while it wrote leaves half a line.
                with suppress(ValueError, TypeError):
                    record = Record(**json.loads(line))
                    self._records[frozenset(record.outputs)] = record

    def find(self, paths: Mapping[str, Path]) -> Record | None:
        """What made these results, the last time."""
        return self._records.get(frozenset(map(self._name, paths.values())))

    def results(self) -> set[Path]:
        """All results that were ever put here, resolved."""
        names = {name for outputs in self._records for name in outputs}
        return {(self.folder / name).resolve() for name in names}

    def whole(self, record: Record) -> bool:
        """Whether all results of a song are in their places, as they were written."""
        return all(self.ours(self.folder / name, record) for name in record.outputs)

    def ours(self, path: Path, record: Record) -> bool:
        """Whether a file is there, and is the result that the ledger tells of."""
        return path.is_file() and sha256(path) == record.outputs.get(self._name(path))

    def add(
        self,
        source: str,
        path: Path,
        model: Mapping[str, str],
        options: OutputOptions,
        results: Mapping[Path, Path],
    ) -> None:
        """Write a line; several processes may do so at once.

        Args:
            source: The song as it was given.
            path: Its file.
            model: As in :class:`Record`.
            options: What was asked for.
            results: The finished file that will be put at each path.

        Raises:
            OSError: The disk is full.
        """
        outputs = {self._name(place): sha256(part) for place, part in results.items()}
        record = Record(source, sha256(path), model, described(options), outputs)
        line = (json.dumps(asdict(record)) + "\n").encode()
        with (self.folder / NAME).open("a+b", buffering=0) as file:
            _lock(file.fileno())
            # In one piece and at the end, behind whatever a run that was killed left unfinished.
            if size := file.seek(0, os.SEEK_END):
                file.seek(size - 1)
                line = line if file.read() == b"\n" else b"\n" + line
            file.write(line)
            os.fsync(file.fileno())

    def _name(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix()


def _lock(file: int) -> None:
    """Wait for other processes, until the file is closed: a network's folder does not append."""
    if fcntl is not None:
        # Not every file system has locks.
        with suppress(OSError):
            fcntl.lockf(file, fcntl.LOCK_EX)


def described(options: OutputOptions) -> dict[str, Any]:
    """The options as JSON has them, without those that change no result."""
    told = asdict(options)
    for name in ("overwrite", "max_seconds"):
        del told[name]
    plain: dict[str, Any] = json.loads(json.dumps(told))
    return plain


def sha256(path: Path) -> str:
    """Of a file's bytes, in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
