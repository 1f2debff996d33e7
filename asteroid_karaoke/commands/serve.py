"""``asteroid-karaoke serve``: a page on this machine that takes the voice out of songs."""

import argparse
import importlib.util
import signal
import socket
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from .. import loading, preview
from ..arguments import positive, shown
from ..loading import BACKENDS, DEFAULT_MODEL, DEVICES, UsageError
from ..overlap_add import Separator
from ..terminal import complain, quiet_libraries, say
from ..web.limits import Limits

if TYPE_CHECKING:
    from starlette.applications import Starlette

HOST, PORT = "127.0.0.1", 8765
_DEFAULT = Limits()


def add(commands: Any) -> None:
    """Add the command to the others."""
    parser = commands.add_parser(
        "serve",
        help="a page in the browser: drop a song, turn its voice down, change the key, save",
        description="Serve a page on this machine (extra web): drop a song or paste an address, "
        "turn its voice down while it plays, change key and tempo, save. Songs and results are "
        "deleted an hour after they are done, and when the server ends. Ctrl-C ends it.",
    )
    parser.add_argument(
        "--host",
        default=HOST,
        help=f"what to listen on (default: {HOST}, this machine alone; 0.0.0.0 lets everybody in "
        "who can reach it: there is no password)",
    )
    parser.add_argument(
        "--port", type=_port, default=PORT, metavar="N", help=f"default: {PORT}; 0 is any free one"
    )
    _add_limits(parser.add_argument_group("limits"))
    _add_model(parser.add_argument_group("model"))
    parser.set_defaults(run=serve)


def _add_limits(group: Any) -> None:
    group.add_argument(
        "--max-size",
        type=positive,
        default=_DEFAULT.max_bytes // 10**6,
        metavar="MB",
        help="largest song that is taken (default: %(default)s)",
    )
    group.add_argument(
        "--max-duration",
        type=shown(preview.parse_time),
        default=_DEFAULT.max_seconds,
        metavar="TIME",
        help="longest song that is taken, in s, m:ss or h:mm:ss "
        f"(default: {timedelta(seconds=_DEFAULT.max_seconds)})",
    )
    group.add_argument(
        "--jobs",
        type=positive,
        default=1,
        metavar="N",
        help="songs separated at a time, each on the CPU with a model of its own (default: 1)",
    )
    group.add_argument(
        "--queue",
        type=positive,
        default=_DEFAULT.queue,
        metavar="N",
        help="songs that may wait (default: %(default)s)",
    )
    group.add_argument(
        "--private-addresses",
        action="store_true",
        help="fetch songs from this machine and its own network, too: for people you trust",
    )


def _add_model(group: Any) -> None:
    group.add_argument(
        "--model",
        metavar="NAME|PATH|HUB_ID",
        help=f"as for `separate` (default: {DEFAULT_MODEL})",
    )
    for name, choices in (("device", DEVICES), ("backend", BACKENDS)):
        group.add_argument(
            f"--{name}", choices=choices, default="auto", help="as for `separate` (default: auto)"
        )


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"got {text!r}, expected 0 to 65535")
    return int(text)


def serve(options: argparse.Namespace) -> int:
    """Run the server until somebody ends it; the exit code."""
    missing = [name for name in ("starlette", "uvicorn") if not importlib.util.find_spec(name)]
    if missing:
        raise UsageError(
            f"serve needs {' and '.join(missing)}: pip install 'asteroid-karaoke[web]'"
        )
    from ..web.guard import is_loopback
    from ..web.server import application, listen

    try:
        listener = listen(options.host, options.port)
    except socket.gaierror as error:
        raise UsageError(
            f"--host {options.host!r} is no name or address of this machine ({error.strerror}): "
            "give one such as 127.0.0.1, or ::1 without brackets"
        ) from error
    except OSError as error:
        raise UsageError(
            f"{options.host} port {options.port} can not be listened on ({error.strerror}): is "
            "another server running? Give another --port, or a --host of this machine"
        ) from error
    with listener:
        limits = replace(
            _DEFAULT,
            max_bytes=options.max_size * 10**6,
            max_seconds=options.max_duration,
            queue=options.queue,
            private_addresses=options.private_addresses,
        )
        app = application(_models(options), limits, options.host)
        if not is_loopback(options.host):
            complain(
                f"--host {options.host}: whoever reaches this machine can use the page, at its IP "
                "address or its name; there is no password"
            )
        host, port = listener.getsockname()[:2]
        # That stands for all addresses, and can not be opened everywhere.
        host = {"0.0.0.0": HOST, "::": "::1"}.get(host, host)
        name = f"[{host}]" if ":" in host else host
        say(f"open http://{name}:{port} in a browser; Ctrl-C ends the server and deletes all songs")
        with quiet_libraries():
            return _run(app, listener)


def _run(app: "Starlette", listener: Any) -> int:
    from ..web.server import prepared

    if hasattr(signal, "SIGHUP"):
        # A terminal that is closed ends the server as Ctrl-C does, with nothing left behind.
        signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))
    try:
        prepared(app).run(sockets=[listener])
    except KeyboardInterrupt:
        # Raised once more when all is cleared away.
        complain("stopped; all songs are deleted")
    return 0


def _models(options: argparse.Namespace) -> list[Separator]:
    from ..backends import accelerate

    network = loading.load_model(options.model).to(loading.pick_device(options.device))
    try:
        made = [accelerate(network, options.backend) for _ in range(options.jobs)]
    except (OSError, RuntimeError, ValueError) as error:
        raise UsageError(f"--backend {options.backend}: {error}") from error
    say(f"model {options.model or DEFAULT_MODEL}: {made[0][1]}")
    return [model for model, _ in made]
