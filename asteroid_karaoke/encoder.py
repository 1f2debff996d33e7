"""Audio files that libsndfile does not write, by FFmpeg's encoders: m4a (AAC, ALAC), webm, wma.

PyAV brings the encoders; no ffmpeg program is needed. :mod:`asteroid_karaoke.formats` loads this
module only where such a file is asked for.
"""

import os
from collections.abc import Mapping
from contextlib import suppress
from fractions import Fraction
from typing import Any

import av
import numpy as np

from .parts import WholeFile

#: FFmpeg's names of the speakers of 1 to 8 channels in WAVE's order.
_LAYOUTS = ("mono", "stereo", "3.0", "quad", "5.0", "5.1", "6.1", "7.1")
#: The loudspeakers that AAC has numbers for are other ones where there are four.
_AAC_LAYOUTS = {4: "4.0"}
#: Of silence that is put before and behind the song, in frames of the encoder: players leave out
#: WMA's first frame, and FFmpeg's encoder keeps the last ones to itself.
_PADDING = {"wmav2": (1, 2)}


class EncodedWriter(WholeFile):
    """Write one audio file with FFmpeg, block by block; see :class:`.writer.AudioWriter`.

    Args:
        path: Where to. Its folder is made.
        sample_rate: In Hz.
        channels: Number of channels, in WAVE's order.
        muxer: FFmpeg's name of the container (``ipod``, ``webm``, ``asf``).
        encoder: FFmpeg's name of the encoder.
        bit_rate: In bit/s; lossless encoders do not look at it.
        overwrite: Whether a file that is there may be replaced.
        texts: Title, artist and the like for containers that mutagen does not know.

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
        muxer: str,
        encoder: str,
        *,
        bit_rate: int | None = None,
        overwrite: bool = True,
        texts: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(path, overwrite)
        self._rate, self._channels, self._encoder = sample_rate, channels, encoder
        self._written, self._stamp, self._closed = 0, 0, False
        # A file of Python's tells of a full disk, also on closing.
        self._file = self.part.open("wb")
        try:
            self._begin(muxer, bit_rate, texts or {})
        except (av.FFmpegError, ValueError, IndexError) as error:
            self.abandon()
            self.part.unlink()
            raise ValueError(
                f"{self.path}: {encoder} can not hold {channels} channel(s) at {sample_rate} Hz: "
                "choose wav, which holds all"
            ) from error

    def _begin(self, muxer: str, bit_rate: int | None, texts: Mapping[str, str]) -> None:
        # Its default, milliseconds, would round the song's length.
        options = {"movie_timescale": str(self._rate)} if muxer == "ipod" else {}
        self._container = av.open(self._file, "w", format=muxer, options=options)
        self._container.metadata.update(texts)
        layout = _LAYOUTS[self._channels - 1]
        if self._encoder == "aac":
            layout = _AAC_LAYOUTS.get(self._channels, layout)
        stream: Any = self._container.add_stream(self._encoder, rate=self._rate, layout=layout)
        if bit_rate:
            stream.bit_rate = bit_rate
        context = stream.codec_context
        context.time_base = Fraction(1, self._rate)
        context.open()
        self._stream, self._layout = stream, layout
        self._resampler = av.AudioResampler(
            context.format, context.layout, self._rate, context.frame_size or 4096
        )
        before, behind = _PADDING.get(self._encoder, (0, 0))
        self._behind = np.zeros((self._channels, behind * context.frame_size), np.float32)
        self._append(np.zeros((self._channels, before * context.frame_size), np.float32))

    def write(self, block: np.ndarray) -> None:
        """Append float32 ``(channels, n)`` samples; beyond full scale they are clipped.

        Raises:
            ValueError: The shape is wrong, or there is NaN or Inf.
            OSError: The disk is full.
        """
        if block.ndim != 2 or len(block) != self._channels:
            raise ValueError(f"got a block {block.shape}, expected ({self._channels}, n)")
        if not np.isfinite(block).all():
            raise ValueError(f"{self.path} would hold NaN or Inf")
        self._append(block.clip(-1, 1))
        self._written += block.shape[1]

    def _append(self, block: np.ndarray) -> None:
        if not block.shape[1]:
            return
        # Not planar: PyAV (18.1) crashes on more than seven planes.
        samples = np.ascontiguousarray(block.T, dtype=np.float32).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(samples, "flt", self._layout)
        frame.sample_rate, frame.pts = self._rate, self._stamp
        frame.time_base = Fraction(1, self._rate)
        self._stamp += block.shape[1]
        self._encode(frame)

    def _encode(self, frame: av.AudioFrame | None) -> None:
        try:
            for piece in self._resampler.resample(frame):
                self._container.mux(self._stream.encode(piece))
            if frame is None:
                self._container.mux(self._stream.encode(None))
                self._container.close()
                self._file.close()
        except (av.FFmpegError, OSError) as error:
            raise self.failure() from error

    def close(self) -> None:
        """Finish the hidden file; it is moved when ``with`` is left.

        Raises:
            ValueError: Nothing was written.
            OSError: The disk is full.
        """
        if self._closed:
            return
        if not self._written:
            raise ValueError(f"{self.path}: there are no samples to write")
        self._append(self._behind)
        self._encode(None)
        self._closed = True

    def abandon(self) -> None:
        """Let go of the hidden file."""
        with suppress(av.FFmpegError, OSError, AttributeError):
            self._container.close()
        with suppress(OSError):
            self._file.close()
