"""The folder of an experiment: what it was begun with, its joined log, its best model."""

import io
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import torch
import yaml

from .items import ItemDataset
from .model import KaraokeNet, read_model
from .parts import write_whole

logger = logging.getLogger(__name__)

Conf = Mapping[str, Mapping[str, Any]]

#: The checkpoint that a training goes on from, in an experiment's folder.
LAST = Path("checkpoints") / "last.ckpt"
#: Options that came later than some experiments, with the values that those were trained with.
LATER_OPTIONS = {"devices": "auto", "num_nodes": 1, "strategy": "auto", "patience": 0}
#: Options that a resumed experiment may change: they do not change what a step learns.
FREE_OPTIONS = {"num_workers", "threads", *LATER_OPTIONS}


def find_checkpoint(conf: Conf, exp_dir: Path, resume: bool) -> Path | None:
    """The checkpoint to go on from, if there is one.

    Raises:
        FileExistsError: The experiment has a checkpoint and is not to be resumed.
        ValueError: It was begun with another conf.
    """
    checkpoint = exp_dir / LAST
    if not checkpoint.is_file():
        return None
    if not resume:
        raise FileExistsError(
            f"{exp_dir} holds an experiment already: resume it, or name another folder"
        )
    _check_same(conf, exp_dir)
    return checkpoint


def _check_same(conf: Conf, exp_dir: Path) -> None:
    """Refuse to go on with other settings: schedule and optimiser would be half of each."""
    begun = yaml.safe_load((exp_dir / "conf.yml").read_text())
    changes, new = [], []
    for group, values in conf.items():
        if group == "main_args":
            continue
        before = begun.get(group, {})
        new += [name for name in values if name not in before and name not in LATER_OPTIONS]
        changes += [
            f"{name} was {before[name]}, is {value} now"
            for name, value in values.items()
            if name not in FREE_OPTIONS and before.get(name, value) != value
        ]
    if changes:
        raise ValueError(
            f"{exp_dir} was begun with other settings: {'; '.join(changes)}. "
            "Go on with the old ones, or begin another experiment"
        )
    if new:
        logger.info("%s was begun before there was: %s", exp_dir, ", ".join(new))


def plain(conf: Conf) -> dict[str, dict[str, Any]]:
    """The conf as YAML and Asteroid's System want it."""
    return {group: dict(values) for group, values in conf.items()}


def join_logs(exp_dir: Path) -> Path:
    """Join the logs of all runs of an experiment into one table, ``log.csv``.

    Lightning starts a new log when a training goes on. What an earlier run did after the checkpoint
    that a later one started from is left out, as if it had not been.
    """
    runs: list[pd.DataFrame] = []
    logs = (exp_dir / "logs").glob("version_*/metrics.csv")
    for path in sorted(logs, key=lambda p: int(p.parent.name.removeprefix("version_"))):
        # Asteroid logs val_loss once more, under this name, for TensorBoard's table.
        run = pd.read_csv(path).drop(columns="hp_metric", errors="ignore").dropna(thresh=2)
        if len(run):
            runs = [earlier[earlier["step"] < run["step"].min()] for earlier in runs] + [run]
    path = exp_dir / "log.csv"
    write_whole(path, pd.concat(runs).to_csv(index=False).encode())
    return path


def start_from(model: KaraokeNet, name: str) -> list[dict]:
    """Give a model the weights of another, or the averaged ones of a training's checkpoint.

    Args:
        model: Takes the weights.
        name: A checkpoint (``.ckpt``), or what :meth:`KaraokeNet.from_pretrained` takes.

    Returns:
        Licence dicts, in Asteroid's form, of the works that the weights have seen: a model that is
        trained on from there has seen them too. One of an unknown licence, where nothing says so.

    Raises:
        FileNotFoundError: There is no such checkpoint or model.
        ValueError: It is of another network.
    """
    conf = _checkpoint(name) if name.endswith(".ckpt") else read_model(name)
    try:
        model.load_state_dict(conf["state_dict"])
    except RuntimeError as error:
        raise ValueError(
            f"{name} holds weights of another network: give the masker and the size that it has"
        ) from error
    return conf.get("licenses") or [_unknown(name)]


def _checkpoint(name: str) -> dict[str, Any]:
    """The averaged weights of a training's checkpoint, as a model has them."""
    if not Path(name).is_file():
        raise FileNotFoundError(f"no checkpoint at {name}: see the experiment's checkpoints/")
    state = torch.load(name, map_location="cpu", weights_only=True)["state_dict"]
    prefix = "model."
    return {
        "state_dict": {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
    }


def _unknown(name: str) -> dict:
    """What stands for the works that weights have seen, if nothing says which; nobody may sell."""
    return {
        "title": f"what {Path(name).name} was trained on",
        "title_link": name,
        "author": "unknown",
        "author_link": name,
        "license": "unknown",
        "license_link": name,
        "non_commercial": True,
    }


def save_best(
    model: KaraokeNet, best: Mapping[str, Any], train_set: ItemDataset, exp_dir: Path
) -> Path:
    """Write ``best_k_models.json`` and ``best_model.pth``, the model of least ``val_loss``.

    Args:
        model: Takes the weights.
        best: The loss of each of the best checkpoints, by their paths.
        train_set: For the model's card.
        exp_dir: Where to write.

    Returns:
        Path of the model, as :meth:`KaraokeNet.serialize` gives it.
    """
    scores = {path: float(score) for path, score in best.items()}
    write_whole(exp_dir / "best_k_models.json", json.dumps(scores, indent=1).encode())
    start_from(model, min(scores, key=lambda path: scores[path]))
    conf = model.cpu().eval().serialize()
    conf.update(train_set.get_infos())
    # To memory first: torch writes a file's name, here a random one, into the file.
    content = io.BytesIO()
    torch.save(conf, content)
    return write_whole(exp_dir / "best_model.pth", content.getvalue())
