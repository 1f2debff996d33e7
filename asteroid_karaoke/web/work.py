"""What a worker does with a song: fetch it, separate it by the package's own means, lay it out."""

from pathlib import Path

from ..audio import open_audio
from ..files import separate_file
from ..knobs import Knobs
from ..options import OutputOptions
from ..overlap_add import Separator
from . import playback, render
from .fetch import fetch
from .jobs import FETCHING, PREPARING, SEPARATING, Job
from .limits import Limits, Refused


def check(source: Path, name: str, limits: Limits) -> None:
    """Look at a song before it goes into the queue, so that a bad one is told of at once.

    Raises:
        Refused: It can not be taken.
    """
    try:
        with open_audio(source) as reader:
            seconds = reader.frames / reader.sample_rate
            # Its first samples, too: a header alone is no song.
            reader.read(4096)
    except (OSError, ValueError) as error:
        raise Refused(str(error).replace(str(source), name), 422) from error
    if seconds > limits.max_seconds:
        raise Refused(
            f"{name} is {clock(seconds)} long. This server takes songs of up to "
            f"{clock(limits.max_seconds)}.",
            413,
        )


def separate(job: Job, model: Separator, limits: Limits) -> None:
    """Take a job from its beginning to its player.

    Raises:
        Stopped: It was cancelled.
        Refused, OSError, ValueError, RuntimeError: The song can not be had or separated.
    """
    if job.source is None:
        job.state = FETCHING
        job.source, job.name = fetch(job.address, job.folder, limits, job.stop)
        check(job.source, job.name, limits)
    job.state = SEPARATING
    options = OutputOptions(format="wav32f", name="{stem}", max_seconds=limits.max_seconds)
    separate_file(model, job.source, job.folder, options, song=job.name, progress=job.progress())
    job.state = PREPARING
    path = render.lay_out(job, Knobs(), job.stop)
    frames = len(playback.samples(path))
    with open_audio(render.stem_paths(job)["vocals"]) as reader:
        rate = playback.playback_rate(reader.sample_rate)
    job.rendered = None
    job.facts = {"rate": rate, "frames": frames, "scale": playback.SCALE}


def clock(seconds: float) -> str:
    """A length of time as ``3:05`` or ``1:02:03``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
