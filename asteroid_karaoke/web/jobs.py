"""Songs that wait, are worked on, or are done: a queue, and a worker for each model."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..overlap_add import Separator
from .limits import Limits, Refused, Stopped
from .store import Store

logger = logging.getLogger(__name__)

QUEUED, FETCHING, SEPARATING, PREPARING, READY, FAILED = (
    *("queued", "fetching", "separating", "preparing", "ready", "failed"),
)


@dataclass(eq=False)
class Job:
    """One song on its way.

    Its folder is worked in, and deleted, by who holds the lock.

    Args:
        id: Who knows it may have the results.
        folder: Where all of it is.
        name: The song's name, for people.
        source: The song. None until it is fetched.
        address: Where to fetch it.
        state: One of the words above.
        error: What went wrong.
        done: Seconds of the song that are separated.
        total: Seconds of the song in all, 0 while not known.
        due: When all are separated, on the monotonic clock. None while nobody can say.
        ended: When it was done or failed, on the monotonic clock.
        rendered: How much of a rendering is made, from 0 to 1; None while none is.
        facts: What the player must know.
        stop: Set where it is no longer wanted.
    """

    id: str
    folder: Path
    name: str
    source: Path | None = None
    address: str = ""
    state: str = QUEUED
    error: str = ""
    done: float = 0.0
    total: float = 0.0
    due: float | None = None
    ended: float | None = None
    rendered: float | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    stop: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def progress(self) -> Callable[[float, float], None]:
        """What tells the job how far its separation is, and ends it where it was cancelled."""
        started = time.monotonic()

        def tell(done: float, total: float) -> None:
            if self.stop.is_set():
                raise Stopped
            self.done, self.total = done, total
            now = time.monotonic()
            self.due = now + (now - started) * (total - done) / done

        return tell


class Jobs:
    """All songs of a server.

    Args:
        models: A worker's each, since not every backend can be called by two threads.
        work: What a worker does with a job and its model; raises what goes wrong.
        store: Where the jobs' folders are.
        limits: How many may wait, and how long they are kept.
    """

    def __init__(
        self,
        models: Sequence[Separator],
        work: Callable[[Job, Separator], None],
        store: Store,
        limits: Limits,
    ) -> None:
        self._work, self._store, self._limits = work, store, limits
        self._jobs: dict[str, Job] = {}
        self._queue: deque[Job] = deque()
        self._arriving = self._busy = 0
        self._changed = threading.Condition()
        self._closed = False
        self._workers = [
            threading.Thread(target=self._run, args=(model,), name=f"worker {n}", daemon=True)
            for n, model in enumerate(models)
        ]

    def start(self) -> None:
        """Let the workers begin."""
        for worker in self._workers:
            worker.start()

    @contextmanager
    def place(self) -> Iterator[None]:
        """Keep a place in the queue for a song that is arriving.

        Raises:
            Refused: There is none.
        """
        with self._changed:
            if len(self._queue) + self._arriving >= self._limits.queue:
                raise Refused(
                    f"{self._limits.queue} songs are waiting or arriving already, which is as many "
                    "as this server takes: try again in a few minutes.",
                    503,
                )
            self._arriving += 1
        try:
            yield
        finally:
            with self._changed:
                self._arriving -= 1

    def add(self, job: Job) -> None:
        """Put a job at the queue's end."""
        with self._changed:
            self._jobs[job.id] = job
            self._queue.append(job)
            self._changed.notify()

    def find(self, name: str) -> Job:
        """The job of an id.

        Raises:
            Refused: There is none.
        """
        job = self._jobs.get(name)
        if job is None:
            hours = self._limits.keep_seconds / 3600
            kept = "an hour" if hours == 1 else f"{hours:g} hours"
            raise Refused(
                f"This song is no longer here: songs are deleted {kept} after they are done.", 404
            )
        return job

    def ahead(self, job: Job) -> int:
        """How many songs come before a job that waits, those included that are worked on."""
        with self._changed:
            waiting = list(self._queue)
            return waiting.index(job) + self._busy if job in waiting else 0

    def remove(self, job: Job) -> None:
        """Stop a job and delete all of it, as soon as its work has come to an end."""
        job.stop.set()
        with self._changed:
            self._jobs.pop(job.id, None)
            if job in self._queue:
                self._queue.remove(job)
        # The lock may be held for as long as a block takes, which is no reason to wait.
        threading.Thread(target=self._wipe, args=(job,), daemon=True).start()

    def _wipe(self, job: Job) -> None:
        with job.lock:
            self._store.remove(job.folder)

    def expire(self) -> None:
        """Delete what has been kept for long enough."""
        latest = time.monotonic() - self._limits.keep_seconds
        for job in list(self._jobs.values()):
            if job.ended is not None and job.ended <= latest:
                self.remove(job)

    def close(self) -> None:
        """Stop all work and wait for its end."""
        with self._changed:
            self._closed = True
            for job in self._jobs.values():
                job.stop.set()
            self._queue.clear()
            self._changed.notify_all()
        for worker in self._workers:
            worker.join()
        for job in self._jobs.values():
            # Whoever makes something of a song ends now, too.
            with job.lock:
                continue

    def _run(self, model: Separator) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._closed)
                if self._closed:
                    return
                job = self._queue.popleft()
                self._busy += 1
            try:
                with job.lock:
                    self._do(job, model)
            finally:
                with self._changed:
                    self._busy -= 1

    def _do(self, job: Job, model: Separator) -> None:
        try:
            if job.stop.is_set():
                return
            self._work(job, model)
            job.state = READY
        except Stopped:
            return
        except (OSError, ValueError, RuntimeError, MemoryError, Refused) as error:
            self._fail(job, told(job, error))
        except Exception:
            # A fault of ours costs one song, not the worker and all songs behind it.
            logger.exception("a song could not be separated")
            self._fail(job, "Something went wrong here, and the server's log says what.")
        job.ended = time.monotonic()

    def _fail(self, job: Job, error: str) -> None:
        job.error, job.state = error, FAILED
        self._store.remove(job.folder)


def told(job: Job, error: Exception) -> str:
    """An error in words for who uses the page, who knows the song by its name, not by its path."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text.replace(str(job.source), job.name) if job.source else text
