"""Many songs, each by itself: done, skipped or failed, one after the other or several at a time.

A song that fails costs nothing but itself. With a ledger (:mod:`asteroid_karaoke.ledger`) a run
that was broken off goes on where it was. Several at a time are done by other processes, here or on
a cluster (:mod:`asteroid_karaoke.cluster`).
"""

import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from . import cluster
from .fetching import Fetched, as_file
from .files import output_paths, separate_file
from .inputs import Song
from .ledger import Ledger, described, sha256
from .options import OutputOptions
from .overlap_add import Separator
from .parts import sweep
from .separation import Progress
from .terminal import quiet_libraries

DONE, SKIPPED, FAILED = "done", "skipped", "failed"
#: A worker of a cluster may be told to do several songs at once, in threads: each would need its
#: own model, and what C libraries say is kept from the terminal for the process as a whole.
_alone = threading.Lock()


@dataclass(frozen=True)
class Work:
    """What is to be done with each song; it can be sent to another process.

    Args:
        folder: The output folder.
        options: What to write and how.
        load: Gives the model; called once in each process. Such that what comes out of another
            process is equal to what was sent there.
        model: The model's name and the SHA-256 of its weights, for the ledger.
        skip_existing: Whether results that are there are left as they are.
        ledger: Whether a ledger is kept.
        blocks: How many blocks of a song the model is given at a time.
    """

    folder: Path
    options: OutputOptions
    load: Callable[[], Separator]
    model: Mapping[str, str] = field(default_factory=dict)
    skip_existing: bool = False
    ledger: bool = False
    blocks: int = 1


@dataclass(frozen=True)
class Outcome:
    """What became of a song.

    Args:
        song: The song.
        status: ``done``, ``skipped`` or ``failed``.
        reason: Why it was not done.
        paths: Its results, by stem.
        notes: What is to be known of them.
    """

    song: Song
    status: str
    reason: str = ""
    paths: Mapping[str, Path] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def plan(songs: Sequence[Song], folder: Path, options: OutputOptions) -> list[Song]:
    """Find out, before anything is written, which songs would overwrite another, or a song.

    A song that was found in a folder, by a glob or in a playlist gets the fault for itself, or is
    left out where it is the result of another one, or was met before.

    Raises:
        ValueError: It is a song that was named by itself.
    """
    sources = {song.path: song for song in songs if song.local and not song.fault}
    taken: dict[Path, Song] = {}
    results: set[Path] = set()
    met: dict[tuple[str, int], Song] = {}
    again: set[int] = set()
    faults: dict[int, str] = {}
    for number, song in enumerate(songs):
        before = met.setdefault(song.place, song)
        if before is not song and (before.listed or song.listed):
            again.add(number)
            continue
        for path in _expected(song, folder, options):
            place = Path(os.path.realpath(path))
            if place in sources:
                if not sources[place].listed:
                    raise ValueError(
                        f"{path}, a result for {song.source}, is an input: name another -o DIR"
                    )
                results.add(place)
            first = taken.setdefault(path, song)
            if first is not song:
                fault = (
                    f"{first.source} and {song.source} would both be written to {path}: separate "
                    "them in two runs, with another -o DIR each, or name them apart with --name"
                )
                if not song.listed:
                    raise ValueError(fault)
                faults[number] = fault
    return [
        replace(song, fault=faults.get(number, song.fault))
        for number, song in enumerate(songs)
        if song.fault or not (number in again or (song.local and song.path in results))
    ]


def _expected(song: Song, folder: Path, options: OutputOptions) -> list[Path]:
    """Where a song's results will be; nothing where that is not known yet, or never will be."""
    if song.fault or not song.local:
        return []
    try:
        return list(output_paths(song.source, folder / song.folder, options).values())
    except (OSError, ValueError, RuntimeError):
        # It will fail again, and be told of, when its turn comes.
        return []


def run(
    songs: Sequence[Song], work: Work, jobs: int = 1, scheduler: str | None = None
) -> Iterator[Outcome]:
    """Separate songs several at a time, in other processes.

    Args:
        songs: As :func:`plan` gives them; not standard input, which other processes do not have.
        work: What to do with each.
        jobs: How many at a time on this machine, each with its share of the cores; the model is
            loaded as often.
        scheduler: Address of a Dask scheduler, whose workers do it instead, each with as many
            threads as its environment says. They have to see songs and results under the paths
            that they have here.

    Yields:
        What became of each, as they end. On a cluster, songs come back with absolute paths.

    Raises:
        ChildProcessError: A process died, for example for lack of memory, or the cluster can not be
            reached.
        ValueError: Dask is not installed, or the address is none.
    """
    threads = None if scheduler else max(1, (os.cpu_count() or 1) // jobs)
    if scheduler:
        work = replace(work, folder=work.folder.absolute())
        songs = [_absolute(song) for song in songs]
    function = partial(_in_process, work=work, threads=threads)
    try:
        for outcome in cluster.run(function, songs, jobs, scheduler, in_order=False):
            if isinstance(outcome, cluster.Lost):
                outcome = Outcome(outcome.item, FAILED, outcome.reason)
            yield outcome
    except OSError as error:
        raise ChildProcessError(str(error)) from error


def _absolute(song: Song) -> Song:
    return replace(song, source=str(Path(song.source).absolute())) if song.local else song


def _in_process(song: Song, work: Work, threads: int | None) -> Outcome:
    import torch

    with _alone, quiet_libraries():
        if threads and torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        try:
            model = _loaded(work.load)
        except (OSError, ValueError, RuntimeError) as error:
            return Outcome(song, FAILED, f"the model can not be loaded there: {error}")
        return separate_song(model, song, work)


@lru_cache(maxsize=1)
def _loaded(load: Callable[[], Separator]) -> Separator:
    return load()


def separate_song(
    model: Separator, song: Song, work: Work, progress: Progress | None = None
) -> Outcome:
    """Separate one song; whatever is wrong with it is in the outcome, not raised."""
    with _warnings() as notes:
        try:
            with as_file(song, work.folder, work.options.max_seconds) as fetched:
                try:
                    outcome = _separate(model, song, fetched, work, progress)
                except (OSError, ValueError, RuntimeError, MemoryError) as error:
                    if song.local:
                        raise
                    # People know it by the name that they gave it.
                    text = str(error).replace(fetched.source, song.source)
                    return Outcome(song, FAILED, text)
        except (OSError, ValueError, RuntimeError, MemoryError) as error:
            return Outcome(song, FAILED, str(error))
    return replace(outcome, notes=tuple(notes))


def _separate(
    model: Separator, song: Song, fetched: Fetched, work: Work, progress: Progress | None
) -> Outcome:
    folder, options = work.folder / song.folder, work.options
    # Without one, the folder's is not read either: it may be of another kind of run.
    ledger = Ledger(work.folder) if work.ledger else None
    paths = output_paths(fetched.source, folder, options, fetched.name)
    # A process that died in the midst of this song leaves files that grow with each try.
    for place in {path.parent for path in paths.values()}:
        sweep(place)
    record = ledger.find(paths) if ledger else None
    if ledger and record and not _is_of(record, fetched, work):
        record = None
    if ledger and record and ledger.whole(record):
        return Outcome(song, SKIPPED, "is done already", paths)
    there = {stem for stem, path in paths.items() if path.exists()}
    if work.skip_existing and there:
        missing = tuple(stem for stem in options.stems if stem not in there)
        if not missing:
            return Outcome(song, SKIPPED, "its results exist", paths)
        options = replace(options, stems=missing)
    elif ledger and record and all(ledger.ours(paths[stem], record) for stem in there):
        options = replace(options, overwrite=True)

    def note(writers: Mapping[str, Any]) -> None:
        if ledger:
            results = {writer.path: writer.part for writer in writers.values()}
            ledger.add(song.source, fetched.path, work.model, work.options, results)

    paths = separate_file(
        model,
        fetched.source,
        folder,
        options,
        song=fetched.name,
        batch=work.blocks,
        progress=progress,
        ready=note,
    )
    return Outcome(song, DONE, paths=paths)


def _is_of(record: Any, fetched: Fetched, work: Work) -> bool:
    """Whether a record tells of this very song, model and options."""
    return (
        dict(record.model) == dict(work.model)
        and record.options == described(work.options)
        and record.sha256 == sha256(fetched.path)
    )


@contextmanager
def _warnings() -> Iterator[list[str]]:
    """Collect what the package warns of, which could come from another process."""
    messages: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            messages.append(record.getMessage())

    ours, collector = logging.getLogger(__package__), Collector(logging.WARNING)
    propagated = ours.propagate
    ours.addHandler(collector)
    ours.propagate = False
    try:
        yield messages
    finally:
        ours.removeHandler(collector)
        ours.propagate = propagated
