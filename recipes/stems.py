"""Folders of stems: a corpus for people who train on what they have.

::

    <corpus>/.../<song>/vocals.*         the voice, with any other file that has vocal, voice or vox
                                         in its name
    <corpus>/.../<song>/accompaniment.*  the backing, or no_vocals.*, instrumental.*; without them,
                                         all other stems that there are (drums.*, bass.*, other.*,
                                         guitar.* ...) are summed
    <corpus>/.../<song>/mixture.*        or mix.*, master.*: counts only where nothing else is there
    <corpus>/.../<song>/meta.json        if there: "licence" of the song
    <corpus>/.../voice_only/...          voices without music, each file a song
    <corpus>/.../music_only/...          music without a voice, each file a song
    <corpus>/index.csv                   if there: columns file (path of a song or of a file of
                                         a pool), licence, artist

Any folder with a stem of one of the names in ``STEM_NAMES`` is a song. A song in which no voice
sounds becomes music. A song's split is drawn by a hash of its folder's name, that of a pool's file
by its artist: index.csv names it, or the folder below the pool; where neither does, by the file's
name. A folder on the way that is called train, valid, validation or test decides for all in it.

With ``--decode``, songs are stored once more as 44.1 kHz stereo wav, one file a stem, in which
datasets seek much faster than in ogg, mp3 or m4a::

    python -m recipes.stems download --storage_dir DIR --corpus_dir DIR
    python -m recipes.stems prepare --storage_dir DIR --decode --jobs 2

Leaves ``DIR/{train,valid,test}.jsonl`` and ``DIR/licenses.json``.
"""

import argparse
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from asteroid_karaoke.manifest import Song

from . import corpora, facts, licences
from .songs import Entry, Fault, prepare_all, prepare_song, split_of, write_manifests

#: In Asteroid's form, for what is not known better song by song.
LICENSE = {
    "title": "Folders of stems",
    "title_link": "recipes/stems.py",
    "author": "the owners of the songs",
    "author_link": "the manifests",
    "license": "unknown",
    "license_link": "the manifests",
    # Nobody is told that they may sell what comes from songs that we know nothing of.
    "non_commercial": True,
}
#: A folder that holds an audio file of one of these names is a song.
STEM_NAMES = frozenset(
    ["vocals", "accompaniment", "no_vocals", "mixture", "drums", "bass", "other"]
)
#: Folders in which each file is a song of its own, and which stem it is.
POOLS = {"voice_only": "vocals", "music_only": "accompaniment"}
_ENDINGS = frozenset(
    [".aif", ".aiff", ".flac", ".m4a", ".mka", ".mp3"]
    + [".mp4", ".ogg", ".opus", ".wav", ".webm", ".wma"]
)
_WHERE = (
    "give --corpus_dir DIR, a folder of songs such as DIR/<song>/vocals.wav and "
    "DIR/<song>/accompaniment.wav (more: recipes/stems.py)"
)
_VOICE = re.compile("vocal|voice|vox")
_NO_VOICE = re.compile(r"(?<![a-z])(no|non|without|minus)[ _-]?(?=vocal|voice|vox)")
#: Names of a whole backing, the first that is there counts: others beside it are parts of it.
_BACKINGS = ("accompaniment", "no_vocals", "instrumental")
#: Names of a mixture, likewise.
_MIXTURES = ("mixture", "mix", "master")
_SPLIT_FOLDERS = {"train": "train", "valid": "valid", "validation": "valid", "test": "test"}


def prepare_stems(
    corpus_dir: str | os.PathLike,
    output_dir: str | os.PathLike,
    valid: float = 0.1,
    test: float = 0.1,
    decode: bool = False,
    jobs: int = 1,
    scheduler: str | None = None,
) -> dict[str, list[Song]]:
    """Write the manifests of a folder of stems, and licenses.json.

    What is no use is listed in the log at the end.

    Args:
        corpus_dir: Folder that holds songs and pools, at any depth.
        output_dir: Where ``train.jsonl``, ``valid.jsonl`` and ``test.jsonl`` go, and decoded songs.
        valid: Share of the songs to validate on.
        test: Share of the songs to test on.
        decode: Store each song once more as 44.1 kHz stereo wav, for the manifests to name.
        jobs: Number of songs worked on at a time; -1 for one a core.
        scheduler: Address of a Dask scheduler, see `asteroid_karaoke.cluster`.

    Returns:
        The songs of each split.

    Raises:
        FileNotFoundError: There is no such folder.
        ValueError: No song can be used, the shares leave nothing to train on, or decoded songs
            would be found as songs by the next run.
        OSError: The cluster is lost.
    """
    if min(valid, test) < 0 or valid + test >= 1:
        raise ValueError(f"got shares valid={valid} and test={test}: nothing is left to train on")
    if decode and Path(output_dir).resolve().is_relative_to(Path(corpus_dir).resolve()):
        raise ValueError(f"{output_dir} lies in {corpus_dir}: decode to a folder outside of it")
    entries, faults = find_songs(corpus_dir)
    entries = [replace(e, split=e.split or split_of(e.key, valid, test)) for e in entries]
    output = Path(output_dir).resolve()
    prepare = partial(prepare_song, corpus="stems", output_dir=output, decode=decode)
    songs, failed = prepare_all(prepare, entries, jobs, "stems", scheduler)
    splits = write_manifests(songs, faults + failed, output)
    used = {song.id for song in splits["train"]}
    licences.write(_describe([entry for entry in entries if entry.id in used]), output)
    return splits


def _describe(entries: Sequence[Entry]) -> list[dict]:
    """The songs' licences; where one is not known, nobody is told that he may sell."""
    known = licences.describe(entry for entry in entries if entry.licence != "unknown")
    unknown = any(entry.licence == "unknown" for entry in entries)
    return known + [LICENSE] * unknown


def find_songs(
    corpus_dir: str | os.PathLike, pools: Mapping[str, str] = POOLS
) -> tuple[list[Entry], list[Fault]]:
    """Look for songs below a folder, in an order that does not depend on the file system.

    Args:
        corpus_dir: The folder.
        pools: Names of folders in which each file is a song, and which stem it is.

    Returns:
        The songs, not opened yet, and what can not be one.

    Raises:
        FileNotFoundError: There is no such folder.
        ValueError: index.csv has no column ``file``.
    """
    root = Path(corpus_dir).resolve()
    if not root.is_dir():
        raise FileNotFoundError(f"no folder at {corpus_dir}: name the one that holds your songs")
    index = facts.read_index(root)
    entries: dict[str, Entry] = {}
    faults: list[Fault] = []
    found_at = _folders(root)
    for folder, files in found_at:
        place = folder.relative_to(root)
        try:
            if set(pools) & set(place.parts):
                found = [_of_pool(root, file, pools, index) for file in files]
            elif STEM_NAMES & {file.stem.lower() for file in files}:
                found = [_of_folder(root, folder, files, index)]
            else:
                raise ValueError(f"{len(files)} audio file(s) that are neither stems nor in a pool")
        except ValueError as error:
            faults.append(Fault(place.as_posix(), str(error)))
            continue
        for entry in found:
            if entry.id in entries:
                faults.append(Fault(entry.id, "is there twice, with two endings: keep one of them"))
            entries.setdefault(entry.id, entry)
    seen = [file.relative_to(root) for _, files in found_at for file in files]
    missing = facts.unused(index, seen)
    faults += [Fault(name, "is in index.csv, but no sound is there") for name in missing]
    return list(entries.values()), faults


def _folders(root: Path) -> list[tuple[Path, list[Path]]]:
    """All folders that hold audio files, with these; macOS' "._vocals.wav" is none of them."""
    found = []
    for place, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        files = [Path(place, name) for name in sorted(names) if not name.startswith(".")]
        files = [file for file in files if file.suffix.lower() in _ENDINGS]
        if files:
            found.append((Path(place), files))
    return found


def _of_pool(
    root: Path, file: Path, pools: Mapping[str, str], index: Mapping[str, dict[str, str]]
) -> Entry:
    place = file.relative_to(root)
    stem = next(pools[part] for part in place.parts if part in pools)
    row = index.get(place.as_posix(), {})
    return Entry(
        id=place.with_suffix("").as_posix(),
        stems={stem: (str(file),)},
        key=row.get("artist") or (file.stem if file.parent.name in pools else file.parent.name),
        split=_split_by_folder(place),
        licence=facts.licence(row),
        facts=row,
    )


def _of_folder(
    root: Path, folder: Path, files: list[Path], index: Mapping[str, dict[str, str]]
) -> Entry:
    place = folder.relative_to(root)
    row = index.get(place.as_posix(), {})
    known = {**row, **facts.read_meta(folder / "meta.json")}
    return Entry(
        # A folder of stems may itself be what is given as the corpus.
        id=folder.name if folder == root else place.as_posix(),
        stems=_sort_stems(files),
        key=folder.name,
        split=_split_by_folder(place),
        licence=facts.licence(known),
        facts=known,
    )


def _sort_stems(files: list[Path]) -> dict[str, tuple[str, ...]]:
    """Say which files of a song are its voice and which its backing."""
    by_name: dict[str, str] = {}
    for file in files:
        name = file.stem.lower()
        if _NO_VOICE.search(name):
            name = "no_vocals"
        if name in by_name:
            raise ValueError(f"{name} is there twice ({by_name[name]}, {file}): keep one of them")
        by_name[name] = str(file)
    mixtures = [by_name.pop(name) for name in _MIXTURES if name in by_name]
    vocals = [name for name in by_name if name != "no_vocals" and _VOICE.search(name)]
    whole = [name for name in _BACKINGS if name in by_name]
    backing = whole[:1] or [name for name in by_name if name not in vocals]
    stems = {
        "vocals": tuple(by_name[name] for name in vocals),
        "accompaniment": tuple(by_name[name] for name in backing),
        "mixture": tuple(mixtures[:1]),
    }
    return {stem: sources for stem, sources in stems.items() if sources}


def _split_by_folder(place: Path) -> str | None:
    named = [_SPLIT_FOLDERS[part] for part in place.parent.parts if part in _SPLIT_FOLDERS]
    return named[0] if named else None


def download_stems(
    storage_dir: str | os.PathLike, corpus_dir: str | os.PathLike | None = None
) -> Path:
    """Note where the songs are, which stay there; raises errors as `corpora.locate`."""
    return corpora.locate(storage_dir, corpus_dir, _WHERE)


def _prepare(storage_dir: Path, **options) -> None:
    prepare_stems(corpora.corpus_of(storage_dir), storage_dir, **options)


def main(arguments: list[str] | None = None) -> int:
    """Find a folder of stems, or write its manifests."""
    parser = argparse.ArgumentParser(prog="python -m recipes.stems", description=main.__doc__)
    download, prepare = corpora.add_steps(parser, download_stems, _prepare)
    download.add_argument("--corpus_dir", help="folder that holds songs and pools")
    prepare.add_argument("--valid", type=float, default=0.1, help="share of songs to validate on")
    prepare.add_argument("--test", type=float, default=0.1, help="share of songs to test on")
    prepare.add_argument("--decode", action="store_true", help="store songs as 44.1 kHz stereo wav")
    return corpora.run_step(parser, arguments)


if __name__ == "__main__":
    sys.exit(main())
