"""Hybrid Transformer Demucs (Rouard et al. 2022), whose weights its library fetches.

pip install demucs
"""

from fractions import Fraction

import numpy as np
import torch

from asteroid_karaoke.evaluation import System
from asteroid_karaoke.loading import digest

from .weights import check_rate, fetched, missing

NAME = "Demucs"


def load_demucs() -> tuple[System, str]:
    """The model htdemucs without random shifts: two runs give the same bits; see the package."""
    try:
        from demucs.apply import apply_model
        from demucs.htdemucs import HTDemucs
        from demucs.pretrained import get_model
    except ImportError as error:
        raise missing(NAME, "demucs") from error
    with fetched(NAME, HTDemucs, Fraction):
        model = get_model("htdemucs").eval()
    vocals = model.sources.index("vocals")

    @torch.inference_mode()
    def system(mixture: np.ndarray, sources: np.ndarray | None, sample_rate: int) -> np.ndarray:
        check_rate(NAME, sample_rate)
        wav = torch.from_numpy(mixture)
        # Its own command brings songs to this level before, and back to theirs after.
        mean, scale = wav.mean(), wav.mean(0).std() + 1e-8
        stems = apply_model(model, ((wav - mean) / scale)[None], shifts=0)[0] * scale + mean
        voice = stems[vocals].numpy()
        return np.stack([voice, mixture - voice])

    return system, digest(model)
