"""``asteroid-karaoke separate``: songs in, the voice and the karaoke version of each out."""

import argparse
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .. import inputs, loading
from ..batch import DONE, FAILED, SKIPPED, Outcome, Work, plan, run, separate_song
from ..inputs import STANDARD_INPUT, Song
from ..ledger import Ledger
from ..loading import UsageError
from ..overlap_add import Separator
from ..terminal import complain, quiet_libraries, say, song_progress
from .separate_options import output_options

if TYPE_CHECKING:
    from ..model import KaraokeNet


def separate(options: argparse.Namespace) -> int:
    """Separate the songs that the options of :mod:`.separate_options` name; the exit code."""
    folder = Path(options.output)
    try:
        if folder.exists() and not folder.is_dir():
            raise UsageError(f"-o {folder} is no folder: name another one")
        outputs = output_options(options)
        songs = inputs.expand(
            options.inputs,
            Ledger(folder).results(),
            playlists_anywhere=options.playlists_anywhere,
        )
        with quiet_libraries():
            songs = plan(songs, folder, outputs)
    except (OSError, RuntimeError, ValueError) as error:
        raise UsageError(str(error)) from error
    many = len(songs) > 1 or any(song.listed for song in songs)
    device = loading.pick_device(options.device)
    network = loading.load_model(options.model)
    name = options.model or loading.DEFAULT_MODEL
    facts = {"name": str(name), "sha256": loading.digest(network)} if many else {}
    model, runs = _prepare(network, device, options.backend)
    say(f"model {name} on {device}: {runs}")
    load = _Load(_portable(options.model), options.device, options.backend)
    work = Work(
        folder, outputs, load, facts, options.skip_existing, ledger=many, blocks=options.batch
    )
    outcomes = _outcomes(model, songs, work, options.jobs, options.scheduler)
    with quiet_libraries():
        try:
            return _tell(outcomes, many)
        except ValueError as error:
            raise UsageError(str(error)) from error


def _outcomes(
    model: Separator, songs: Sequence[Song], work: Work, jobs: int, scheduler: str | None
) -> Iterator[Outcome]:
    """Separate the songs here one by one, or in other processes."""
    jobs = min(jobs, len(songs))
    elsewhere = jobs > 1 or scheduler is not None
    away: list[Song] = []
    for song in songs:
        # Other processes do not have this one's standard input.
        if elsewhere and song.source != STANDARD_INPUT:
            away.append(song)
        else:
            yield _one(model, song, work)
    if away:
        yield from run(away, work, jobs, scheduler)


@dataclass(frozen=True)
class _Load:
    """Loads the model in a process of its own, which may be on another machine."""

    name: str | None
    device: str
    backend: str

    def __call__(self) -> Separator:
        device = loading.pick_device(self.device)
        return _prepare(loading.load_model(self.name), device, self.backend)[0]


def _portable(name: str | None) -> str | None:
    """A model's name, if that is a path one that leads there from any folder."""
    from ..model import shipped

    is_path = name is not None and name not in shipped() and Path(name).exists()
    return str(Path(name).absolute()) if name and is_path else name


def _prepare(network: "KaraokeNet", device: str, backend: str) -> tuple[Separator, str]:
    """The model as it runs on the device, and what runs it."""
    from ..backends import accelerate

    try:
        return accelerate(network.to(device), backend)
    except (OSError, RuntimeError, ValueError) as error:
        raise UsageError(f"--backend {backend}: {error}") from error


def _one(model: Separator, song: Song, work: Work) -> Outcome:
    with song_progress(song.source) as progress:
        return separate_song(model, song, work, progress)


def _tell(outcomes: Iterable[Outcome], many: bool) -> int:
    """Say what became of each song as it ends, and of all at the end."""
    counts = dict.fromkeys((DONE, SKIPPED, FAILED), 0)
    failed: list[str] = []
    try:
        for outcome in outcomes:
            counts[outcome.status] += 1
            for note in outcome.notes:
                complain(note)
            source, reason = outcome.song.source, outcome.reason
            if outcome.status == FAILED:
                failed.append(reason if source in reason else f"{source}: {reason}")
                complain(failed[-1])
            elif outcome.status == SKIPPED:
                say(f"{source}: skipped, {reason}")
            else:
                # The karaoke version is what most are after.
                say("  ".join(str(outcome.paths[stem]) for stem in sorted(outcome.paths)))
    except ChildProcessError as error:
        complain(error)
        failed.append(str(error))
    if many:
        say(", ".join(f"{count} {status}" for status, count in counts.items()))
        for reason in failed:
            say(f"failed: {' '.join(reason.split())}")
    return int(bool(failed))
