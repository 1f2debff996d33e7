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
A tenth of the seconds of each kind is held out, by artist; minutes of the held-out songs
with stems or labels make up ``valid.jsonl``. ``test.jsonl`` holds all five songs with true stems
that are not trained on, whole: two of them are in both. Weights that have seen mixtures_nc are not
for commercial use; ``--free_only`` trains without it.

::

    python -m recipes.shipped download --storage_dir DIR --source_dir CORPUS
    python -m recipes.shipped prepare --storage_dir DIR --jobs 2
"""

import argparse
import hashlib
import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from asteroid_karaoke.manifest import Song
from asteroid_karaoke.parts import whole

from . import corpora, facts, licences, stems, teacher
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
#: How often a second of each kind is drawn; labelled songs besides count by their confidence, which
#: makes theirs 0.6 to 1.3. What is plenty, and what is no singing, is drawn less.
WEIGHTS = {"stems": 1.5, "mixtures": 2.0, "voice_only": 0.5, "music_only": 0.5}
#: From which second to which a held-out song is validated on: whole ones would take longer than the
#: training between two validations.
VALID_SECONDS = {"stems": (60, 120), "mixtures": (60, 90)}
#: Music that is no use, found by ear and by recipes.check.
LEFT_OUT = {
    "music_only/Flare__battle_theme": "is supertux-data's battle_theme",
    "music_only/Olivier_Militon__Apnee2": "is much like Apnee",
    "music_only/FreedroidRPG__TechBattle": "is much like AmbientBattle",
    "music_only/Colobot__music007": "seems to hold singing",
    "music_only/trackballs-data__tb_hrluebke": "holds singing",
}
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
    rows = facts.read_index(source)
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
    scheduler: str | None = None,
) -> dict[str, list[Song]]:
    """Decode and label all songs and write the manifests and licenses.json.

    Args:
        corpus_dir: The folder that `download_shipped` gave.
        output_dir: Where the manifests and the decoded songs go (some 5 GB).
        free_only: Do not train on songs under non-commercial licences. The songs to validate on
            stay the same, so that both ways can be compared.
        jobs: Number of songs worked on at a time; -1 for one a core.
        scheduler: Address of a Dask scheduler, see `asteroid_karaoke.cluster`.

    Returns:
        The songs of each split.

    Raises:
        FileNotFoundError: There is no such folder, or the teacher's weights are not installed.
        ValueError: No song can be used.
        OSError: The cluster is lost.
    """
    teacher.checkpoints()
    entries, faults = find_shipped(corpus_dir)
    faults += [Fault(e.id, reason) for e in entries if (reason := _why_not(e))]
    entries = [e for e in entries if not _why_not(e) and not (free_only and _not_free(e))]
    output = Path(output_dir)
    whole = partial(prepare_song, corpus="shipped", output_dir=output, decode=True)
    mixtures = [entry for entry in entries if set(entry.stems) == {"mixture"}]
    others = [entry for entry in entries if entry not in mixtures]
    songs, failed = prepare_all(whole, others, jobs, "decode", scheduler)
    label = partial(label_song, corpus="shipped", output_dir=output)
    labelled, unlabelled = prepare_all(label, mixtures, jobs, "label", scheduler)
    chosen = [part for song in songs + labelled for part in _placed(song)]
    splits = write_manifests(chosen, faults + failed + unlabelled, output)
    licences.write(licenses(corpus_dir, free_only), output)
    return splits


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
    trained_on = (e for e in entries if e.split == "train" and not _why_not(e))
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


def _placed(song: Song) -> Iterator[Song]:
    """A song as it is trained on, or as it is validated and tested on."""
    kind = _kind(song)
    if song.split == "train":
        unvoiced = kind == "mixtures" and song.role == "music"
        factor = 1.0 if unvoiced else WEIGHTS[kind]
        yield replace(song, weight=round(song.weight * factor, 3))
        return
    if kind in VALID_SECONDS and song.role == "stems":
        first, last = (second * song.sample_rate for second in VALID_SECONDS[kind])
        long = song.frames >= last
        place = {"start": first, "stop": last} if long else {}
        yield replace(song, **place, weight=1.0)
    if kind in ("stems", "validation"):
        yield replace(song, id=f"{song.id}#whole", split="test")


def _kind(entry: Entry | Song) -> str:
    return entry.id.split("/")[0].removesuffix("_nc")


def _why_not(entry: Entry) -> str:
    """Why a song is left out; nothing where it is not."""
    singing = float(entry.facts.get("singing_fraction") or 0)
    if _kind(entry) == "music_only" and singing > SINGING_LIMIT:
        return f"singing in {singing:.0%} of its seconds"
    return LEFT_OUT.get(entry.id, "")


def _not_free(entry: Entry) -> bool:
    return entry.split == "train" and licences.is_non_commercial(entry.licence)


def _copy(file: Path, target: Path) -> None:
    if target.is_file() and target.stat().st_size == file.stat().st_size:
        return
    with whole(target) as part:
        shutil.copyfile(file, part)


def _download(storage_dir: Path, source_dir: Path | None) -> None:
    folder = storage_dir / "source"
    if source_dir is None and not (folder / "index.csv").is_file():
        raise FileNotFoundError(
            "no corpus: give --source_dir, a folder with index.csv and the files it lists "
            "(recipes/shipped.py says what and from where)"
        )
    download_shipped(folder, source_dir or folder)


def _prepare(storage_dir: Path, **options) -> None:
    prepare_shipped(storage_dir / "source", storage_dir.resolve(), **options)


def main(arguments: list[str] | None = None) -> int:
    """Copy the training set of the shipped weights, or decode and label it and write manifests."""
    parser = argparse.ArgumentParser(prog="python -m recipes.shipped", description=main.__doc__)
    download, prepare = corpora.add_steps(parser, _download, _prepare)
    download.add_argument("--source_dir", type=Path, help="folder with index.csv")
    prepare.add_argument("--free_only", action="store_true", help="train on free licences alone")
    return corpora.run_step(parser, arguments)


if __name__ == "__main__":
    sys.exit(main())
