"""Stand-ins for a song and for a network, of which each sample is known, and for what ships."""

import hashlib
import json
from pathlib import Path

import numpy as np
import torch

from asteroid_karaoke import KaraokeNet, parts

RATE = 8000


class Echo(torch.nn.Module):
    """A "network" with all that makes cutting a song hard, and known to the sample.

    What it gives at a sample depends on samples `reach` before and after it, and on where the
    sample lies between two frames, so a block off the grid, or without its neighbours, comes out
    otherwise.
    """

    def __init__(self, reach=1000, hop=64, channels=2, rate=RATE, context="its own"):
        super().__init__()
        self.sample_rate, self.channels, self.grid = rate, channels, hop
        self.reach = reach
        self.context = reach if context == "its own" else context
        self.gain = torch.nn.Parameter(torch.ones(()))
        self.dropout = torch.nn.Dropout(0.5)
        self.longest = 0

    def forward(self, wav):
        frames = wav.shape[-1]
        self.longest = max(self.longest, frames)
        padded = torch.nn.functional.pad(wav, (self.reach, self.reach))
        voice = 0.5 * padded[..., :frames] + 0.3 * padded[..., 2 * self.reach :]
        phase = (torch.arange(frames) % self.grid) / self.grid
        voice = self.dropout(voice * (0.5 + phase) * self.gain)
        return torch.stack([voice, wav - voice], dim=1)

    @torch.no_grad()
    def whole(self, mixture):
        """The voice of the whole song, run at once."""
        self.eval()
        return self(torch.from_numpy(mixture)[None])[0, 0].numpy()


class Gain(torch.nn.Module):
    """Half of what comes in is voice."""

    sample_rate, channels, grid, context = RATE, 2, 1, 0

    def forward(self, wav):
        return torch.stack([wav / 2, wav / 2], dim=1)


def noise(channels=2, frames=RATE, seed=0):
    generator = np.random.default_rng(seed)
    return generator.uniform(-0.5, 0.5, (channels, frames)).astype(np.float32)


def tiny_weights(folder: Path, name: str = "tiny") -> Path:
    """Random weights, with a card beside them, as those that ship have one."""
    torch.manual_seed(0)
    path = folder / f"{name}.pth"
    torch.save(KaraokeNet(size="tiny").serialize(), path)
    card = {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    path.with_suffix(".json").write_text(json.dumps(card))
    return path


def dead_part(folder):
    """What a process of this machine has left half-written that is no more."""
    part = folder / f".{parts._MACHINE}-4194305-{'0' * 32}.part"
    part.write_bytes(b"half")
    return part
