"""Singing and backing made of formulas, for the demo and as a supplement in training.

``voice.sing`` and ``backing.play`` return stereo sound from a seeded Generator. They share a
``tune.Tune``, so that the singer keeps to the band's key, chords and beat, which is what makes the
two hard to tell apart.
"""

from .backing import play
from .voice import sing

__all__ = ["play", "sing"]
