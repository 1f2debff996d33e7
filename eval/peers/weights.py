"""Weights that a peer's own library fetches: they run no code, and their absence is said."""

import os
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import torch


@contextmanager
def fetched(peer: str, *classes: type) -> Iterator[None]:
    """Let a library load its weights, which may hold tensors and these classes only.

    Raises:
        FileNotFoundError: The library or its weights can not be had here.
    """
    force = mock.patch.dict(os.environ, {"TORCH_FORCE_WEIGHTS_ONLY_LOAD": "1"})
    try:
        with force, torch.serialization.safe_globals(list(classes)):
            yield
    except OSError as error:
        raise FileNotFoundError(
            f"{peer}: its weights can not be fetched here ({error}); they are kept in "
            f"{torch.hub.get_dir()}/checkpoints where that succeeded once"
        ) from error
    except pickle.UnpicklingError as error:
        raise FileNotFoundError(
            f"{peer}: its weights hold more than tensors, which could run code: not loaded"
        ) from error


def missing(peer: str, package: str) -> FileNotFoundError:
    """The complaint about a peer that is not installed."""
    return FileNotFoundError(f"{peer}: not installed, needs `pip install {package}`")


def check_rate(peer: str, sample_rate: int) -> None:
    """Peers are trained at 44.1 kHz.

    Raises:
        ValueError: The song has another rate.
    """
    if sample_rate != 44100:
        raise ValueError(f"{peer} knows songs at 44100 Hz only, got {sample_rate} Hz: resample")
