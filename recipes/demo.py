"""The demo corpus: synthetic songs that need no network, and one real song that is there already.

What: 24 training songs of 28 s, 3 validation and 4 test songs of 20 s: synthesised singing over
synthesised backings (``recipes/synth``), stereo, 44.1 kHz, 16 bit. The mixture is the sum of the
two stems. Each song has its own singer, melody, band and tune; no two songs share a seed. And one
real test song of 5.9 s: the excerpt of MUSDB18 that the package stempeg brings along (a dependency
of museval), read where it is installed and never copied.

Size: 13.5 minutes, some 130 MB of FLAC, made in under a minute on two cores.

Licence: the synthetic songs CC0 1.0; the excerpt CC BY-NC-SA 3.0, which is why it is only tested
with.

Reference of the excerpt: Z. Rafii, A. Liutkus, F.-R. Stöter, S. I. Mimilakis, R. Bittner, The
MUSDB18 corpus for music separation (2017), https://doi.org/10.5281/zenodo.1117372.

Run as ``python -m recipes.demo --storage_dir DIR``. Leaves::

    DIR/demo-<seed>/{train,valid,test}/<song>/{vocals,accompaniment}.flac
    DIR/{train,valid,test}.jsonl
"""

import argparse
import importlib.util
import sys
from pathlib import Path

import numpy as np

from asteroid_karaoke import audio
from asteroid_karaoke.manifest import SPLITS, Song

from . import licences
from .songs import write_manifests
from .synth import dsp, play, sing, tune

LICENSE = {
    "title": "asteroid-karaoke demo corpus: synthetic songs",
    "title_link": "recipes/demo.py",
    "author": "asteroid-karaoke developers",
    "author_link": "CONTRIBUTING.md",
    "license": "CC0 1.0",
    "license_link": "https://creativecommons.org/publicdomain/zero/1.0/",
    "non_commercial": False,
}
EXCERPT_LICENSE = {
    "title": "Falcon 69, excerpt in MUSDB18",
    "title_link": "https://doi.org/10.5281/zenodo.1117372",
    "author": "The Easton Ellises",
    "author_link": "https://sigsep.github.io/datasets/musdb.html",
    "license": "CC BY-NC-SA 3.0",
    "license_link": "https://creativecommons.org/licenses/by-nc-sa/3.0/",
    "non_commercial": True,
}

SAMPLE_RATE = 44100
#: Number of songs in each split and their length in s.
SONGS = {"train": (24, 28.0), "valid": (3, 20.0), "test": (4, 20.0)}
#: Level of the voice while it sings, over the backing, in dB.
VOICE_LEVEL = (-8.0, 2.0)
STEMS = ("vocals", "accompaniment")
COMPLETED = ".completed"
#: Audio streams of MUSDB18's files: 0 mixture, 1 drums, 2 bass, 3 other, 4 vocals.
MIXTURE, BACKING, VOCALS = 0, (1, 2, 3), 4
#: Usable samples of the excerpt. Before and after stands silence, and at both cuts a click at full
#: scale in every stream (samples 2064 and 266704), which would rule each score.
EXCERPT_SPAN = (4410, 264600)


def make_song(seed: int, split: str, number: int, seconds: float) -> np.ndarray:
    """Compose, sing and play a song.

    Args:
        seed: Of the corpus.
        split: One of SPLITS. The same number in another split is another song.
        number: Of the song in its split.
        seconds: Its length.

    Returns:
        float32 stems ``(2, channels, time)``, vocals and accompaniment, whose sum stays within
        -0.95…0.95.
    """
    rng = np.random.default_rng([seed, SPLITS.index(split), number])
    song = tune.draw(rng)
    vocals = sing(rng, seconds, SAMPLE_RATE, song)
    accompaniment = play(rng, seconds, SAMPLE_RATE, song)
    vocals = vocals * dsp.decibels(rng.uniform(*VOICE_LEVEL))
    stems = np.stack([vocals, accompaniment])
    peak = max(np.abs(stems).max(), np.abs(stems.sum(axis=0)).max())
    return (stems * (rng.uniform(0.5, 0.95) / peak)).astype(np.float32)


def download_demo(target_dir: str | Path, seed: int = 0, jobs: int = 2) -> Path:
    """Make the synthetic songs; there is nothing to download.

    A song that is there whole is kept, so that a broken run goes on where it stopped. The sound
    depends on the seed alone, not on ``jobs``.

    Args:
        target_dir: The corpus becomes a folder in it.
        seed: Of all songs. Another seed makes another folder.
        jobs: Number of processes.

    Returns:
        The corpus' folder, marked by a file ``.completed``.
    """
    from joblib import Parallel, delayed
    from tqdm import tqdm

    corpus_dir = corpus_folder(target_dir, seed)
    songs = [
        (split, number, seconds)
        for split, (count, seconds) in SONGS.items()
        for number in range(count)
    ]
    todo = [song for song in songs if not _is_whole(_song_dir(corpus_dir, *song[:2]), song[2])]
    if todo:
        (corpus_dir / COMPLETED).unlink(missing_ok=True)
    work = (delayed(_write_song)(corpus_dir, seed, *song) for song in todo)
    done = Parallel(n_jobs=jobs, return_as="generator_unordered")(work)
    for _ in tqdm(
        done, desc="songs", total=len(songs), initial=len(songs) - len(todo), unit="song"
    ):
        pass
    (corpus_dir / COMPLETED).touch()
    return corpus_dir


def corpus_folder(target_dir: str | Path, seed: int) -> Path:
    """Where ``download_demo`` puts the songs of a seed."""
    return Path(target_dir) / f"demo-{seed}"


def _song_dir(corpus_dir: Path, split: str, number: int) -> Path:
    return corpus_dir / split / f"{corpus_dir.name}-{split}-{number:02d}"


def _write_song(corpus_dir: Path, seed: int, split: str, number: int, seconds: float) -> None:
    stems = make_song(seed, split, number, seconds)
    for name, stem in zip(STEMS, stems, strict=True):
        path = _song_dir(corpus_dir, split, number) / f"{name}.flac"
        audio.write(path, stem, SAMPLE_RATE, subtype="PCM_16")


def _is_whole(song_dir: Path, seconds: float) -> bool:
    """Whether both stems are there to their last sample.

    A file that another program cut off still has a header that promises all of them.
    """
    frames = round(seconds * SAMPLE_RATE)
    for name in STEMS:
        try:
            if audio.info(song_dir / f"{name}.flac").frames != frames:
                return False
            audio.read(song_dir / f"{name}.flac", start=frames - 1)
        except (OSError, ValueError):
            return False
    return True


def prepare_demo(corpus_dir: str | Path, output_dir: str | Path) -> dict[str, list[Song]]:
    """Write and validate the manifests of the synthetic songs and the real one.

    Args:
        corpus_dir: What ``download_demo`` returned.
        output_dir: Where ``train.jsonl``, ``valid.jsonl`` and ``test.jsonl`` go, and
            ``licenses.json``: what a model trained on the corpus owes. The excerpt is no part of
            that, as no model is trained on it.

    Returns:
        The songs of each split, as written. Those of the corpus are called "demo", the real one
        "musdb18-excerpt".

    Raises:
        FileNotFoundError: The corpus is not complete, or stempeg is not installed.
        ValueError: Files do not hold what they should; names every fault.
    """
    corpus_dir = Path(corpus_dir).resolve()
    if not (corpus_dir / COMPLETED).exists():
        raise FileNotFoundError(f"no complete demo corpus at {corpus_dir}: run download_demo first")
    songs = [
        _song(path, split) for split in SPLITS for path in sorted((corpus_dir / split).iterdir())
    ]
    manifests = write_manifests([*songs, excerpt()], (), output_dir)
    licences.write([LICENSE], output_dir)
    return manifests


def _song(song_dir: Path, split: str) -> Song:
    vocals, accompaniment = (str(song_dir / f"{name}.flac") for name in STEMS)
    found = audio.info(vocals)
    return Song(
        id=song_dir.name,
        split=split,
        corpus="demo",
        role="stems",
        licence=str(LICENSE["license"]),
        sample_rate=found.sample_rate,
        channels=found.channels,
        frames=found.frames,
        vocals=(vocals,),
        accompaniment=(accompaniment,),
    )


def excerpt() -> Song:
    """The real song: MUSDB18's excerpt in the installed package stempeg.

    Raises:
        FileNotFoundError: stempeg or its excerpt is not there.
    """
    path = excerpt_path()
    found = audio.info(f"{path}#stream={MIXTURE}")
    start, stop = EXCERPT_SPAN
    return Song(
        id="The Easton Ellises - Falcon 69",
        split="test",
        corpus="musdb18-excerpt",
        role="stems",
        licence=str(EXCERPT_LICENSE["license"]),
        sample_rate=found.sample_rate,
        channels=found.channels,
        frames=found.frames,
        mixture=(f"{path}#stream={MIXTURE}",),
        vocals=(f"{path}#stream={VOCALS}",),
        accompaniment=tuple(f"{path}#stream={stream}" for stream in BACKING),
        start=start,
        stop=stop,
    )


def excerpt_path() -> Path:
    """Find the excerpt without importing stempeg, which fails where ffmpeg is not installed.

    Raises:
        FileNotFoundError: stempeg or its excerpt is not there.
    """
    spec = importlib.util.find_spec("stempeg")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError(
            "the demo's real test song comes with the package stempeg, which is not installed: "
            "pip install stempeg"
        )
    folder = Path(next(iter(spec.submodule_search_locations))) / "data"
    found = sorted(folder.glob("*.stem.mp4"))
    if not found:
        raise FileNotFoundError(
            f"no *.stem.mp4 in {folder}, expected MUSDB18's excerpt: "
            "pip install --force-reinstall stempeg"
        )
    return found[0]


def main(arguments: list[str] | None = None) -> int:
    """Make the demo corpus and its manifests."""
    parser = argparse.ArgumentParser(prog="python -m recipes.demo", description=main.__doc__)
    parser.add_argument(
        "step", nargs="?", choices=("download", "prepare"), help="this step alone (default both)"
    )
    parser.add_argument(
        "--storage_dir", type=Path, required=True, help="where audio and manifests go"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the synthetic songs (default 0)")
    parser.add_argument("--jobs", type=int, default=2, help="number of processes (default 2)")
    args = parser.parse_args(arguments)
    try:
        excerpt_path()
        if args.step != "prepare":
            download_demo(args.storage_dir, args.seed, args.jobs)
        songs = {}
        if args.step != "download":
            songs = prepare_demo(corpus_folder(args.storage_dir, args.seed), args.storage_dir)
    except (OSError, ValueError) as error:
        print(f"recipes.demo: {error}", file=sys.stderr)
        return 1
    for split, members in songs.items():
        minutes = sum(song.seconds for song in members) / 60
        print(f"{args.storage_dir / split}.jsonl: {len(members)} songs, {minutes:.1f} min")
    return 0


if __name__ == "__main__":
    sys.exit(main())
