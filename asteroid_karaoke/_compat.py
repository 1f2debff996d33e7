"""What must be mended before ``import asteroid``, on machines where torchaudio does not load.

Asteroid imports ``torch_stoi``, every release of which imports torchaudio for a single class,
``torchaudio.transforms.Resample``. The torchaudio wheel on PyPI is built against CUDA, so beside a
CPU build of torch it fails with an OSError (``libc10_cuda.so: cannot open shared object file``),
and beside a torch for another CUDA version with a RuntimeError; either one takes Asteroid down,
though nobody asked for a STOI loss. A stand-in with that one class is enough for all of Asteroid.
"""

import importlib
import logging
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

import torch
from julius.resample import ResampleFrac

logger = logging.getLogger(__name__)


class Resample(torch.nn.Module):
    """Stands in for ``torchaudio.transforms.Resample``, over julius' sinc resampler.

    Args:
        orig_freq: Rate of the input, in Hz.
        new_freq: Rate of the output, in Hz.
        **ignored: torchaudio's options for the shape of its filter. julius designs its own.

    Shape:
        Input ``(..., time)``, output ``(..., ceil(new_freq * time / orig_freq))``, the length that
        torchaudio gives.
    """

    def __init__(self, orig_freq: int = 16000, new_freq: int = 16000, **ignored):
        super().__init__()
        self.resample = ResampleFrac(int(orig_freq), int(new_freq))

    def forward(self, waveform: torch.Tensor) -> torch.Tensor:
        """Resample the last dimension. julius would round the length down, hence ``full``."""
        return self.resample(waveform, full=True)


def ensure_torchaudio() -> None:
    """Make ``import torchaudio`` succeed: with torchaudio itself where it loads, else a stand-in.

    A torchaudio that loads is left alone. The stand-in says what it is when anything else than
    ``transforms.Resample`` is asked of it. Call this before the first ``import asteroid``; calling
    it again is harmless.
    """
    try:
        importlib.import_module("torchaudio")
    except (ImportError, OSError, RuntimeError) as error:
        # Python takes back only the package that failed, not the parts of it that did load.
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchaudio"]:
            del sys.modules[name]
        sys.modules.update(_stand_in(f"{type(error).__name__}: {error}"))
        logger.debug("torchaudio does not load (%s), a stand-in takes its place", error)


def _stand_in(reason: str) -> dict[str, ModuleType]:
    """The modules ``torchaudio`` and ``torchaudio.transforms``, by name."""

    def missing(name: str):
        # An AttributeError, so that libraries which probe with hasattr() find nothing here.
        raise AttributeError(
            f"torchaudio has no {name!r} here: torchaudio did not load ({reason}), and "
            "asteroid_karaoke put a stand-in with transforms.Resample in its place. "
            "Install the torchaudio that was built for your torch to get the rest"
        )

    package, transforms = ModuleType("torchaudio"), ModuleType("torchaudio.transforms")
    for module in (package, transforms):
        # importlib.util.find_spec(), which libraries probe with, raises where there is no spec.
        module.__spec__ = ModuleSpec(module.__name__, None, is_package=module is package)
        module.__dict__["__getattr__"] = missing
    package.__path__ = []
    package.__dict__["transforms"] = transforms
    transforms.__dict__["Resample"] = Resample
    return {module.__name__: module for module in (package, transforms)}
