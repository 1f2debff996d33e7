"""Score models, peers and baselines on the songs of a manifest, all in one run.

    PYTHONPATH=. python eval/score.py data/test.jsonl --excerpt -o eval/results/karaoke-small.json
    PYTHONPATH=. python eval/score.py data/test.jsonl --systems mixture spleeter my.pth -o my.json

A system is a baseline (``mixture``, ``ideal_ratio_mask`` ...), a peer (eval/peers), a model (a
shipped name or a file), or a folder of somebody's estimates: ``<song>/vocals.*`` and
``accompaniment.*``, a song's folder being called as in the scores, with ``/`` as `` - ``. A file or
a folder is called by its name without the ending. Prints a table, and leaves a JSON with the scores
of each song, their medians and means, what was scored, and with what. A run that was broken off
goes on. A peer whose library or weights can not be had is left out, and said to be.
"""

import argparse
import hashlib
import importlib.metadata
import json
import logging
import platform
import sys
from pathlib import Path
from typing import Any

import numpy as np
import provenance
import torch
from peers import PEERS

from asteroid_karaoke import KaraokeNet, audio, evaluation, manifest, results, scores
from asteroid_karaoke.baselines import BASELINES
from asteroid_karaoke.datasets import SongDataset
from asteroid_karaoke.model import shipped
from asteroid_karaoke.parts import write_whole
from asteroid_karaoke.separation import separate
from recipes import demo

SYSTEMS = ["mixture", "ideal_ratio_mask", "spleeter", "karaoke-small"]
SAMPLE_RATE = 44100
#: Packages whose version may move a score.
PACKAGES = ("torch", "museval", "numpy", "scipy", "asteroid", "soxr")


def main(
    path: Path,
    systems: list[str],
    excerpt: bool,
    output: Path,
    cache: Path,
    estimates: Path | None,
) -> None:
    """Score every song by every system, write the record and print the tables."""
    chosen = manifest.read(path) + ([demo.excerpt()] if excerpt else [])
    songs = SongDataset(chosen, SAMPLE_RATE)
    loaded = load_all(systems)
    versions = {name: version for name, (_, version, _) in loaded.items()}

    def keep(system: str, song: str, mixture: np.ndarray, sources: np.ndarray, found: Any) -> None:
        if estimates is not None and system not in BASELINES:
            for stem, wav in zip(scores.STEMS, found, strict=True):
                audio.write(estimates / system / song / f"{stem}.flac", wav, SAMPLE_RATE)

    records = evaluation.score_systems(
        songs, {name: system for name, (system, _, _) in loaded.items()}, cache, versions, keep
    )
    corpora = next(iter(records.values()))
    finals = {
        corpus: {name: scores.aggregate(found[corpus]) for name, found in records.items()}
        for corpus in corpora
    }
    report = {
        "systems": versions,
        "models": {name: facts for name, (_, _, facts) in loaded.items() if facts},
        "data": provenance.data(songs.songs),
        "commit": provenance.commit(),
        "date": provenance.today(),
        "machine": provenance.machine(),
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
        "python": platform.python_version(),
        "scores": finals,
        "songs": {
            corpus: {n: list(map(results.summarise, found[corpus])) for n, found in records.items()}
            for corpus in corpora
        },
    }
    write_whole(output, (json.dumps(report, indent=1, allow_nan=False) + "\n").encode())
    for corpus, final in finals.items():
        print(f"\n{corpus}, {len(corpora[corpus])} song(s)\n\n{scores.table(final, True)}")


def load_all(names: list[str]) -> dict[str, tuple]:
    """Systems by their names, each with its version and facts, but for peers that are not here."""
    loaded = {}
    for name in names:
        title = Path(name).stem
        if title in loaded:
            raise ValueError(f"two systems are called {title!r}: copy one to a name of its own")
        try:
            loaded[title] = load(name)
        except FileNotFoundError as error:
            if name not in PEERS:
                raise
            print(f"left out: {' '.join(str(error).split())}", file=sys.stderr)
    if not loaded:
        raise ValueError("none of the systems is there: nothing to score")
    return loaded


def load(name: str) -> tuple[evaluation.System | Path, str, dict[str, Any]]:
    """A system, its version, and what is known of its weights."""
    if name in BASELINES:
        return BASELINES[name], name, {}
    if name in PEERS:
        system, version = PEERS[name]()
        return system, version, {"sha256": version}
    if Path(name).is_dir():
        return Path(name), provenance.folder_version(Path(name)), {}
    model = KaraokeNet.from_pretrained(name)
    path = shipped().get(name, Path(name))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()

    def system_of_ours(mixture: np.ndarray, sources: np.ndarray, sample_rate: int) -> np.ndarray:
        return np.stack(separate(model, mixture, sample_rate))

    facts = {
        "sha256": digest,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "conf": model.get_model_args(),
        # What it was trained with is known to a model that a recipe has published.
        "training": torch.load(path, map_location="cpu", weights_only=True)
        .get("infos", {})
        .get("training_config"),
    }
    return system_of_ours, digest, facts


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", type=Path, metavar="MANIFEST", help="songs with their stems")
    parser.add_argument("--systems", nargs="+", default=SYSTEMS, help="what to score")
    parser.add_argument(
        "--excerpt", action="store_true", help="score the excerpt that stempeg ships as well"
    )
    parser.add_argument("-o", "--output", type=Path, required=True, help="the JSON to write")
    parser.add_argument(
        "--cache", type=Path, default=Path("eval/scores"), help="museval's scores a song"
    )
    parser.add_argument(
        "--estimates",
        type=Path,
        help="keep what is estimated in this scoring here, to hear it in a report (--audio)",
    )
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        main(**vars(parser.parse_args()))
    except (OSError, ValueError) as error:
        sys.exit(f"eval/score.py: {error}")
