"""Songs from addresses, fetched by a process of their own that can reach the open internet only.

Who gives a server an address lets it send requests, and the server may reach what the giver may
not: other programs on its machine, a router, a cloud's own data (server-side request forgery,
https://owasp.org/www-community/attacks/Server_Side_Request_Forgery). What a name stands for may
change between a look at it and its use, and any answer may lead elsewhere; so what is looked at is
each connection when it is made, by an audit hook (PEP 578) that nothing in the process can take
away again. A process can also be ended at any moment, which a thread can not.

Run as ``python -m asteroid_karaoke.web.fetch``, it takes a line of JSON and gives one back.
"""

import ipaddress
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path, PurePath, PureWindowsPath
from typing import Any
from urllib.parse import urlsplit

from .. import fetching
from ..inputs import Song
from .limits import Limits, Refused, Stopped

#: The programs that yt-dlp may start: they run YouTube's player, and are its choice.
_RUNTIMES = ("deno", "node", "bun", "qjs", "quickjs")
_NETWORK = ("socket.connect", "socket.sendto", "socket.sendmsg")
_PROGRAMS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.startfile")
#: How often it is looked whether a download is still wanted, and not too large, in s.
_LOOK_SECONDS = 0.2


def check_address(text: str) -> str:
    """The address of a web page or a file, as somebody pasted it.

    Raises:
        Refused: It is none.
    """
    address = text.strip()
    try:
        parts = urlsplit(address)
        good = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        good = False
    if not good or len(address) > 2000 or any(char.isspace() for char in address):
        raise Refused("That is no address. Paste one that begins with https://", 422)
    return address


def fetch(address: str, folder: Path, limits: Limits, stop: threading.Event) -> tuple[Path, str]:
    """Fetch a song.

    Args:
        address: As :func:`check_address` gives it.
        folder: Where the file goes.
        limits: How large and long it may be, and whether this machine's own network is open to it.
        stop: Ends the download when it is set.

    Returns:
        The file and the song's name.

    Raises:
        Refused: It can not be had; the message says why.
        Stopped: ``stop`` was set.
    """
    order = {"address": address, "folder": str(folder), "max_seconds": limits.max_seconds}
    order["private"] = limits.private_addresses
    environment = {**os.environ, "TMPDIR": str(folder), "TEMP": str(folder)}
    if not limits.private_addresses:
        # A proxy would make the connections, out of sight.
        environment = {k: v for k, v in environment.items() if not k.lower().endswith("_proxy")}
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", __name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        text=True,
        start_new_session=True,
    )
    try:
        answer = _wait(process, json.dumps(order), folder, limits, stop)
    finally:
        _end(process)
    try:
        found: dict[str, str] = json.loads(answer.splitlines()[-1])
    except (IndexError, ValueError):
        raise Refused(f"{address} can not be fetched: the download broke off.", 422) from None
    if "error" in found:
        raise Refused(found["error"], 422)
    return Path(found["path"]), found["name"]


def _wait(
    process: "subprocess.Popen[str]",
    order: str,
    folder: Path,
    limits: Limits,
    stop: threading.Event,
) -> str:
    given: str | None = order
    while True:
        try:
            return process.communicate(given, timeout=_LOOK_SECONDS)[0]
        except subprocess.TimeoutExpired:
            given = None
        if stop.is_set():
            raise Stopped
        if _size(folder) > limits.max_bytes:
            raise Refused(
                f"The song is larger than {limits.max_bytes / 1e6:.0f} MB, the most that this "
                "server takes.",
                413,
            )


def _size(folder: Path) -> int:
    """Bytes below a folder, in which yt-dlp renames and deletes files meanwhile."""
    size = 0
    # Not Path.rglob: it fails where a folder goes.
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                size += Path(place, name).stat().st_size
    return size


def _end(process: "subprocess.Popen[str]") -> None:
    """End it and all that it has started."""
    if process.poll() is None:
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.communicate()


def allowed(address: Any) -> bool:
    """Whether a socket's address is one of the open internet."""
    try:
        found = ipaddress.ip_address(str(address[0]).split("%")[0])
    except (ValueError, IndexError, TypeError):
        # A name, which would be looked up out of sight, or the name of a local socket.
        return False
    inside = [found]
    if isinstance(found, ipaddress.IPv6Address):
        # Addresses that carry one of version 4: mapped, 6to4, NAT64.
        carried = [found.ipv4_mapped, found.sixtofour]
        if found in ipaddress.ip_network("64:ff9b::/96"):
            carried.append(ipaddress.IPv4Address(int(found) & 0xFFFFFFFF))
        inside = [other for other in carried if other is not None] or inside
    return all(other.is_global and not other.is_multicast for other in inside)


def _guard(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _NETWORK and not allowed(arguments[1]):
        raise PermissionError(
            "it leads to this machine's own network, where nothing is fetched from; "
            "--private-addresses allows it"
        )
    if event in _PROGRAMS:
        program = _program(arguments)
        if event != "subprocess.Popen" or program not in _RUNTIMES:
            raise PermissionError(f"{program or event} may not be started by a download")


def _program(arguments: tuple[Any, ...]) -> str:
    """The name of what is to be started, as the audit event's arguments tell it."""
    if arguments[0] is not None:
        return PurePath(os.fsdecode(arguments[0])).stem.lower()
    # On Windows a line is all that is given; its first word is in quotes where it has spaces.
    line: str = arguments[1]
    first = line.split('"')[1] if line.startswith('"') else line.partition(" ")[0]
    return PureWindowsPath(first).stem.lower()


def _main() -> None:
    order = json.loads(sys.stdin.readline() or "{}")
    folder = Path(order["folder"])
    if not order["private"]:
        sys.addaudithook(_guard)
    try:
        with fetching.as_file(Song(order["address"]), folder, order["max_seconds"]) as fetched:
            path = folder / f"song{fetched.path.suffix}"
            shutil.move(fetched.path, path)
            answer = {"path": str(path), "name": fetched.name or "song"}
    except (OSError, ValueError, RuntimeError) as error:
        answer = {"error": " ".join(str(error).split())}
    sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    _main()
