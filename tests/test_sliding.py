import numpy as np
import pytest
import torch

from asteroid_karaoke import KaraokeNet, separation, sliding
from asteroid_karaoke.sliding import latency, slide

RATE = 8000


class Echo(torch.nn.Module):
    """A voice that depends on what was and what comes, as far as ``context``, on a grid."""

    sample_rate, channels = RATE, 2
    longest = 0

    def __init__(self, context=1500, hop=100):
        super().__init__()
        self.context, self.grid = context, hop

    def forward(self, wav):
        self.longest = max(self.longest, wav.shape[-1])
        padded = torch.nn.functional.pad(wav, (self.context, self.context))
        frames = wav.shape[-1]
        grid = 1 + (torch.arange(frames) % self.grid) / self.grid
        voice = (padded[..., :frames] + padded[..., 2 * self.context :]) * grid / 4
        return torch.stack([voice, wav - voice], dim=1)


def noise(channels=2, frames=5 * RATE, seed=0):
    generator = np.random.default_rng(seed)
    return generator.uniform(-0.5, 0.5, (channels, frames)).astype(np.float32)


def blocks(mixture, size=397):
    return (mixture[:, i : i + size] for i in range(0, mixture.shape[1], size))


def slid(model, mixture, rate=RATE, size=397):
    pairs = list(slide(model, blocks(mixture, size), rate, len(mixture)))
    return [np.concatenate(stem, axis=1) for stem in zip(*pairs, strict=True)]


def sdr(reference, estimate):
    return 10 * np.log10(np.square(reference).sum() / np.square(reference - estimate).sum())


@pytest.mark.parametrize("frames", (1, 100, RATE // 2, 2 * RATE, 5 * RATE + 17))
@pytest.mark.parametrize("size", (397, 10**6))
def test_a_model_that_sees_no_further_than_ahead_gives_what_it_gives_offline(frames, size):
    mixture = noise(frames=frames)
    given, vocals = slid(Echo(), mixture, size=size)
    np.testing.assert_array_equal(given, mixture)
    offline = separation.separate(Echo(), mixture, RATE)
    np.testing.assert_allclose(vocals, offline.vocals, atol=1e-6)


def test_a_model_that_sees_further_does_not():
    """The test above can fail."""
    mixture = noise()
    _, vocals = slid(Echo(context=3000), mixture)
    offline = separation.separate(Echo(context=3000), mixture, RATE)
    assert np.abs(vocals - offline.vocals).max() > 1e-2


@pytest.mark.parametrize("rate", (RATE, 11025, 48000))
def test_the_latency_is_kept_from_block_to_block(rate):
    mixture, model = noise(frames=4 * rate), Echo()
    came = given = 0

    def counted():
        nonlocal came
        for block in blocks(mixture, rate // 50):
            assert given >= came - latency(model, rate) * rate - rate // 50
            came += block.shape[1]
            yield block

    for pair in slide(model, counted(), rate, 2):
        given += pair[0].shape[1]
    assert given == came == 4 * rate
    assert latency(model, rate) < 1


def test_what_the_model_sees_has_a_bound():
    model = Echo()
    slid(model, noise(frames=10 * RATE))
    assert model.longest == sliding.WINDOW_SECONDS * RATE


@pytest.mark.parametrize("channels", (1, 2, 3))
def test_another_rate_and_any_channels(channels):
    mixture = noise(channels, frames=30_011)
    given, vocals = slid(Echo(), mixture, rate=11025)
    np.testing.assert_array_equal(given, mixture)
    offline = separation.separate(Echo(), mixture, 11025)
    np.testing.assert_allclose(vocals, offline.vocals, atol=1e-4)


def test_parts_that_differ_are_crossfaded():
    """A model whose level depends on all it sees makes no clicks where the window moves on."""

    class Normalising(Echo):
        def forward(self, wav):
            voice = wav * wav.abs().mean()
            return torch.stack([voice, wav - voice], dim=1)

    time = np.arange(8 * RATE) / RATE
    tone = np.linspace(0.1, 1, len(time)) * np.sin(2 * np.pi * 50 * time)
    _, vocals = slid(Normalising(), np.stack([tone, tone]).astype(np.float32))
    steps = np.abs(np.diff(vocals[:, : 7 * RATE], 2))
    assert steps.max() < 1.2 * np.abs(vocals).max() * (2 * np.pi * 50 / RATE) ** 2


def test_a_real_network_comes_close_to_what_it_gives_offline(stempeg_excerpt):
    """Its context is longer than the window on both sides, so not the same; see the figure."""
    from asteroid_karaoke import audio

    torch.manual_seed(0)
    model = KaraokeNet(size="tiny").eval()
    mixture = audio.read(f"{stempeg_excerpt}#stream=0")
    _, vocals = slid(model, mixture, rate=44100, size=4410)
    offline = separation.separate(model, mixture, 44100)
    assert sdr(offline.vocals, vocals) > 15
    # Not shifted: any lag fits worse.
    lags = range(-5, 6)
    fits = [sdr(offline.vocals, np.roll(vocals, lag, axis=1)) for lag in lags]
    assert lags[int(np.argmax(fits))] == 0
