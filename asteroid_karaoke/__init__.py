"""asteroid-karaoke: take the singing voice out of a song, as a plugin to the Asteroid toolkit.

Importing the package registers its models with Asteroid:

    >>> import asteroid_karaoke
    >>> from asteroid.models import get
    >>> get("KaraokeNet") is asteroid_karaoke.KaraokeNet
    True
"""

from typing import TYPE_CHECKING, Any

from ._compat import ensure_torchaudio

ensure_torchaudio()

import asteroid.models as _models  # noqa: E402  (Asteroid needs torchaudio)

from .model import KaraokeNet  # noqa: E402

__version__ = "0.1.0"
__all__ = ["KaraokeNet", "__version__", "separate"]

if TYPE_CHECKING:
    from .api import separate as separate

if not hasattr(_models, KaraokeNet.__name__):
    _models.register_model(KaraokeNet)
elif getattr(_models, KaraokeNet.__name__) is not KaraokeNet:
    # Imported anew, as by a notebook: Asteroid refuses a name twice, so the newest class takes it.
    setattr(_models, KaraokeNet.__name__, KaraokeNet)


def __getattr__(name: str) -> Any:
    """Load what reads and writes files only when it is asked for."""
    if name == "separate":
        from .api import separate

        return separate
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
