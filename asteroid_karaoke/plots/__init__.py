"""Pictures: spectrograms of mixture, voice and karaoke; waveforms; training curves."""

from .curves import plot_curves
from .songs import excerpt_with_voice, plot_consonants, plot_examples, plot_waveforms
from .spectrograms import plot_separation, plot_spectrograms, plot_with_mask

__all__ = [
    "excerpt_with_voice",
    "plot_consonants",
    "plot_curves",
    "plot_examples",
    "plot_separation",
    "plot_spectrograms",
    "plot_waveforms",
    "plot_with_mask",
]
