"""Audio files written block by block, which appear whole or not at all."""

import os
import shutil
import uuid
from contextlib import suppress
from pathlib import Path

import numpy as np
import soundfile

#: libsndfile's names of what can be written, by the end of the file's name.
FORMATS = {".wav": "WAV", ".flac": "FLAC", ".ogg": "OGG", ".mp3": "MP3"}
#: The most channels and the lowest and highest rate in Hz that each format holds. libsndfile has no
#: way to ask, and its Vorbis encoder crashes (1.2.2) above 200 kHz instead of refusing.
_LIMITS = {
    "WAV": (1024, 1, 2**31 - 1),
    "FLAC": (8, 1, 655_350),
    "OGG": (255, 1, 200_000),
    "MP3": (2, 8000, 48_000),
}
#: MPEG 1, 2 and 2.5 know these alone.
_MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
#: libsndfile's scale from 0 (best) to 1. Its default for both is about 130 kbit/s, where a singer's
#: sibilants suffer; these give LAME's V0 and Vorbis' q7, about 250 and 220 kbit/s.
_COMPRESSION = {"MP3": 0.0, "OGG": 0.3}
#: Samples written at a time: libsndfile's Vorbis encoder crashes on long writes (it puts them on
#: the stack).
_BLOCK = 1 << 14
#: A RIFF header counts bytes in 32 bits; what may grow longer is written as RF64 (EBU Tech 3306).
_RIFF_BYTES = (1 << 32) - (1 << 16)


class AudioWriter:
    """Write one audio file, block by block, with the level untouched.

    The file is written beside its place under a hidden name and moved there when the ``with`` block
    is left; where that is left by an error, nothing remains. Integer formats clip at full scale.

    Args:
        path: Where to. The ending names the format: wav, flac, ogg (Vorbis) or mp3. Its folder is
            made.
        sample_rate: In Hz.
        channels: Number of channels.
        subtype: libsndfile's word for how samples are stored. None: the format's own default, which
            is 16 bits for wav and flac.
        frames: Samples to be expected, 0 where not known: a wav beyond 4 GiB needs another header.

    Raises:
        ValueError: The format can not hold such a sound, or a block does not fit.
        OSError: The place can not be written to, or the disk is full.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        sample_rate: int,
        channels: int,
        subtype: str | None = None,
        *,
        frames: int = 0,
    ) -> None:
        self.path = Path(path)
        self._channels, self._written = channels, 0
        self._format = _format(self.path, sample_rate, channels)
        self._subtype = subtype or soundfile.default_subtype(self._format)
        if self._format == "WAV" and frames * channels * self._sample_bytes() > _RIFF_BYTES:
            self._format = "RF64"
        if not soundfile.check_format(self._format, self._subtype):
            raise ValueError(
                f"{self.path}: {self._format} can not hold {self._subtype}, choose one of "
                + ", ".join(soundfile.available_subtypes(self._format))
            )
        self._part = self.path.parent / f".{uuid.uuid4().hex}.part"
        self._claim()
        try:
            self._file = soundfile.SoundFile(
                self._name(),
                "w",
                sample_rate,
                channels,
                self._subtype,
                format=self._format,
                compression_level=_COMPRESSION.get(self._format),
            )
        except soundfile.LibsndfileError as error:
            # The format was looked at before, so it is the disk that refuses the header.
            failure = self._failure()
            self._remove()
            raise failure from error

    def _claim(self) -> None:
        """Make the folder and the hidden file; the system's errors say more than libsndfile's."""
        if self.path.is_dir():
            raise IsADirectoryError(f"{self.path} is a folder, so no file can be written there")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._part.touch(exist_ok=False)
        except OSError as error:
            raise type(error)(
                f"the folder {self.path.parent} can not be written to ({error.strerror}): "
                "choose another one"
            ) from error

    def _sample_bytes(self) -> int:
        return {"PCM_16": 2, "PCM_24": 3, "DOUBLE": 8}.get(self._subtype, 4)

    def write(self, block: np.ndarray) -> None:
        """Append ``(channels, n)`` samples.

        Raises:
            ValueError: The shape is wrong, or there is NaN or Inf, which integers would turn into
                full scale.
            OSError: The disk is full.
        """
        if block.ndim != 2 or len(block) != self._channels:
            raise ValueError(f"got a block {block.shape}, expected ({self._channels}, n)")
        if not np.isfinite(block).all():
            raise ValueError(f"{self.path} would hold NaN or Inf")
        samples = self._quantised(block).T
        try:
            for start in range(0, len(samples), _BLOCK):
                self._file.write(np.ascontiguousarray(samples[start : start + _BLOCK]))
        except soundfile.LibsndfileError as error:
            raise self._failure() from error
        self._written += len(samples)

    def _quantised(self, block: np.ndarray) -> np.ndarray:
        """Round to the nearest step; libsndfile rounds down, which offsets by half a step."""
        bits = {"PCM_16": 16, "PCM_24": 24}.get(self._subtype)
        if bits is None:
            return block
        top = 2 ** (bits - 1)
        steps = np.clip(np.rint(block.astype(np.float64) * top), -top, top - 1)
        return steps.astype(np.int16) if bits == 16 else steps.astype(np.int32) << 8

    def close(self) -> None:
        """Finish the hidden file and see that all is in it; it is moved when ``with`` is left.

        Raises:
            ValueError: Nothing was written.
            OSError: The disk is full.
        """
        if self._file.closed:
            return
        try:
            self._file.close()
            if not self._written:
                raise ValueError(f"{self.path}: there are no samples to write")
            # An encoder's last words go out on closing, where libsndfile reports no error.
            with soundfile.SoundFile(self._name()) as file:
                whole = file.frames == self._written
                file.seek(self._written - 1)
                whole = whole and len(file.read(1)) == 1
        except soundfile.LibsndfileError as error:
            raise self._failure() from error
        if not whole:
            raise self._failure()

    def _name(self) -> bytes | Path:
        """The hidden file; bytes let names through that are no valid UTF-8."""
        return os.fsencode(self._part) if os.name == "posix" else self._part

    def _failure(self) -> OSError:
        free = shutil.disk_usage(self.path.parent).free / 1e6
        return OSError(
            f"{self.path} could not be written to its end; that disk has {free:.0f} MB left: "
            "make room or choose another folder"
        )

    def _remove(self) -> None:
        self._part.unlink(missing_ok=True)

    def __enter__(self) -> "AudioWriter":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self.close()
                os.replace(self._part, self.path)
            else:
                with suppress(soundfile.LibsndfileError):
                    self._file.close()
        finally:
            self._remove()


def _format(path: Path, sample_rate: int, channels: int) -> str:
    """Name the format in libsndfile's words, or complain that it can not hold such a sound."""
    name = FORMATS.get(path.suffix.lower())
    if name is None:
        raise ValueError(f"{path}: expected a name that ends in one of {', '.join(FORMATS)}")
    most, lowest, highest = _LIMITS[name]
    rates = f"{lowest} to {highest} Hz"
    fits = lowest <= sample_rate <= highest
    if name == "MP3":
        fits, rates = sample_rate in _MP3_RATES, ", ".join(map(str, _MP3_RATES)) + " Hz"
    if not fits or not 1 <= channels <= most:
        raise ValueError(
            f"{path}: {name.lower()} can not hold {channels} channel(s) at {sample_rate} Hz, only "
            f"up to {most} at {rates}: choose wav, which holds all"
        )
    return name
