"""Licences of songs, in the form that Asteroid's publisher wants."""

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from asteroid_karaoke.parts import write_whole

from .songs import Entry

#: Where a licence can be read; {0} and {1} are what the name says of a Creative Commons licence.
_PAGES = (
    (r"CC0", "https://creativecommons.org/publicdomain/zero/1.0/"),
    (
        r"CC[- ](BY(?:-NC|-SA|-ND)*)[- ](\d\.\d)",
        "https://creativecommons.org/licenses/{0}/{1}/",
    ),
    (r"CC[- ]BY", "https://creativecommons.org/licenses/"),
    (r"GPL-2", "https://www.gnu.org/licenses/old-licenses/gpl-2.0.html"),
    (r"GPL-3", "https://www.gnu.org/licenses/gpl-3.0.html"),
    (r"MIT", "https://spdx.org/licenses/MIT.html"),
    (r"EFF Open Audio", "https://directory.fsf.org/wiki/License:EFF_OAL_v1"),
)
#: What allows to earn money with a work and what is made of it, as licences name themselves.
#: OpenGameArt takes works under free licences alone (https://opengameart.org/content/faq).
_FREE = re.compile(
    r"\b(CC0|CC[- ]BY(?:[- ]SA)?(?![- ]N[CD])|Creative Commons Attribution|[AL]?GPL|GFDL|MIT|BSD"
    r"|Apache|OGA[- ]BY|OpenGameArt|EFF Open Audio|Free Art)\b"
    r"|public domain|creativecommons\.org/(?:licenses/by(?:-sa)?/|publicdomain/)",
    re.IGNORECASE,
)
_FORBIDDING = re.compile(r"\bN[CD]\b|non-?commercial|no-?derivative", re.IGNORECASE)
_DEBIAN = re.compile(r"debian[: ]([\w.+-]+)", re.IGNORECASE)


def is_non_commercial(licence: str) -> bool:
    """Whether nobody may earn money with what is made of a work: what is not known forbids it.

    Args:
        licence: As a source states it. Of a work that is changed, "no derivatives" forbids it too.
    """
    return bool(_FORBIDDING.search(licence)) or not _FREE.search(licence)


def describe(songs: Iterable[Entry]) -> list[dict]:
    """One dict an artist and licence, with all that Asteroid's publisher asks for.

    Args:
        songs: Songs with ``artist``, ``title`` and ``source`` among their facts, as index.csv has
            them. What is not known is "unknown".
    """
    groups: dict[tuple[str, str], list[Entry]] = {}
    for song in songs:
        artist = song.facts.get("artist") or "unknown"
        groups.setdefault((artist, song.licence), []).append(song)
    return [
        {
            "title": ", ".join(song.facts.get("title") or song.id for song in members),
            "title_link": _source_page(_source(members)),
            "author": artist,
            "author_link": _source_page(_source(members)),
            "license": licence,
            "license_link": _licence_page(licence, _source(members)),
            "non_commercial": is_non_commercial(licence),
        }
        for (artist, licence), members in groups.items()
    ]


def _source(songs: Sequence[Entry]) -> str:
    return songs[0].facts.get("source") or "unknown"


def _licence_page(licence: str, source: str) -> str:
    """The page of the licence that is named first; the work's own, where none is known."""
    found = [(re.search(pattern, licence), page) for pattern, page in _PAGES]
    named = [(match.start(), match, page) for match, page in found if match]
    if not named:
        return _source_page(source)
    _, match, page = min(named, key=lambda one: one[0])
    return page.format(*(group.lower() for group in match.groups()))


def _source_page(source: str) -> str:
    """A page about the place that a file was taken from: a repository or a Debian package."""
    if source.startswith("github:"):
        return "https://github.com/" + source.removeprefix("github:").split("@")[0].split(" ")[0]
    if source.startswith("github.com/"):
        return "https://" + source
    found = _DEBIAN.match(source)
    return f"https://tracker.debian.org/pkg/{found[1]}" if found else source


def write(licenses: Sequence[Mapping[str, object]], output_dir: str | os.PathLike) -> Path:
    """Write ``licenses.json`` beside the manifests, for the card of a model trained on them."""
    content = json.dumps(licenses, indent=1, ensure_ascii=False).encode()
    return write_whole(Path(output_dir) / "licenses.json", content)
