"""The folder of a model that is to be published, from an experiment or from a shipped name."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import torch

from ..model import KaraokeNet, shipped
from ..parts import write_whole
from ..report.collect import collect
from ..results import aggregate_rows
from ..weights import save_safetensors
from .card import Facts, card

#: Groups of an experiment's conf that say how it was trained; the others name folders.
_GROUPS = ("data", "net", "optim", "training")


def prepare(source: str | os.PathLike, output: str | os.PathLike | None = None) -> Path:
    """Complete a model's ``publish_dir/``.

    Beside ``model.pth``, which a recipe's last stage leaves there, it then holds
    ``model.safetensors`` with ``model.json``, and ``README.md``, the card.

    Args:
        source: An experiment's folder, its ``publish_dir``, or the name of weights that ship.
        output: The folder. None: the experiment's ``publish_dir``, or ``publish_dir`` here for a
            shipped name.

    Returns:
        The folder.

    Raises:
        FileNotFoundError: There is no such model, or it was not published by its recipe.
        ValueError: The model is damaged, or the card would lack something.
    """
    if str(source) in shipped():
        weights = shipped()[str(source)]
        facts, conf = _shipped(weights)
        folder = Path(output or "publish_dir")
    else:
        experiment = _experiment(Path(source))
        weights = experiment / "publish_dir" / "model.pth"
        facts, conf = _trained(experiment, weights)
        folder = Path(output or weights.parent)
    text = card(facts)  # Complains before anything is written.
    write_whole(folder / "model.pth", weights.read_bytes())
    save_safetensors(conf, folder / "model.safetensors")
    write_whole(folder / "README.md", text.encode())
    return folder


def _shipped(weights: Path) -> tuple[Facts, dict[str, Any]]:
    """What the card that ships says, and the model."""
    conf = _load(weights)
    told = json.loads(weights.with_suffix(".json").read_text(encoding="utf-8"))
    facts = Facts(
        name=told["name"],
        works=told["trained_on"],
        scores=told["scores"],
        model_args=told["model_args"],
        sha256=told["sha256"],
        training={"hours of training": {"on two cores": told["hours_of_training"]}},
        labels=told["labels"],
    )
    return facts, conf


def _trained(experiment: Path, weights: Path) -> tuple[Facts, dict[str, Any]]:
    """What an experiment left: its licences and conf in the model, its scores beside floor."""
    conf = _load(weights)
    scores = {
        corpus: {
            system: aggregate_rows([score.row for score in songs.values()])
            for system, songs in systems.items()
        }
        for corpus, systems in collect([experiment]).items()
    }
    training = conf["infos"].get("training_config") or {}
    facts = Facts(
        name=experiment.resolve().name,
        works=conf.get("licenses", ()),
        scores=scores,
        model_args=conf["model_args"],
        sha256=hashlib.sha256(weights.read_bytes()).hexdigest(),
        training={group: training[group] for group in _GROUPS if group in training},
    )
    return facts, conf


def _experiment(path: Path) -> Path:
    """The folder of an experiment that its recipe has published."""
    path = path.absolute().parent if path.name == "publish_dir" else path
    if not (path / "publish_dir" / "model.pth").is_file():
        names = ", ".join(shipped()) or "none"
        raise FileNotFoundError(
            f"{path} holds no publish_dir/model.pth: give an experiment's folder whose stage 4 "
            f"(scoring) is done, or weights that ship ({names})"
        )
    return path


def _load(weights: Path) -> dict[str, Any]:
    """The model's dict, once it was seen to be a model.

    Raises:
        ValueError: It is none.
    """
    KaraokeNet.from_pretrained(weights)
    return torch.load(weights, map_location="cpu", weights_only=True)
