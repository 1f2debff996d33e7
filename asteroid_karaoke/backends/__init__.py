"""Run a model's network faster: folded and in bfloat16 by torch, or compiled by another library.

The transforms stay in torch; the masker's network, nearly all of the work, is what is exchanged.
``eval/bench/backends.py`` measures what each way costs, and how far its result is from torch's in
float32. A way is offered if that is below -60 dB of the mixture in bfloat16, and -80 dB in float32.
"""

import copy
import importlib.util
import logging
from typing import Any

from ..export import exportable
from ..loading import BACKENDS
from ..model import KaraokeNet
from ..processor import has_bfloat16
from .eager import optimised

logger = logging.getLogger(__name__)

#: Backends and the libraries that each needs; torch writes ONNX only where onnx is.
LIBRARIES = {"torch": ("torch",), "openvino": ("openvino", "onnx"), "onnx": ("onnxruntime", "onnx")}
PRECISIONS = ("bfloat16", "float32")


def installed(backend: str) -> bool:
    """Whether the libraries of a backend can be imported."""
    return all(importlib.util.find_spec(name) is not None for name in LIBRARIES[backend])


def accelerate(
    model: KaraokeNet, backend: str = "auto", precision: str | None = None
) -> tuple[KaraokeNet, str]:
    """A copy of a model that separates faster on this machine, and can not be trained any more.

    A copy on a GPU is the model as it is: what is done here is for processors.

    Args:
        model: It is left as it is.
        backend: ``torch``, ``openvino`` or ``onnx``. ``auto``: the fastest that is installed and
            runs this model when tried.
        precision: ``float32`` or ``bfloat16``, that is, in bfloat16 what the masker allows to be.
            None: bfloat16 where the processor, the backend and the masker have it.

    Returns:
        The copy, and what runs it, such as ``openvino, bfloat16``.

    Raises:
        ValueError: There is no such backend or precision, or it can not run this model.
        RuntimeError: The backend is not installed, or failed.
    """
    if backend not in BACKENDS:
        raise ValueError(f"backend is {backend!r}, expected one of {', '.join(BACKENDS)}")
    if precision not in (None, *PRECISIONS):
        raise ValueError(f"precision is {precision!r}, expected one of {', '.join(PRECISIONS)}")
    device = next(model.parameters()).device.type
    if device != "cpu":
        if backend not in ("auto", "torch"):
            raise ValueError(f"backend {backend} runs on the cpu, and the model is on {device}")
        return model, "torch"
    if backend != "auto":
        return _accelerated(model, backend, precision)
    # In bfloat16 torch costs what OpenVINO does, in half its memory. In float32 OpenVINO is
    # a little faster, and ONNX Runtime is not (eval/LOG.md).
    half = precision == "bfloat16" or (precision is None and has_bfloat16())
    better = () if half else ("openvino",)
    for name in better if exportable(model) else ():
        if installed(name):
            try:
                return _accelerated(model, name, precision)
            except (OSError, RuntimeError) as error:
                logger.warning("%s can not run this model, the next one is taken: %s", name, error)
    return _accelerated(model, "torch", precision)


def _accelerated(model: KaraokeNet, backend: str, precision: str | None) -> tuple[KaraokeNet, str]:
    if not installed(backend):
        raise RuntimeError(
            f"backend {backend} needs {' and '.join(LIBRARIES[backend])}: "
            f"pip install 'asteroid-karaoke[{backend}]'"
        )
    halves = bool(getattr(model.masker, "bfloat16_modules", ())) and backend != "onnx"
    if precision == "bfloat16" and not halves:
        raise ValueError(
            f"backend {backend} has no bfloat16 for the masker {type(model.masker).__name__}"
        )
    precision = precision or ("bfloat16" if halves and has_bfloat16() else "float32")
    fast = copy.deepcopy(model).eval()
    fast.requires_grad_(False)
    if backend == "torch":
        fast.masker = optimised(fast.masker, precision)
    else:
        from . import compiled

        try:
            network: Any = compiled.network(model, backend, precision)
        except ImportError as error:  # it is installed, but does not load
            raise RuntimeError(f"backend {backend} does not load: {error}") from error
        # In place of the method: the instance's attribute comes first.
        fast.masker.network = network
    return fast, f"{backend}, {precision}"


__all__ = ["BACKENDS", "LIBRARIES", "PRECISIONS", "accelerate", "installed"]
