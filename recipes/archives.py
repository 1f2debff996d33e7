"""Zip archives of strangers, unpacked without trusting them.

Nothing is written before all that an archive says of itself has been looked at: no member may lead
out of the folder (``..``, absolute paths, drives; known as zip slip), be a link or a device, be
encrypted, or stand twice, and all of them together may not be larger than a limit or than the disk
(zip bombs). A member that holds more than it says, or something else, is found while unpacking:
zipfile reads no more than was declared, and compares the checksum.
"""

import logging
import os
import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath, PureWindowsPath

from asteroid_karaoke.parts import sweep, whole

logger = logging.getLogger(__name__)
COMPLETED = ".completed"
_BLOCK = 1 << 20
_MOST_MEMBERS = 100_000
#: What macOS and Windows leave in archives.
_LITTER = ("__MACOSX", ".DS_Store", "Thumbs.db")


def unpack(archive: str | os.PathLike, folder: str | os.PathLike, limit: int) -> Path:
    """Unpack a zip archive, or go on where a run before broke off.

    A member that is there already, with the right length and checksum, is kept. A file
    ``.completed`` marks the end and spares a second run with the same archive all the work.

    Args:
        archive: The archive.
        folder: Where to; it is made.
        limit: What all members may have together when unpacked, in bytes.

    Returns:
        The folder.

    Raises:
        FileNotFoundError: There is no such archive.
        ValueError: It is no zip archive, is broken, or holds what it must not. Names the member.
        OSError: The disk is full.
    """
    from tqdm import tqdm

    archive, folder = Path(archive), Path(folder).resolve()
    if not archive.is_file():
        raise FileNotFoundError(f"no archive at {archive}: check the name")
    facts = archive.stat()
    mark, identity = folder / COMPLETED, f"{archive.name} {facts.st_size} {facts.st_mtime_ns}\n"
    if mark.is_file() and mark.read_text(encoding="utf-8") == identity:
        return folder
    try:
        with zipfile.ZipFile(archive) as opened:
            members = _members(opened, limit)
            folder.mkdir(parents=True, exist_ok=True)
            _check_space(members, folder)
            for member in tqdm(members, desc=f"unpack {archive.name}", unit="file"):
                _unpack_member(opened, member, folder)
    # NotImplementedError: a way to compress that Python does not know.
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise ValueError(
            f"{archive} is no zip archive that can be read to its end ({error}): get it anew, or "
            "unpack it yourself and name the folder"
        ) from error
    mark.write_text(identity, encoding="utf-8")
    return folder


def _members(archive: zipfile.ZipFile, limit: int) -> list[zipfile.ZipInfo]:
    """The files in an archive, once nothing speaks against it."""
    infos = archive.infolist()
    if len(infos) > _MOST_MEMBERS:
        raise ValueError(f"{archive.filename} holds {len(infos)} files, expected far fewer")
    members: dict[PurePosixPath, zipfile.ZipInfo] = {}
    for info in infos:
        path = _path(info)
        litter = set(path.parts) & set(_LITTER) or path.name.startswith("._")
        if not path.parts or info.is_dir() or litter:
            continue
        if path in members:
            raise ValueError(f"{archive.filename} holds {info.filename!r} twice")
        if info.flag_bits & 1:
            raise ValueError(f"{archive.filename} is encrypted: unpack it, and name the folder")
        members[path] = info
    total = sum(info.file_size for info in members.values())
    if total > limit:
        raise ValueError(
            f"{archive.filename} says that it unpacks to {total:,} bytes, expected at most "
            f"{limit:,}: is it the right archive?"
        )
    return list(members.values())


def _path(info: zipfile.ZipInfo) -> PurePosixPath:
    """A member's place in the folder; complains where it would be elsewhere, or is no file."""
    # Some programs on Windows write their own separators, against the format's rules.
    path = PurePosixPath(info.filename.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or PureWindowsPath(info.filename).drive:
        raise ValueError(
            f"the archive holds {info.filename!r}, which leads out of the folder: do not trust it"
        )
    if any(ord(letter) < 32 for letter in info.filename):
        raise ValueError(f"the archive holds a name with control characters: {info.filename!r}")
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise ValueError(
            f"the archive holds {info.filename!r}, which is a link or a device: do not trust it"
        )
    return path


def _check_space(members: list[zipfile.ZipInfo], folder: Path) -> None:
    missing = sum(member.file_size for member in members if not (folder / _path(member)).is_file())
    free = shutil.disk_usage(folder).free
    if missing > free:
        raise OSError(
            f"{folder} has {free:,} bytes left, unpacking takes {missing:,}: make room, or choose "
            "another storage folder"
        )


def _unpack_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path) -> None:
    target = folder / _path(member)
    # A link that lies in the folder from elsewhere leads out of it as well.
    if not target.parent.resolve().is_relative_to(folder):
        raise ValueError(f"{target} leads out of {folder}, by a link: unpack to an empty folder")
    if _is_whole(target, member):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    sweep(target.parent)
    with whole(target) as part, archive.open(member) as source, part.open("wb") as file:
        shutil.copyfileobj(source, file, _BLOCK)


def _is_whole(path: Path, member: zipfile.ZipInfo) -> bool:
    if path.is_symlink() or not path.is_file() or path.stat().st_size != member.file_size:
        return False
    checksum = 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            checksum = zlib.crc32(block, checksum)
    return checksum == member.CRC
