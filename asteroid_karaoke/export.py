"""A model in the forms that other programs run: ONNX, OpenVINO's IR (safetensors: :mod:`.weights`).

What is exported is the masker's network: real tensors in and out, of any batch and any number of
frames. The transforms and the mask, which are complex, stay with who runs it; ONNX has no complex
numbers.
"""

import copy
import os
import re
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from .parts import hidden, place

if TYPE_CHECKING:
    from .model import KaraokeNet

#: The oldest that has all the operators.
OPSET = 17
INPUT, OUTPUT = "features", "mask"
#: Layers of an IR that hold or hand on values rather than compute.
_NO_WORK = ("Const", "Parameter", "Result")


class _Network(nn.Module):
    """The part of a masker that is exported, as a module."""

    def __init__(self, masker: Any):
        super().__init__()
        self.masker = masker

    def forward(self, features: Tensor) -> Tensor:
        return self.masker.network(features)


def exportable(model: nn.Module) -> bool:
    """Whether the model's masker has a ``network``, see :mod:`asteroid_karaoke.maskers`."""
    return hasattr(getattr(model, "masker", None), "network")


def export_onnx(model: "KaraokeNet", path: str | os.PathLike) -> None:
    """Write the network of a model as ONNX.

    Args:
        model: It is left as it is.
        path: The file; one that is there is replaced.

    Raises:
        ValueError: The model's masker has no network that can be exported.
        OSError: The file can not be written.
    """
    if not exportable(model):
        raise ValueError(
            f"the masker {type(model.masker).__name__} has no method network(features), so it can "
            "not be exported: run it with the backend torch"
        )
    model = copy.deepcopy(model).cpu().eval()
    axes = {name: {0: "batch", 3: "frames"} for name in (INPUT, OUTPUT)}
    path = Path(path)
    part = hidden(path)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            # torch would rather have its other exporter, which needs one library more; and it
            # warns of numbers that become constants, as the rows here should.
            warnings.simplefilter("ignore")
            torch.onnx.export(
                _Network(model.masker),
                (_example(model),),
                part,
                input_names=[INPUT],
                output_names=[OUTPUT],
                dynamic_axes=axes,
                opset_version=OPSET,
                dynamo=False,
            )
        place(part, path)
    finally:
        part.unlink(missing_ok=True)


def _example(model: "KaraokeNet") -> Tensor:
    """What the network is given for a short sound."""
    seen: list[Tensor] = []
    network = model.masker.network

    def keep(features: Tensor) -> Tensor:
        seen.append(features)
        return network(features)

    model.masker.network = keep
    model(torch.zeros(1, model.channels, 16 * model.encoder.hop_length))
    del model.masker.network  # the method of the class is there again
    return seen[0].contiguous()


def export_openvino(model: "KaraokeNet", path: str | os.PathLike) -> None:
    """Write the network of a model as OpenVINO's IR, ``<name>.xml`` and ``<name>.bin``.

    The weights are float32. What is to stay so where a processor computes in bfloat16 is marked.

    Args:
        model: It is left as it is.
        path: ``<name>.xml``; what is there is replaced.

    Raises:
        ValueError: As in :func:`export_onnx`.
        OSError: The files can not be written.
        ImportError: OpenVINO is not installed.
    """
    import openvino

    path = Path(path)
    part = hidden(path)
    source, graph = part.with_suffix(".onnx"), part.with_suffix(".xml")
    try:
        export_onnx(model, source)
        # Not convert_model, which asks openvino-telemetry what it may report.
        network = openvino.Core().read_model(source)
        openvino.save_model(network, graph, compress_to_fp16=False)
        tree = ET.parse(graph)
        _keep_float32(tree, getattr(model.masker, "bfloat16_modules", ()))
        tree.write(graph)
        place(graph.with_suffix(".bin"), path.with_suffix(".bin"))
        place(graph, path)
    finally:
        for suffix in (".onnx", ".xml", ".bin"):
            part.with_suffix(suffix).unlink(missing_ok=True)


def _keep_float32(tree: Any, modules: Iterable[str]) -> None:
    """Mark all that is not to be computed in bfloat16 as OpenVINO marks it (``precise``).

    That is what is outside of the named modules, and every sum of two results: the residual ones
    add up over all blocks. Operators bear the path of their module as a name,
    ``/bottleneck/bottleneck.1/pointwise/Conv``.
    """
    inside = re.compile(rf"/({'|'.join(map(re.escape, modules))})[./]") if modules else None
    layers = {layer.get("id"): layer for layer in tree.iterfind("layers/layer")}
    constant = {
        edge.get("to-layer")
        for edge in tree.iterfind("edges/edge")
        if layers[edge.get("from-layer")].get("type") == "Const"
    }
    for number, layer in layers.items():
        sums = layer.get("type") == "Add" and number not in constant
        half = inside and inside.match(layer.get("name", "")) and not sums
        if half or layer.get("type") in _NO_WORK:
            continue
        info = layer.find("rt_info")
        if info is None:
            info = ET.SubElement(layer, "rt_info")
        ET.SubElement(info, "attribute", name="precise", version="0")
