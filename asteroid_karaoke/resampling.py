"""Resampling of float32 arrays ``(channels, time)``, at once or block by block, by soxr."""

import numpy as np
import soxr


def resample(audio: np.ndarray, from_rate: int, to_rate: int) -> np.ndarray:
    """Resample ``(channels, time)`` with soxr's HQ setting: linear phase, no delay."""
    return Resampler(from_rate, to_rate, len(audio))(audio, last=True)


class Resampler:
    """Resample a sound that comes block by block, in constant memory; equals :func:`resample`.

    Args:
        from_rate: In Hz.
        to_rate: In Hz. Where both are equal, blocks go through untouched.
        channels: Number of channels of each block.
    """

    def __init__(self, from_rate: int, to_rate: int, channels: int) -> None:
        self._stream = None
        if from_rate != to_rate:
            self._stream = soxr.ResampleStream(
                from_rate, to_rate, channels, dtype="float32", quality="HQ"
            )

    def __call__(self, block: np.ndarray, last: bool = False) -> np.ndarray:
        """What can be given out after ``block`` ``(channels, n)``; after the last, all there is."""
        if self._stream is None:
            return block
        chunk = np.ascontiguousarray(block.T, dtype=np.float32)
        return np.ascontiguousarray(self._stream.resample_chunk(chunk, last=last).T)
