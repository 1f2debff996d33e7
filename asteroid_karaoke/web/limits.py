"""How much is taken, and for how long it is kept."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What one server takes.

    Args:
        max_bytes: The largest upload, in bytes.
        max_seconds: The longest song, in s.
        queue: Songs that may wait, besides those that are worked on.
        keep_seconds: How long a song and its results are kept once they are done, in s.
        private_addresses: Whether songs are fetched from this machine and its own network, too.
    """

    max_bytes: int = 300 * 10**6
    max_seconds: float = 30 * 60.0
    queue: int = 10
    keep_seconds: float = 3600.0
    private_addresses: bool = False


class Refused(Exception):
    """What can not be done, told to who asked for it.

    Args:
        message: What is wrong and what to do, for people.
        status: The HTTP status.
    """

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class Stopped(Exception):
    """The work was cancelled."""
