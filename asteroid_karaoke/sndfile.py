"""What libsndfile reads (wav, flac, ogg, opus, mp3, aiff ...), and whether the file is whole.

libsndfile reads a file that was cut off without a word, only shorter; a song that ends early is a
fault for us, so it is looked for before any work is done.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile

from .xing import tells_length

#: What to do with a broken file.
GET_ANEW = "get the file anew from where it came"
#: A line of libsndfile's log, the only place where it tells of a file that is shorter than its
#: header says: "data : 705600 (should be 423342)". In W64 and RF64 the line is that of the whole
#: file.
_SHORTENED = re.compile(
    r"\s*(?:data|SSND|Data Size|riff|Riff size)\s*:\s*(\d+) \(should be (\d+)\)"
)
#: What programs that write a wav to a pipe put where its length belongs (FFmpeg, sox, arecord).
_LEFT_OPEN = (0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000, 0x80000000)
#: Where Vorbis and Opus put each channel of WAVE's order (left, right, centre, low, back ...), by
#: the number of channels (Vorbis I, 4.3.9; RFC 7845, 5.1.1.2); libsndfile leaves that to us. Where
#: none is given, both agree.
OGG_ORDER = {
    3: (0, 2, 1),
    5: (0, 2, 1, 3, 4),
    6: (0, 2, 1, 4, 5, 3),
    7: (0, 2, 1, 5, 6, 4, 3),
    8: (0, 2, 1, 6, 7, 4, 5, 3),
}
#: The length libsndfile gives where a FLAC header leaves it open, as one written to a pipe does.
_UNKNOWN = 1 << 62


class SoundFileBackend:
    """A file that libsndfile reads; what :class:`asteroid_karaoke.audio.AudioReader` reads from.

    Its complaints are ValueErrors without the file's name, which the caller puts in front. Channels
    come in WAVE's order.
    """

    #: ``frames`` is sure, and a file that has fewer is cut off.
    exact = True
    bits = 0

    def __init__(self, path: Path) -> None:
        self._path = path
        # Bytes let names through that are no valid UTF-8.
        self._file = soundfile.SoundFile(os.fsencode(path) if os.name == "posix" else path)
        self.sample_rate, self.channels = self._file.samplerate, self._file.channels
        self.frames, self.subtype = self._file.frames, self._file.subtype
        self.container = self._file.format
        self._order = None
        if self.container == "OGG" and self.channels in OGG_ORDER:
            self._order = np.argsort(OGG_ORDER[self.channels])

    def read(self, frames: int) -> np.ndarray:
        """The next ``(channels, n)`` samples, float32; n < frames only at the end."""
        with _telling_damage():
            block = self._file.read(frames, dtype="float32", always_2d=True)
        return np.ascontiguousarray(block.T if self._order is None else block.T[self._order])

    def seek(self, frame: int) -> None:
        """Go on reading at sample ``frame``."""
        with _telling_damage():
            self._file.seek(frame)

    def close(self) -> None:
        """Give the file back."""
        self._file.close()

    @classmethod
    def reads(cls, path: Path) -> bool:
        """Whether libsndfile knows format and length; complain where the file is not whole."""
        try:
            backend = cls(path)
        except (soundfile.SoundFileError, TypeError):
            # TypeError: soundfile takes a name that ends in .raw for headerless samples.
            return False
        try:
            if not backend.frames:
                if backend.container in ("WAV", "WAVEX"):
                    # Perhaps a recorder was cut off before it had counted: FFmpeg looks.
                    return False
                raise ValueError("holds no samples")
            if backend.container == "OGG" and _is_chained(path):
                # libsndfile ends after the first song.
                return False
            if backend.frames >= _UNKNOWN:
                return False
            if backend.container == "MP3" and not tells_length(
                path, backend.frames, backend.sample_rate
            ):
                # libsndfile would guess, or believe what is not true.
                return False
            backend._check_complete()
        finally:
            backend.close()
        return True

    def _check_complete(self) -> None:
        """Complain where the end that the header promises is not there; moves the position."""
        for found in map(_SHORTENED.match, self._file.extra_info.splitlines()):
            if found and int(found[2]) < int(found[1]) and int(found[1]) not in _LEFT_OPEN:
                raise ValueError(
                    f"is cut off: its header promises {found[1]} bytes of sound, {found[2]} are "
                    f"there; {GET_ANEW}"
                )
        if self.container == "OGG":
            _check_last_page(self._path)
        if self.container in ("MP3", "FLAC"):
            self.seek(self.frames - 1)
            if not self.read(1).size:
                raise ValueError(
                    f"is damaged or cut off: its header promises {self.frames} samples, which it "
                    f"has not; {GET_ANEW}"
                )


@contextmanager
def _telling_damage() -> Iterator[None]:
    try:
        yield
    except soundfile.LibsndfileError as error:
        raise ValueError(f"is damaged or cut off; {GET_ANEW}") from error


def _last_page(path: Path) -> bytes:
    """The end of an Ogg file, from the head of its last page on (RFC 3533, section 6)."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - (1 << 17)))
        tail = file.read()
    return tail[max(0, tail.rfind(b"OggS")) :]


def _is_chained(path: Path) -> bool:
    """Whether an Ogg file holds several songs, one behind the other.

    A stream then begins behind the first one's sound, or the last page is of another stream. The
    first alone would do, if nothing were damaged; the second alone misses a song that is joined to
    itself, or to another one that was given the same number.
    """
    sounds = False
    with path.open("rb") as file:
        first = head = file.read(27)
        while len(head) == 27 and head[:4] == b"OggS":
            begins = bool(head[5] & 2)
            if begins and sounds:
                return True
            sounds = sounds or not begins
            file.seek(sum(file.read(head[26])), os.SEEK_CUR)
            head = file.read(27)
    return first[14:18] != _last_page(path)[14:18]


def _check_last_page(path: Path) -> None:
    """Complain where the last page of an Ogg file is not whole.

    Ogg has no length in its header, so a file that was cut off reads well, only shorter.
    """
    tail = _last_page(path)
    segments = tail[27 : 27 + tail[26]] if len(tail) > 26 else b""
    if not segments or 27 + len(segments) + sum(segments) > len(tail):
        raise ValueError(f"is cut off: its last page is not whole; {GET_ANEW}")
