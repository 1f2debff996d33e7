"""CCMixter: 50 songs with their voice and their backing, all of them stereo and full length.

What: songs of the remix community ccMixter, collected by Antoine Liutkus. Each is a folder::

    <song>/mix.wav         the song
    <song>/source-01.wav   the backing
    <song>/source-02.wav   the voice

Size: 4.9 GB, 50 songs of 231 ± 77 s, some 3.2 h.

Where: by hand from the author's page, https://members.loria.fr/ALiutkus/kam/ (the CCMixter vocal
separation database), as one archive. This recipe takes the archive or the folder.

Licence: the artists chose one of Creative Commons' for each song, many of which forbid to earn
money; it stands on the song's page at http://ccmixter.org. The archive does not say it.

Reference: A. Liutkus, D. Fitzgerald, Z. Rafii, B. Pardo, L. Daudet, Kernel additive models for
source separation, IEEE Transactions on Signal Processing 62 (2014),
https://doi.org/10.1109/TSP.2014.2332434.

There is no official split. Ours is drawn by a hash of the folder's name: 20 % test, 8 % valid (a
tenth of the rest), 72 % train; a song that is missing or new moves no other one. Each song is
checked: do the files fit together, do they add up to the mix, do they seem to be swapped
(recipes/pairs.py)? Files that differ in length by less than 0.1 s, or in channels, are stored once
more, cut to the shorter one. A pair that seems to be swapped is named and used as it is: listen,
and exchange the two names if it is so.

Run as::

    python -m recipes.ccmixter download --storage_dir DIR --ccmixter_zip FILE    # or
    python -m recipes.ccmixter download --storage_dir DIR --ccmixter_dir DIR
    python -m recipes.ccmixter prepare --storage_dir DIR --jobs 2

Leaves::

    DIR/corpus/            the archive's content
    DIR/audio/<song>/      the few files that had to be cut
    DIR/pairs.csv          what the checks told, a row a song
    DIR/{train,valid,test}.jsonl and DIR/licenses.json
"""

import argparse
import csv
import io
import json
import logging
import os
import sys
import unicodedata
from collections.abc import Iterable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

from asteroid_karaoke.manifest import Song
from asteroid_karaoke.parts import write_whole

from . import corpora, licences, pairs
from .archives import unpack
from .songs import (
    Entry,
    Fault,
    hear_song,
    prepare_all,
    remembered,
    split_of,
    write_json,
    write_manifests,
)

LICENSE = {
    "title": "CCMixter vocal separation database",
    "title_link": "https://members.loria.fr/ALiutkus/kam/",
    "author": "artists of ccMixter, collected by Antoine Liutkus",
    "author_link": "http://ccmixter.org",
    "license": "Creative Commons; which one, each song's page at ccmixter.org says",
    "license_link": "https://creativecommons.org/licenses/",
    # Not known song by song, so nobody is told that they may sell what comes of it.
    "non_commercial": True,
}
MIX, BACKING, VOICE = "mix.wav", "source-01.wav", "source-02.wav"
#: Shares of the songs.
TEST, VALID = 0.2, 0.08
#: The unpacked corpus has some 7 GB; no archive of it unpacks to more than this, in bytes.
LIMIT = 20_000_000_000
_WHERE = (
    "get it by hand from the author's page of the CCMixter vocal separation database (Antoine "
    f"Liutkus), {LICENSE['title_link']}, 4.9 GB, then give --ccmixter_zip FILE (the archive) or "
    "--ccmixter_dir DIR (its folder)"
)
logger = logging.getLogger(__name__)


def download_ccmixter(
    storage_dir: str | os.PathLike,
    ccmixter_dir: str | os.PathLike | None = None,
    ccmixter_zip: str | os.PathLike | None = None,
) -> Path:
    """Unpack the corpus' archive, or look at its folder, and note where it is.

    Args:
        storage_dir: Where all goes.
        ccmixter_dir: Folder that holds the songs' folders, at any depth.
        ccmixter_zip: The archive.

    Returns:
        The corpus' folder.

    Raises:
        FileNotFoundError: There is no corpus; says where to get it.
        ValueError: Both are given, the archive is broken or not to be trusted, or there is no song.
        OSError: The disk is full.
    """
    if ccmixter_dir and ccmixter_zip:
        raise ValueError("got --ccmixter_dir and --ccmixter_zip: give one of them")
    if ccmixter_zip:
        ccmixter_dir = unpack(ccmixter_zip, Path(storage_dir) / "corpus", LIMIT)
    folder = corpora.locate(storage_dir, ccmixter_dir, _WHERE)
    entries, faults = find_songs(folder)
    if not entries:
        told = "".join(f"\n  {fault.id}: {fault.reason}" for fault in faults)
        raise ValueError(
            f"{folder} holds no folder with {MIX}, {BACKING} and {VOICE}: {_WHERE}{told}"
        )
    logger.info("%s: %d songs", folder, len(entries))
    return folder


def find_songs(corpus_dir: str | os.PathLike) -> tuple[list[Entry], list[Fault]]:
    """Look for songs, in an order that does not depend on the file system.

    Args:
        corpus_dir: Folder that holds the songs' folders, at any depth.

    Returns:
        The songs, not opened yet, with their splits, and what is none.
    """
    entries: dict[str, Entry] = {}
    faults: list[Fault] = []

    def refused(error: OSError) -> None:
        faults.append(Fault(str(error.filename), f"can not be read: {error.strerror}"))

    for place, folders, names in os.walk(Path(corpus_dir).resolve(), onerror=refused):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        files = {name.lower(): Path(place, name) for name in names}
        missing = [name for name in (MIX, BACKING, VOICE) if name not in files]
        if len(missing) == 3:
            continue
        name, printable = Path(place).name, os.fsencode(place).decode(errors="backslashreplace")
        try:
            place.encode()
        except UnicodeEncodeError:
            faults.append(Fault(printable, "its name is no valid UTF-8: rename the folder"))
            continue
        if missing:
            faults.append(Fault(name, f"has no {' and no '.join(missing)}: get it anew"))
        elif name in entries:
            faults.append(Fault(name, f"is there twice, again in {place}: keep one of them"))
        else:
            entries[name] = _entry(name, files)
    return list(entries.values()), faults


def _entry(name: str, files: dict[str, Path]) -> Entry:
    return Entry(
        id=name,
        stems={
            "mixture": (str(files[MIX]),),
            "accompaniment": (str(files[BACKING]),),
            "vocals": (str(files[VOICE]),),
        },
        key=name,
        # macOS stores names in another of Unicode's forms than others do.
        split=split_of(unicodedata.normalize("NFC", name), VALID, TEST),
        licence=str(LICENSE["license"]),
    )


def prepare_ccmixter(
    storage_dir: str | os.PathLike, jobs: int = 1, scheduler: str | None = None
) -> dict[str, list[Song]]:
    """Check every song; write the manifests, licenses.json and pairs.csv.

    Args:
        storage_dir: As for `download_ccmixter`, which came before.
        jobs: Number of songs worked on at a time; -1 for one a core.
        scheduler: Address of a Dask scheduler, see `asteroid_karaoke.cluster`.

    Returns:
        The songs of each split.

    Raises:
        FileNotFoundError: It is not known where the corpus is.
        ValueError: No song can be used.
        OSError: The cluster is lost.
    """
    output_dir = Path(storage_dir).resolve()
    entries, faults = find_songs(corpora.corpus_of(storage_dir))
    prepare = partial(_prepare_song, output_dir=output_dir)
    songs, failed = prepare_all(prepare, entries, jobs, "ccmixter", scheduler)
    left_out = {fault.id for fault in failed}
    _report([entry for entry in entries if entry.id not in left_out], output_dir)
    splits = write_manifests(songs, faults + failed, output_dir)
    licences.write([LICENSE], output_dir)
    return splits


def _prepare_song(entry: Entry, output_dir: Path) -> list[Song]:
    """Check a song and hear it, unless that is done; errors as `pairs.compare`."""
    note = _note(entry, output_dir)

    def prepare() -> list[Song]:
        mix, backing, voice = (
            Path(entry.stems[stem][0]) for stem in ("mixture", "accompaniment", "vocals")
        )
        pair = pairs.compare(mix, backing, voice)
        stems = {"accompaniment": (str(backing),), "vocals": (str(voice),)}
        if not pair.alike:
            folder = output_dir / "audio" / entry.id
            for stem, (source,) in stems.items():
                path = folder / f"{stem}.wav"
                stems[stem] = (pairs.cut(Path(source), path, pair.frames, pair.channels),)
        song = hear_song(
            replace(entry, stems=stems), corpus="ccmixter", output_dir=output_dir, decode=False
        )
        write_json(note, asdict(pair))
        return [song]

    if not note.is_file():
        (output_dir / "songs" / f"{entry.id}.json").unlink(missing_ok=True)
    return remembered(output_dir, entry, {}, prepare)


def _note(entry: Entry, output_dir: Path) -> Path:
    return output_dir / "pairs" / f"{entry.id}.json"


def _report(entries: Iterable[Entry], output_dir: Path) -> None:
    """Say of each song how well it adds up, and name what looks wrong."""
    table = io.StringIO()
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(["song", "split", "residual_db", "level_db", "balance_db", "remark"])
    for entry in entries:
        pair = pairs.Pair(**json.loads(_note(entry, output_dir).read_text(encoding="utf-8")))
        remarks = []
        if pair.seems_swapped:
            remarks.append(
                f"{BACKING} and {VOICE} seem to be swapped: listen, and exchange their names if so"
            )
        if pair.seems_other:
            remarks.append(f"{MIX} is not quite the sum of {BACKING} and {VOICE}: listen")
        if pair.balance is None:
            remarks.append("the voice or the backing is silent: used as what sounds alone")
        if not pair.alike:
            remarks.append("lengths or channels differ: stored once more")
        balance = "" if pair.balance is None else f"{pair.balance:.1f}"
        levels = f"{pair.residual:.1f}", f"{pair.level:.2f}", balance
        rows.writerow([entry.id, entry.split, *levels, "; ".join(remarks)])
        logger.info("%s: residual %.1f dB of the mix", entry.id, pair.residual)
        if remarks:
            logger.warning("%s: %s", entry.id, "; ".join(remarks))
    write_whole(output_dir / "pairs.csv", table.getvalue().encode())


def main(arguments: list[str] | None = None) -> int:
    """Unpack or find the CCMixter corpus, or write its manifests."""
    parser = argparse.ArgumentParser(prog="python -m recipes.ccmixter", description=main.__doc__)
    download, _ = corpora.add_steps(parser, download_ccmixter, prepare_ccmixter)
    download.add_argument("--ccmixter_zip", help="the corpus' archive")
    download.add_argument("--ccmixter_dir", help="the corpus' folder, once unpacked")
    return corpora.run_step(parser, arguments)


if __name__ == "__main__":
    sys.exit(main())
