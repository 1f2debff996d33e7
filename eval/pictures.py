"""Draw what a model makes of the songs of a manifest: mixture, true voice, its voice, its karaoke.

    PYTHONPATH=. python eval/pictures.py data/test.jsonl --model karaoke-small -o eval/results

Leaves ``<model>-<song>.webp`` a song, 15 s from where the voice begins, and ``<model>.md``, a page
that shows them all.
"""

import argparse
import sys
from pathlib import Path

from tqdm import tqdm

from asteroid_karaoke import KaraokeNet, manifest, plots
from asteroid_karaoke.datasets import SongDataset
from asteroid_karaoke.parts import write_whole
from asteroid_karaoke.separation import separate

TITLES = ("mixture", "true voice", "estimated voice", "karaoke")


def main(path: Path, name: str, output: Path) -> None:
    """Draw each song and write the page."""
    model = KaraokeNet.from_pretrained(name)
    rate = int(model.sample_rate)
    songs = SongDataset(manifest.read(path), rate)
    label = Path(name).stem
    page = [f"# {label} on the songs of its test set", "15 s from where the voice begins."]
    for index, song in enumerate(tqdm(songs.songs, desc="pictures", unit="song")):
        mixture, sources = (item.numpy() for item in songs[index])
        start, stop = plots.excerpt_with_voice(sources[0], rate)
        place = slice(start, stop)
        estimates = separate(model, mixture[:, place], rate)
        stems = (mixture[:, place], sources[0][:, place], *estimates)
        picture = output / f"{label}-{song.id.split('#')[0].replace('/', '-')}.webp"
        plots.plot_spectrograms(dict(zip(TITLES, stems, strict=True)), rate, picture)
        page += [f"## {song.id.split('#')[0]}", f"![spectrograms]({picture.name})"]
    write_whole(output / f"{label}.md", ("\n\n".join(page) + "\n").encode())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", type=Path, metavar="MANIFEST", help="songs with their stems")
    parser.add_argument(
        "--model", dest="name", default="karaoke-small", help="a shipped name or a path"
    )
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder to write to")
    try:
        main(**vars(parser.parse_args()))
    except (OSError, ValueError) as error:
        sys.exit(f"eval/pictures.py: {error}")
