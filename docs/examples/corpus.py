"""Garage: what one band recorded, two files a song.

::

    <corpus>/<artist> - <title>/voice.flac    the voice
    <corpus>/<artist> - <title>/band.flac     all the rest

Size: as much as the band has played. Where: on your own disk. Licence: the band's, CC0 1.0.

Splits are drawn by the artist, so that no voice is both learnt and tested. Run as::

    python -m recipes.garage download --storage_dir data --corpus_dir ~/garage
    python -m recipes.garage prepare --storage_dir data
"""

import argparse
import sys
from functools import partial
from pathlib import Path

from asteroid_karaoke.manifest import Song
from recipes import corpora, licences
from recipes.songs import Entry, prepare_all, prepare_song, split_of, write_manifests

LICENSE = {
    "title": "Garage",
    "title_link": "recipes/garage.py",
    "author": "the band",
    "author_link": "recipes/garage.py",
    "license": "CC0 1.0",
    "license_link": "https://creativecommons.org/publicdomain/zero/1.0/",
    "non_commercial": False,
}
_WHERE = "give --corpus_dir DIR, a folder of songs such as DIR/<artist> - <title>/voice.flac"


def download_garage(storage_dir: Path, corpus_dir: Path | None = None) -> Path:
    """Note where the corpus is; it stays there."""
    return corpora.locate(storage_dir, corpus_dir, _WHERE)


def prepare_garage(
    corpus_dir: Path, output_dir: Path, jobs: int = 1, scheduler: str | None = None
) -> dict[str, list[Song]]:
    """Hear every song, and write train.jsonl, valid.jsonl, test.jsonl and licenses.json."""
    entries = []
    for folder in sorted(path for path in Path(corpus_dir).iterdir() if path.is_dir()):
        artist = folder.name.partition(" - ")[0]
        entries.append(
            Entry(
                id=folder.name,
                stems={
                    "vocals": (str(folder / "voice.flac"),),
                    "accompaniment": (str(folder / "band.flac"),),
                },
                key=artist,
                split=split_of(artist, valid=0.1, test=0.1),
                licence=str(LICENSE["license"]),
            )
        )
    hear = partial(prepare_song, corpus="garage", output_dir=Path(output_dir), decode=False)
    songs, faults = prepare_all(hear, entries, jobs, "garage", scheduler)
    licences.write([LICENSE], output_dir)
    return write_manifests(songs, faults, output_dir)


def _prepare(storage_dir: Path, **options) -> None:
    prepare_garage(corpora.corpus_of(storage_dir), storage_dir, **options)


def main(arguments: list[str] | None = None) -> int:
    """Find the band's songs, or write their manifests."""
    parser = argparse.ArgumentParser(prog="python -m recipes.garage", description=main.__doc__)
    download, _ = corpora.add_steps(parser, download_garage, _prepare)
    download.add_argument("--corpus_dir", help="folder that holds the songs' folders")
    return corpora.run_step(parser, arguments)


if __name__ == "__main__":
    sys.exit(main())
