"""Sound devices, through PortAudio and the package sounddevice."""

import importlib
import queue
import threading
from collections.abc import Iterator
from types import ModuleType, TracebackType
from typing import Any

import numpy as np

#: How often a wait looks whether it was told to end, in s.
_LOOK_SECONDS = 0.2


def library() -> ModuleType:
    """The library that knows sound devices.

    Raises:
        RuntimeError: It, or PortAudio, is not installed.
    """
    try:
        return importlib.import_module("sounddevice")
    except ImportError as error:
        raise RuntimeError(
            "a sound device needs the library sounddevice: install it with "
            "pip install 'asteroid-karaoke[live]'"
        ) from error
    except OSError as error:
        raise RuntimeError(
            f"sounddevice does not find PortAudio ({error}): install it, on Debian and Ubuntu with "
            "apt-get install libportaudio2"
        ) from error


def _opened(kind: str, device: str, rate: int, channels: int, callback: Any) -> Any:
    """A stream of sounddevice's, not yet started."""
    sounddevice = library()
    name = int(device) if device.isdigit() else None if device == "default" else device
    try:
        return getattr(sounddevice, kind)(
            rate, device=name, channels=channels, dtype="float32", callback=callback
        )
    except (ValueError, sounddevice.PortAudioError) as error:
        known = ", ".join(f"{n} {one['name']}" for n, one in enumerate(sounddevice.query_devices()))
        raise ValueError(
            f"the sound device {device!r} can not be opened with {channels} channel(s) at {rate} "
            f"Hz ({error}); there are: {known or 'none'}"
        ) from error


class _Device:
    """A stream that ends with the ``with`` block."""

    _stream: Any

    def __enter__(self) -> Any:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stream.close()


class Listener(_Device):
    """Record from a device.

    Args:
        device: Its number, a part of its name, or ``default``.
        rate: In Hz.
        channels: Number of channels.

    Attributes:
        gaps: How often sound was lost, because it was not fetched in time.

    Raises:
        ValueError: There is no such device, or it can not do this.
        RuntimeError: The library is not installed.
    """

    def __init__(self, device: str, rate: int, channels: int) -> None:
        self.gaps = 0
        self._blocks: queue.SimpleQueue[np.ndarray] = queue.SimpleQueue()
        self._stream = _opened("InputStream", device, rate, channels, self._take)

    def _take(self, samples: np.ndarray, _frames: int, _time: Any, status: Any) -> None:
        self.gaps += bool(status.input_overflow)
        self._blocks.put(samples.T.copy())

    def blocks(self) -> Iterator[np.ndarray]:
        """What is recorded, ``(channels, n)`` float32, until the device is gone."""
        self._stream.start()
        while True:
            try:
                yield self._blocks.get(timeout=_LOOK_SECONDS)
            except queue.Empty:
                if not self._stream.active:
                    return


class Player(_Device):
    """Play on a device.

    Args:
        device: As in :class:`Listener`.
        rate: In Hz.
        channels: Number of channels.
        spare: Silence played first, in s, so that there is always something to play while the next
            block is made.

    Attributes:
        gaps: How often there was nothing to play.

    Raises:
        ValueError, RuntimeError: As :class:`Listener`.
    """

    #: How much may wait, in s, beyond the silence: what comes faster than it is played has to wait.
    AHEAD_SECONDS = 5.0

    def __init__(self, device: str, rate: int, channels: int, spare: float) -> None:
        self.gaps = 0
        self._waiting = np.zeros((channels, round(spare * rate)), np.float32)
        self._most = self._waiting.shape[1] + round(self.AHEAD_SECONDS * rate)
        self._changed = threading.Condition()
        self._started = self._ended = False
        self._stream = _opened("OutputStream", device, rate, channels, self._fill)

    def write(self, block: np.ndarray) -> None:
        """Play ``(channels, n)`` after what waits already; starts with the first.

        Raises:
            OSError: The device is gone.
        """
        with self._changed:
            while self._waiting.shape[1] > self._most and self._stream.active:
                self._changed.wait(_LOOK_SECONDS)
            if self._started and not self._stream.active:
                raise OSError("the sound device that it is played on is gone")
            self._waiting = np.concatenate([self._waiting, block], axis=1)
        if not self._started:
            self._started = True
            self._stream.start()

    def _fill(self, samples: np.ndarray, frames: int, _time: Any, _status: Any) -> None:
        with self._changed:
            ready = self._waiting[:, :frames]
            self._waiting = self._waiting[:, frames:]
            self.gaps += ready.shape[1] < frames and not self._ended
            self._changed.notify()
        samples[: ready.shape[1]] = ready.T
        samples[ready.shape[1] :] = 0

    def finish(self) -> None:
        """Wait until all is played."""
        with self._changed:
            self._ended = True
            while self._started and self._waiting.shape[1] and self._stream.active:
                self._changed.wait(_LOOK_SECONDS)
        self._stream.stop()
