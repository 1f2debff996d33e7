"""From a file to files: one song read, separated, and written as it came, in constant memory.

The network runs in the caller's thread, reading and writing in threads of their own.

Channels are taken in pairs by a stereo model, in WAVE's order: left and right, centre and low, back
left and right; one that is left over counts as mono, see :func:`.separation.separate`.
"""

import logging
import math
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from . import outputs, preview
from . import tags as tagging
from .audio import AudioReader, Source, open_audio, split_source
from .clipping import clip
from .formats import choose
from .knobs import turn
from .options import OutputOptions
from .overlap_add import BLOCK_SECONDS, Separator
from .parts import WholeFile
from .pipeline import ahead, behind
from .separation import MOST_CHANNELS, RATES, Progress, stream

logger = logging.getLogger(__name__)

#: How many such pieces are read ahead: 12 s at 44.1 kHz, about what the network takes at once.
_READ_AHEAD = 8
#: How many blocks of results wait to be written: each is as long as the network's step.
_WRITE_BEHIND = 1

Pairs = Iterable[tuple[np.ndarray, np.ndarray]]


def separate_file(
    model: Separator,
    source: Source,
    out_dir: str | os.PathLike,
    options: OutputOptions | None = None,
    *,
    song: str | None = None,
    block_seconds: float = BLOCK_SECONDS,
    batch: int = 1,
    device: Any = None,
    progress: Progress | None = None,
    ready: Callable[[dict[str, WholeFile]], None] | None = None,
) -> dict[str, Path]:
    """Separate a song from file to files, in constant memory.

    Args:
        model: As in :func:`asteroid_karaoke.separation.separate`.
        source: Path of an audio or video file, or ``path#stream=N``, see
            :mod:`asteroid_karaoke.audio`.
        out_dir: Folder for the results, made where it is not there.
        options: What to write and how.
        song: The song's name for its results. None: the file's.
        block_seconds: As in :func:`asteroid_karaoke.separation.separate`.
        batch: As there.
        device: As there.
        progress: As there; the seconds in all are an estimate for some containers.
        ready: Called with the finished files by stem, just before they are put in their places.

    Returns:
        The path of each file that was asked for, by its stem. All are there, or, after an error,
        none.

    Raises:
        FileNotFoundError, PermissionError, ValueError: The file can not be read, see
            :func:`asteroid_karaoke.audio.open_audio`, is too long, or does not fit the format.
        FileExistsError: A result is there already, and may not be replaced.
        OSError: The folder can not be written to, or the disk is full.
        RuntimeError: The model gives NaN, or a library for a knob is missing.
    """
    options = options or OutputOptions()
    song = song or split_source(source)[0].stem
    with open_audio(source) as reader:
        _check_size(source, reader, options.max_seconds)
        target = choose(reader, options.format, options.bit_rate)
        tags = tagging.read(split_source(source)[0])
        paths = outputs.paths(out_dir, options, target, tags, song)
        _check_distinct(source, paths.values())
        rate, channels = reader.sample_rate, reader.channels
        # The vocals keep their tempo.
        frames = {
            "vocals": reader.frames,
            "karaoke": math.ceil(reader.frames / options.knobs.tempo),
        }
        with ExitStack() as stack:
            writers: dict[str, Any] = {
                stem: stack.enter_context(
                    outputs.open_writer(path, target, channels, frames[stem], options, tags, stem)
                )
                for stem, path in paths.items()
            }
            part = _part(model, reader, options)
            blocks = _limited(source, preview.read(reader, part), rate, options.max_seconds)
            blocks = stack.enter_context(ahead(blocks, _READ_AHEAD))
            pairs: Pairs = stream(
                model,
                blocks,
                rate,
                channels,
                block_seconds=block_seconds,
                batch=batch,
                device=device,
            )
            pairs = preview.cut(pairs, part.lead(rate), part.frames)
            pairs = _told(pairs, rate, min(part.frames, reader.frames), progress)

            def write(pairs: Pairs) -> float:
                pairs = turn(options.knobs, pairs, rate, channels)
                joint = not options.knobs.stretched
                pairs = clip(options.clip, pairs, rate, joint=joint, folder=out_dir)
                return outputs.write_all(pairs, writers, rate, target.sample_rate, channels)

            peak = behind(write, pairs, _WRITE_BEHIND)
            # All are finished before the first is put in its place.
            for stem, writer in writers.items():
                writer.close()
                tagging.write(writer.part, target.suffix, tags, stem, song)
            if ready:
                ready(dict(writers))
    for note in target.notes:
        logger.warning("%s: %s", source, note)
    outputs.tell_clipping(source, target, peak)
    return paths


def output_paths(
    source: Source,
    out_dir: str | os.PathLike,
    options: OutputOptions | None = None,
    song: str | None = None,
) -> dict[str, Path]:
    """Where :func:`separate_file` puts its files, by their stems; opens the source.

    Raises:
        FileNotFoundError, PermissionError, ValueError: As :func:`separate_file`.
    """
    options = options or OutputOptions()
    song = song or split_source(source)[0].stem
    with open_audio(source) as reader:
        target = choose(reader, options.format, options.bit_rate, measure=False)
    tags = tagging.read(split_source(source)[0])
    return outputs.paths(out_dir, options, target, tags, song)


def _part(model: Separator, reader: AudioReader, options: OutputOptions) -> preview.Part:
    """The part of the song that is wanted."""
    rate = reader.sample_rate
    if options.preview is not None:
        return preview.most_singing(model, reader.blocks(), rate, reader.channels, options.preview)
    if options.start is None and options.end is None:
        return preview.Part(0, round((options.max_seconds + 1) * rate))
    return preview.excerpt(options.start, options.end, reader.count(), rate)


def _limited(
    source: Source, blocks: Iterable[np.ndarray], sample_rate: int, max_seconds: float
) -> Iterator[np.ndarray]:
    """Stop where a song goes on for longer than its header said."""
    frames = 0
    for block in blocks:
        frames += block.shape[1]
        if frames > max_seconds * sample_rate:
            raise _too_long(source, frames / sample_rate, max_seconds)
        yield block


def _check_size(source: Source, reader: AudioReader, max_seconds: float) -> None:
    lowest, highest = RATES
    if not lowest <= reader.sample_rate <= highest:
        raise ValueError(
            f"{source} has {reader.sample_rate} Hz, expected {lowest} to {highest}: export it anew"
        )
    if reader.channels > MOST_CHANNELS:
        raise ValueError(
            f"{source} has {reader.channels} channels, expected 1 to {MOST_CHANNELS}: leave some "
            "out"
        )
    if reader.frames > max_seconds * reader.sample_rate:
        raise _too_long(source, reader.frames / reader.sample_rate, max_seconds)


def _too_long(source: Source, seconds: float, max_seconds: float) -> ValueError:
    return ValueError(
        f"{source} is {seconds:.1f} s long or more, the limit is {max_seconds:g} s: raise it with "
        "--max-duration if that is meant"
    )


def _told(pairs: Pairs, rate: int, frames: int, progress: Progress | None) -> Pairs:
    done = 0
    for mixture, vocals in pairs:
        yield mixture, vocals
        done += mixture.shape[1]
        if progress:
            progress(done / rate, max(done, frames) / rate)


def _check_distinct(source: Source, paths: Iterable[Path]) -> None:
    for path in paths:
        if path.exists() and path.samefile(split_source(source)[0]):
            raise ValueError(f"{path} is the input itself: choose another output folder")
