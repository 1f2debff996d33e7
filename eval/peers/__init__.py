"""Other people's separators, with the interface of asteroid_karaoke.baselines.

Each adapter is a function that loads its peer and returns ``(system, version)``: the system
``(mixture, sources, sample_rate) -> estimates`` and what tells its weights from others. It raises
FileNotFoundError, with what it needs, where the peer or its weights are not there. A separator that
stands here not is scored by a folder of its estimates, see eval/score.py.
"""

from .demucs import load_demucs
from .openunmix import load_openunmix
from .spleeter import load_spleeter

PEERS = {"spleeter": load_spleeter, "openunmix": load_openunmix, "demucs": load_demucs}
