"""BSSEval v4 frame by frame by museval, the reference: the one place that knows museval.

BSSEval v4 (Stöter, Liutkus and Ito, https://arxiv.org/abs/1804.06267) fits, once for a whole song,
filters of 512 samples from all channels of all references to each channel of an estimate, and
splits the estimate's error into spatial distortion (ISR), interference (SIR) and artifacts (SAR).

The fit is a least-squares problem which a band-limited float reference (one that was resampled,
say) makes nearly singular: SIR then comes out at -10 to -70 dB where 20 dB are right. MUSDB18's
16-bit samples do not have that trouble, since their rounding noise fills the empty band. So
signals are rounded to 16 bit here too (`to_16_bit`); SDR and ISR hardly notice.

`bsseval_fast` computes the same numbers, and is what `scores` takes by default.
"""

import json
import types
from collections.abc import Mapping
from typing import Any

import numpy as np

#: In the order in which ``museval.evaluate`` returns them, all in dB.
METRICS = ("SDR", "ISR", "SIR", "SAR")
#: Window and hop, in s.
WINDOW = 1.0


def to_16_bit(signal: np.ndarray) -> np.ndarray:
    """Round samples to steps of 2^-15, as float64. What is beyond full scale is not clipped."""
    return np.round(np.asarray(signal, dtype=np.float64) * 2**15) / 2**15


def silent_frames(sources: np.ndarray, sample_rate: int) -> np.ndarray:
    """In which of museval's frames is any source silent?

    Frames lie side by side; what follows the last whole one is not scored, and a song that is
    shorter than one is one frame. Silent means that the sum of the channels is zero, as in museval.

    Args:
        sources: ``(n_src, channels, time)``; rounded by `to_16_bit` as they are read.
        sample_rate: In Hz.

    Returns:
        ``(frames,)``, bool.
    """
    window = int(WINDOW * sample_rate)
    frames = max(1, sources.shape[-1] // window)
    cut = (sources[..., i * window : (i + 1) * window] for i in range(frames))
    return np.array([_any_silent(to_16_bit(frame)) for frame in cut])


def evaluate(
    references: np.ndarray, estimates: np.ndarray, sample_rate: int
) -> dict[str, np.ndarray]:
    """Score every frame of every source.

    Takes about 11 s of one core and 1.1 GB of memory for each minute of stereo and two sources.

    Args:
        references: ``(n_src, channels, time)``; rounded by `to_16_bit`.
        estimates: Of the same shape, rounded likewise.
        sample_rate: In Hz.

    Returns:
        For each of `METRICS` an array ``(n_src, frames)`` in dB: NaN for all sources in a frame in
        which a reference or an estimate is silent, and throughout if one is silent throughout.

    Raises:
        RuntimeError: museval can not be imported for want of ffmpeg.
    """
    museval = _import_museval()
    references, estimates = to_16_bit(references), to_16_bit(estimates)
    if _any_silent(references) or _any_silent(estimates):
        # museval raises an error here: https://github.com/sigsep/sigsep-mus-eval/issues/94
        shape = (len(references), len(silent_frames(references, sample_rate)))
        return {metric: np.full(shape, np.nan) for metric in METRICS}
    with np.errstate(divide="ignore"):
        values = museval.evaluate(
            references.swapaxes(1, 2),
            estimates.swapaxes(1, 2),
            win=int(WINDOW * sample_rate),
            hop=int(WINDOW * sample_rate),
            mode="v4",
            padding=False,
        )
    return dict(zip(METRICS, values, strict=True))


def track_scores(name: str, sources: Mapping[str, Mapping[str, np.ndarray]]) -> dict[str, Any]:
    """What museval's ``TrackStore`` of a song holds: ``targets`` and ``museval_version``.

    It rounds to 1e-5 dB, and has NaN for infinity, which the last bit of a perfect estimate gives.

    Args:
        name: The song's.
        sources: For each source, for each of `METRICS`, the scores ``(frames,)`` in dB.

    Raises:
        RuntimeError: museval can not be imported for want of ffmpeg.
    """
    store = _import_museval().TrackStore(track_name=name, win=WINDOW, hop=WINDOW)
    for source, scores in sources.items():
        store.add_target(source, {metric: scores[metric].tolist() for metric in METRICS})
    store.validate()
    return json.loads(store.json)


def _any_silent(sources: np.ndarray) -> bool:
    return not sources.sum(axis=1).any(axis=-1).all()


def _import_museval() -> types.ModuleType:
    """Import museval late (it takes 1 s); its dependency stempeg asks for ffmpeg at once."""
    try:
        import museval
    except RuntimeError as error:
        if "ffmpeg" not in str(error):
            raise
        raise RuntimeError(
            "scoring needs museval, which needs ffmpeg and ffprobe on the PATH: install them with "
            "`apt-get install ffmpeg` (Debian, Ubuntu), `brew install ffmpeg` (macOS) or "
            "`winget install ffmpeg` (Windows)"
        ) from error
    _mend_numpy()
    return museval


def _mend_numpy() -> None:
    """Give numpy back the name ``numpy.linalg.linalg``, which it lost with 2.4.

    Museval 0.4.1 asks for ``numpy.linalg.linalg.LinAlgError`` when its system of equations is
    exactly singular (a click that is the same on both channels or in both stems), and would fail
    with an AttributeError instead of going on with ``lstsq``.
    """
    if not hasattr(np.linalg, "linalg"):
        error = np.linalg.LinAlgError
        # The type checker is right that numpy has no such name: that is what is mended.
        np.linalg.linalg = types.SimpleNamespace(LinAlgError=error)  # type: ignore[attr-defined]
