"""Separate and score the test songs with an experiment's best model; publish it.

    cd egs/demo/KaraokeNet && python ../../common/eval.py --exp_dir exp/mine --data_dir data
    --recipe demo/KaraokeNet

Leaves in the experiment's folder: ``examples/<song>/`` with audio, spectrograms and scores,
``scores/<system>/`` with museval's JSON a song, ``all_metrics.csv``, ``final_metrics.json``,
``table.md`` and ``publish_dir/model.pth``. Floor and ceiling are scored in the same run: the
mixture itself, and the ideal ratio mask.
"""

import argparse
import hashlib
import json
import logging
import shutil
import sys
from pathlib import Path

import numpy as np
import torch
import yaml

from asteroid_karaoke import KaraokeNet, audio, evaluation, manifest, plots, scores
from asteroid_karaoke.baselines import BASELINES
from asteroid_karaoke.datasets import SongDataset
from asteroid_karaoke.parts import hidden, write_whole
from asteroid_karaoke.separation import separate

SYSTEMS = {
    "mixture": "mixture as estimate",
    "ideal_ratio_mask": "ideal ratio mask",
    "model": "KaraokeNet",
}


def main(exp_dir: Path, data_dir: Path, recipe: str) -> None:
    """Score every test song by every system, group by corpus, print and publish."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    best = exp_dir / "best_model.pth"
    if not best.is_file():
        raise FileNotFoundError(
            f"no model at {best}: run the recipe's stage 3 first, which trains it"
        )
    model = KaraokeNet.from_pretrained(best)
    model_id = hashlib.sha256(best.read_bytes()).hexdigest()
    rate = int(model.sample_rate)
    test_set = SongDataset(manifest.read(data_dir / "test.jsonl"), rate)
    systems: dict[str, evaluation.System] = {
        name: BASELINES[name] for name in SYSTEMS if name in BASELINES
    }
    systems["model"] = lambda mixture, sources, rate: np.stack(separate(model, mixture, rate))

    def watch(system: str, name: str, *stems: np.ndarray) -> None:
        if system == "model":
            save_example(exp_dir / "examples" / name, *stems, rate=rate)

    records = evaluation.score_systems(
        test_set, systems, exp_dir / "scores", {"model": model_id}, watch
    )
    publish(exp_dir, summarise(records, exp_dir), recipe)


def save_example(
    folder: Path, mixture: np.ndarray, sources: np.ndarray, estimates: np.ndarray, rate: int
) -> None:
    """Write what one wants to hear and see of a song."""
    stems = {
        "mixture": mixture,
        "vocals": sources[0],
        "vocals_estimate": estimates[0],
        "karaoke": estimates[1],
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, stem in stems.items():
        audio.write(folder / f"{name}.wav", stem, rate)
    titles = ("mixture", "true voice", "estimated voice", "karaoke")
    panels = dict(zip(titles, stems.values(), strict=True))
    plots.plot_spectrograms(panels, rate, folder / "spectrograms.png")


def summarise(records: dict[str, dict[str, list]], exp_dir: Path) -> dict:
    """Write the model's final metrics, which are returned, and each corpus' table of systems."""
    tables = []
    for corpus in records["model"]:
        finals = {
            SYSTEMS[system]: scores.write_summary(
                by_corpus[corpus], exp_dir / "scores" / system / corpus
            )
            for system, by_corpus in records.items()
        }
        songs = len(records["model"][corpus])
        title = f"{corpus}: {songs} test song" + "s" * (songs > 1)
        tables.append(f"{title}\n\n{scores.table(finals)}")
    write_whole(exp_dir / "table.md", ("\n\n".join(tables) + "\n").encode())
    everything = [record for songs in records["model"].values() for record in songs]
    return scores.write_summary(everything, exp_dir)


def publish(exp_dir: Path, final: dict, recipe: str) -> None:
    """Leave the model, its conf and its scores in one file, as Asteroid's publisher wants it."""
    from asteroid.models.publisher import save_publishable

    folder = exp_dir / "publish_dir"
    part = hidden(folder)
    part.mkdir()
    try:
        (part / "recipe_name.txt").write_text(recipe + "\n")
        save_publishable(
            str(part),
            torch.load(exp_dir / "best_model.pth", weights_only=True),
            metrics=json.loads(json.dumps(final)),
            train_conf=yaml.safe_load((exp_dir / "conf.yml").read_text()),
            recipe=recipe,
        )
        shutil.rmtree(folder, ignore_errors=True)
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    print(f"Published to {folder / 'model.pth'}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--exp_dir", type=Path, required=True, help="folder of the experiment")
    parser.add_argument("--data_dir", type=Path, required=True, help="folder of the manifests")
    parser.add_argument("--recipe", default="", help="recipe's name, such as demo/KaraokeNet")
    try:
        main(**vars(parser.parse_args()))
    except (OSError, ValueError) as error:
        sys.exit(f"eval.py: {error}")
