"""What the page asks for: songs up, their state, their sound by range, files to be saved."""

import asyncio
import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from ..formats import FORMATS
from ..inputs import SUFFIXES
from ..knobs import Knobs, parse_level
from ..options import STEMS
from . import fetch, pictures, playback, render, work
from .jobs import QUEUED, READY, Job, Jobs, told
from .limits import Limits, Refused, Stopped
from .store import Store

#: How long an upload may pause, in s, one that is refused too; and how large a request may be that
#: is no upload, in bytes.
_PATIENCE_SECONDS, _DRAIN_SECONDS = 30.0, 2.0
_LARGEST_ORDER = 1 << 14


class Routes:
    """The server's answers.

    Args:
        jobs: The songs.
        store: Where they are kept.
        limits: What is taken.
        able: What this installation can do besides, for the page: ``stretch``, ``addresses``.
    """

    def __init__(self, jobs: Jobs, store: Store, limits: Limits, able: dict[str, bool]) -> None:
        self._jobs, self._store, self._limits, self._able = jobs, store, limits, able
        # Renderings one at a time: each takes a core, and separating goes on meanwhile. So with
        # pictures. Those that wait hold none of the threads that look at uploads.
        self._renderer = ThreadPoolExecutor(1, "renderer")
        self._artist = ThreadPoolExecutor(1, "artist")

    def all(self) -> list[BaseRoute]:
        """All of them."""
        one = "/api/songs/{id}"
        return [
            Route("/api/about", self.about),
            Route("/api/songs", self.upload, methods=["POST"]),
            Route("/api/addresses", self.address, methods=["POST"]),
            Route(one, self.state),
            Route(one, self.remove, methods=["DELETE"]),
            Route(f"{one}/peaks", self.peaks),
            Route(f"{one}/renderings", self.render, methods=["POST"]),
            Route(f"{one}/sound", self.sound),
            Route(f"{one}/picture", self.picture),
            Route(f"{one}/files", self.make_file, methods=["POST"]),
            Route(f"{one}/files/{{word}}", self.file),
        ]

    async def about(self, _: Request) -> Response:
        """What this server takes."""
        limits = self._limits
        return JSONResponse(
            {
                "max_bytes": limits.max_bytes,
                "max_seconds": limits.max_seconds,
                "keep_seconds": limits.keep_seconds,
                "suffixes": sorted(SUFFIXES),
                "formats": FORMATS,
                **self._able,
            }
        )

    async def upload(self, request: Request) -> Response:
        """A song, as the request's body; its name is a parameter."""
        given = request.query_params.get("name", "").replace("\\", "/")
        name = PurePosixPath(given).name[:200] or "song"
        try:
            job = await self._arrived(request, name)
        except Refused:
            await self._drain(request)
            raise
        return JSONResponse(self._told(job), 201)

    async def _arrived(self, request: Request, name: str) -> Job:
        self._check_size(int(request.headers.get("content-length") or 0))
        with self._jobs.place():
            id, folder = self._store.new()
            suffix = PurePosixPath(name).suffix.lower()
            # Nothing of the name but a known ending gets near a path.
            source = folder / f"song{suffix if suffix in SUFFIXES else ''}"
            try:
                await self._receive(request, source)
                await asyncio.to_thread(work.check, source, name, self._limits)
            except BaseException:
                self._store.remove(folder)
                raise
            job = Job(id, folder, PurePosixPath(name).stem, source)
            self._jobs.add(job)
        return job

    async def _drain(self, request: Request) -> None:
        """Let a refused song come to its end: before that, a browser does not read the answer."""
        size = 0
        # RuntimeError and StopAsyncIteration: it has come to its end.
        ends = (StopAsyncIteration, RuntimeError, ClientDisconnect)
        with suppress(*ends, TimeoutError, asyncio.TimeoutError):
            chunks = request.stream().__aiter__()
            while size <= self._limits.max_bytes:
                size += len(await asyncio.wait_for(chunks.__anext__(), _DRAIN_SECONDS))

    async def _receive(self, request: Request, path: Path) -> None:
        chunks, size = request.stream().__aiter__(), 0
        with path.open("wb") as file:
            while True:
                try:
                    chunk = await asyncio.wait_for(chunks.__anext__(), _PATIENCE_SECONDS)
                except StopAsyncIteration:
                    return
                except (TimeoutError, asyncio.TimeoutError, ClientDisconnect) as error:
                    raise Refused("The upload broke off. Try again.", 408) from error
                size += len(chunk)
                self._check_size(size)
                file.write(chunk)

    def _check_size(self, size: int) -> None:
        if size > self._limits.max_bytes:
            raise Refused(
                f"The song is larger than {self._limits.max_bytes / 1e6:.0f} MB, the most that "
                "this server takes.",
                413,
            )
        if self._store.full(size):
            raise Refused("This server's disk is full. Try again in an hour.", 507)

    async def address(self, request: Request) -> Response:
        """The address of a song."""
        if not self._able["addresses"]:
            raise Refused("This server takes no addresses: it lacks the extra youtube.", 501)
        address = fetch.check_address(str((await self._order(request)).get("address", "")))
        self._check_size(0)
        with self._jobs.place():
            id, folder = self._store.new()
            job = Job(id, folder, address, address=address)
            self._jobs.add(job)
        return JSONResponse(self._told(job), 201)

    async def state(self, request: Request) -> Response:
        """How far a song is."""
        return JSONResponse(self._told(self._job(request)))

    def _job(self, request: Request) -> Job:
        return self._jobs.find(request.path_params["id"])

    def _ready(self, request: Request) -> Job:
        job = self._job(request)
        if job.state != READY:
            raise Refused("This song is not ready yet.", 409)
        return job

    def _told(self, job: Job) -> dict[str, Any]:
        state: dict[str, Any] = {
            **{name: getattr(job, name) for name in ("id", "name", "state", "error")},
            "done": job.done,
            "total": job.total,
            **job.facts,
        }
        now = time.monotonic()
        if job.state == QUEUED:
            state["ahead"] = self._jobs.ahead(job)
        if job.rendered is not None:
            state["rendered"] = job.rendered
        if job.due is not None:
            state["left"] = max(0, job.due - now)
        if job.ended is not None:
            state["expires"] = max(0, self._limits.keep_seconds + job.ended - now)
        return state

    async def remove(self, request: Request) -> Response:
        """Stop a song and delete all of it."""
        self._jobs.remove(self._job(request))
        return Response(status_code=204)

    async def peaks(self, request: Request) -> Response:
        """The waveform."""
        job = self._ready(request)
        path = render.play_path(job, Knobs())
        return JSONResponse(await asyncio.to_thread(playback.peaks, path))

    async def render(self, request: Request) -> Response:
        """Make the sound of a key and tempo, and say how long it is."""
        job, knobs = self._ready(request), self._knobs(await self._order(request))
        path = await self._rendered(request, job, lambda stop: render.to_play(job, knobs, stop))
        return JSONResponse({"frames": path.stat().st_size // 8})

    async def sound(self, request: Request) -> Response:
        """The sound of a key and tempo that was made before, by range."""
        job = self._ready(request)
        path = render.play_path(job, self._knobs(request.query_params))
        if not path.is_file():
            raise Refused("This key and tempo are not there any more: set them again.", 404)
        return FileResponse(path, media_type="application/octet-stream")

    async def picture(self, request: Request) -> Response:
        """The spectrograms."""
        job = self._ready(request)
        theme, size = (request.query_params.get(name, "") for name in ("theme", "size"))
        if theme not in pictures.THEMES or size not in pictures.SIZES:
            raise Refused(f"There is no picture {theme!r}, {size!r}.", 422)
        loop = asyncio.get_running_loop()
        path = await loop.run_in_executor(self._artist, pictures.draw, job, theme, size)
        return FileResponse(path, media_type="image/png")

    async def make_file(self, request: Request) -> Response:
        """Make a file to be saved, and say where it is."""
        job, order = self._ready(request), await self._order(request)
        stem, format = str(order.get("stem")), str(order.get("format"))
        if stem not in STEMS or format not in FORMATS:
            raise Refused(f"There is no {stem!r} in the format {format!r}.", 422)
        knobs = self._knobs(order)
        path = await self._rendered(
            request, job, lambda stop: render.to_save(job, stem, format, knobs, stop)
        )
        url = f"/api/songs/{job.id}/files/{path.parent.name}"
        return JSONResponse({"url": url, "name": path.name, "bytes": path.stat().st_size})

    async def file(self, request: Request) -> Response:
        """A file that was made before."""
        job, word = self._ready(request), request.path_params["word"]
        folder = job.folder / "save"
        made = [path for path in folder.glob("*/*") if path.parent.name == word]
        if not made:
            raise Refused("This file is not there any more: save it again.", 404)
        return FileResponse(made[0], media_type="application/octet-stream", filename=made[0].name)

    async def _rendered(
        self, request: Request, job: Job, function: Callable[[threading.Event], Path]
    ) -> Path:
        """Run a rendering when it is its turn, and end it where nobody waits for it any more."""
        stop = threading.Event()
        made = asyncio.get_running_loop().run_in_executor(self._renderer, function, stop)
        try:
            while not (await asyncio.wait({made}, timeout=0.25))[0]:
                if job.stop.is_set() or await request.is_disconnected():
                    raise Stopped
            return made.result()
        except Stopped as error:
            raise Refused("Stopped.", 409) from error
        except (OSError, ValueError, RuntimeError) as error:
            raise Refused(told(job, error), 422) from error
        finally:
            # However it ends, also where the server does: what runs stops, what waits never runs.
            stop.set()
            made.cancel()

    def _knobs(self, order: Any) -> Knobs:
        try:
            level = parse_level(str(order.get("level", "-inf")))
            key, tempo = float(order.get("key", 0)), float(order.get("tempo", 1))
            knobs = Knobs(level, key=key, tempo=tempo)
        except (TypeError, ValueError) as error:
            raise Refused(f"That can not be played: {error}.", 422) from error
        if knobs.stretched and not self._able["stretch"]:
            raise Refused("This server can not change key or tempo: no extra stretch.", 501)
        return knobs

    async def _order(self, request: Request) -> dict[str, Any]:
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > _LARGEST_ORDER:
                raise Refused("That is too long.", 413)
        try:
            order = json.loads(body)
        except (ValueError, RecursionError):
            order = None
        if not isinstance(order, dict):
            raise Refused("Expected a JSON object.", 422)
        return order
