"""Sound out of the containers that libsndfile does not know: m4a, mp4, webm, mka, wma ...

FFmpeg's libraries decode, through PyAV; no ffmpeg program is needed. :mod:`asteroid_karaoke.audio`
loads this module only where libsndfile gives up.

Sample 0 is the first sample that decoding from the start yields (FFmpeg drops an encoder's priming
samples where the container tells them), so counting, reading and seeking agree. Seeking goes by
time stamps where these are exact in samples, as in mp4, and starts some frames early, since a
decoder needs the frames before to come out right. (AAC's noise substitution, a tool of low bit
rates, draws other noise then.) Elsewhere (webm stamps whole milliseconds) it decodes from the
start.
"""

import logging
import re
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

logger = logging.getLogger(__name__)

#: What may be opened. Playlists (hls, concat, dash) are left out: they name other files and
#: addresses. Text formats too, which FFmpeg would otherwise make out in any text.
_DEMUXERS = (
    "mov,matroska,webm,asf,avi,flv,mpegts,mpeg,ogg,mp3,aac,flac,wav,w64,aiff,caf,au,ac3,eac3,dts,"
    "amr,amrnb,amrwb,ape,tak,tta,wv,mpc,mpc8,dsf,iff,rm,truehd,mlp,shn,voc,loas,latm,oma,bink"
)
#: Bare streams, whose packets are looked for in the bytes; and how many bytes may be none, besides
#: a tenth of those that are.
_BARE, _FEW_BYTES = ("mp3", "aac"), 8192
#: Decoding starts this much before the sample wanted, in s: Opus asks for 80 ms (RFC 7845, 4.6),
#: MP3's bit reservoir and HE-AAC's filter banks for about as much.
_PREROLL_SECONDS = 0.5
#: A container's duration and its sound may differ by this much, in s, before we call it cut off.
_TOLERANCE_SECONDS = 0.1
#: Packets that a bit rate is told from; some minutes.
_COUNTED = 10_000
#: Matroska has one duration for all of its streams; writers put each stream's own into a tag.
_DURATION = re.compile(r"(\d+):(\d+):(\d+\.\d+)$")


class _Converter:
    """Turns frames into 32 bit floats of the first one's channels and rate.

    A song that was joined from several may go on in another layout or rate.
    """

    def __init__(self) -> None:
        self._like: av.AudioFrame | None = None
        self._seen: tuple[str, int, str] | None = None

    def __call__(self, frame: av.AudioFrame) -> Iterator[av.AudioFrame]:
        seen = (frame.layout.name, frame.sample_rate, frame.format.name)
        if self._like is None:
            self._like = frame
            # Not planar: PyAV (18.1) crashes on more than seven planes.
            self._convert = av.AudioResampler(format="flt")
        elif seen != self._seen:
            yield from self._convert.resample(None)
            like = self._like
            self._convert = av.AudioResampler("flt", like.layout, like.sample_rate)
        self._seen = seen
        yield from self._convert.resample(frame)


class ContainerBackend:
    """One audio stream of a container; what :class:`asteroid_karaoke.audio.AudioReader` reads from.

    Args:
        path: The file.
        stream: Which of its audio streams, from 0.

    Raises:
        ValueError: It can not be decoded, or has no such stream. The message says no file name: the
            caller puts it in front.
    """

    #: ``frames`` comes from the header; only decoding tells exactly.
    exact = False

    def __init__(self, path: Path, stream: int) -> None:
        self._path, self._number = path, stream
        self._told = False
        self._open()
        try:
            first = next(self._decoded, None)
            if first is None:
                raise ValueError("holds no samples")
            self._describe(*first)
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        self._container = _open_container(self._path)
        streams = self._container.streams.audio
        if self._number >= len(streams):
            count = len(streams)
            self._container.close()
            if not count:
                raise ValueError("holds no audio stream")
            raise ValueError(
                f"has {count} audio stream(s), asked was #stream={self._number}: choose "
                f"0..{count - 1}"
            )
        self._stream = streams[self._number]
        self._position = 0
        self._pending = np.zeros((0, 0), np.float32)
        self._decoded = self._decode()

    def _describe(self, pts: int | None, block: np.ndarray, rate: int) -> None:
        """Take the facts from the first frame: HE-AAC's header may name half the true rate."""
        self.sample_rate, self.channels = rate, len(block)
        self.subtype = self._stream.codec_context.name
        self.container = self._container.format.name
        # Of 24 bits, FFmpeg makes 32.
        stored = self._stream.codec_context.format
        self.bits = 16 if stored is None or stored.bytes <= 2 else 24
        self._pending, self._first_pts = block, pts or 0
        self._promised = self._promised_seconds()
        known = self._promised or (self._container.duration or 0) / av.time_base
        self.frames = round(known * rate)

    def _promised_seconds(self) -> float | None:
        """How long the header says this stream is, in s; None where it does not say."""
        stream, container = self._stream, self._container
        if "mov" in container.format.name and stream.duration and stream.time_base:
            return float(stream.duration * stream.time_base)
        if "matroska" in container.format.name:
            tag = _DURATION.match(stream.metadata.get("DURATION", ""))
            if tag:
                return int(tag[1]) * 3600 + int(tag[2]) * 60 + float(tag[3])
            if len(container.streams) == 1 and container.duration:
                return container.duration / av.time_base
        return None

    def _decode(self) -> Iterator[tuple[int | None, np.ndarray, int]]:
        """Of one decoded frame after another: time stamp, samples ``(channels, n)``, rate in Hz."""
        convert = _Converter()
        seconds = 0.0
        try:
            for frame in self._frames():
                pts, seconds = frame.pts, frame.time or seconds
                for converted in convert(frame):
                    block = converted.to_ndarray().reshape(converted.samples, -1).T
                    yield pts, self._trimmed(block, frame), converted.sample_rate
        except av.PatchWelcomeError as error:
            raise ValueError(
                f"goes on at {seconds:.1f} s with other channels or another rate, which FFmpeg's "
                "libraries do not follow: convert it to wav first"
            ) from error
        except (av.FFmpegError, ValueError) as error:
            raise ValueError(
                f"is damaged or cut off at {seconds:.1f} s; get the file anew from where it came"
            ) from error

    def _frames(self) -> Iterator[av.AudioFrame]:
        """What the stream is decoded to.

        A bare mp3 or AAC file has no end but that of its bytes, so tags and padding behind the
        sound are taken for packets, and radio streams that were recorded begin in the midst of one.
        What can not be decoded there is left out, as players do, as long as it is little.
        """
        bare = self._container.format.name in _BARE
        good = bad = 0
        lately = False
        for packet in self._container.demux(self._stream):
            try:
                frames = packet.decode()
            except av.InvalidDataError:
                bad, lately = bad + packet.size, True
                if not bare or bad > _FEW_BYTES + good // 10:
                    raise
                continue
            if lately and good and packet.size and not self._told:
                self._told = True
                logger.warning("%s: what is no sound in its midst is left out", self._path)
            good, lately = good + packet.size, False
            yield from frames

    def _trimmed(self, block: np.ndarray, frame: av.AudioFrame) -> np.ndarray:
        """A frame without what mp4 says of the last one: that it is filled up with silence.

        FFmpeg gives a packet's duration to its frame, and plays the whole of it.
        """
        stamped = frame.time_base == Fraction(1, frame.sample_rate)
        if stamped and "mov" in self._container.format.name and 0 < frame.duration < frame.samples:
            return block[:, : frame.duration]
        return block

    def read(self, frames: int) -> np.ndarray:
        """The next samples, float32 ``(channels, n)``, n < frames only at the end."""
        parts, missing = [self._pending[:, :frames]], frames - self._pending.shape[1]
        self._pending = self._pending[:, frames:]
        while missing > 0:
            found = next(self._decoded, None)
            if found is None:
                break
            block = found[1]
            parts.append(block[:, :missing])
            self._pending = block[:, missing:]
            missing -= block.shape[1]
        result = np.concatenate(parts, axis=1)
        self._position += result.shape[1]
        if missing > 0:
            self._check_complete()
        return np.ascontiguousarray(result)

    def _check_complete(self) -> None:
        seconds = self._position / self.sample_rate
        if self._promised and seconds < self._promised - _TOLERANCE_SECONDS:
            raise ValueError(
                f"is cut off: its header promises {self._promised:.2f} s, its sound ends at "
                f"{seconds:.2f} s; get the file anew from where it came"
            )

    def seek(self, frame: int) -> None:
        """Go on reading at sample ``frame``; beyond the end, reading gives nothing."""
        step = self._samples_per_tick()
        early = frame - round(_PREROLL_SECONDS * self.sample_rate)
        if step and early > 0:
            self._container.seek(self._first_pts + early // step, stream=self._stream)
            self._decoded = self._decode()
            self._drop_until(frame, step)
            return
        self.close()
        self._open()
        self._pending = np.zeros((self.channels, 0), np.float32)
        while self._position < frame and self.read(min(frame - self._position, 1 << 20)).size:
            pass

    def _drop_until(self, frame: int, step: int) -> None:
        self._pending = np.zeros((self.channels, 0), np.float32)
        for pts, block, _ in self._decoded:
            begin = ((pts or 0) - self._first_pts) * step
            if begin + block.shape[1] > frame:
                self._pending = block[:, max(0, frame - begin) :]
                break
        self._position = frame

    def _samples_per_tick(self) -> int:
        """Samples in one tick of the stream's clock; 0 where stamps do not tell samples exactly.

        They do where a tick is a whole number of samples and the packets are one as long as the
        other without gaps, so that their number times their length is the duration.
        """
        stream, length = self._stream, self._stream.codec_context.frame_size
        ticks = (stream.time_base or Fraction(0)) * self.sample_rate
        if ticks.denominator != 1 or not stream.duration or not length:
            return 0
        even = abs(stream.duration * int(ticks) - stream.frames * length) < 2 * length
        return int(ticks) if even else 0

    def close(self) -> None:
        """Give the file back."""
        self._container.close()


def _open_container(path: Path) -> av.container.InputContainer:
    options = {"format_whitelist": _DEMUXERS, "protocol_whitelist": "file"}
    try:
        # "file:" keeps a colon in a name from being taken for a protocol.
        return av.open(f"file:{path}", options=options, metadata_errors="ignore")
    except (av.FFmpegError, UnicodeError) as error:
        raise ValueError(
            "is not audio in a format that can be read, or lacks its end: look whether a player "
            "plays it"
        ) from error


def bit_rate(path: Path, stream: int) -> int:
    """Mean bit rate of an audio stream in bit/s, from the packets of its first minutes; 0 if none.

    Headers give the whole container's, with pictures and covers, or nothing.
    """
    size = count = 0
    seconds = 0.0
    with suppress(ValueError, IndexError, av.FFmpegError), _open_container(path) as container:
        audio = container.streams.audio[stream]
        for packet in container.demux(audio):
            if packet.duration and packet.time_base:
                size += packet.size
                seconds += float(packet.duration * packet.time_base)
            count += 1
            if count > _COUNTED:
                break
    return round(8 * size / seconds) if seconds else 0
