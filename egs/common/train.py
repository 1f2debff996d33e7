"""Train KaraokeNet on a folder of manifests, as the recipe's ``local/conf.yml`` says.

cd egs/demo/KaraokeNet && python ../../common/train.py --exp_dir exp/mine --data_dir data --lr 0.001
"""

import argparse
import inspect
import logging
import sys
from dataclasses import fields
from pathlib import Path

import torch
import yaml

from asteroid_karaoke import KaraokeNet, manifest, maskers
from asteroid_karaoke.batches import worker_complaint
from asteroid_karaoke.datasets import (
    EpochSampler,
    Mixing,
    RandomMixtures,
    SongDataset,
    VoiceAndNoise,
    read_licenses,
)
from asteroid_karaoke.experiment import start_from
from asteroid_karaoke.items import join_licenses


def main(conf: dict) -> None:
    """Build what the conf asks for and train it."""
    # Not above: workers that load data import this file too, and Lightning takes them seconds.
    import pytorch_lightning as pl

    from asteroid_karaoke.training import train

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    paths, data = conf["main_args"], conf["data"]
    pretraining = paths["phase"] == "pretrain"
    if pretraining:
        conf["training"]["epochs"] = conf["training"]["pretrain_epochs"]
    pl.seed_everything(conf["training"]["seed"], workers=True)
    if conf["training"]["threads"]:
        torch.set_num_threads(conf["training"]["threads"])

    model = build(conf["net"])
    seen_before = start_from(model, paths["init"]) if paths["init"] else []
    model.train()
    folder = Path(paths["data_dir"])
    mixing = Mixing(**{field.name: data[field.name] for field in fields(Mixing)})
    train_set = (VoiceAndNoise if pretraining else RandomMixtures)(
        manifest.read(folder / "train.jsonl"),
        segment=data["segment"],
        length=data["examples"],
        sample_rate=int(model.sample_rate),
        mixing=mixing,
        seed=conf["training"]["seed"],
        licenses=join_licenses([seen_before, read_licenses(folder)]),
    )
    val_set = SongDataset(manifest.read(folder / "valid.jsonl"), int(model.sample_rate))
    train(conf, model, train_set, val_set, EpochSampler(len(train_set)), paths["resume"])


def build(net: dict) -> KaraokeNet:
    """The network that the conf asks for; ``size`` is only for maskers that come in several."""
    arguments = inspect.signature(maskers.get(net["masker"])).parameters
    return KaraokeNet(**{key: net[key] for key in net if key != "size" or key in arguments})


def read_defaults(exp_dir: Path) -> dict:
    """The conf of the experiment if it has begun, else, and for options it lacks, the recipe's."""
    defaults = yaml.safe_load(Path("local/conf.yml").read_text())
    begun = exp_dir / "conf.yml"
    if begun.is_file():
        for group, values in yaml.safe_load(begun.read_text()).items():
            defaults.setdefault(group, {}).update(values)
        defaults.pop("main_args", None)
    return defaults


def complaint(error: Exception) -> str | None:
    """What to tell the user, or None where the fault is ours."""
    told = (OSError, ValueError, FloatingPointError)
    return worker_complaint(error) or (str(error) if isinstance(error, told) else None)


if __name__ == "__main__":
    # After asteroid_karaoke, which makes Asteroid importable beside any torch.
    from asteroid.utils import parse_args_as_dict, prepare_parser_from_dict

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--exp_dir", required=True, help="folder of the experiment")
    parser.add_argument("--data_dir", required=True, help="folder of the manifests")
    parser.add_argument(
        "--init", default="", help="weights to start from: a model, a .ckpt, or a shipped name"
    )
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    parser.add_argument("--phase", choices=("train", "pretrain"), default="train")
    # An experiment that goes on does so with what it was begun with, unless told otherwise.
    known, _ = parser.parse_known_args()
    parser = prepare_parser_from_dict(read_defaults(Path(known.exp_dir)), parser=parser)
    try:
        main(parse_args_as_dict(parser))
    except Exception as error:
        if complaint(error) is None:
            raise
        sys.exit(f"train.py: {complaint(error)}")
