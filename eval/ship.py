"""Put a trained model into the package: weights that load by name, with their card.

    PYTHONPATH=. python eval/ship.py exp/best_model.pth --name karaoke-small --hours 3.5
        --licenses data/licenses.json --record eval/results/karaoke-small.json

Leaves ``asteroid_karaoke/pretrained/<name>.pth`` and ``<name>.json``, the card: sha256 of the
weights, their licence, every work that they were trained on, hours of training, and the scores of
the record beside the mixture's, the peers' and the ideal mask's.
"""

import argparse
import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import torch

from asteroid_karaoke import KaraokeNet
from asteroid_karaoke.model import PRETRAINED
from asteroid_karaoke.publishing.card import INTENDED_USE, LICENCES, LIMITS

#: Medians over frames, then over songs; uSDR is of whole songs, and its mean over them.
KEPT = (
    *("songs", "vocals_SDR", "vocals_SIR", "accompaniment_SDR", "accompaniment_SIR"),
    *("vocals_uSDR_mean", "accompaniment_uSDR_mean"),
)


def main(path: Path, name: str, hours: float, licenses: Path, record: Path) -> None:
    """Write the weights and the card."""
    model = KaraokeNet.from_pretrained(path)
    works = read(licenses)
    scores = read(record)["scores"]
    PRETRAINED.mkdir(exist_ok=True)
    weights = PRETRAINED / f"{name}.pth"
    torch.save(model.serialize(), weights.with_suffix(".part"))
    count = sum(parameter.numel() for parameter in model.parameters())
    card = {
        "name": name,
        "description": f"{count / 1e6:.2f} M weights, separates singing from music at "
        f"{model.sample_rate / 1000:g} kHz",
        "licence": LICENCES[any(work["non_commercial"] for work in works)],
        "intended_use": INTENDED_USE,
        "limits": LIMITS,
        "sha256": hashlib.sha256(weights.with_suffix(".part").read_bytes()).hexdigest(),
        "model_args": model.get_model_args(),
        "hours_of_training": hours,
        "scores": {
            corpus: {name: {key: final[key] for key in KEPT} for name, final in finals.items()}
            for corpus, finals in scores.items()
        },
        "trained_on": works,
    }
    part = weights.with_suffix(".json.part")
    part.write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(weights.with_suffix(".part"), weights)
    os.replace(part, weights.with_suffix(".json"))
    print(f"{weights}: {weights.stat().st_size / 1e6:.2f} MB, {card['licence']}")


def read(path: Path) -> Any:
    """What a JSON file holds."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is no JSON: {error}; make it anew") from error


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", type=Path, metavar="MODEL", help="best_model.pth")
    parser.add_argument("--name", required=True, help="that from_pretrained shall know")
    parser.add_argument("--hours", type=float, required=True, help="of training on two cores")
    parser.add_argument("--licenses", type=Path, required=True, help="licenses.json of the data")
    parser.add_argument("--record", type=Path, required=True, help="what eval/score.py left")
    try:
        main(**vars(parser.parse_args()))
    except (OSError, ValueError) as error:
        sys.exit(f"eval/ship.py: {error}")
