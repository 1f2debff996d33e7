"""MUSDB18 and MUSDB18-HQ: 150 songs in four stems, the corpus that the field's scores are made on.

What: 100 songs to train with, of which 14 are to validate on, and 50 to test on; stereo, 44.1 kHz,
10 h. Both forms are understood, as they are unpacked::

    {train,test}/<song>.stem.mp4                                    MUSDB18: AAC, 5 streams a file
    {train,test}/<song>/{mixture,drums,bass,other,vocals}.wav       MUSDB18-HQ

Size: 4.7 GB (MUSDB18), 22.7 GB (HQ).

Where: MUSDB18 https://doi.org/10.5281/zenodo.1117372, HQ https://doi.org/10.5281/zenodo.3338373.
Downloaded by hand; this recipe takes the folder.

Licence: for research and teaching only. 100 songs come from DSD100 and the Mixing Secrets library,
46 from MedleyDB (CC BY-NC-SA 4.0), 2 from Native Instruments, 2 are by The Easton Ellises (CC
BY-NC-SA 3.0).

Reference: Z. Rafii, A. Liutkus, F.-R. Stöter, S. I. Mimilakis, R. Bittner, The MUSDB18 corpus for
music separation (2017), https://doi.org/10.5281/zenodo.1117372.

The splits are the official ones; the songs to validate on are listed in the package musdb, which
museval brings along, and read from there. Seeking in AAC costs: ``--decode`` stores all songs once
more as two wavs each, 13 GB.

Run as::

    python -m recipes.musdb18 download --storage_dir DIR --musdb18_dir DIR
    python -m recipes.musdb18 prepare --storage_dir DIR --decode --jobs 2

Leaves ``DIR/{train,valid,test}.jsonl`` and ``DIR/licenses.json``.
"""

import argparse
import importlib.util
import logging
import os
import sys
import unicodedata
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from asteroid_karaoke.manifest import Song

from . import corpora, licences
from .songs import Entry, Fault, Stems, prepare_all, prepare_song, write_manifests

LICENSE = {
    "title": "MUSDB18",
    "title_link": "https://doi.org/10.5281/zenodo.1117372",
    "author": "Z. Rafii, A. Liutkus, F.-R. Stöter, S. I. Mimilakis, R. Bittner, and the artists",
    "author_link": "https://sigsep.github.io/datasets/musdb.html",
    "license": "for research and teaching only; in part CC BY-NC-SA 4.0 and 3.0",
    "license_link": "https://sigsep.github.io/datasets/musdb.html",
    "non_commercial": True,
}
BACKING, VOICE = ("drums", "bass", "other"), "vocals"
_ENDING = ".stem.mp4"
_SUBSETS = ("train", "test")
_WHERE = (
    "get it by hand, MUSDB18 (4.7 GB) from https://doi.org/10.5281/zenodo.1117372 or MUSDB18-HQ "
    "(22.7 GB) from https://doi.org/10.5281/zenodo.3338373, unpack it, and give --musdb18_dir DIR, "
    "the folder that holds train and test"
)
logger = logging.getLogger(__name__)


def download_musdb18(
    storage_dir: str | os.PathLike, musdb18_dir: str | os.PathLike | None = None
) -> Path:
    """Look at the corpus' folder and note where it is.

    Args:
        storage_dir: Where manifests go.
        musdb18_dir: Folder that holds ``train`` and ``test``.

    Returns:
        The corpus' folder.

    Raises:
        FileNotFoundError: There is no corpus; says where to get it.
        ValueError: The folder holds no song.
    """
    folder = corpora.locate(storage_dir, musdb18_dir, _WHERE)
    entries, _ = find_songs(folder)
    if not entries:
        raise ValueError(f"{folder} holds no songs in train or test: {_WHERE}")
    logger.info("%s: %d songs", folder, len(entries))
    return folder


def find_songs(musdb18_dir: str | os.PathLike) -> tuple[list[Entry], list[Fault]]:
    """Look for songs in both forms, in an order that does not depend on the file system.

    Args:
        musdb18_dir: Folder that holds ``train`` and ``test``.

    Returns:
        The songs, not opened yet, with their official splits, and what is none.

    Raises:
        FileNotFoundError: The package musdb is not installed.
    """
    layout = _layout()
    held_out = {unicodedata.normalize("NFC", name) for name in layout["validation_tracks"]}
    entries: dict[str, Entry] = {}
    faults: list[Fault] = []
    for subset in _SUBSETS:
        for name, stems, fault in _subset(Path(musdb18_dir).resolve() / subset, layout["stem_ids"]):
            if fault:
                faults.append(Fault(f"{subset}/{name}", fault))
            elif name in entries:
                faults.append(Fault(f"{subset}/{name}", "is there twice: keep one of them"))
            else:
                valid = subset == "train" and unicodedata.normalize("NFC", name) in held_out
                split = "valid" if valid else subset
                licence = str(LICENSE["license"])
                entries[name] = Entry(id=name, stems=stems, key=name, split=split, licence=licence)
    return list(entries.values()), faults


def _layout() -> dict:
    """What the package musdb says of the corpus, without importing it, which needs ffmpeg.

    ``stem_ids`` are the numbers of a file's audio streams, ``validation_tracks`` names of songs.
    """
    import yaml

    spec = importlib.util.find_spec("musdb")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError(
            "the list of the songs to validate on comes with the package musdb, which is not "
            "installed: pip install musdb"
        )
    path = Path(next(iter(spec.submodule_search_locations)), "configs", "mus.yaml")
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def _subset(folder: Path, stem_ids: Mapping[str, int]) -> Iterator[tuple[str, Stems, str]]:
    """Of each song of a subset: its name, its stems, and what is wrong with it."""
    for place in sorted(folder.iterdir()) if folder.is_dir() else []:
        if place.name.startswith("."):
            continue
        if place.is_dir():
            missing = [n for n in (*BACKING, VOICE) if not (place / f"{n}.wav").is_file()]
            fault = f"has no {', '.join(f'{name}.wav' for name in missing)}" if missing else ""
            yield place.name, _stems({n: str(place / f"{n}.wav") for n in (*BACKING, VOICE)}), fault
        elif place.name.endswith(_ENDING):
            streams = {n: f"{place}#stream={stem_ids[n]}" for n in (*BACKING, VOICE)}
            yield place.name.removesuffix(_ENDING), _stems(streams), ""


def _stems(sources: Mapping[str, str]) -> Stems:
    return {
        "vocals": (sources[VOICE],),
        "accompaniment": tuple(sources[name] for name in BACKING),
    }


def prepare_musdb18(
    storage_dir: str | os.PathLike,
    decode: bool = False,
    jobs: int = 1,
    scheduler: str | None = None,
) -> dict[str, list[Song]]:
    """Hear every song; write the manifests and licenses.json.

    Args:
        storage_dir: As for `download_musdb18`, which came before.
        decode: Store each song once more as 44.1 kHz stereo wav, for the manifests to name.
        jobs: Number of songs worked on at a time; -1 for one a core.
        scheduler: Address of a Dask scheduler, see `asteroid_karaoke.cluster`.

    Returns:
        The songs of each split.

    Raises:
        FileNotFoundError: It is not known where the corpus is, or musdb is not installed.
        ValueError: No song can be used.
        OSError: The cluster is lost.
    """
    output_dir = Path(storage_dir).resolve()
    entries, faults = find_songs(corpora.corpus_of(storage_dir))
    prepare = partial(prepare_song, corpus="musdb18", output_dir=output_dir, decode=decode)
    songs, failed = prepare_all(prepare, entries, jobs, "musdb18", scheduler)
    splits = write_manifests(songs, faults + failed, output_dir)
    licences.write([LICENSE], output_dir)
    return splits


def main(arguments: list[str] | None = None) -> int:
    """Find the MUSDB18 corpus, or write its manifests."""
    parser = argparse.ArgumentParser(prog="python -m recipes.musdb18", description=main.__doc__)
    download, prepare = corpora.add_steps(parser, download_musdb18, prepare_musdb18)
    download.add_argument("--musdb18_dir", help="the corpus' folder, once unpacked")
    prepare.add_argument("--decode", action="store_true", help="store songs as wav, fast to seek")
    return corpora.run_step(parser, arguments)


if __name__ == "__main__":
    sys.exit(main())
