"""Where a result comes from: the commit, the machine, the songs' licences."""

import hashlib
import os
import platform
import subprocess
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timezone
from pathlib import Path

from asteroid_karaoke.manifest import Song

ROOT = Path(__file__).resolve().parent.parent


def commit() -> str | None:
    """The commit that is checked out, with ``+changes`` where files differ from it."""
    try:
        name = _git("rev-parse", "HEAD")
        return name + ("+changes" if _git("status", "--porcelain") else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def machine() -> dict[str, str | int | None]:
    """Processor, cores and system."""
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def processor() -> str:
    """The processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or "unknown")


def data(songs: Iterable[Song]) -> dict[str, dict]:
    """For each corpus its number of songs, and how many of them have each licence."""
    found: dict[str, Counter] = {}
    for song in songs:
        found.setdefault(song.corpus, Counter())[song.licence] += 1
    return {
        corpus: {"songs": licences.total(), "licences": dict(sorted(licences.items()))}
        for corpus, licences in found.items()
    }


def today() -> str:
    """The date, in UTC."""
    return datetime.now(timezone.utc).date().isoformat()


def folder_version(folder: Path) -> str:
    """What tells a folder's contents from others': SHA-256 of its files' names, sizes and times."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        facts = path.stat()
        digest.update(f"{path.relative_to(folder)} {facts.st_size} {facts.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _git(*arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=ROOT, text=True, capture_output=True, check=True
    ).stdout.strip()
