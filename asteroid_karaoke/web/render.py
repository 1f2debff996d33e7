"""A separated song in another key, tempo or level of the voice: for the player, and to be saved.

Made from the stems that the separation has left, so nothing is separated anew. Both tracks are
stretched as one sound of twice the channels: the pieces that it is stretched in are joined at the
same places in both, and so the tracks stay together to the sample.
"""

import hashlib
import math
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from .. import outputs
from .. import tags as tagging
from ..audio import open_audio
from ..clipping import clip
from ..formats import choose
from ..knobs import Knobs
from ..options import STEMS, OutputOptions
from ..stretch import Stretcher
from . import playback
from .jobs import Job
from .limits import Refused, Stopped

#: Of one song, so many files to save and renderings to play are kept, besides the first.
_KEPT = 4

Pair = tuple[np.ndarray, np.ndarray]


def stem_paths(job: Job) -> dict[str, Path]:
    """Where the separation leaves its stems, as floats at the song's own rate."""
    return {stem: job.folder / f"{stem}.wav" for stem in STEMS}


def to_play(job: Job, knobs: Knobs, stop: threading.Event) -> Path:
    """The player's file in a key and tempo, made where it is not there.

    Args:
        job: A song that is ready.
        knobs: Key and tempo; the voice's level is the player's affair.
        stop: Set where nobody waits for it any more.

    Raises:
        Refused: The song was deleted meanwhile.
        Stopped: ``stop`` was set.
        OSError: The disk is full.
        RuntimeError: The library that stretches is not installed.
    """
    with _held(job):
        return lay_out(job, knobs, stop)


def play_path(job: Job, knobs: Knobs) -> Path:
    """Where the player's file of a key and tempo is, or will be."""
    return job.folder / "play" / f"{knobs.key:g}_{knobs.tempo:g}.pcm"


def lay_out(job: Job, knobs: Knobs, stop: threading.Event) -> Path:
    """:func:`to_play` for who holds the job already."""
    path = play_path(job, knobs)
    if not path.exists():
        _make_room(path.parent)
        with open_audio(stem_paths(job)["vocals"]) as reader:
            rate = reader.sample_rate
        playback.write(path, _tracks(job, knobs, stop), rate)
    return path


def to_save(job: Job, stem: str, format: str, knobs: Knobs, stop: threading.Event) -> Path:
    """A file to be saved, as it plays, made where it is not there.

    Args:
        job: As in :func:`to_play`.
        stem: ``karaoke``, with as much of the voice as the knobs say, or ``vocals``.
        format: One of :data:`asteroid_karaoke.formats.FORMATS`.
        knobs: Key, tempo, and the voice's level in the karaoke version.
        stop: As there.

    Raises:
        Refused, Stopped, OSError, RuntimeError: As there.
        ValueError: There is no such stem or format, or it can not hold the song.
    """
    options = OutputOptions(format=format, stems=(stem,), overwrite=True, knobs=knobs)
    word = hashlib.sha256(repr((stem, format, knobs)).encode()).hexdigest()[:16]
    folder = job.folder / "save" / word
    with _held(job):
        made = [*folder.glob("*")]
        if made:
            return made[0]
        _make_room(folder.parent)
        return _save(job, folder, stem, options, stop)


def _save(job: Job, folder: Path, stem: str, options: OutputOptions, stop: threading.Event) -> Path:
    assert job.source is not None
    with open_audio(job.source) as song:
        target = choose(song, options.format, None)
        tags = tagging.read(job.source)
        (path,) = outputs.paths(folder, options, target, tags, job.name).values()
        rate, channels = song.sample_rate, song.channels
        frames = math.ceil(song.frames / options.knobs.tempo)
    gain = np.float32(options.knobs.vocals_gain)
    pairs: Iterable[Pair] = _tracks(job, options.knobs, stop)
    if gain:
        pairs = ((voice, karaoke + gain * voice) for voice, karaoke in pairs)
    # Nobody sees a warning here, so integers get a limiter; a song within full scale goes through.
    pairs = clip("none" if target.floats else "limit", pairs, rate)
    with outputs.open_writer(path, target, channels, frames, options, tags, stem) as writer:
        outputs.write_all(pairs, {stem: writer}, rate, target.sample_rate, channels)
        writer.close()
        tagging.write(writer.part, target.suffix, tags, stem, job.name)
    return path


@contextmanager
def _held(job: Job) -> Iterator[None]:
    """Holds the job, unless it is gone."""
    with job.lock:
        if job.stop.is_set():
            raise Refused("This song was deleted.", 404)
        try:
            yield
        finally:
            job.rendered = None


def _tracks(job: Job, knobs: Knobs, stop: threading.Event) -> Iterator[Pair]:
    """Voice and karaoke ``(channels, n)`` in a key and tempo."""
    vocals, karaoke = (stem_paths(job)[stem] for stem in STEMS)
    with open_audio(vocals) as one, open_audio(karaoke) as other:
        channels, done = one.channels, 0
        stretch = None
        if knobs.stretched:
            stretch = Stretcher(one.sample_rate, 2 * channels, knobs.key, knobs.tempo)
        for voice in one.blocks():
            if stop.is_set() or job.stop.is_set():
                raise Stopped
            both = np.concatenate([voice, other.read(voice.shape[1])])
            both = stretch(both) if stretch else both
            yield both[:channels], both[channels:]
            done += voice.shape[1]
            job.rendered = done / one.frames
        if stretch:
            both = stretch(np.zeros((2 * channels, 0), np.float32), last=True)
            yield both[:channels], both[channels:]


def _make_room(folder: Path) -> None:
    """Delete the oldest of what was made, but never what plays as it was sung."""
    if not folder.exists():
        return
    made = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime)
    for path in [path for path in made if path.name != "0_1.pcm"][: 1 - _KEPT]:
        if path.is_dir():
            for file in path.iterdir():
                file.unlink(missing_ok=True)
            path.rmdir()
        else:
            path.unlink(missing_ok=True)
