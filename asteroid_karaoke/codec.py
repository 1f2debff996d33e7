"""What is left of a sound after a lossy codec; PyAV brings LAME and libopus along.

Most songs that people take the voice out of have been an mp3 or a video once.
"""

import io
from typing import NamedTuple

import numpy as np

from .resampling import resample
from .writer import MP3_RATES, OPUS_RATES


class _Codec(NamedTuple):
    encoder: str
    container: str
    #: Sample rates it knows, in Hz.
    rates: tuple[int, ...]


CODECS = {
    "mp3": _Codec("libmp3lame", "mp3", MP3_RATES),
    "opus": _Codec("libopus", "ogg", OPUS_RATES),
}


def round_trip(audio: np.ndarray, sample_rate: int, codec: str, bit_rate: int) -> np.ndarray:
    """Encode and decode in memory.

    The encoder's delay and padding are taken off, as the containers tell them to every player, so
    each sound stays where it was.

    Args:
        audio: float32 `(channels, time)`, one or two channels.
        sample_rate: In Hz. Where the codec does not know it, 48 kHz is used in between.
        codec: ``mp3`` or ``opus``.
        bit_rate: In bit/s, over all channels.

    Returns:
        float32 of the same shape. Silence comes back as it is.

    Raises:
        ValueError: There is no such codec.
    """
    if codec not in CODECS:
        raise ValueError(f"codec is {codec!r}, expected one of {', '.join(CODECS)}")
    if not audio.any():
        return audio
    rate = sample_rate if sample_rate in CODECS[codec].rates else 48000
    file = _encode(resample(audio, sample_rate, rate), rate, CODECS[codec], bit_rate)
    decoded = resample(_decode(file), rate, sample_rate)[:, : audio.shape[1]]
    return np.pad(decoded, ((0, 0), (0, audio.shape[1] - decoded.shape[1])))


def _encode(audio: np.ndarray, rate: int, codec: _Codec, bit_rate: int) -> io.BytesIO:
    import av

    file, layout = io.BytesIO(), ("mono", "stereo")[len(audio) - 1]
    with av.open(file, "w", format=codec.container) as container:
        stream = container.add_stream(codec.encoder, rate=rate, layout=layout)
        stream.bit_rate = bit_rate
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(audio), "fltp", layout)
        frame.sample_rate = rate
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    file.seek(0)
    return file


def _decode(file: io.BytesIO) -> np.ndarray:
    import av

    planar = av.AudioResampler(format="fltp")
    with av.open(file) as container:
        frames = [found for frame in container.decode(audio=0) for found in planar.resample(frame)]
        return np.concatenate([frame.to_ndarray() for frame in frames], axis=1)
