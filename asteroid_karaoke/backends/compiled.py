"""Networks that another library runs: OpenVINO, ONNX Runtime."""

import json
import os
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .. import export
from ..loading import digest
from ..model import KaraokeNet
from . import cache

#: Versions of what an entry of the cache is made by.
_MADE_BY = {"openvino": ("torch", "openvino"), "onnx": ("torch",)}
#: Raised whenever this package writes another network for the same weights.
_FORMAT = 2
#: What OpenVINO calls a precision.
_HINTS = {"bfloat16": "bf16", "float32": "f32"}


def network(model: KaraokeNet, backend: str, precision: str) -> Callable[[Tensor], Tensor]:
    """The network of a model's masker, run by `backend`, out of the cache if it is there.

    Raises:
        ValueError: The masker can not be exported.
        OSError: The cache can not be written to.
        RuntimeError: The library can not run it.
    """
    key = {
        "weights": digest(model),
        "model": model.get_model_args(),
        "backend": backend,
        "format": _FORMAT,
        "versions": {name: version(name) for name in _MADE_BY[backend]},
    }
    suffix, save = {
        "openvino": ("xml", export.export_openvino),
        "onnx": ("onnx", export.export_onnx),
    }[backend]
    name = f"network.{suffix}"
    place = cache.entry(json.dumps(key, sort_keys=True), lambda part: save(model, part / name))
    if backend == "openvino":
        return OpenVINONetwork(place / name, precision)
    return ONNXNetwork(place / name)


class OpenVINONetwork:
    """A network in OpenVINO's IR.

    Args:
        path: The ``.xml`` file.
        precision: ``float32``, or ``bfloat16`` where the file allows it.
    """

    def __init__(self, path: Path, precision: str) -> None:
        import openvino

        self._core = openvino.Core()
        self._model = self._core.read_model(path)
        self._properties = {
            "INFERENCE_PRECISION_HINT": _HINTS[precision],
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "PERFORMANCE_HINT": "LATENCY",
            "ENABLE_CPU_PINNING": False,
        }
        self._any_shape = self._core.compile_model(self._model, "CPU", self._properties)
        self._fixed: Any = None
        self._fixed_shape = self._last_shape = torch.Size()

    def __call__(self, features: Tensor) -> Tensor:
        """Run it; a shape that comes twice in succession is compiled for, and is 15 % faster."""
        shape = features.shape
        if shape == self._last_shape != self._fixed_shape:
            self._fixed, self._fixed_shape = self._compile(shape), shape
        self._last_shape = shape
        compiled = self._fixed if shape == self._fixed_shape else self._any_shape
        given = features.contiguous().numpy()
        return torch.from_numpy(compiled(given, share_inputs=True, share_outputs=False)[0])

    def _compile(self, shape: torch.Size) -> Any:
        model = self._model.clone()
        model.reshape(list(shape))
        return self._core.compile_model(model, "CPU", self._properties)


class ONNXNetwork:
    """A network in ONNX, run by ONNX Runtime in float32.

    Args:
        path: The ``.onnx`` file.
    """

    def __init__(self, path: Path) -> None:
        # Its wheels tell their maker about each process, unless told not to before the import.
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        self._session = onnxruntime.InferenceSession(
            path, options, providers=["CPUExecutionProvider"]
        )

    def __call__(self, features: Tensor) -> Tensor:
        """Run it."""
        (mask,) = self._session.run(None, {export.INPUT: features.contiguous().numpy()})
        return torch.from_numpy(mask)
