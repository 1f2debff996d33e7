"""Audio files as float32 arrays ``(channels, time)``: open, read a block, write, resample.

libsndfile (through soundfile) reads and writes wav, flac, ogg, opus, mp3 and aiff; what it does not
know (m4a, mp4, webm, mka, wma ...) is read by FFmpeg's libraries, which PyAV brings along: see
:mod:`asteroid_karaoke.containers`. No ffmpeg program is needed. Levels are never changed: full
scale is 1.0, and what a float file holds beyond it is kept.

A *source* is a path, or a path with ``#stream=N`` for the N-th audio stream (from 0) of a container
such as MUSDB18's ``.stem.mp4``.

Faults are told apart before any work is done: FileNotFoundError (missing), PermissionError, and
ValueError for all that is there but is no sound (a folder, empty, not audio, no samples, cut off,
NaN). Each message names the file and what to do.
"""

import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .resampling import Resampler as Resampler
from .resampling import resample as resample
from .sndfile import GET_ANEW, SoundFileBackend
from .writer import AudioWriter as AudioWriter

if TYPE_CHECKING:
    from .containers import ContainerBackend

Source = str | os.PathLike
_STREAM = re.compile(r"#stream=(\d+)$")
#: Samples read at a time.
_BLOCK = 1 << 16


@dataclass(frozen=True)
class AudioInfo:
    """What a source holds.

    Args:
        path: The source, as it was given.
        sample_rate: In Hz.
        channels: Number of channels.
        frames: Number of samples in each channel, exactly as many as reading to the end gives.
        subtype: How samples are stored: libsndfile's word (``PCM_16``, ``PCM_24``, ``FLOAT``,
            ``VORBIS``, ``MPEG_LAYER_III`` ...), or FFmpeg's name of the codec (``aac`` ...).
    """

    path: str
    sample_rate: int
    channels: int
    frames: int
    subtype: str


class AudioReader:
    """A source open for reading; see :func:`open_audio`.

    Attributes:
        sample_rate: In Hz.
        channels: Number of channels.
        frames: The header's word on the length, in samples: exact with libsndfile, an estimate for
            other containers, where only decoding tells (:meth:`count`).
        subtype: As in :class:`AudioInfo`.
        container: libsndfile's word for the format (``WAV``, ``FLAC``, ``OGG`` ...), or FFmpeg's
            (``mov,mp4,m4a,3gp,3g2,mj2``, ``matroska,webm``, ``asf`` ...).
        bits: Of a sample, as far as FFmpeg tells: 16, or more; 0 where libsndfile reads.
        name: The path, without ``#stream=N``.
    """

    def __init__(self, source: Source) -> None:
        path, stream = self._path, self._stream = split_source(source)
        _check_file(path)
        self._name = os.fspath(source)
        self._position = 0
        self._backend: SoundFileBackend | ContainerBackend
        with self._naming():
            self._backend = _open(path, stream)
        # Whether `frames` is sure, and a file that has fewer is cut off.
        self._exact = self._backend.exact
        self.container, self.bits = self._backend.container, self._backend.bits
        self.name = os.fspath(path)
        self.sample_rate, self.channels = self._backend.sample_rate, self._backend.channels
        self.frames, self.subtype = self._backend.frames, self._backend.subtype

    @contextmanager
    def _naming(self) -> Iterator[None]:
        try:
            yield
        except ValueError as error:
            raise ValueError(f"{self._name} {error}") from error

    def read(self, frames: int) -> np.ndarray:
        """The next samples.

        Returns:
            float32 ``(channels, n)``, with n < frames only at the end.

        Raises:
            ValueError: The file breaks off, is damaged, or holds NaN or Inf.
        """
        with self._naming():
            block = self._read(frames)
            start, self._position = self._position, self._position + block.shape[1]
            finite = np.isfinite(block).all(axis=0)
            if not finite.all():
                seconds = (start + int(np.argmin(finite))) / self.sample_rate
                raise ValueError(f"holds NaN or Inf at {seconds:.3f} s: export it anew")
            if self._exact and self._position < min(start + frames, self.frames):
                raise ValueError(
                    f"is cut off: its header promises {self.frames} samples, {self._position} are "
                    f"there; {GET_ANEW}"
                )
        return block

    def _read(self, frames: int) -> np.ndarray:
        try:
            return self._backend.read(frames)
        except ValueError:
            if self._backend.container != "OGG":
                raise
        # libsndfile calls an Ogg file malformed whose time stamps jump; FFmpeg plays it.
        from .containers import ContainerBackend

        other = ContainerBackend(self._path, self._stream)
        self._backend.close()
        self._backend = other
        other.seek(self._position)
        return other.read(frames)

    def bit_rate(self) -> int:
        """How many bits a second the encoded sound takes, 0 where nobody knows."""
        from .containers import bit_rate

        return bit_rate(self._path, self._stream)

    def blocks(self, frames: int | None = None) -> Iterator[np.ndarray]:
        """What follows, up to so many samples or to the end, in blocks ``(channels, n)``.

        Raises:
            ValueError: As :meth:`read`.
        """
        left = sys.maxsize if frames is None else frames
        while left > 0 and (block := self.read(min(left, _BLOCK))).size:
            left -= block.shape[1]
            yield block

    def seek(self, frame: int) -> None:
        """Go on reading at sample ``frame``, exactly; beyond the end, reading gives nothing."""
        if frame < 0:
            raise ValueError(f"can not seek to sample {frame}: expected 0 or more")
        with self._naming():
            self._backend.seek(min(frame, self.frames) if self._exact else frame)
        self._position = frame

    def count(self) -> int:
        """The exact number of samples; where the header is no proof, decodes to the end."""
        if self._exact:
            return self.frames
        self.seek(0)
        for _ in self.blocks():
            pass
        return self._position

    def close(self) -> None:
        """Give the file back."""
        self._backend.close()


def _open(path: Path, stream: int) -> "SoundFileBackend | ContainerBackend":
    if not stream and SoundFileBackend.reads(path):
        return SoundFileBackend(path)
    from .containers import ContainerBackend

    return ContainerBackend(path, stream)


def _check_file(path: Path) -> None:
    """Say what is wrong with a path in our own words: libsndfile has one message for all of it."""
    try:
        if path.is_dir():
            raise ValueError(f"{path} is a folder: name the audio files in it")
        if path.exists() and not path.is_file():
            raise ValueError(f"{path} is not a regular file: save the sound to a file first")
        with path.open("rb") as file:
            if not file.read(1):
                raise ValueError(f"{path} is empty (0 bytes): {GET_ANEW}")
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{path} does not exist: check the name and the folder") from error
    except PermissionError as error:
        raise PermissionError(f"{path} may not be read: change its permissions") from error
    except OSError as error:
        raise OSError(f"{path} can not be read: {error.strerror}") from error


def split_source(source: Source) -> tuple[Path, int]:
    """The path and the number of the audio stream (from 0) that a source names.

    >>> split_source("song.stem.mp4#stream=4")[1]
    4
    """
    text = os.fspath(source)
    found = _STREAM.search(text)
    return (Path(text[: found.start()]), int(found[1])) if found else (Path(text), 0)


@contextmanager
def open_audio(source: Source) -> Iterator[AudioReader]:
    """Open a source for reading block by block.

    Raises:
        FileNotFoundError: There is no such file.
        PermissionError: It may not be read.
        ValueError: It is no sound that can be read.
    """
    with closing(AudioReader(source)) as reader:
        yield reader


def info(source: Source) -> AudioInfo:
    """Look at a source.

    A container that libsndfile can not read is decoded once, to count its samples.

    Raises:
        FileNotFoundError, PermissionError, ValueError: As :func:`open_audio`.
    """
    with open_audio(source) as reader:
        rate, channels, subtype = reader.sample_rate, reader.channels, reader.subtype
        return AudioInfo(os.fspath(source), rate, channels, reader.count(), subtype)


def sample_rate(source: Source) -> int:
    """The rate of a source in Hz, by its header alone; raises what :func:`open_audio` does."""
    with open_audio(source) as reader:
        return reader.sample_rate


def read(
    sources: Source | Sequence[Source],
    start: int = 0,
    frames: int | None = None,
    sample_rate: int | None = None,
) -> np.ndarray:
    """Read a stretch of one source, or of the sum of several.

    Args:
        sources: One source, or a sequence of sources to be summed. They must agree in rate and
            channels.
        start: First sample to read, at the file's own rate.
        frames: How many samples to read, at the file's own rate. None: to the end.
        sample_rate: Rate wanted, in Hz. None: the file's own.

    Returns:
        float32 ``(channels, time)``. Shorter than asked where a file ends before; sources of
        different length are summed as if the shorter ones went on in silence.

    Raises:
        FileNotFoundError, PermissionError: As :func:`open_audio`.
        ValueError: As :func:`open_audio`, and where sources do not fit together.
    """
    first, *others = [sources] if isinstance(sources, (str, os.PathLike)) else sources
    total, rate = _read_one(first, start, frames)
    for source in others:
        more, other_rate = _read_one(source, start, frames)
        if (other_rate, len(more)) != (rate, len(total)):
            raise ValueError(
                f"{source} has {len(more)} channel(s) at {other_rate} Hz, {first} has {len(total)} "
                f"at {rate} Hz: they can not be summed; make them alike first"
            )
        if more.shape[1] > total.shape[1]:
            total, more = more, total
        total[:, : more.shape[1]] += more
    return resample(total, rate, sample_rate) if sample_rate else total


def _read_one(source: Source, start: int, frames: int | None) -> tuple[np.ndarray, int]:
    with open_audio(source) as reader:
        if start:
            reader.seek(start)
        if frames is not None:
            return reader.read(frames), reader.sample_rate
        # After the last there is still an empty one, with the channels.
        return np.concatenate([*reader.blocks(), reader.read(1)], axis=1), reader.sample_rate


def write(path: Source, audio: np.ndarray, sample_rate: int, subtype: str | None = None) -> None:
    """Write ``(channels, time)`` samples as one file, which appears whole or not at all.

    Raises:
        ValueError, OSError: As :class:`AudioWriter`.
    """
    with AudioWriter(path, sample_rate, len(audio), subtype, frames=audio.shape[1]) as writer:
        writer.write(audio)
