"""How long an mp3 says that it is, and whether that is true.

LAME and Fraunhofer's encoder write a header into the first frame's place that tells how many frames
and bytes follow. Programs that join or cut songs without knowing it leave it as it was.
"""

import os
import re
from pathlib import Path
from typing import BinaryIO

#: LAME's (https://www.codeproject.com/Articles/8295/MPEG-Audio-Frame-Header, 2.3.1) has flags that
#: say which fields there are; Fraunhofer's has all.
_HEADER = re.compile(
    rb"(?:Xing|Info)...(?P<flags>.)(?P<frames>.{4})(?P<bytes>.{4})"
    rb"|VBRI.{6}(?P<vbri_bytes>.{4})(?P<vbri_frames>.{4})",
    re.DOTALL,
)
_HAS_FRAMES, _HAS_BYTES = 1, 2
#: How a frame of layer III begins: twelve bits, version, layer, and whether there is a checksum.
_SYNC = re.compile(rb"\xff[\xe2\xe3\xf2\xf3\xfa\xfb]")
#: No frame is longer, in bytes; the header stands in the first.
_FRAME_BYTES = 2048
#: No mp3 has more, in bit/s; some beyond it for rounding.
_MOST_BITS = 1.05 * 320_000
#: Samples that an encoder adds at most, at both ends: three of its frames.
_PADDING = 3 * 1152


def tells_length(path: Path, frames: int, sample_rate: int) -> bool:
    """Whether an mp3 has such a header, and nothing in the file contradicts it.

    Args:
        path: The file.
        frames: Its length as a decoder takes it from the header, in samples.
        sample_rate: In Hz.
    """
    with path.open("rb") as file:
        begin = _behind_tags(file, 0)
        file.seek(begin)
        first = file.read(_FRAME_BYTES)
        found = _HEADER.search(first)
        if found is None:
            return False
        if found["vbri_bytes"] is None:
            flags = found["flags"][0]
            if not (flags & _HAS_FRAMES and any(found["frames"])):
                return False
            if not flags & _HAS_BYTES:
                return True
        size = int.from_bytes(found["bytes"] or found["vbri_bytes"], "big")
        if 8 * size * sample_rate > (frames + _PADDING) * _MOST_BITS:
            return False
        return not _sounds(file, _behind_tags(file, begin + size))


def _behind_tags(file: BinaryIO, place: int) -> int:
    """Where the tags end that stand at a place, one behind the other.

    ID3 (https://id3.org/id3v2.4.0-structure, sections 3.1 and 6.2, and https://id3.org/ID3v1) and
    APE (https://wiki.hydrogenaudio.org/index.php?title=APEv2_specification).
    """
    while True:
        file.seek(place)
        head = file.read(32)
        if head.startswith(b"ID3") and len(head) >= 10:
            shifts = zip(head[6:10], (21, 14, 7, 0), strict=True)
            place += 10 + sum(byte << shift for byte, shift in shifts)
        elif head.startswith(b"APETAGEX"):
            place += 32 + int.from_bytes(head[12:16], "little")
        elif head.startswith(b"TAG"):
            place += 128
        else:
            return place


def _sounds(file: BinaryIO, place: int) -> bool:
    """Whether more than a frame or two of sound stand at a place: some headers count one less."""
    left = file.seek(0, os.SEEK_END) - place
    file.seek(place)
    return left > 2 * _FRAME_BYTES and bool(_SYNC.search(file.read(_FRAME_BYTES)))
