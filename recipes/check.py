"""Look for all that is wrong with manifests and the audio they name, and report it at once.

Faults: a line that is no song, an id that stands twice, a file that is missing, can not be read or
is not as long (or of the rate, or the number of channels) as its line says; a silent stem; one that
is clipped so that it can be heard; the voice in the backing; and the same sound in two splits,
found by its content, so that no song to test on leaks into training: also where it was encoded
anew, made quieter or cut, and also where only the voice or only the backing is the same.

Warnings: a little clipping, the same file twice in one split, a path that leads out of the
manifest's folder.

::

    python -m recipes.check data/{train,valid,test}.jsonl --jobs 2

Exit status: 0 without faults, 1 with, 2 where a manifest is missing. Give all splits at once, or
nothing can be found to leak.
"""

import argparse
import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePath

from asteroid_karaoke import cluster, manifest
from asteroid_karaoke.manifest import Song

from . import corpora
from .fingerprint import Index
from .hearing import Finding, Print, Report, check_song


def check_manifests(
    paths: Sequence[str | os.PathLike], jobs: int = 1, scheduler: str | None = None
) -> tuple[list[Song], list[Finding]]:
    """Check manifests and everything they name.

    Args:
        paths: The manifests, of all splits.
        jobs: Number of songs worked on at a time; -1 for one a core.
        scheduler: Address of a Dask scheduler, see `asteroid_karaoke.cluster`.

    Returns:
        All songs, and what is wrong.

    Raises:
        FileNotFoundError: A manifest is missing.
        OSError: The cluster is lost.
    """
    from tqdm import tqdm

    songs: list[Song] = []
    findings: list[Finding] = []
    for path in paths:
        found, wrong = _read(Path(path))
        songs += found
        findings += wrong
    findings += _check_ids(songs)
    outcomes = cluster.run(check_song, songs, jobs, scheduler)
    bar = tqdm(outcomes, total=len(songs), desc="check", unit="song")
    reports = []
    for song, outcome in zip(songs, bar, strict=True):
        if isinstance(outcome, cluster.Lost):
            outcome = Report(song, (Finding(song.id, outcome.reason),))
        reports.append(outcome)
        findings += outcome.findings
    return songs, findings + _check_copies(reports) + _check_leaks(reports)


def _read(path: Path) -> tuple[list[Song], list[Finding]]:
    """The songs of a manifest, and what is wrong with its lines."""
    songs: list[Song] = []
    findings: list[Finding] = []
    for number, song in manifest.lines(path):
        if not isinstance(song, Song):
            findings.append(Finding(f"{path}, line {number}", str(song)))
            continue
        for _, source in song.sources():
            if ".." in PurePath(source).parts:
                reason = f"{source} leads out of the manifest's folder: is it meant?"
                findings.append(Finding(song.id, reason, fault=False))
        songs.append(song)
    if not songs and not findings:
        findings.append(Finding(str(path), "holds no song", fault=False))
    return songs, findings


def _check_ids(songs: Sequence[Song]) -> list[Finding]:
    counts = Counter((song.corpus, song.id) for song in songs)
    return [
        Finding(name, f"stands {count} times in corpus {corpus}")
        for (corpus, name), count in counts.items()
        if count > 1
    ]


def _check_copies(reports: Sequence[Report]) -> list[Finding]:
    """Warn of the same file twice in one split."""
    first: dict[tuple[str, str], str] = {}
    findings = []
    for report in reports:
        for stem, print_ in report.prints.items():
            other = first.setdefault((report.song.split, print_.content), report.song.id)
            if other != report.song.id:
                reason = f"{stem} is the same as in {other}, sample for sample"
                findings.append(Finding(report.song.id, reason, fault=False))
    return findings


def _check_leaks(reports: Sequence[Report]) -> list[Finding]:
    """Find sounds that stand in two splits; of two songs, the longest stretch is told."""
    held_out = [report for report in reports if report.song.split != "train"]
    known = [(report, stem) for report in held_out for stem in report.prints]
    index = Index([report.prints[stem].shape for report, stem in known])
    same: dict[str, list[int]] = {}
    for number, (report, stem) in enumerate(known):
        same.setdefault(report.prints[stem].content, []).append(number)
    leaks: dict[frozenset[int], tuple[float, Finding]] = {}
    for report in reports:
        for stem, found in report.prints.items():
            for number, seconds, how in _matches(found, report.song.seconds, same, index):
                other, other_stem = known[number]
                if other.song.split == report.song.split:
                    continue
                reason = (
                    f"{stem} stands in {other.song.split} too, as {other_stem} of {other.song.id}: "
                    f"{seconds:.0f} s, {how}"
                )
                pair = frozenset([id(report), id(other)])
                if seconds > leaks.get(pair, (0.0,))[0]:
                    leaks[pair] = seconds, Finding(_name(report.song), reason)
    return [finding for _, finding in leaks.values()]


def _matches(
    found: Print, seconds: float, same: Mapping[str, Sequence[int]], index: Index
) -> Iterator[tuple[int, float, str]]:
    """Number, length in s and manner of each known sound that is the same as another."""
    for number in same.get(found.content, ()):
        yield number, seconds, "the same file"
    for match in index.find(found.shape):
        how = f"from {match.start:.0f} s and {match.other_start:.0f} s on, "
        yield match.number, match.seconds, how + f"{match.differing:.0%} of the bits differ"


def _name(song: Song) -> str:
    return f"{song.id} ({song.split})"


def main(arguments: list[str] | None = None) -> int:
    """Look for all that is wrong with manifests and the audio they name."""
    parser = argparse.ArgumentParser(prog="python -m recipes.check", description=main.__doc__)
    parser.add_argument("manifests", nargs="+", help="manifests of all splits")
    corpora.add_preparing(parser)
    args = parser.parse_args(arguments)
    try:
        songs, findings = check_manifests(args.manifests, args.jobs, args.scheduler)
    except (OSError, ValueError) as error:
        print(f"recipes.check: {error}", file=sys.stderr)
        return 2
    faults = [finding for finding in findings if finding.fault]
    warnings = [finding for finding in findings if not finding.fault]
    for title, members in (("fault", faults), ("warning", warnings)):
        for finding in members:
            text = f"{title}: {finding.id}: {finding.reason}"
            # A file's name need not be text.
            print(text.encode("utf-8", "backslashreplace").decode())
    hours = sum(song.seconds for song in songs) / 3600
    print(f"{len(songs)} songs, {hours:.2f} h: {len(faults)} fault(s), {len(warnings)} warning(s)")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
