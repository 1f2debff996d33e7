"""Scores: BSSEval's of each frame, and those of the whole song, from arrays or from folders.

The protocol is that of SiSEC 2018 (https://arxiv.org/abs/1804.06267): BSSEval v4, windows of 1 s
side by side, the two stems scored together, signals rounded to 16 bit (`bsseval` says why), the
median over frames and then the median over songs. Beside it stand measures of the whole song, such
as uSDR and SI-SDR (`measures`). Nothing is rescaled, cut, padded or mixed down.

What has no score has none here either, and is counted: a frame in which a stem or an estimate is
silent (museval leaves it out for both stems), the part of a second after the last whole frame, and
a song with a wholly silent stem, where the level of its estimate tells more.
"""

import logging
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from . import audio, bsseval, bsseval_fast, cluster, measures
from .inputs import named
from .measures import usdr
from .results import (
    FILE_NAMES,
    STEMS,
    Record,
    aggregate,
    load_song,
    remove_song,
    save_song,
    summarise,
    table,
    write_summary,
)

__all__ = [
    "ENGINES",
    "STEMS",
    "Record",
    "aggregate",
    "load_song",
    "read_stems",
    "save_song",
    "score_folders",
    "score_song",
    "summarise",
    "table",
    "usdr",
    "write_summary",
]

#: What computes the scores of frames: the same measure by two algorithms, of unlike cost.
ENGINES = {"fast": bsseval_fast.evaluate, "museval": bsseval.evaluate}

#: ``(mixture, sources, sample_rate) -> estimates``, see :mod:`asteroid_karaoke.baselines`.
Baseline = Callable[[np.ndarray, np.ndarray, int], np.ndarray]

logger = logging.getLogger(__name__)


def score_song(
    references: np.ndarray,
    estimates: np.ndarray,
    sample_rate: int,
    name: str = "song",
    engine: str = "fast",
) -> Record:
    """Score one song.

    Args:
        references: True stems ``(2, channels, time)`` in the order of `STEMS`.
        estimates: Of the same shape and order.
        sample_rate: In Hz.
        name: Used in messages and kept in the record.
        engine: One of `ENGINES`.

    Returns:
        What museval's ``TrackStore`` holds (``targets`` with the scores of each frame in dB, NaN
        where there is none, and ``museval_version``). Under ``song``: ``name``, ``sample_rate``,
        ``channels``, ``seconds``, ``engine``; the number of ``frames``, of those left out because a
        reference is silent and of those left out because only an estimate is; for each stem what
        `measures.measure` returns; and ``remarks``, what looks like a mistake, such as stems that
        changed places.

    Raises:
        ValueError: Shapes differ, are not as above, or samples are NaN or infinite.
        RuntimeError: museval, which writes the record, can not be imported for want of ffmpeg.
    """
    _check(references, estimates, name)
    silent_references = bsseval.silent_frames(references, sample_rate)
    silent_estimates = bsseval.silent_frames(estimates, sample_rate) & ~silent_references
    if engine not in ENGINES:
        raise ValueError(f"got engine {engine!r}, expected one of {', '.join(ENGINES)}")
    scores = ENGINES[engine](references, estimates, sample_rate)
    whole, correlations = measures.measure(references, estimates, bsseval.to_16_bit)
    song = {
        "name": name,
        "sample_rate": int(sample_rate),
        "channels": references.shape[1],
        "seconds": references.shape[2] / sample_rate,
        "engine": engine,
        "frames": len(silent_references),
        "silent_reference_frames": int(silent_references.sum()),
        "silent_estimate_frames": int(silent_estimates.sum()),
        **dict(zip(STEMS, whole, strict=True)),
        "remarks": measures.remarks(correlations, STEMS),
    }
    targets = {
        stem: {metric: values[index] for metric, values in scores.items()}
        for index, stem in enumerate(STEMS)
    }
    return {**bsseval.track_scores(name, targets), "song": song}


def score_folders(
    references: str | os.PathLike,
    estimates: str | os.PathLike | Baseline,
    output: str | os.PathLike,
    jobs: int = 1,
    engine: str = "fast",
    scheduler: str | None = None,
) -> dict[str, Any]:
    """Score ``estimates/<song>/`` against ``references/<song>/`` for every song.

    Each holds ``vocals.*`` and ``accompaniment.*`` (or ``karaoke.*``), in any audio format. A song
    that was scored before is not scored again, unless one of its files has another size or time
    of change than then. A song that can not be scored is logged as an error, loses the scores it
    had, and does not stop the others.

    Args:
        references: Folder of song folders with the true stems.
        estimates: Folder of song folders with the estimates, or a baseline, which makes them of the
            true stems and their sum.
        output: The folder of results.
        jobs: Songs scored at once, each in a process of its own.
        engine: One of `ENGINES`. Scores by another one are done again.
        scheduler: Address of a Dask scheduler whose workers do it, see `asteroid_karaoke.cluster`.

    Returns:
        What ``final_metrics.json`` holds; ``failed`` maps each song without scores to the reason,
        ``remarks`` those that look like a mistake to what it may be.

    Raises:
        FileNotFoundError: One of the folders does not exist.
        OSError: The results can not be written, or the cluster does not answer or is lost.
        ValueError: There is no song folder, or Dask is not installed.
        RuntimeError: museval can not be imported for want of ffmpeg.
    """
    # A cluster's workers have working directories of their own.
    references, output = Path(references).absolute(), Path(output).absolute()
    names = sorted(_song_folders(references))
    if not callable(estimates):
        estimates = Path(estimates).absolute()
        extra = sorted(_song_folders(estimates) - {*names})
        # Without a reference a song can not be scored; folders without audio are something else.
        names += [name for name in extra if _stem_files(estimates / name)]
    if not names:
        raise ValueError(f"no song in {references}: expected <song>/vocals.* and accompaniment.*")
    score = partial(_score_folder, references, estimates, output, engine)
    done = cluster.run(score, names, jobs, scheduler, in_order=False)
    records, failed = [], {}
    result: Record | str
    for outcome in tqdm(done, total=len(names), desc="score", delay=2, disable=None):
        if isinstance(outcome, cluster.Lost):
            name, result = outcome.item, f"song {outcome.item!r}: {outcome.reason}"
        else:
            name, result = outcome
        if isinstance(result, str):
            failed[name] = result
            logger.error("%s", result)
        else:
            records.append(result)
            for remark in result["song"]["remarks"]:
                logger.warning("song %r: %s", name, remark)
    return write_summary(records, output, dict(sorted(failed.items())))


def read_stems(folder: str | os.PathLike) -> tuple[np.ndarray, int]:
    """The two stems in a song's folder, ``(2, channels, time)``, and their rate in Hz.

    Raises:
        FileNotFoundError, PermissionError, ValueError: A stem is missing or can not be read, or
            the two differ in rate, length or channels.
    """
    folder = Path(folder)
    return _read([_stem_file(folder, stem, folder.name) for stem in STEMS], folder.name)


def _check(references: np.ndarray, estimates: np.ndarray, name: str) -> None:
    if references.ndim != 3 or len(references) != len(STEMS) or 0 in references.shape:
        raise ValueError(
            f"song {name!r}: references are {references.shape}, expected (2, channels, time): "
            "vocals and accompaniment"
        )
    if references.shape != estimates.shape:
        raise ValueError(
            f"song {name!r}: references are {references.shape}, estimates {estimates.shape} "
            "(stems, channels, samples): they must be equal, nothing is cut, padded or mixed down"
        )
    for kind, stems in (("reference", references), ("estimate", estimates)):
        for stem, signal in zip(STEMS, stems, strict=True):
            # The extremes tell of NaN and infinity without the memory that isfinite takes.
            if not np.isfinite([signal.min(), signal.max()]).all():
                bad = signal.size - int(np.isfinite(signal).sum())
                raise ValueError(
                    f"song {name!r}: the {kind} of {stem} has {bad} NaN or infinite samples of "
                    f"{signal.size}: it can not be scored"
                )


def _song_folders(folder: Path) -> set[str]:
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is not a folder: expected one with a folder for a song")
    return {path.name for path in folder.iterdir() if path.is_dir() and path.name[0] != "."}


def _stem_files(folder: Path, stems: Sequence[str] = STEMS) -> list[Path]:
    """The audio files in a folder that bear one of the names of these stems."""
    return named(folder, {name for stem in stems for name in FILE_NAMES[stem]})


def _score_folder(
    references: Path, estimates: Path | Baseline, output: Path, engine: str, name: str
) -> tuple[str, Record | str]:
    """Score and save one song unless that was done; its name, and its record or what is wrong."""
    try:
        files = {stem: _stem_file(references / name, stem, name) for stem in STEMS}
        if not callable(estimates):
            folder = estimates / name
            files |= {f"{stem}_estimate": _stem_file(folder, stem, name) for stem in STEMS}
        sizes = [[file.stat().st_size, file.stat().st_mtime_ns] for file in files.values()]
        inputs = {"engine": engine, "files": sizes}
        if callable(estimates):
            inputs["system"] = estimates.__name__
        record = load_song(output, name, inputs)
        if record is not None:
            return name, record
        stems, sample_rate = _read([*files.values()], name)
        found = stems[2:]
        if callable(estimates):
            found = estimates(stems.sum(axis=0), stems, sample_rate)
        record = score_song(stems[:2], found, sample_rate, name, engine)
        # Where a report finds what was scored.
        record["song"]["files"] = {key: str(file) for key, file in files.items()}
    except (OSError, ValueError) as error:
        remove_song(output, name)
        message = str(error)
        return name, message if repr(name) in message else f"song {name!r}: {message}"
    # Where one song's scores can not be written, no other's can: that error ends the run.
    save_song(record, output, inputs)
    return name, record


def _stem_file(folder: Path, stem: str, name: str) -> Path:
    files = _stem_files(folder, [stem])
    if len(files) != 1:
        expected = " or ".join(f"{file_name}.*" for file_name in FILE_NAMES[stem])
        found = ", ".join(file.name for file in files) or "none"
        raise ValueError(f"song {name!r}: expected one {expected} in {folder}, found {found}")
    return files[0]


def _read(files: Sequence[Path], name: str) -> tuple[np.ndarray, int]:
    """Files of equal rate, length and channels: ``(files, channels, time)`` and the rate in Hz."""
    first, sample_rate = audio.read(files[0]), audio.sample_rate(files[0])
    # Into one array: a list of them and its stack would be the song twice.
    stems = np.empty((len(files), *first.shape), first.dtype)
    stems[0] = first
    for index, file in enumerate(files[1:], 1):
        signal, rate = audio.read(file), audio.sample_rate(file)
        if (rate, signal.shape) != (sample_rate, first.shape):
            sizes = (
                f"{path} has {data.shape[1]} samples, {data.shape[0]} channels at {hertz} Hz"
                for path, hertz, data in ((files[0], sample_rate, first), (file, rate, signal))
            )
            raise ValueError(f"song {name!r}: " + "; ".join(sizes) + ": they must be equal")
        stems[index] = signal
    return stems, sample_rate
