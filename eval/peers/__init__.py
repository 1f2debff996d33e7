"""Other people's separators, with the interface of asteroid_karaoke.baselines.

Each adapter is a function that loads its peer and returns ``(system, version)``: the system
``(mixture, sources, sample_rate) -> estimates`` and what tells its weights from others. It raises
FileNotFoundError, with what to install, where the peer is not there.
"""

from .spleeter import load_spleeter

PEERS = {"spleeter": load_spleeter}
