"""One function over many songs, several at a time: on this machine's cores, or on a Dask cluster.

On this machine joblib does it. A cluster (extra ``cluster``) is started by hand, for instance::

    dask scheduler --host ADDRESS --port 8786
    dask worker tcp://ADDRESS:8786 --nthreads 1       # on each machine, once a core

All machines must see the songs, the folder of the results and this project under the same path, and
have the package installed. Dask gives a song whose worker died to another one; a song over which
several workers die (four, unless Dask is configured otherwise) is given up, and the others go on.

joblib's own Dask backend would be shorter. It is not used because it waits for ever for a song that
Dask has given up (seen with joblib 1.6.0 and distributed 2026.8.0).
"""

import os
import pickle
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

if TYPE_CHECKING:
    from distributed import Client

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")
#: How long a scheduler may take to answer, and its first worker to show up, in s.
_PATIENCE = 20


class Lost(NamedTuple):
    """Stands for the outcome of an item that no worker survived."""

    item: Any
    reason: str


def run(
    function: Callable[[Item], Outcome],
    items: Iterable[Item],
    jobs: int = 1,
    scheduler: str | None = None,
    *,
    in_order: bool = True,
) -> Iterator[Outcome | Lost]:
    """Call a function with each item, and give the outcomes one by one.

    Args:
        function: Must be picklable, and name files by absolute paths where a cluster is used.
        items: Its arguments.
        jobs: How many are worked on at a time on this machine; -1 for one a core.
        scheduler: Address of a Dask scheduler, whose workers do the work instead.
        in_order: Whether outcomes come in the items' order, not as they end.

    Raises:
        OSError: No cluster answers, it has no workers, it is lost on the way, or a process on this
            machine died, for example for lack of memory.
        ValueError: Dask is not installed, or the address is none.
    """
    if scheduler:
        yield from _on_cluster(function, list(items), scheduler, in_order)
    else:
        yield from _here(function, items, jobs, in_order)


def _here(
    function: Callable[[Item], Outcome], items: Iterable[Item], jobs: int, in_order: bool
) -> Iterator[Outcome]:
    from concurrent.futures.process import BrokenProcessPool

    from joblib import Parallel, delayed

    # A worker whose memory has grown, as that of separating does, ends after its song, and another
    # one takes its place: nothing is lost, and there is nothing to do about it.
    warnings.filterwarnings("ignore", "A worker stopped while some jobs", UserWarning)
    outcomes = "generator" if in_order else "generator_unordered"
    if jobs != 1:
        function = partial(_in_folder, Path.cwd(), function)
    try:
        yield from Parallel(n_jobs=jobs, return_as=outcomes)(
            delayed(function)(item) for item in items
        )
    except BrokenProcessPool as error:
        raise ChildProcessError(
            "a process that worked on a song died, perhaps for lack of memory: run the same again "
            "with fewer --jobs; what is finished is kept"
        ) from error


def _in_folder(folder: Path, function: Callable[[Item], Outcome], item: Item) -> Outcome:
    # joblib keeps its processes for the next time, and they stay in the folder that they began in.
    os.chdir(folder)
    return function(item)


def _on_cluster(
    function: Callable[[Item], Outcome], items: Sequence[Item], scheduler: str, in_order: bool
) -> Iterator[Outcome | Lost]:
    with _connect(scheduler) as client:
        from distributed import KilledWorker, as_completed
        from distributed.client import FutureCancelledError
        from distributed.comm.core import CommClosedError

        tasks = [pickle.dumps((function, item)) for item in items]
        futures = client.map(_portable(_home(function)), tasks, pure=False)
        given = dict(zip((future.key for future in futures), items, strict=True))
        for future in futures if in_order else as_completed(futures, client.loop):
            try:
                yield pickle.loads(future.result())
            except KilledWorker:
                yield Lost(
                    given[future.key],
                    "all workers that were given it died, perhaps for lack of memory: look at "
                    "their logs, or do it without --scheduler",
                )
            except ModuleNotFoundError as error:
                raise OSError(
                    f"a worker of {scheduler} can not import {error.name}: install the package "
                    f"there, and let every machine see {_home(function)}"
                ) from error
            except (FutureCancelledError, CommClosedError) as error:
                raise ConnectionError(
                    f"the Dask scheduler at {scheduler} was lost: start it again and run the same "
                    "again; what is finished is kept"
                ) from error


def _home(function: Callable[..., Any]) -> str:
    """The folder that a function's module, or that of a partial one, is imported from."""
    module = sys.modules[getattr(function, "func", function).__module__]
    return str(Path(str(module.__file__)).resolve().parents[module.__name__.count(".")])


def _portable(home: str) -> Callable[[bytes], bytes]:
    """A function that does a pickled task wherever it is sent.

    Dask sends a function by name where it has one that can be imported, and neither scheduler nor
    workers need know, for instance, the recipes, which are not installed. One made inside another
    has none and is sent as code.
    """

    def work(task: bytes) -> bytes:
        import pickle
        import sys

        if home not in sys.path:
            # At the end: what is installed there comes first.
            sys.path.append(home)
        function, item = pickle.loads(task)
        return pickle.dumps(function(item))

    return work


@contextmanager
def _connect(scheduler: str) -> Iterator["Client"]:
    """A client of the cluster at an address, once it has a worker.

    Raises:
        ConnectionError: Nobody answers there, or the cluster has no workers.
        ValueError: Dask is not installed, or the address is none.
    """
    try:
        from distributed import Client
        from distributed import TimeoutError as TooLate
    except ImportError as error:
        raise ValueError(
            "--scheduler needs Dask, which is not installed: "
            "pip install 'asteroid-karaoke[cluster]'"
        ) from error
    try:
        client = Client(scheduler, timeout=_PATIENCE, set_as_default=False)
    except ValueError as error:
        raise ValueError(
            f"{scheduler!r} is no address of a Dask scheduler ({error}): give it as the scheduler "
            "prints it, such as tcp://192.168.0.2:8786"
        ) from error
    except (OSError, TooLate) as error:
        raise ConnectionError(
            f"no Dask scheduler answers at {scheduler}: start one (dask scheduler) and give the "
            "address that it prints"
        ) from error
    with client:
        try:
            client.wait_for_workers(1, timeout=_PATIENCE)
        except TooLate as error:
            raise ConnectionError(
                f"the Dask scheduler at {scheduler} has no workers: start some (dask worker "
                f"{scheduler})"
            ) from error
        yield client
