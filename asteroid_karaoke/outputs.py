"""The results of a song: where they go, what writes them, and the writing itself."""

import logging
import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from . import names
from . import tags as tagging
from .audio import AudioWriter, Resampler, Source
from .formats import Target
from .options import STEMS, OutputOptions

if TYPE_CHECKING:
    from .encoder import EncodedWriter

#: Formats whose tags mutagen does not write.
_TEXTS_BY_LIBSNDFILE = ("RF64", "CAF", "AU", "W64")
logger = logging.getLogger(__name__)


def paths(
    out_dir: str | os.PathLike,
    options: OutputOptions,
    target: Target,
    tags: tagging.Tags,
    song: str,
) -> dict[str, Path]:
    """Where each stem goes that was asked for."""
    values = {**tags.fields, "song": song}
    return {
        stem: Path(out_dir) / names.fill(options.name, values, stem, target.suffix)
        for stem in options.stems
    }


def open_writer(
    path: Path,
    target: Target,
    channels: int,
    frames: int,
    options: OutputOptions,
    tags: tagging.Tags,
    stem: str,
) -> "AudioWriter | EncodedWriter":
    """Open the file of one stem, of about so many frames.

    Raises:
        ValueError, OSError: As :class:`.writer.AudioWriter`.
    """
    texts = tagging.texts(tags, stem)
    if target.by_ffmpeg:
        from .encoder import EncodedWriter

        return EncodedWriter(
            path,
            target.sample_rate,
            channels,
            target.container,
            target.codec,
            bit_rate=target.bit_rate,
            overwrite=options.overwrite,
            texts=texts if target.container == "webm" else None,
        )
    return AudioWriter(
        path,
        target.sample_rate,
        channels,
        target.codec,
        frames=frames,
        container=target.container,
        bit_rate=target.bit_rate,
        overwrite=options.overwrite,
        texts=texts if target.container in _TEXTS_BY_LIBSNDFILE else None,
    )


def write_all(
    pairs: Iterable[tuple[np.ndarray, np.ndarray]],
    writers: "Mapping[str, AudioWriter | EncodedWriter]",
    from_rate: int,
    to_rate: int,
    channels: int,
) -> float:
    """Write all blocks; the loudest sample of what was written."""
    resamplers = {stem: Resampler(from_rate, to_rate, channels) for stem in writers}
    peak = 0.0
    silent = np.zeros((channels, 0), np.float32)

    def write(vocals: np.ndarray, karaoke: np.ndarray, last: bool) -> float:
        loudest = 0.0
        for stem, block in zip(STEMS, (vocals, karaoke), strict=True):
            if stem in writers:
                block = resamplers[stem](block, last=last)
                loudest = max(loudest, float(np.abs(block).max(initial=0)))
                writers[stem].write(block)
        return loudest

    for vocals, karaoke in pairs:
        peak = max(peak, write(vocals, karaoke, last=False))
    return max(peak, write(silent, silent, last=True))


def tell_clipping(source: Source, target: Target, peak: float) -> None:
    """Warn of samples that an integer format has cut off."""
    if not target.floats and peak > 1 + 2**-15:
        logger.warning(
            "%s: the loudest output is %.2f dB over full scale, where %s clips; give --clip "
            "rescale or --clip limit, or --format wav32f",
            source,
            20 * math.log10(peak),
            target.suffix[1:],
        )
