"""Folders of stems for tests of their recipe."""

from pathlib import Path

import numpy as np
import soundfile

from asteroid_karaoke import manifest
from recipes import stems

RATE = 44100


def tone(
    frequency: float, seconds: float = 1.0, level: float = 0.3, rate: int = RATE
) -> np.ndarray:
    """A stereo tone, `(2, time)`; a level of 0 is silence."""
    time = np.arange(round(seconds * rate)) / rate
    return np.float32(level) * np.sin(2 * np.pi * frequency * time, dtype=np.float32)[None].repeat(
        2, 0
    )


def save(path: Path, samples: np.ndarray, rate: int = RATE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples.T, rate)
    return path


def build(root: Path) -> Path:
    """Three good songs in different shapes, and pools."""
    for name in ("one", "two"):
        save(root / "albums" / name / "vocals.wav", tone(440))
        save(root / "albums" / name / "accompaniment.flac", tone(110))
    for name, frequency in (("drums", 60), ("bass", 90), ("guitar", 200), ("Lead vocal", 500)):
        save(root / "band" / f"{name}.wav", tone(frequency, level=0.1))
    save(root / "voice_only" / "anna" / "solo.ogg", tone(300))
    save(root / "music_only" / "loop.wav", tone(80))
    return root


def prepare(corpus: Path, output: Path, **options) -> dict[str, manifest.Song]:
    """All songs by their id, as the manifests give them back."""
    splits = stems.prepare_stems(corpus, output, **options)
    read = [song for name in splits for song in manifest.read(output / f"{name}.jsonl")]
    assert len(read) == sum(map(len, splits.values()))
    return {song.id: song for song in read}
