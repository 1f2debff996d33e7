"""Several systems on the same songs in one run: models, baselines, peers.

A system has the interface of :mod:`asteroid_karaoke.baselines`, or is a folder of estimates. Each
song's scores are kept as soon as they are known, so that a run that was broken off goes on.
"""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np

from . import scores
from .datasets import SongDataset
from .results import Record

#: ``(mixture, sources, sample_rate) -> estimates``, see :mod:`asteroid_karaoke.baselines`.
System = Callable[[np.ndarray, np.ndarray, int], np.ndarray]
#: Called with system, song's name, mixture, sources and estimates when these were made.
Watcher = Callable[[str, str, np.ndarray, np.ndarray, np.ndarray], None]


def score_systems(
    songs: SongDataset,
    systems: Mapping[str, System | Path],
    output: str | os.PathLike,
    ids: Mapping[str, str] | None = None,
    watch: Watcher | None = None,
) -> dict[str, dict[str, list[Record]]]:
    """Score each song by each system.

    Args:
        songs: Whole songs with their stems.
        systems: By name, which is that of a folder as well. A path is a folder of estimates that
            somebody made: ``<song>/vocals.*`` and ``<song>/accompaniment.*`` (or ``karaoke.*``).
        output: Each system's scores go to a folder of its name in here, see
            :mod:`asteroid_karaoke.results`. A song that is scored there already is not done again,
            unless the song or the system has changed.
        ids: What tells a system's versions apart, such as its weights' sha256, by its name.
        watch: Told of each estimate, such as to store it.

    Returns:
        The records of each system and corpus.

    Raises:
        ValueError: A song can not be scored, such as one whose estimates have another length.
    """
    from tqdm import tqdm

    records: dict[str, dict[str, list[Record]]] = {system: {} for system in systems}
    for index, song in enumerate(tqdm(songs.songs, desc="songs", unit="song", disable=None)):
        name = song.id.replace("/", " - ")  # a folder of its corpus' is no folder of ours
        item = None
        for system, estimate in systems.items():
            folder = Path(output) / system
            inputs = {"system": (ids or {}).get(system, system), "song": asdict(song)}
            inputs = json.loads(json.dumps(inputs))
            record = scores.load_song(folder, name, inputs)
            if record is None:
                item = item or tuple(part.numpy() for part in songs[index])
                mixture, sources = item
                if isinstance(estimate, Path):
                    estimates = _stored(estimate / name, songs.sample_rate)
                else:
                    estimates = estimate(mixture, sources, songs.sample_rate)
                record = scores.score_song(sources, estimates, songs.sample_rate, name)
                scores.save_song(record, folder, inputs)
                if watch:
                    watch(system, name, mixture, sources, estimates)
            records[system].setdefault(song.corpus, []).append(record)
    return records


def _stored(folder: Path, sample_rate: int) -> np.ndarray:
    """Somebody's estimates of a song, ``(2, channels, time)``."""
    estimates, rate = scores.read_stems(folder)
    if rate != sample_rate:
        raise ValueError(f"{folder} is at {rate} Hz, expected {sample_rate} Hz: resample it")
    return estimates
