"""``asteroid_karaoke.separate``: the command's twin in Python, for arrays and for files."""

import os
from pathlib import Path
from typing import Any, overload

import numpy as np

from . import loading, separation
from .files import separate_file
from .options import OutputOptions
from .overlap_add import Separator
from .separation import Estimates, Progress


@overload
def separate(
    song: np.ndarray,
    *,
    sample_rate: int,
    model: Separator | str | os.PathLike | None = ...,
    device: str = ...,
    batch: int = ...,
    progress: Progress | None = ...,
) -> Estimates: ...
@overload
def separate(
    song: str | os.PathLike,
    out_dir: str | os.PathLike | None = ...,
    *,
    model: Separator | str | os.PathLike | None = ...,
    device: str = ...,
    batch: int = ...,
    progress: Progress | None = ...,
    **options: Any,
) -> dict[str, Path]: ...
def separate(
    song: np.ndarray | str | os.PathLike,
    out_dir: str | os.PathLike | None = None,
    *,
    sample_rate: int | None = None,
    model: Separator | str | os.PathLike | None = None,
    device: str = "auto",
    batch: int = 1,
    progress: Progress | None = None,
    **options: Any,
) -> Estimates | dict[str, Path]:
    """Take the voice out of a song: an array becomes arrays, a file becomes files.

    Args:
        song: Samples as floats ``(channels, time)`` or ``(time,)``, or a path.
        out_dir: Folder for the files; not for arrays. None: the working directory.
        sample_rate: Of the samples, in Hz; not for files.
        model: A model, or the name, path or Hub id of one. None: the one that ships. Load it once
            with :meth:`.KaraokeNet.from_pretrained` where there are many songs.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        batch: How many blocks the network is given at once, for GPUs.
        progress: Called with the seconds done and the seconds in all; what it raises ends the
            work, and nothing is left half-written.
        **options: Fields of :class:`~asteroid_karaoke.options.OutputOptions`; for files.

    Returns:
        Vocals and accompaniment of the array's shape, or the files' paths by ``"vocals"`` and
        ``"karaoke"``.

    Raises:
        ValueError: There is no such model or device, the song can not be taken, or what is for
            files was given for an array, or the other way round.
        OSError: As :func:`asteroid_karaoke.files.separate_file`.
        TypeError: There is no such option, or the song is neither array nor path.

    Examples:
        >>> import numpy as np, asteroid_karaoke
        >>> model = asteroid_karaoke.KaraokeNet(size="tiny").eval()
        >>> song = np.zeros((2, 44100), np.float32)
        >>> estimates = asteroid_karaoke.separate(song, sample_rate=44100, model=model)
        >>> estimates.vocals.shape
        (2, 44100)
    """
    if not isinstance(song, (np.ndarray, str, os.PathLike)):
        raise TypeError(
            f"got a {type(song).__name__}, expected the path of a file, or samples as a numpy "
            "array: numpy.asarray(song) makes one"
        )
    place = loading.pick_device(device)
    net: Any = model
    if model is None or isinstance(model, (str, os.PathLike)):
        net = loading.load_model(None if model is None else os.fspath(model))
    if isinstance(song, np.ndarray):
        if sample_rate is None:
            raise ValueError("got an array without its sample_rate: give it in Hz")
        for_files = [*options] if out_dir is None else ["out_dir", *options]
        if for_files:
            raise ValueError(
                f"got {', '.join(for_files)}, which are for files, not for arrays: leave them out"
            )
        return separation.separate(
            net, song, sample_rate, batch=batch, device=place, progress=progress
        )
    if sample_rate is not None:
        raise ValueError(
            f"got sample_rate {sample_rate}, which is for arrays, not for files: leave it out"
        )
    folder = "." if out_dir is None else out_dir
    return separate_file(
        net, song, folder, OutputOptions(**options), batch=batch, device=place, progress=progress
    )
