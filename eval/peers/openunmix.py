"""Open-Unmix umxl (Stöter et al. 2019), whose weights (CC BY-NC-SA 4.0) its library fetches.

pip install openunmix
"""

import numpy as np
import torch

from asteroid_karaoke._compat import ensure_torchaudio
from asteroid_karaoke.evaluation import System
from asteroid_karaoke.loading import digest

from .weights import check_rate, fetched, missing

NAME = "Open-Unmix"


def load_openunmix() -> tuple[System, str]:
    """The vocals' network and the residual, with one step of its Wiener filter; see the package."""
    ensure_torchaudio()  # its library imports that first of all
    try:
        import openunmix
    except ImportError as error:
        raise missing(NAME, "openunmix") from error
    with fetched(NAME):
        separator = openunmix.umxl(targets=["vocals"], residual=True).eval()

    @torch.inference_mode()
    def system(mixture: np.ndarray, sources: np.ndarray | None, sample_rate: int) -> np.ndarray:
        check_rate(NAME, sample_rate)
        return separator(torch.from_numpy(mixture)[None])[0].numpy()

    return system, digest(separator)
