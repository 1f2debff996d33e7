"""Score models, peers and baselines on the songs of a manifest, all in one run.

    PYTHONPATH=. python eval/score.py data/test.jsonl --excerpt -o eval/results/karaoke-small.json
    PYTHONPATH=. python eval/score.py data/test.jsonl --systems mixture spleeter my.pth -o my.json

A system is a baseline (``mixture``, ``ideal_ratio_mask`` ...), a peer (eval/peers), or a model: a
shipped name or a file, which its name without the ending then stands for. Prints a table, and
leaves a JSON with the scores of each song, their medians and means, what was scored, and with what.
A run that was broken off goes on.
"""

import argparse
import hashlib
import importlib.metadata
import json
import logging
import platform
import sys
from pathlib import Path

import numpy as np
from peers import PEERS

from asteroid_karaoke import KaraokeNet, evaluation, manifest, results, scores
from asteroid_karaoke.baselines import BASELINES
from asteroid_karaoke.datasets import SongDataset
from asteroid_karaoke.model import shipped
from asteroid_karaoke.separation import separate
from recipes import demo

SYSTEMS = ["mixture", "ideal_ratio_mask", "spleeter", "karaoke-small"]
SAMPLE_RATE = 44100
#: Packages whose version may move a score.
PACKAGES = ("torch", "museval", "numpy", "scipy", "asteroid", "soxr")


def main(path: Path, systems: list[str], excerpt: bool, output: Path, cache: Path) -> None:
    """Score every song by every system, write the record and print the tables."""
    chosen = manifest.read(path) + ([demo.excerpt()] if excerpt else [])
    songs = SongDataset(chosen, SAMPLE_RATE)
    loaded = {Path(name).stem: load(name) for name in systems}
    records = evaluation.score_systems(
        songs,
        {name: system for name, (system, _) in loaded.items()},
        cache,
        {name: version for name, (_, version) in loaded.items()},
    )
    corpora = next(iter(records.values()))
    finals = {
        corpus: {name: scores.aggregate(found[corpus]) for name, found in records.items()}
        for corpus in corpora
    }
    report = {
        "systems": {name: version for name, (_, version) in loaded.items()},
        "scores": finals,
        "songs": {
            corpus: {n: list(map(results.summarise, found[corpus])) for n, found in records.items()}
            for corpus in corpora
        },
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
        "python": platform.python_version(),
    }
    output.parent.mkdir(parents=True, exist_ok=True)
    part = output.with_suffix(".part")
    part.write_text(json.dumps(report, indent=1, allow_nan=False) + "\n")
    part.replace(output)
    for corpus, final in finals.items():
        print(f"\n{corpus}, {len(corpora[corpus])} song(s)\n\n{table(final)}")


def table(finals: dict[str, dict]) -> str:
    """What `scores.table` shows, with the mean uSDR over whole songs beside it."""
    lines = scores.table(finals).splitlines()
    added = [" vocals uSDR | accompaniment uSDR |", " ---: | ---: |"]
    for final in finals.values():
        values = [final[f"{stem}_uSDR_mean"] for stem in scores.STEMS]
        added.append("".join(f" {value:.2f} |" for value in values))
    return "\n".join(line + more for line, more in zip(lines, added, strict=True))


def load(name: str) -> tuple[evaluation.System, str]:
    """A system and its version."""
    if name in BASELINES:
        return BASELINES[name], name
    if name in PEERS:
        return PEERS[name]()
    model = KaraokeNet.from_pretrained(name)
    weights = shipped().get(name, Path(name)).read_bytes()

    def system(mixture: np.ndarray, sources: np.ndarray, sample_rate: int) -> np.ndarray:
        return np.stack(separate(model, mixture, sample_rate))

    return system, hashlib.sha256(weights).hexdigest()


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
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        main(**vars(parser.parse_args()))
    except (OSError, ValueError) as error:
        sys.exit(f"eval/score.py: {error}")
