"""Put a trained model into the package: weights that load by name, with their card.

    PYTHONPATH=. python eval/ship.py exp/best_model.pth --name karaoke-small --hours 3.5
        --licenses data/licenses.json --record eval/results/karaoke-small.json

Leaves ``asteroid_karaoke/pretrained/<name>.pth``, the file as it was scored, and ``<name>.json``,
the card: sha256 of the weights, their licence, every work that they were trained on and who
labelled it, hours of training, and the scores of the record beside the mixture's, the peers' and
the ideal mask's.
"""

import argparse
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from asteroid_karaoke import KaraokeNet
from asteroid_karaoke.model import PRETRAINED
from asteroid_karaoke.parts import write_whole
from asteroid_karaoke.publishing.card import INTENDED_USE, LICENCES, LIMITS

#: Medians over frames, then over songs; uSDR is of whole songs, and its mean over them.
KEPT = (
    *("songs", "vocals_SDR", "vocals_SIR", "accompaniment_SDR", "accompaniment_SIR"),
    *("vocals_uSDR_mean", "accompaniment_uSDR_mean"),
)
#: Of ``recipes/shipped.py``: 24 of 78 minutes are true, 54 by the teacher (``recipes/labels.py``).
LABELS = (
    "Of the songs with both stems 30 %, by time, have true ones; those of the others are "
    "estimates by Spleeter's weights (MIT)."
)


def main(path: Path, name: str, hours: float, licenses: Path, record: Path) -> None:
    """Write the weights and the card.

    Raises:
        FileNotFoundError: One of the files is missing.
        ValueError: One of them can not be read, or the record is of other weights.
    """
    model = KaraokeNet.from_pretrained(path)
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    works, told = read(licenses), read(record)
    if digest not in told.get("systems", {}).values():
        raise ValueError(f"{record} is not of {path}, whose sha256 is {digest}: score it first")
    count = sum(parameter.numel() for parameter in model.parameters())
    card = {
        "name": name,
        "description": f"{count / 1e6:.2f} M weights, separates singing from music at "
        f"{model.sample_rate / 1000:g} kHz",
        "licence": LICENCES[any(work["non_commercial"] for work in works)],
        "intended_use": INTENDED_USE,
        "limits": LIMITS,
        "sha256": digest,
        "model_args": model.get_model_args(),
        "hours_of_training": hours,
        "scores": {
            corpus: {name: {key: final[key] for key in KEPT} for name, final in finals.items()}
            for corpus, finals in told["scores"].items()
        },
        "labels": LABELS,
        "trained_on": works,
    }
    weights = PRETRAINED / f"{name}.pth"
    PRETRAINED.mkdir(exist_ok=True)
    write_whole(weights, content)
    text = json.dumps(card, indent=1, ensure_ascii=False) + "\n"
    write_whole(weights.with_suffix(".json"), text.encode())
    print(f"{weights}: {len(content) / 1e6:.2f} MB, {card['licence']}")


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
