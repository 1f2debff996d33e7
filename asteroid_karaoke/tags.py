"""Tags and cover art, from the song to its results, by mutagen.

Between files of one family everything is copied as it is, ReplayGain and other loudness data too,
which are left alone; from family to family the fields of :data:`FIELDS`, ReplayGain and pictures
are. The title tells what the file is: "Song (Karaoke)", "Song (Vocals)".

Tags are hostile input: whatever is wrong with them costs the tags, never the song.
"""

import base64
import logging
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mutagen
from mutagen import aiff, apev2, asf, flac, id3, mp3, mp4, oggopus, oggvorbis, wave

logger = logging.getLogger(__name__)

#: A field's name (that of Vorbis comments), its ID3 frame, MP4 atom and ASF attribute.
FIELDS = {
    "title": ("TIT2", "\xa9nam", "Title"),
    "artist": ("TPE1", "\xa9ART", "Author"),
    "album": ("TALB", "\xa9alb", "WM/AlbumTitle"),
    "albumartist": ("TPE2", "aART", "WM/AlbumArtist"),
    "composer": ("TCOM", "\xa9wrt", "WM/Composer"),
    "genre": ("TCON", "\xa9gen", "WM/Genre"),
    "date": ("TDRC", "\xa9day", "WM/Year"),
    "tracknumber": ("TRCK", "trkn", "WM/TrackNumber"),
    "discnumber": ("TPOS", "disk", "WM/PartOfSet"),
    "copyright": ("TCOP", "cprt", "Copyright"),
    "isrc": ("TSRC", "", "WM/ISRC"),
}
#: What APE tags call otherwise; they know no case.
_APE = {
    "albumartist": "Album Artist",
    "date": "Year",
    "tracknumber": "Track",
    "discnumber": "Disc",
}
#: What writes tags, by the file's ending.
_KINDS: dict[str, Any] = {
    ".mp3": mp3.MP3,
    ".flac": flac.FLAC,
    ".ogg": oggvorbis.OggVorbis,
    ".opus": oggopus.OggOpus,
    ".m4a": mp4.MP4,
    ".wma": asf.ASF,
    ".wav": wave.WAVE,
    ".aiff": aiff.AIFF,
}
_VORBIS = (flac.VCFLACDict, oggvorbis.OggVCommentDict, oggopus.OggOpusVComment)
TITLES = {"vocals": "Vocals", "karaoke": "Karaoke"}
#: What tells a player how the other file's encoder has padded it.
_OF_THE_ENCODING = ("----:com.apple.iTunes:iTunSMPB",)
_FREE_ATOM = "----:com.apple.iTunes:"
#: How the names of texts begin that tell a player how loud the song is.
_GAIN = "replaygain_"
#: No picture and no field is larger, in bytes.
_LARGEST = 1 << 24


@dataclass(frozen=True)
class Tags:
    """What a song says of itself.

    Args:
        fields: Plain texts, by the names of :data:`FIELDS` and ``replaygain_*``.
        pictures: Covers: MIME type and bytes.
        native: All of it as mutagen read it. None where it did not.
    """

    fields: Mapping[str, str] = field(default_factory=dict)
    pictures: tuple[tuple[str, bytes], ...] = ()
    native: Any = None


def read(path: Path) -> Tags:
    """The tags of a file; empty where there are none that can be read."""
    try:
        return _read(path)
    except Exception as error:  # mutagen raises what its parsers stumble over.
        logger.debug("the tags of %s can not be read: %s", path, error)
        return Tags()


def _read(path: Path) -> Tags:
    file = mutagen.File(path)
    native = None if file is None else file.tags
    if native is None:
        try:
            # An mp3 may have them at its end, without an ID3 tag before.
            native = apev2.APEv2(path)
        except apev2.APENoHeaderError:
            return Tags(_foreign(path))
    fields = {name: text for name in FIELDS if (text := _get(native, name))}
    fields |= _loudness(native)
    pictures = [(kind, data) for kind, data in _pictures(file, native) if 0 < len(data) <= _LARGEST]
    return Tags({k: v[:_LARGEST] for k, v in fields.items()}, tuple(pictures), native)


def _foreign(path: Path) -> dict[str, str]:
    """What FFmpeg knows of files that mutagen does not: webm, mka, the INFO chunk of a wav."""
    import av

    names = {"album_artist": "albumartist", "track": "tracknumber", "disc": "discnumber"}
    options = {"protocol_whitelist": "file"}
    try:
        container = av.open(f"file:{path}", options=options)
    except UnicodeDecodeError:
        # The code page of the programs that write no Unicode into a wav.
        container = av.open(
            f"file:{path}", options=options, metadata_encoding="cp1252", metadata_errors="replace"
        )
    with container:
        found = {names.get(k.lower(), k.lower()): v for k, v in container.metadata.items()}
        return {k: v for k, v in found.items() if k in FIELDS or k.startswith(_GAIN)}


def _get(native: Any, name: str) -> str:
    frame, atom, attribute = FIELDS[name]
    key = {
        id3.ID3: frame,
        mp4.MP4Tags: atom,
        asf.ASFTags: attribute,
        apev2.APEv2: _APE.get(name, name),
    }
    found = native.get(next((k for kind, k in key.items() if isinstance(native, kind)), name))
    if found is None:
        return ""
    values = [*found] if isinstance(found, apev2.APETextValue) else getattr(found, "text", found)
    first = values[0] if isinstance(values, list) and values else values
    if isinstance(first, tuple):
        return "/".join(str(number) for number in first if number)
    return str(first)


def _loudness(native: Any) -> dict[str, str]:
    if isinstance(native, id3.ID3):
        # TXXX is ID3's frame for texts with a name of their own.
        found = {frame.desc: frame.text[0] for frame in native.getall("TXXX") if frame.text}
    elif isinstance(native, mp4.MP4Tags):
        free = {k.removeprefix(_FREE_ATOM): v for k, v in native.items() if k[:4] == "----"}
        found = {k: bytes(v[0]).decode("utf-8", "replace") for k, v in free.items() if v}
    else:
        # Others may be covers, which have no first one.
        found = {k: v[0] for k, v in dict(native).items() if v and k.lower().startswith(_GAIN)}
    known = {key.lower(): str(value) for key, value in found.items()}
    return {key: value for key, value in known.items() if key.startswith(_GAIN)}


def _pictures(file: Any, native: Any) -> list[tuple[str, bytes]]:
    if isinstance(file, flac.FLAC):
        return [(picture.mime, picture.data) for picture in file.pictures]
    if isinstance(native, id3.ID3):
        return [(frame.mime, frame.data) for frame in native.getall("APIC")]
    if isinstance(native, mp4.MP4Tags):
        kinds = {mp4.MP4Cover.FORMAT_PNG: "image/png"}
        covers = native.get("covr", [])
        return [(kinds.get(cover.imageformat, "image/jpeg"), bytes(cover)) for cover in covers]
    if isinstance(native, asf.ASFTags):
        return [_asf_picture(value.value) for value in native.get("WM/Picture", [])]
    if isinstance(native, apev2.APEv2):
        cover = native.get("Cover Art (Front)")
        return [_ape_picture(cover.value)] if cover else []
    coded = native.get("metadata_block_picture", [])
    found = [flac.Picture(base64.b64decode(text)) for text in coded]
    return [(picture.mime, picture.data) for picture in found]


def _asf_picture(value: bytes) -> tuple[str, bytes]:
    """Kind, length, then MIME type and description in UTF-16, each with a zero at its end."""
    size = struct.unpack_from("<I", value, 1)[0]
    kind = value[5:].decode("utf-16-le", "ignore").partition("\0")[0]
    return kind, value[len(value) - size :]


def _ape_picture(value: bytes) -> tuple[str, bytes]:
    """The name of a file, a zero, and what was in it."""
    data = value.partition(b"\0")[2]
    return "image/png" if data.startswith(b"\x89PNG") else "image/jpeg", data


def texts(tags: Tags, stem: str) -> dict[str, str]:
    """The plain fields as a result has them, for formats that mutagen does not know."""
    known = {k: v for k, v in tags.fields.items() if k in FIELDS}
    if "title" in known:
        known["title"] = f"{known['title']} ({TITLES[stem]})"
    return known


def write(path: Path, suffix: str, tags: Tags, stem: str, song: str) -> None:
    """Put the tags of a song into one of its results, in place.

    Args:
        path: The result; where its format has no tags, or the song has none, nothing happens.
        suffix: Its ending, which ``path`` may lack.
        tags: The song's.
        stem: ``vocals`` or ``karaoke``.
        song: What the title is where the song has none.

    Raises:
        OSError: The disk is full.
    """
    if suffix not in _KINDS or not (tags.fields or tags.pictures or tags.native):
        return
    try:
        file = _KINDS[suffix](path)
        if file.tags is None:
            file.add_tags()
        if isinstance(tags.native, _family(file.tags)):
            _copy(file, tags)
        else:
            for name, text in tags.fields.items():
                _set(file.tags, name, text)
            for kind, data in tags.pictures:
                _add_picture(file, kind, data)
        _set(file.tags, "title", f"{tags.fields.get('title') or song} ({TITLES[stem]})")
        file.save()
    except OSError:
        raise
    except Exception as error:  # As when reading.
        # mutagen wraps what the system says of a full disk.
        if error.args and isinstance(error.args[0], OSError):
            raise error.args[0] from error
        logger.warning("%s: its tags can not be written to a %s: %s", song, suffix[1:], error)


def _family(native: Any) -> Any:
    """The kinds of tags that can be copied to these as they are."""
    for kinds in ((id3.ID3,), (mp4.MP4Tags,), (asf.ASFTags,), _VORBIS):
        if isinstance(native, kinds):
            return kinds
    return ()


def _copy(file: Any, tags: Tags) -> None:
    if isinstance(file.tags, id3.ID3):
        for frame in tags.native.values():
            file.tags.add(frame)
    else:
        for key in dict(tags.native):
            if key not in _OF_THE_ENCODING:
                file.tags[key] = tags.native[key]
    if isinstance(file.tags, _VORBIS):
        # Pictures stand elsewhere in a flac than in an ogg.
        if "metadata_block_picture" in file.tags:
            del file.tags["metadata_block_picture"]
        for kind, data in tags.pictures:
            _add_picture(file, kind, data)


def _set(native: Any, name: str, text: str) -> None:
    frame, atom, attribute = FIELDS.get(name, ("", "", name))
    if isinstance(native, id3.ID3):
        kind = getattr(id3, frame, None)
        # 3 is UTF-8; TXXX takes what ID3 has no frame for.
        native.add(kind(3, [text]) if kind else id3.TXXX(3, name, [text]))
    elif isinstance(native, mp4.MP4Tags):
        if atom in ("trkn", "disk"):
            numbers = [int(part) for part in text.split("/")[:2] if part.strip().isdecimal()]
            if numbers and all(number < 1 << 16 for number in numbers):
                native[atom] = [(numbers[0], numbers[1] if len(numbers) > 1 else 0)]
        elif atom:
            native[atom] = [text]
        else:
            native[_FREE_ATOM + name] = [mp4.MP4FreeForm(text.encode())]
    elif isinstance(native, asf.ASFTags):
        native[attribute] = [text]
    else:
        native[name] = [text]


def _add_picture(file: Any, kind: str, data: bytes) -> None:
    if isinstance(file.tags, id3.ID3):
        file.tags.add(id3.APIC(encoding=3, mime=kind, type=3, desc="", data=data))
    elif isinstance(file.tags, mp4.MP4Tags):
        png = mp4.MP4Cover.FORMAT_PNG if "png" in kind else mp4.MP4Cover.FORMAT_JPEG
        file.tags["covr"] = [*file.tags.get("covr", []), mp4.MP4Cover(data, png)]
    elif isinstance(file.tags, asf.ASFTags):
        head = struct.pack("<BI", 3, len(data)) + f"{kind}\0\0".encode("utf-16-le")
        file.tags["WM/Picture"] = [head + data]
    else:
        picture = flac.Picture()
        picture.type, picture.mime, picture.data = 3, kind, data
        if isinstance(file, flac.FLAC):
            file.add_picture(picture)
        else:
            coded = base64.b64encode(picture.write()).decode("ascii")
            before = file.tags.get("metadata_block_picture", [])
            file.tags["metadata_block_picture"] = [*before, coded]
