"""Networks that find the voice in a spectrum, chosen by name.

A masker is a module from the complex spectrum of the mixture, `(batch, channels, bins, frames)`, to
a mask of the same shape for the voice. It has ``get_config()`` (its own arguments, plain and flat),
``context`` (frames on each side that one frame of the mask depends on), ``period`` (a song that is
shifted by so many frames gives a mask that is shifted by so many) and ``transform`` (the transform
it wants unless told otherwise).

It may have ``network``, the method that does the work, from one real tensor `(batch, …, frames)` to
one of the same form: that can be exported and run by another backend. And ``bfloat16_modules``, the
names of those whose blocks, those with a batch norm of their own, may compute in that precision.
And ``loss``, see :func:`asteroid_karaoke.losses.loss_for`.
"""

from torch import nn

from .band_cnn import BandCNN
from .legacy import Legacy
from .unet import UNet

MASKERS: dict[str, type[nn.Module]] = {"band_cnn": BandCNN, "legacy": Legacy, "unet": UNet}


def get(name: str) -> type[nn.Module]:
    """Look a masker's class up by its name.

    Raises:
        ValueError: There is no such masker; the message names those that exist.
    """
    if name not in MASKERS:
        raise ValueError(f"masker is {name!r}, expected one of {', '.join(sorted(MASKERS))}")
    return MASKERS[name]
