"""YouTube: voice without music and music without voice, to be mixed at random, from two lists.

What: the tracks that two lists name (their format: ``recipes/youtube_lists.py``), fetched by yt-dlp
as they are served. Each is cut as its line says, decoded to 44.1 kHz stereo FLAC of 16 bit, and
split by a hash of its video's id, so that a missing entry never moves another one. Training mixes
any voice with any music. To validate and to test, fixed mixes of held-out voice and held-out music
are rendered, because no track here has true stems.

Size: as the lists say; per hour of sound some 50 MB as fetched and 300 MB decoded. Plan 20 s a
track for fetching, most of it pauses that keep YouTube from refusing.

Licence and law: nearly all of YouTube is under its standard licence, which allows to watch and to
listen there. What the lists name is for private research only, where your country's law allows that
(text and data mining, fair use). What you fetch, and what you do with it and with a model trained
on it, is your own responsibility. Nothing of it may be passed on. The manifests and licenses.json
keep what each video's page states.

Reference: the lists are in the format of this project's seed, karaoke_cnn (2018); its own stand in
its repository, in the folder ``urls``. Pieces of 60 s every 240 s and a voice's share of 0.6 ± 0.15
in a mix are its ideas as well.

Run as::

    python -m recipes.youtube download --storage_dir DIR --vocals_csv FILE --music_csv FILE
    python -m recipes.youtube prepare --storage_dir DIR --vocals_csv FILE --music_csv FILE

Needs the extra ``youtube``. Leaves::

    DIR/audio/youtube/<id>.{webm,m4a,...,json}   as fetched, with what its page says
    DIR/audio/{vocals,music}/<id>/<number>.flac  cut and decoded
    DIR/audio/mixes/<pair>/{vocals,accompaniment}.flac
    DIR/{train,valid,test}.jsonl and DIR/licenses.json
"""

import argparse
import logging
import os
import sys
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

from asteroid_karaoke.manifest import Song

from . import corpora, licences
from .songs import Entry, Fault, prepare_all, split_of, write_manifests
from .youtube_cut import ROLES, draw_pairs, prepare_mix, prepare_track
from .youtube_fetch import Failure, Manners, fetch
from .youtube_lists import Track, read_lists
from .youtube_records import recall, why_missing

#: In Asteroid's form. What each video's page states stands in licenses.json.
LICENSE = {
    "title": "Tracks on YouTube",
    "title_link": "https://www.youtube.com",
    "author": "the publishers of the videos",
    "author_link": "licenses.json",
    "license": "the licences that licenses.json states, mostly the Standard YouTube License",
    "license_link": "https://www.youtube.com/static?template=terms",
    "non_commercial": True,
}


def download_youtube(
    storage_dir: str | os.PathLike,
    vocals_csv: str | os.PathLike,
    music_csv: str | os.PathLike,
    manners: Manners | None = None,
) -> tuple[list[Track], list[Failure]]:
    """Fetch the tracks of both lists; what is there is not fetched again.

    Args:
        storage_dir: They go to ``audio/youtube`` in it.
        vocals_csv: List of the voices.
        music_csv: List of the music.
        manners: How to behave towards the servers.

    Returns:
        All tracks of the lists, and those that could not be fetched, and why.

    Raises:
        FileNotFoundError: A list is missing.
        ValueError: A list is wrong, or yt-dlp is not installed.
    """
    tracks = read_lists(vocals_csv, music_csv)
    return tracks, fetch(tracks, fetched_folder(storage_dir), manners or Manners())


def fetched_folder(storage_dir: str | os.PathLike) -> Path:
    """Where the tracks are as they were fetched."""
    return Path(storage_dir).resolve() / "audio" / "youtube"


def prepare_youtube(
    storage_dir: str | os.PathLike,
    vocals_csv: str | os.PathLike,
    music_csv: str | os.PathLike,
    valid: float = 0.1,
    test: float = 0.1,
    seed: int = 0,
    jobs: int = 1,
    scheduler: str | None = None,
) -> dict[str, list[Song]]:
    """Cut and decode what was fetched, render the mixes, write the manifests and licenses.json.

    ``train.jsonl`` holds voices and music, the other two the mixes. What is no use is listed in the
    log at the end.

    Args:
        storage_dir: As for `download_youtube`.
        vocals_csv: List of the voices.
        music_csv: List of the music.
        valid: Share of the videos to validate on.
        test: Share of the videos to test on.
        seed: Of the mixes.
        jobs: Number of tracks worked on at a time; -1 for one a core.
        scheduler: Address of a Dask scheduler, see `asteroid_karaoke.cluster`.

    Returns:
        The songs of each split.

    Raises:
        FileNotFoundError: A list is missing.
        ValueError: A list is wrong, the shares leave nothing to train on, or a split has no voice
            or no music.
        OSError: The cluster is lost.
    """
    if min(valid, test) < 0 or valid + test >= 1:
        raise ValueError(f"got shares valid={valid} and test={test}: nothing is left to train on")
    output_dir = Path(storage_dir).resolve()
    shares = {"train": 1 - valid - test, "valid": valid, "test": test}
    entries, missing = _entries(read_lists(vocals_csv, music_csv), output_dir, valid, test)
    prepare = partial(prepare_track, output_dir=output_dir)
    pieces, failed = prepare_all(prepare, entries, jobs, "tracks", scheduler)
    faults = missing + failed
    _check_splits(pieces, faults, [split for split, share in shares.items() if share])
    pairs = [
        pair
        for split in ("valid", "test")
        for pair in draw_pairs([song for song in pieces if song.split == split], seed)
    ]
    mix = partial(prepare_mix, output_dir=output_dir, seed=seed)
    mixes, unmixed = prepare_all(mix, pairs, jobs, "mixes", scheduler)
    train = [song for song in pieces if song.split == "train"]
    manifests = write_manifests([*train, *mixes], faults + unmixed, output_dir)
    left_out = {fault.id for fault in faults}
    used = (e for e in entries if e.split == "train" and e.id not in left_out)
    licences.write(licences.describe(used), output_dir)
    return manifests


def _entries(
    tracks: Iterable[Track], output_dir: Path, valid: float, test: float
) -> tuple[list[Entry], list[Fault]]:
    """The tracks that are there, and those that are not."""
    folder = fetched_folder(output_dir)
    entries: list[Entry] = []
    missing: list[Fault] = []
    for track in tracks:
        song_id = f"{ROLES[track.stem]}/{track.key}"
        record = recall(folder, track.key)
        if record is None:
            missing.append(Fault(song_id, f"{track.where}: {why_missing(folder, track.key)}"))
            continue
        entries.append(
            Entry(
                id=song_id,
                stems={track.stem: (str(folder / record.file),)},
                key=track.key,
                split=split_of(track.key, valid, test),
                licence=record.licence,
                facts={
                    "title": record.title,
                    "artist": record.artist,
                    "source": record.page,
                    "where": track.where,
                    "seconds": str(record.seconds),
                    "start_buffer": str(track.start_buffer),
                    "end_buffer": str(track.end_buffer),
                    "compilation": "y" if track.compilation else "n",
                },
            )
        )
    return entries, missing


def _check_splits(songs: Sequence[Song], faults: Sequence[Fault], splits: Sequence[str]) -> None:
    """Complain where a split lacks what its mixes are made of."""
    lacking = [
        f"{split} has no {'voice' if role == 'vocals' else role}"
        for split in splits
        for role in ROLES.values()
        if not any((song.split, song.role) == (split, role) for song in songs)
    ]
    if lacking:
        left_out = "".join(f"\n  left out: {fault.id}: {fault.reason}" for fault in faults)
        raise ValueError(
            f"{', '.join(lacking)}: the lists need more tracks, or other shares, such as --test "
            f"0.3 (0 for no mixes to test on){left_out}"
        )


def summarise(tracks: int, failures: Sequence[Failure]) -> str:
    """What is there, what is not, why, and what to do, for people to read."""
    lines = [f"{tracks - len(failures)} of {tracks} tracks are there"]
    for kind in dict.fromkeys(failure.kind for failure in failures):
        members = [failure for failure in failures if failure.kind == kind]
        lines.append(f"{kind.name} ({len(members)}): {kind.advice}")
        for track, _, reason in (failure for failure in members if failure.reason):
            lines.append(f"  {track.where}: {track.url}: {reason}")
        untried = sum(not failure.reason for failure in members)
        if untried:
            lines.append(f"  {untried} more at the same host were not tried")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Fetch the tracks of two lists, or write the manifests of what was fetched."""
    options = vars(_parser().parse_args(arguments))
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    step = options.pop("step")
    try:
        return step(**options)
    except (OSError, ValueError) as error:
        print(f"recipes.youtube: {error}", file=sys.stderr)
        return 2


def _download(pause: float, cookies: str | None, **options) -> int:
    """Returns 0 where both lists have something there and no host was given up, else 1."""
    tracks, failures = download_youtube(**options, manners=Manners(pause=pause, cookies=cookies))
    print(summarise(len(tracks), failures), file=sys.stderr if failures else sys.stdout)
    missing = {failure.track.key for failure in failures}
    there = {track.stem for track in tracks if track.key not in missing}
    return 0 if len(there) == 2 and all(failure.reason for failure in failures) else 1


def _prepare(**options) -> int:
    prepare_youtube(**options)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m recipes.youtube", description=main.__doc__)
    download, prepare = corpora.add_steps(parser, _download, _prepare)
    for step in (download, prepare):
        step.add_argument("--vocals_csv", required=True, help="list of voices without music")
        step.add_argument("--music_csv", required=True, help="list of music without voice")
    download.add_argument(
        "--pause", type=float, default=Manners.pause, help="least time between two tracks, in s"
    )
    download.add_argument("--cookies", help="a browser's cookies, in Netscape's format")
    prepare.add_argument("--valid", type=float, default=0.1, help="share of videos to validate on")
    prepare.add_argument("--test", type=float, default=0.1, help="share of videos to test on")
    prepare.add_argument("--seed", type=int, default=0, help="of the mixes")
    return parser


if __name__ == "__main__":
    sys.exit(main())
