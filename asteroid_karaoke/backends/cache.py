"""Exported networks in the user's cache folder, so that a model is exported once.

An entry is a folder named by the weights and the versions that made it. It is written under
another name and renamed, and holds the SHA-256 of each of its files: what is damaged is made anew.
"""

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import platformdirs

from ..parts import hidden

logger = logging.getLogger(__name__)

_SUMS = "sha256.json"


def folder() -> Path:
    """Where the entries are, such as ``~/.cache/asteroid-karaoke/networks``.

    The environment's ``ASTEROID_KARAOKE_CACHE`` names another folder than the system's own.
    """
    usual = platformdirs.user_cache_path("asteroid-karaoke", appauthor=False)
    return Path(os.environ.get("ASTEROID_KARAOKE_CACHE", usual)) / "networks"


def entry(key: str, build: Callable[[Path], None]) -> Path:
    """The folder of an entry, made if it is not there or damaged.

    Args:
        key: All that makes a difference to the content.
        build: Fills the folder that it is given.

    Raises:
        OSError: The cache can not be written to.
    """
    place = folder() / hashlib.sha256(key.encode()).hexdigest()
    if whole(place):
        return place
    place.parent.mkdir(parents=True, exist_ok=True)
    part = hidden(place)
    part.mkdir()
    try:
        build(part)
        (part / _SUMS).write_text(json.dumps(_sums(part)), encoding="utf-8")
        if place.exists():
            logger.warning("%s is damaged and is made anew", place)
            shutil.rmtree(place)
        try:
            part.rename(place)
        except OSError:
            if not whole(place):  # else another process was faster
                raise
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return place


def whole(place: Path) -> bool:
    """Whether an entry is there and its files are what they were."""
    try:
        return json.loads((place / _SUMS).read_text(encoding="utf-8")) == _sums(place)
    except (OSError, ValueError):
        return False


def _sums(place: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(place.iterdir())
        if path.name != _SUMS
    }
