"""Audio files written block by block, which appear whole or not at all."""

import io
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
import soundfile

from .parts import WholeFile
from .sndfile import OGG_ORDER

#: libsndfile's names of what can be written, by the end of the file's name.
FORMATS = {
    ".wav": "WAV",
    ".flac": "FLAC",
    ".ogg": "OGG",
    ".opus": "OGG",
    ".mp3": "MP3",
    ".aiff": "AIFF",
    ".aif": "AIFF",
    ".w64": "W64",
    ".rf64": "RF64",
    ".au": "AU",
    ".caf": "CAF",
}
#: The most channels and the lowest and highest rate in Hz that each format holds. libsndfile has no
#: way to ask, and its Vorbis encoder crashes (1.2.2) above 200 kHz instead of refusing.
_LIMITS = {
    **dict.fromkeys(("WAV", "RF64", "W64", "AIFF", "AU", "CAF"), (1024, 1, 2**31 - 1)),
    "FLAC": (8, 1, 655_350),
    "OGG": (255, 1, 200_000),
    "MP3": (2, 8000, 48_000),
}
#: MPEG 1, 2 and 2.5 know these alone, and Opus these.
MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
#: Bit rates that MPEG knows, in kbit/s, as far as frames are short there.
_MP3_KBITS = (8, 16, 24, 32, 40, 48, 56, 64, 80)
OPUS_RATES = (8000, 12000, 16000, 24000, 48000)
#: libsndfile's scale from 0 (best) to 1. Its default is about 130 kbit/s, where a singer's
#: sibilants suffer; these give LAME's V0, Vorbis' q7 and Opus' 172: about 250, 220 and 170 kbit/s.
_COMPRESSION = {"MPEG_LAYER_III": 0.0, "VORBIS": 0.3, "OPUS": 0.68}
#: Vorbis' nominal bit rate of a stereo file at 44.1 kHz for its qualities 0 to 10, in kbit/s.
_VORBIS_RATES = (64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 500)
#: Bits of what is rounded here.
_BITS = {"PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32}
#: Samples written at a time: libsndfile's Vorbis encoder crashes on long writes (it puts them on
#: the stack).
_BLOCK = 1 << 14
#: A RIFF header counts bytes in 32 bits; what may grow longer is written as RF64 (EBU Tech 3306).
_RIFF_BYTES = (1 << 32) - (1 << 16)


class AudioWriter(WholeFile):
    """Write one audio file, block by block, with the level untouched.

    The file is written beside its place under a hidden name and moved there when the ``with`` block
    is left; where that is left by an error, nothing remains. Integer formats clip at full scale.

    Args:
        path: Where to. The ending names the format (see :data:`FORMATS`). Its folder is made.
        sample_rate: In Hz.
        channels: Number of channels.
        subtype: libsndfile's word for how samples are stored. None: the format's own default, which
            is 16 bits for wav and flac.
        frames: Samples to be expected, 0 where not known: a wav beyond 4 GiB needs another header.
        container: libsndfile's word for the format, where the ending does not tell.
        bit_rate: For mp3, Vorbis and Opus, in bit/s, about. None: a good one.
        overwrite: Whether a file that is there may be replaced.
        texts: Title, artist and the like, by libsndfile's names, for formats that have no tags.

    Raises:
        ValueError: The format can not hold such a sound, or a block does not fit.
        FileExistsError: The file is there and may not be replaced.
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
        container: str | None = None,
        bit_rate: int | None = None,
        overwrite: bool = True,
        texts: Mapping[str, str] | None = None,
    ) -> None:
        place = Path(path)
        self._channels, self._written = channels, 0
        if subtype is None and place.suffix.lower() == ".opus":
            subtype = "OPUS"
        self._format = _format(place, container, subtype, sample_rate, channels)
        self._subtype = subtype or soundfile.default_subtype(self._format)
        if self._format == "WAV" and frames * channels * self._sample_bytes() > _RIFF_BYTES:
            self._format = "RF64"
        if not soundfile.check_format(self._format, self._subtype):
            raise ValueError(
                f"{place}: {self._format} can not hold {self._subtype}, choose one of "
                + ", ".join(soundfile.available_subtypes(self._format))
            )
        self._order = OGG_ORDER.get(channels) if self._format == "OGG" else None
        settings = {
            "mode": "w",
            "samplerate": sample_rate,
            "channels": channels,
            "subtype": self._subtype,
            "format": self._format,
            "compression_level": _level(self._subtype, bit_rate, sample_rate, channels),
            # LAME knows no bit rate but a constant one by this way.
            "bitrate_mode": "CONSTANT" if bit_rate and self._format == "MP3" else None,
        }
        super().__init__(place, overwrite)
        try:
            self._file = soundfile.SoundFile(self._name(), **settings)
            for name, text in (texts or {}).items():
                setattr(self._file, name, text)
        except soundfile.LibsndfileError as error:
            self.part.unlink()
            try:
                soundfile.SoundFile(io.BytesIO(), **settings).close()
            except soundfile.LibsndfileError:
                raise ValueError(
                    f"{place}: {self._subtype} can not hold {channels} channel(s) at {sample_rate} "
                    "Hz: choose wav, which holds all"
                ) from error
            raise self.failure() from error

    def _sample_bytes(self) -> int:
        return {"PCM_U8": 1, "PCM_16": 2, "PCM_24": 3, "DOUBLE": 8}.get(self._subtype, 4)

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
        samples = self._quantised(block if self._order is None else block[[*self._order]]).T
        try:
            for start in range(0, len(samples), _BLOCK):
                self._file.write(np.ascontiguousarray(samples[start : start + _BLOCK]))
        except soundfile.LibsndfileError as error:
            raise self.failure() from error
        self._written += len(samples)

    def _quantised(self, block: np.ndarray) -> np.ndarray:
        """Round to the nearest step; libsndfile rounds down, which offsets by half a step."""
        bits = _BITS.get(self._subtype)
        if bits is None:
            return block
        top = 2 ** (bits - 1)
        steps = np.clip(np.rint(block.astype(np.float64) * top), -top, top - 1)
        # libsndfile takes the upper bits.
        return steps.astype(np.int32) << (32 - bits)

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
            raise self.failure() from error
        if not whole:
            raise self.failure()

    def _name(self) -> bytes | Path:
        """The hidden file; bytes let names through that are no valid UTF-8."""
        return os.fsencode(self.part) if os.name == "posix" else self.part

    def abandon(self) -> None:
        """Let go of the hidden file."""
        with suppress(soundfile.LibsndfileError):
            self._file.close()


def _format(
    path: Path, container: str | None, subtype: str | None, sample_rate: int, channels: int
) -> str:
    """Name the format in libsndfile's words, or complain that it can not hold such a sound."""
    name = container or FORMATS.get(path.suffix.lower())
    if name is None:
        raise ValueError(f"{path}: expected a name that ends in one of {', '.join(FORMATS)}")
    most, lowest, highest = _LIMITS.get(name, _LIMITS["WAV"])
    rates = f"{lowest} to {highest} Hz"
    fits = lowest <= sample_rate <= highest
    known = MP3_RATES if name == "MP3" else OPUS_RATES if subtype == "OPUS" else None
    if known:
        fits, rates = sample_rate in known, ", ".join(map(str, known)) + " Hz"
    label = "opus" if subtype == "OPUS" else name.lower()
    if not fits or not 1 <= channels <= most:
        raise ValueError(
            f"{path}: {label} can not hold {channels} channel(s) at {sample_rate} Hz, only "
            f"up to {most} at {rates}: choose wav, which holds all"
        )
    return name


def _level(subtype: str, bit_rate: int | None, sample_rate: int, channels: int) -> float | None:
    """The point on libsndfile's scale for a bit rate, by what it makes of it in each format."""
    if bit_rate is None or subtype not in _COMPRESSION:
        return _COMPRESSION.get(subtype)
    kbits = bit_rate / 1000
    if subtype == "VORBIS":
        stereo = kbits * 2 / channels * 44100 / max(sample_rate, 8000)
        level = 1 - float(np.interp(stereo, _VORBIS_RATES, np.arange(11))) / 10
    elif subtype == "OPUS":
        level = (256 - kbits / channels) / 250
    else:
        lowest, highest = (32, 320) if sample_rate >= 32000 else (8, 160)
        if sample_rate < 16000:
            highest = 64
        kbits = max(kbits, _least_kbits(sample_rate, channels))
        level = (highest - kbits) / (highest - lowest)
    # At the very end of its scale, libsndfile refuses mp3.
    return min(max(level, 0.0), 0.99)


def _least_kbits(sample_rate: int, channels: int) -> int:
    """The lowest bit rate of an mp3 that can be found out to be whole, in kbit/s.

    LAME's header, which tells the length, is a frame's content: 156 bytes behind the 4 of the
    frame's own header and its side information (ISO/IEC 11172-3, 2.4.1, and 13818-3). Where a frame
    is too short for that, LAME leaves it out, and the file ends later than the song.
    """
    side, per_frame = ((17, 32), 144) if sample_rate >= 32000 else ((9, 17), 72)
    least = (156 + 4 + side[channels - 1]) * sample_rate / per_frame / 1000
    return next(rate for rate in _MP3_KBITS if rate >= least)
