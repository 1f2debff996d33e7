"""Weights as safetensors, with a JSON beside that says what model they are of.

A ``.safetensors`` file (https://github.com/huggingface/safetensors) holds tensors and nothing that
runs, so anybody's can be opened, and other languages read it as well.
"""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from .parts import write_whole

SUFFIX = ".safetensors"


def save_safetensors(conf: dict[str, Any], path: str | os.PathLike) -> Path:
    """Write a model's weights to `path`, and all else that it is made of to a JSON file beside.

    Args:
        conf: The model, as :meth:`asteroid_karaoke.KaraokeNet.serialize` gives it.
        path: ``<name>.safetensors``; the other file is ``<name>.json``. Both are replaced.

    Returns:
        The path of the JSON file. It holds the SHA-256 of the weights, so that two files that do
        not belong together are not taken for a model.

    Raises:
        ValueError: `path` ends otherwise.
        OSError: The folder can not be written to.
    """
    from safetensors.torch import save

    path = Path(path)
    if path.suffix != SUFFIX:
        raise ValueError(f"{path} does not end in {SUFFIX}: expected a name such as model{SUFFIX}")
    tensors = {name: tensor.contiguous() for name, tensor in conf["state_dict"].items()}
    weights = save(tensors)
    rest = {name: value for name, value in conf.items() if name != "state_dict"}
    rest["sha256"] = hashlib.sha256(weights).hexdigest()
    card = path.with_suffix(".json")
    write_whole(path, weights)
    write_whole(card, (json.dumps(rest, indent=2) + "\n").encode())
    return card


def read_safetensors(path: str | os.PathLike) -> dict[str, Any]:
    """What :func:`save_safetensors` was given.

    Raises:
        FileNotFoundError: One of the two files is missing.
        ValueError: One of them is damaged, or they do not belong together.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    path = Path(path)
    card = path.with_suffix(".json")
    if not card.is_file():
        raise FileNotFoundError(f"no {card}, which says what model {path} is of: put it beside")
    weights = path.read_bytes()
    try:
        conf = json.loads(card.read_text(encoding="utf-8"))
        expected = conf.pop("sha256")
        tensors = load(weights)
    except (ValueError, TypeError, KeyError, SafetensorError) as error:
        raise ValueError(f"{path} and {card} hold no model: {error!r}; get both anew") from error
    found = hashlib.sha256(weights).hexdigest()
    if found != expected:
        raise ValueError(
            f"{path} has the SHA-256 {found[:12]}…, {card} says {expected[:12]}…: they do not "
            "belong together, get both anew"
        )
    return {**conf, "state_dict": tensors}
