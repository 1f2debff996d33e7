"""Networks that find the voice in a spectrum, chosen by name.

A masker is a module from the complex spectrum of the mixture, `(batch, channels, bins, frames)`, to
a mask of the same shape for the voice. It has ``get_config()`` (its own arguments, plain and flat),
``context`` (frames on each side that one frame of the mask depends on) and ``transform`` (the
transform it wants unless told otherwise).
"""

from torch import nn

from .band_cnn import BandCNN

MASKERS: dict[str, type[nn.Module]] = {"band_cnn": BandCNN}


def get(name: str) -> type[nn.Module]:
    """Look a masker's class up by its name.

    Raises:
        ValueError: There is no such masker; the message names those that exist.
    """
    if name not in MASKERS:
        raise ValueError(f"masker is {name!r}, expected one of {', '.join(sorted(MASKERS))}")
    return MASKERS[name]
