r"""``asteroid-karaoke live``: the voice taken out of a sound that is being made.

Sound comes from standard input, as raw samples, or from a sound device, and goes to standard output
or a device. How the model follows it is told in :mod:`asteroid_karaoke.sliding`. From a pipe to a
pipe the sound is not shifted: it is as long as what came in, only later. On standard output there
is nothing but samples; what there is to say goes to standard error::

    ffmpeg -re -i song.mp3 -f s16le -ar 44100 -ac 2 - \
        | asteroid-karaoke live --vocals-level 20% | aplay -f cd
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from typing import Any, BinaryIO

import numpy as np

from .arguments import up_to
from .devices import Listener, Player
from .knobs import Knobs, add_level, turn
from .loading import DEFAULT_MODEL, DEVICES, load_model, pick_device
from .overlap_add import Separator
from .overlap_add import run as run_model
from .sliding import HOP_SECONDS, WINDOW_SECONDS, latency, slide
from .terminal import complain, forget, standard_input

#: Raw samples, little-endian, by FFmpeg's names: numpy's type, and full scale.
SAMPLE_FORMATS = {"s16le": ("<i2", 32768), "f32le": ("<f4", 1)}
#: The most that is read from a pipe at once, in s.
_READ_SECONDS = 0.05
#: What a device has in reserve for a block that takes longer than the first, in s.
_SPARE_SECONDS = 0.1


def add_parser(commands: Any) -> None:
    """Add the command ``live`` to what argparse's ``add_subparsers`` gave."""
    parser = commands.add_parser(
        "live",
        help="take the voice out of a stream of sound, less than 1 s behind it",
        description="Take the voice out of a sound while it is being made, less than 1 s behind "
        "it. The model needs five times what it needs for a file and hears less around each "
        "moment, so the result is not quite as good as that of `separate`. Ctrl-C ends it. Raw "
        "samples are interleaved, as FFmpeg's -f s16le makes them.",
    )
    device = "number of a sound device, a part of its name, or `default`; -, the default, is"
    parser.add_argument(
        "--input", metavar="DEVICE", default="-", help=f"{device} raw samples on standard input"
    )
    parser.add_argument(
        "--output", metavar="DEVICE", default="-", help=f"{device} raw samples on standard output"
    )
    parser.add_argument(
        "--sample-format",
        choices=tuple(SAMPLE_FORMATS),
        default="s16le",
        help="of raw samples, in and out (default: s16le)",
    )
    for name, default, (least, most), about in (
        ("rate", 44100, (8000, 384_000), "samples a second and channel"),
        ("channels", 2, (1, 64), "of input and output"),
    ):
        parser.add_argument(
            f"--{name}",
            type=up_to(most, least),
            default=default,
            metavar="N",
            help=f"{about} (default: {default})",
        )
    parser.add_argument(
        "--stem",
        choices=("karaoke", "vocals"),
        default="karaoke",
        help="what is given out (default: karaoke)",
    )
    add_level(parser)
    parser.add_argument(
        "--model",
        metavar="NAME|PATH|HUB_ID",
        help=f"as for `separate` (default: {DEFAULT_MODEL})",
    )
    parser.add_argument(
        "--device", choices=DEVICES, default="auto", help="where the model runs (default: auto)"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the command.

    Returns:
        The exit code: 0 at the input's end, after Ctrl-C, or when nobody listens any more; else 1.
    """
    model = load_model(options.model).to(pick_device(options.device))
    try:
        with ExitStack() as stack:
            _follow(model, options, stack)
    except KeyboardInterrupt:
        complain("stopped")
    except BrokenPipeError:
        forget(sys.stdout)
    except (OSError, ValueError, RuntimeError) as error:
        complain(error)
        return 1
    return 0


def _follow(model: Separator, options: argparse.Namespace, stack: ExitStack) -> None:
    rate, channels, layout = options.rate, options.channels, options.sample_format
    blocks: Iterable[np.ndarray]
    listener = player = None
    if options.input == "-":
        blocks = read_raw(standard_input(), layout, rate, channels)
    else:
        listener = stack.enter_context(Listener(options.input, rate, channels))
        blocks = listener.blocks()
    write: Callable[[np.ndarray], None]
    if options.output == "-":
        write = raw_writer(sys.stdout.buffer, layout)
    else:
        player = stack.enter_context(Player(options.output, rate, channels, _SPARE_SECONDS))
        write = player.write
    meter = Meter()
    stack.callback(_report, meter, listener, player)
    _state_latency(model, rate, channels, _SPARE_SECONDS if player else 0)
    pairs = slide(model, meter.watch(blocks), rate, channels)
    knobs = Knobs(vocals_gain=options.vocals_level)
    for vocals, karaoke in turn(knobs, pairs, rate, channels):
        meter.wait_for(write, karaoke if options.stem == "karaoke" else vocals)
    if player:
        player.finish()


def _state_latency(model: Separator, rate: int, channels: int, spare: float) -> None:
    """Say how far behind the output will be; runs the model, which is slow only the first time."""
    silence = np.zeros((channels, round(WINDOW_SECONDS * model.sample_rate)), np.float32)
    run_model(model, silence)
    started = time.perf_counter()
    run_model(model, silence)
    needed = time.perf_counter() - started
    behind = latency(model, rate) + spare
    complain(
        f"{behind + needed:.2f} s behind the input: {behind:.2f} s by design, {needed:.2f} s for "
        "the model"
    )
    if needed > HOP_SECONDS:
        complain(
            f"this machine is too slow for this model: it needs {needed:.2f} s for each "
            f"{HOP_SECONDS:g} s of sound; take a smaller one, or expect gaps"
        )


def _report(meter: "Meter", listener: Listener | None, player: Player | None) -> None:
    """Say what went wrong on the way, if anything did."""
    for count, what in (
        (meter.late, "a part was not ready in time"),
        (listener.gaps if listener else 0, "recorded sound was lost"),
        (player.gaps if player else 0, "there was nothing to play"),
    ):
        if count:
            complain(f"{what} {count} time(s): take a smaller model, or leave the machine alone")


class Meter:
    """Count how often a block took longer than the sound that was waiting meanwhile allows.

    Attributes:
        late: How often.
    """

    def __init__(self) -> None:
        self.late = 0
        self._written = 0.0

    def watch(self, blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Hand the blocks on, and look how long each one keeps who takes them."""
        for block in blocks:
            started, self._written = time.perf_counter(), 0.0
            yield block
            self.late += time.perf_counter() - started - self._written > HOP_SECONDS

    def wait_for(self, write: Callable[[np.ndarray], None], block: np.ndarray) -> None:
        """Write a block; a listener who is slow does not count."""
        started = time.perf_counter()
        write(block)
        self._written += time.perf_counter() - started


def read_raw(file: BinaryIO, layout: str, rate: int, channels: int) -> Iterator[np.ndarray]:
    """Raw interleaved samples, as they come.

    Args:
        file: A pipe or file, buffered.
        layout: One of ``SAMPLE_FORMATS``.
        rate: In Hz.
        channels: Number of channels.

    Yields:
        Blocks ``(channels, n)`` float32, of 0.05 s at most.

    Raises:
        ValueError: There is NaN or Inf.
    """
    kind, full_scale = SAMPLE_FORMATS[layout]
    width = np.dtype(kind).itemsize * channels
    most, rest = max(1, round(_READ_SECONDS * rate)) * width, b""
    # read1 gives what is there and waits only where nothing is; all buffered files have it, which
    # BinaryIO does not say.
    while data := file.read1(most):  # type: ignore[attr-defined]
        data = rest + data
        whole = len(data) // width * width
        samples, rest = np.frombuffer(data[:whole], kind), data[whole:]
        if not np.isfinite(samples).all():
            raise ValueError(f"the input holds NaN or Inf: is it really {layout}?")
        if whole:
            block = samples.reshape(-1, channels).T.astype(np.float32)
            yield np.ascontiguousarray(block) / np.float32(full_scale)
    if rest:
        complain(f"the input ends within a sample: {len(rest)} of its {width} bytes are left out")


def raw_writer(file: BinaryIO, layout: str) -> Callable[[np.ndarray], None]:
    """A function that writes blocks ``(channels, n)`` as raw interleaved samples, at once.

    Args:
        file: A pipe or file.
        layout: One of ``SAMPLE_FORMATS``. Integers clip at full scale.
    """
    kind, full_scale = SAMPLE_FORMATS[layout]

    def write(block: np.ndarray) -> None:
        samples = block.T * np.float32(full_scale)
        if full_scale != 1:
            samples = np.clip(np.rint(samples), -full_scale, full_scale - 1)
        file.write(samples.astype(kind).tobytes())
        file.flush()

    return write
