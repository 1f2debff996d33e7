"""The model and the device that a user names, or one line that says why not."""

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from .model import KaraokeNet

#: The weights that are taken where none are named.
DEFAULT_MODEL = "karaoke-small"
DEVICES = ("auto", "cpu", "cuda", "mps")
#: What can run a model's network, see :mod:`asteroid_karaoke.backends`.
BACKENDS = ("auto", "torch", "openvino", "onnx")


class UsageError(ValueError):
    """What was asked for can not be done; the message says why and what to do."""


def pick_device(name: str) -> str:
    """The device to run on; ``auto`` is the first there is of cuda, mps and cpu.

    Raises:
        UsageError: There is no such device here.
    """
    import torch

    present = {"cpu": True, "mps": torch.backends.mps.is_available()}
    present["cuda"] = torch.cuda.is_available()
    if name == "auto":
        return next(name for name in ("cuda", "mps", "cpu") if present[name])
    if not present.get(name):
        there = " and ".join(sorted(device for device in present if present[device]))
        raise UsageError(f"device {name}: this machine's torch has only {there}")
    return name


def load_model(name: str | None) -> "KaraokeNet":
    """The model of a name, a path or a Hub id; None: the default.

    Raises:
        UsageError: There is no such model, or it is of another kind.
    """
    from .model import KaraokeNet, shipped

    choices = ", ".join(shipped()) or "none ship with this version"
    hint = f"give --model one of the shipped names ({choices}), or the path of a model.pth"
    if name is None and DEFAULT_MODEL not in shipped():
        raise UsageError(
            f"the default model {DEFAULT_MODEL} does not ship with this version: {hint}, such as "
            "egs/demo/KaraokeNet/run.sh trains"
        )
    try:
        model = KaraokeNet.from_pretrained(name or DEFAULT_MODEL)
    except FileNotFoundError as error:
        raise UsageError(f"{error}; {hint}") from error
    except Exception as error:  # The Hub, the unpickler and torch raise whatever they like.
        raise UsageError(f"--model {name} can not be loaded: {error}; {hint}") from error
    if not isinstance(model, KaraokeNet):
        raise UsageError(
            f"--model {name} is a {type(model).__name__}, which `infer` can run; {hint}"
        )
    return model


def digest(model: "torch.nn.Module") -> str:
    """SHA-256 of a model's weights, in hexadecimal digits."""
    found = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        found.update(name.encode())
        found.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()
