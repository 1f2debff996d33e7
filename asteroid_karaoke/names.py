"""Names of the results, from a template, safe on every file system.

What a template is filled with comes from tags and from file names, so it is hostile: a field never
makes a folder, and what any system forbids is replaced. Windows forbids most
(https://learn.microsoft.com/windows/win32/fileio/naming-a-file); the length is Linux's, 255 bytes,
less some for the ending and for what copying programs add.
"""

import re
import string
import unicodedata
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

#: What a template may name: tags, ``song`` (the file's name without its ending), and ``stem``.
FIELDS = (
    *("song", "stem", "title", "artist", "album", "albumartist", "composer"),
    *("genre", "date", "tracknumber", "discnumber"),
)
DEFAULT = "{song}_{stem}"
#: The longest part of a name between two slashes, in bytes of UTF-8.
_LONGEST = 240
_FORBIDDEN = re.compile(r'[<>:"/\\|?*]')
#: Devices, to Windows, with any ending.
_DEVICES = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])\s*(\.|$)", re.I)
#: Control characters, marks that turn the writing's direction, halves of characters.
_INVISIBLE = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def check(template: str, stems: int) -> None:
    """Complain about a template that can not be filled.

    Args:
        template: Such as ``{artist}/{album}/{title} ({stem})``; slashes make folders.
        stems: How many files a song becomes.

    Raises:
        ValueError: It names an unknown field, formats one, leaves the folder, or gives several
            files one name.
    """
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as error:
        raise ValueError(
            f"got the name {template!r}, which has a brace too many: {error}"
        ) from error
    for _, field, layout, conversion in parts:
        if field is not None and (field not in FIELDS or layout or conversion):
            raise ValueError(
                f"got the name {template!r}, expected plain fields such as {{title}}, of: "
                + ", ".join(FIELDS)
            )
    fields = {field for _, field, _, _ in parts}
    if stems > 1 and "stem" not in fields:
        raise ValueError(f"got the name {template!r}, which is one for all stems: add {{stem}}")
    path = PurePosixPath(template)
    if path.is_absolute() or ".." in path.parts or not path.parts or template.endswith("/"):
        raise ValueError(f"got the name {template!r}, expected one below the output folder")


def fill(template: str, values: Mapping[str, str], stem: str, suffix: str) -> Path:
    """The name, with folders if the template has some, of one result.

    Args:
        template: As in :func:`check`, which it has passed.
        values: What is known of :data:`FIELDS`; ``song`` must be. A missing title is the song's
            file name, anything else that is missing is "Unknown" and its name.
        stem: ``vocals`` or ``karaoke``.
        suffix: The ending, with its dot.

    Examples:
        >>> fill("{artist} - {title} ({stem})", {"song": "a", "artist": "AC/DC"}, "karaoke", ".mp3")
        PosixPath('AC_DC - a (karaoke).mp3')
    """
    known = {field: f"Unknown {field}" for field in FIELDS}
    known |= {"title": values["song"]} | {k: v for k, v in values.items() if v.strip()}
    *folders, last = [part for part in template.split("/") if part not in ("", ".")]
    return Path(*(_part(folder, known, stem, "") for folder in folders)) / _part(
        last, known, stem, suffix
    )


def _part(template: str, values: Mapping[str, str], stem: str, suffix: str) -> str:
    """One part of a path; where it is too long, the fields get shorter, the stem does not."""
    for length in range(_LONGEST, -1, -8):
        filled = {field: _cut(_clean(value), length) for field, value in values.items()}
        name = _settle(template.format(**{**filled, "stem": stem})) + suffix
        if len(name.encode()) <= _LONGEST:
            return name
    raise ValueError(f"got the name {template!r}, which is longer than {_LONGEST} bytes by itself")


def _clean(text: str) -> str:
    normal = unicodedata.normalize("NFC", text)
    shown = ("_" if unicodedata.category(char) in _INVISIBLE else char for char in normal)
    return _FORBIDDEN.sub("_", "".join(shown)).strip()


def _cut(text: str, length: int) -> str:
    return text.encode()[:length].decode(errors="ignore").rstrip()


def _settle(name: str) -> str:
    """What only shows in the whole name: dots at its ends, and devices."""
    name = _clean(name).rstrip(". ")
    if not name or name[0] == ".":
        name = "_" + name.lstrip(".")
    return "_" + name if _DEVICES.match(name) else name
