"""Plain torch, faster: batch norms folded into convolutions, channels last, bfloat16 inside.

Only the branches of residual blocks compute in bfloat16; what they add to stays float32. With
everything in bfloat16, as under autocast, the voice is off by -44 dB instead of -54 dB of itself.
"""

import copy
import logging
import operator
from typing import Any

import torch
from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

logger = logging.getLogger(__name__)


def optimised(masker: nn.Module, precision: str) -> nn.Module:
    """A masker that gives the same in less time; in eval mode, for good.

    Args:
        masker: In eval mode. Where one of its blocks can not be traced, that stays as it is.
        precision: ``float32``, or ``bfloat16`` for the blocks in the modules that
            ``masker.bfloat16_modules`` names.
    """
    masker = copy.deepcopy(masker)
    halves: Any = getattr(masker, "bfloat16_modules", ()) if precision == "bfloat16" else ()
    for path in _with_norms(masker):
        try:
            block = _folded(masker.get_submodule(path))
        except Exception as error:  # whatever stands in a forward that can not be traced
            logger.debug("%s is not folded: %s", path, error)
            continue
        if path.partition(".")[0] in halves:
            _to_bfloat16(block)
        masker.set_submodule(path, block)
    for weights in masker.parameters():
        if weights.ndim == 4:
            weights.data = weights.data.contiguous(memory_format=torch.channels_last)
    return masker


def _with_norms(masker: nn.Module) -> list[str]:
    """Paths of the modules that hold a batch norm of their own."""
    paths = [
        path.rpartition(".")[0]
        for path, module in masker.named_modules()
        if isinstance(module, nn.BatchNorm2d)
    ]
    return [path for path in dict.fromkeys(paths) if path]


def _folded(block: nn.Module) -> fx.GraphModule:
    """A block with each batch norm that follows a convolution folded into it."""
    traced = fx.symbolic_trace(block)
    for norm in list(traced.graph.nodes):
        before = norm.args[0] if norm.op == "call_module" else None
        if not isinstance(before, fx.Node) or before.op != "call_module" or len(before.users) > 1:
            continue
        pair = [traced.get_submodule(str(node.target)) for node in (before, norm)]
        if isinstance(pair[0], nn.Conv2d) and isinstance(pair[1], nn.BatchNorm2d):
            traced.set_submodule(str(before.target), fuse_conv_bn_eval(pair[0], pair[1]))
            norm.replace_all_uses_with(before)
            traced.graph.erase_node(norm)
    traced.delete_all_unused_submodules()
    traced.recompile()
    return traced


def _to_bfloat16(block: fx.GraphModule) -> None:
    """Let a block compute in bfloat16, but take and give float32 and add its residual in it."""
    block.bfloat16()
    graph = block.graph
    given = next(node for node in graph.nodes if node.op == "placeholder")
    end = next(node for node in graph.nodes if node.op == "output")
    result = end.args[0]
    assert isinstance(result, fx.Node)
    residual = result.target is operator.add and given in result.args
    with graph.inserting_after(given):
        half = graph.call_method("bfloat16", (given,))
    given.replace_all_uses_with(
        half, delete_user_cb=lambda user: user is not half and not (residual and user is result)
    )
    if not residual:
        with graph.inserting_before(end):
            end.args = (graph.call_method("float", (result,)),)
    block.recompile()
