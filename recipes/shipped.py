"""The training set of the weights that ship: freely available songs, about five hours.

============= =================================================== ============================
folder        what                                                used as
============= =================================================== ============================
stems/        7 songs of one artist with true stems, CC0          stems; lithium, caesium: valid
validation/   3 excerpts with true stems, not for redistribution  stems, never trained on
mixtures/     4 songs, CC BY, CC BY-SA                            stems, by the teacher's word
mixtures_nc/  18 songs, CC BY-NC, CC BY-NC-SA                     stems, by the teacher's word
voice_only/   71 pieces of solo singing, chanting and speech      voice
music_only/   284 pieces, mostly game music of Debian packages    music
============= =================================================== ============================

``index.csv`` in the corpus' folder has a row a file: artist, title, kind, source (repository,
commit and path; or package, version and path), licence, seconds, share of the seconds with singing.
More game music fits in as ``music_only/<package>/*.ogg``, by ``apt-get download`` and ``dpkg-deb
-x`` from supertux-data, wesnoth-1.16-music, warzone2100-music, hedgewars-data, nexuiz-music,
singularity-music, hyperrogue-music, trackballs-data, extremetuxracer-data, lugaru-data,
fretsonfire-songs-sectoid, fretsonfire-songs-muldjord, colobot-common-sounds, freedroidrpg-data,
flare-data, planetblupi-common, xmoto-data, warmux-data and asc-music.

Songs without stems get the teacher's (recipes/labels.py) and count less than those with true stems.
A tenth of the seconds of each kind is held out for validation, by artist. Weights that have seen
mixtures_nc are not for commercial use; ``--free_only`` trains without it.

::

    python -m recipes.shipped --source_dir DIR --storage_dir data/shipped
"""

import argparse
import hashlib
import logging
import os
import shutil
import sys
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

from asteroid_karaoke.manifest import Song

from . import licences, stems, teacher
from .labels import label_song
from .songs import (
    Entry,
    Fault,
    prepare_all,
    prepare_song,
    split_of,
    write_manifests,
)

POOLS = {**stems.POOLS, "mixtures": "mixture", "mixtures_nc": "mixture"}
#: True stems that are never trained on.
VALIDATION_SONGS = ("stems/lithium", "stems/caesium")
#: Share of each kind's seconds that is held out.
HELD_OUT = 0.1
#: Music in which more than this share of the seconds seems to hold singing is left out.
SINGING_LIMIT = 0.2


def download_shipped(target_dir: str | os.PathLike, source_dir: str | os.PathLike) -> Path:
    """Copy the corpus' files from a folder that holds them; what is there already stays.

    Args:
        target_dir: Where to.
        source_dir: Folder with index.csv and the files it lists.

    Returns:
        The folder with the files.

    Raises:
        FileNotFoundError: There is no index.csv, or files it lists are missing: the message says
            where each can be got.
    """
    source, target = Path(source_dir), Path(target_dir)
    if not (source / "index.csv").is_file():
        raise FileNotFoundError(f"no index.csv in {source}: name the folder of the corpus")
    rows = stems.read_index(source)
    missing = [
        f"{file}, from {row['source']}"
        for file, row in rows.items()
        if not (source / file).exists()
    ]
    if missing:
        raise FileNotFoundError(
            f"{source} lacks {len(missing)} file(s):\n  " + "\n  ".join(missing)
        )
    for name in ["index.csv", *rows]:
        found = source / name
        for file in sorted(found.iterdir()) if found.is_dir() else [found]:
            _copy(file, target / file.relative_to(source))
    return target


def prepare_shipped(
    corpus_dir: str | os.PathLike,
    output_dir: str | os.PathLike,
    free_only: bool = False,
    jobs: int = 1,
) -> dict[str, list[Song]]:
    """Decode and label all songs and write the manifests; ``test.jsonl`` is empty.

    Args:
        corpus_dir: The folder that `download_shipped` gave.
        output_dir: Where the manifests and the decoded songs go (some 5 GB).
        free_only: Do not train on songs under non-commercial licences. The songs to validate on
            stay the same, so that both ways can be compared.
        jobs: Number of songs worked on at a time; -1 for one a core.

    Returns:
        The songs of each split.

    Raises:
        FileNotFoundError: There is no such folder, or the teacher's weights are not installed.
        ValueError: No song can be used.
    """
    teacher.checkpoints()
    entries, faults = find_shipped(corpus_dir)
    faults += [
        Fault(e.id, f"singing in {_singing(e):.0%} of its seconds") for e in entries if _sung(e)
    ]
    entries = [e for e in entries if not _sung(e) and not (free_only and _not_free(e))]
    output = Path(output_dir)
    whole = partial(prepare_song, corpus="shipped", output_dir=output, decode=True)
    mixtures = [entry for entry in entries if set(entry.stems) == {"mixture"}]
    others = [entry for entry in entries if entry not in mixtures]
    songs, failed = prepare_all(whole, others, jobs, "decode")
    labelled, unlabelled = prepare_all(
        partial(label_song, corpus="shipped", output_dir=output), mixtures, jobs, "label"
    )
    return write_manifests(songs + labelled, faults + failed + unlabelled, output)


def find_shipped(corpus_dir: str | os.PathLike) -> tuple[list[Entry], list[Fault]]:
    """All songs with their splits, and what can not be one.

    Raises:
        FileNotFoundError: There is no such folder.
    """
    entries, faults = stems.find_songs(corpus_dir, POOLS)
    held_out = _held_out(entries)

    def split(entry: Entry) -> str:
        if entry.split:
            return entry.split
        if _kind(entry) == "stems":
            return "valid" if entry.id in VALIDATION_SONGS else "train"
        # What the index does not know was added later, and must not move the others.
        if not entry.facts:
            return split_of(entry.key, HELD_OUT, 0)
        return "valid" if entry.key in held_out else "train"

    return [replace(entry, split=split(entry)) for entry in entries], faults


def licenses(corpus_dir: str | os.PathLike, free_only: bool = False) -> list[dict]:
    """Whose work the weights come from, in Asteroid's form: a dict an artist and licence.

    Args:
        corpus_dir: The folder that `download_shipped` gave.
        free_only: As for `prepare_shipped`.

    Raises:
        FileNotFoundError: There is no such folder.
    """
    entries, _ = find_shipped(corpus_dir)
    trained_on = (e for e in entries if e.split == "train" and not _sung(e))
    return licences.describe(e for e in trained_on if not (free_only and _not_free(e)))


def _held_out(entries: Iterable[Entry]) -> set[str]:
    """The artists to validate on: of each kind, by the order of a hash, what fits in a tenth."""
    seconds: dict[str, dict[str, float]] = {}
    for entry in entries:
        if entry.facts and _kind(entry) != "stems" and entry.split is None:
            artists = seconds.setdefault(_kind(entry), {})
            artists[entry.key] = artists.get(entry.key, 0.0) + float(entry.facts["seconds"])
    chosen = set()
    for artists in seconds.values():
        left = HELD_OUT * sum(artists.values())
        for artist in sorted(artists, key=lambda name: hashlib.sha256(name.encode()).hexdigest()):
            if artists[artist] <= left:
                chosen.add(artist)
                left -= artists[artist]
    return chosen


def _kind(entry: Entry) -> str:
    return entry.id.split("/")[0].removesuffix("_nc")


def _singing(entry: Entry) -> float:
    return float(entry.facts.get("singing_fraction") or 0)


def _sung(entry: Entry) -> bool:
    return _kind(entry) == "music_only" and _singing(entry) > SINGING_LIMIT


def _not_free(entry: Entry) -> bool:
    return entry.split == "train" and licences.is_non_commercial(entry.licence)


def _copy(file: Path, target: Path) -> None:
    if target.is_file() and target.stat().st_size == file.stat().st_size:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    shutil.copyfile(file, part)
    os.replace(part, target)


def main(arguments: list[str] | None = None) -> int:
    """Decode and label the training set of the shipped weights, and write its manifests."""
    parser = argparse.ArgumentParser(prog="python -m recipes.shipped", description=main.__doc__)
    parser.add_argument("--source_dir", type=Path, required=True, help="folder with index.csv")
    parser.add_argument("--storage_dir", type=Path, required=True, help="where all goes")
    parser.add_argument("--free_only", action="store_true", help="train on free licences alone")
    parser.add_argument("--jobs", type=int, default=1, help="songs at a time; -1: one a core")
    args = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        corpus_dir = download_shipped(args.storage_dir / "source", args.source_dir)
        prepare_shipped(corpus_dir, args.storage_dir, args.free_only, args.jobs)
    except (OSError, ValueError) as error:
        print(f"recipes.shipped: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
