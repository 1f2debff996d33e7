"""The server: its parts put together, and run until somebody ends it."""

import asyncio
import importlib.util
import os
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from ..overlap_add import Separator
from . import work
from .guard import Guard
from .jobs import Jobs
from .limits import Limits, Refused
from .routes import Routes
from .store import Store

PAGE = Path(__file__).parent / "page"
#: How often it is looked for what is an hour old, and how long answers may take at the end, in s.
_SWEEP_SECONDS = 5.0
_GRACE_SECONDS = 2


class _Page(StaticFiles):
    """The page's files, asked after each time: a new version shows at once."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        return response


def application(
    models: Sequence[Separator], limits: Limits, host: str, place: Path | None = None
) -> Starlette:
    """The application.

    Args:
        models: As many songs are separated at a time.
        limits: What is taken.
        host: What the server is bound to.
        place: Where songs are kept meanwhile. None: the system's folder for temporary files.
    """
    store = Store(place)
    jobs = Jobs(models, partial(work.separate, limits=limits), store, limits)
    able = {
        "stretch": importlib.util.find_spec("python_stretch") is not None,
        "addresses": importlib.util.find_spec("yt_dlp") is not None,
    }

    @asynccontextmanager
    async def life(_: Starlette) -> AsyncIterator[None]:
        jobs.start()
        sweeper = asyncio.ensure_future(_sweep(jobs))
        try:
            yield
        finally:
            sweeper.cancel()
            await asyncio.to_thread(jobs.close)
            store.close()

    routes = Routes(jobs, store, limits, able).all()
    return Starlette(
        routes=[*routes, Mount("/", _Page(directory=PAGE, html=True))],
        middleware=[Middleware(Guard, host=host)],
        exception_handlers={Refused: _refuse},
        lifespan=life,
    )


async def _sweep(jobs: Jobs) -> None:
    while True:
        await asyncio.sleep(_SWEEP_SECONDS)
        jobs.expire()


async def _refuse(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return JSONResponse({"error": str(error)}, error.status)


def listen(host: str, port: int) -> socket.socket:
    """A socket that browsers can reach.

    Raises:
        OSError: The port is taken, or the host is not this machine's.
    """
    family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind)
    try:
        if os.name == "posix":
            # A port that was in use a moment ago is free. On Windows one that is in use would be.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        # From now on nobody is turned away: who comes before the server is ready waits a moment.
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener


def prepared(app: Starlette) -> uvicorn.Server:
    """The server, which runs by ``run(sockets=[listener])`` until Ctrl-C or ``should_exit``."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            server_header=False,
            ws="none",
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
    )
