"""The separation engine: sums, lengths, borders and memory, with stand-ins for the network."""

import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from stand_ins import RATE, Echo, Gain, noise

from asteroid_karaoke import KaraokeNet, overlap_add, separation


def check_sum(estimates, mixture):
    assert estimates.vocals.dtype == estimates.accompaniment.dtype == np.float32
    assert estimates.vocals.shape == estimates.accompaniment.shape == mixture.shape
    total = estimates.vocals.astype(np.float64) + estimates.accompaniment
    np.testing.assert_allclose(total, mixture, rtol=0, atol=1e-6)


# Block by block is the same as at once.


@pytest.mark.parametrize("block_seconds", (0.01, 0.7, 3, 100))
@pytest.mark.parametrize("frames", (1, 5000, 50_000, 123_457))
def test_block_by_block_is_the_whole_song_at_once(block_seconds, frames):
    model, mixture = Echo(), noise(frames=frames)
    estimates = separation.separate(model, mixture, RATE, block_seconds=block_seconds)
    np.testing.assert_allclose(estimates.vocals, model.whole(mixture), rtol=0, atol=1e-6)
    check_sum(estimates, mixture)


@pytest.mark.parametrize("context", (900, 500, 0))
def test_the_margin_is_what_makes_it_so(context):
    """A model that names too small a context is found out: the tests above can fail."""
    model, mixture = Echo(hop=1, context=context), noise(frames=10 * RATE)
    estimates = separation.separate(model, mixture, RATE, block_seconds=1)
    assert np.abs(estimates.vocals - model.whole(mixture)).max() > 1e-3


@pytest.mark.parametrize(("channels", "sizes"), [(2, [1, 3, 3, 2, 1]), (3, [1, 3, 3, 2, 1] * 2)])
def test_blocks_go_to_the_model_together(channels, sizes):
    """The first and the last are of another length than the others."""
    seen = []

    class Counting(Echo):
        def forward(self, wav):
            seen.append(len(wav))
            return super().forward(wav)

    mixture = noise(channels, frames=15 * RATE)
    together = separation.separate(Counting(), mixture, RATE, block_seconds=2, batch=3)
    assert sorted(seen) == sorted(sizes)
    alone = separation.separate(Echo(), mixture, RATE, block_seconds=2)
    np.testing.assert_array_equal(together.vocals, alone.vocals)


def test_a_network_gives_blocks_together_what_it_gives_one_by_one():
    torch.manual_seed(0)
    model, mixture = KaraokeNet(size="tiny").eval(), noise(frames=12 * 44100)
    alone, together = (
        separation.separate(model, mixture, 44100, block_seconds=3, batch=batch).vocals
        for batch in (1, 4)
    )
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-5)


def test_what_the_model_sees_has_a_bound(monkeypatch):
    model = Echo()
    separation.separate(model, noise(frames=60 * RATE), RATE, block_seconds=3)
    assert model.longest <= 3 * RATE + 2 * model.grid
    model = Echo(context=10**9)
    separation.separate(model, noise(frames=60 * RATE), RATE)
    assert model.longest <= overlap_add.BLOCK_SECONDS * RATE + 2 * model.grid


@pytest.mark.parametrize("context", (None, 10**9))
def test_endless_context_is_crossfaded_without_clicks(context):
    """A model whose level depends on all it sees: it changes from block to block, not in steps."""

    class Normalising(Echo):
        def forward(self, wav):
            voice = wav * wav.abs().mean()
            return torch.stack([voice, wav - voice], dim=1)

    loud = np.linspace(0.1, 1, 40 * RATE, dtype=np.float32)
    time = np.arange(40 * RATE) / RATE
    mixture = np.stack([loud * np.sin(2 * np.pi * 50 * time)] * 2).astype(np.float32)
    vocals = separation.separate(Normalising(context=context), mixture, RATE).vocals
    steps = np.abs(np.diff(vocals, 2))
    # The second difference of a 50 Hz sine, by its greatest level, with a little for the fades.
    assert steps.max() < 1.1 * np.abs(vocals).max() * (2 * np.pi * 50 / RATE) ** 2


@settings(max_examples=25, deadline=None)
@given(
    block_seconds=st.floats(0.05, 6),
    margin=st.floats(0, 2),
    fade=st.floats(0.05, 0.5),
    batch=st.integers(1, 3),
)
def test_no_block_overlap_or_fade_clicks(block_seconds, margin, fade, batch):
    """A spectral check: a click is broad, the tone and its crossfades are below 500 Hz."""

    class Deaf(Echo):
        """Its level depends on all it sees, so that neighbours never agree."""

        def forward(self, wav):
            voice = wav * (0.2 + wav[..., : RATE // 10].abs().mean())
            return torch.stack([voice, wav - voice], dim=1)

    axis = np.arange(8 * RATE) / RATE
    tone = np.linspace(0.1, 1, len(axis)) * np.sin(2 * np.pi * 200 * axis)
    mixture = np.stack([tone, tone]).astype(np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(overlap_add, "MARGIN_SECONDS", margin)
        patch.setattr(overlap_add, "FADE_SECONDS", fade)
        vocals = separation.separate(
            Deaf(context=None), mixture, RATE, block_seconds=block_seconds, batch=batch
        ).vocals
    assert vocals.shape == mixture.shape
    # The ends are sharp in the mixture too.
    frames = np.lib.stride_tricks.sliding_window_view(vocals[0], 512)[64:-64:128]
    power = np.square(np.abs(np.fft.rfft(frames * np.blackman(512))))
    high = power[:, 600 * 512 // RATE :].sum(axis=1)
    assert 10 * np.log10(high.max() / power.sum(axis=1).max()) < -60


def test_karaokenet_block_by_block_is_the_whole_song_to_minus_60_db():
    torch.manual_seed(0)
    model = KaraokeNet(size="tiny").eval()
    mixture = noise(frames=11 * 44100)
    with torch.no_grad():
        whole = model(torch.from_numpy(mixture)[None])[0, 0].numpy()
    estimates = separation.separate(model, mixture, 44100, block_seconds=4)
    error = np.abs(estimates.vocals - whole).max() / np.abs(whole).max()
    assert 20 * np.log10(error) < -60
    check_sum(estimates, mixture)


# Any song.


@settings(max_examples=60, deadline=None)
@given(
    frames=st.integers(1, 20_000),
    block_seconds=st.floats(0.001, 3),
    hop=st.sampled_from((1, 7, 64, 1024)),
    reach=st.integers(1, 3000),
    channels=st.integers(1, 4),
    pieces=st.integers(1, 9),
    batch=st.integers(1, 4),
)
def test_any_length_any_block_any_piece(frames, block_seconds, hop, reach, channels, pieces, batch):
    model, mixture = Echo(reach, hop), noise(channels, frames)
    estimates = separation.separate(model, mixture, RATE, block_seconds=block_seconds)
    check_sum(estimates, mixture)
    pairs = list(
        separation.stream(
            model,
            np.array_split(mixture, pieces, axis=1),
            RATE,
            channels,
            block_seconds=block_seconds,
            batch=batch,
        )
    )
    np.testing.assert_array_equal(np.concatenate([m for m, _ in pairs], axis=1), mixture)
    np.testing.assert_array_equal(np.concatenate([v for _, v in pairs], axis=1), estimates.vocals)


@settings(max_examples=40, deadline=None)
@given(rate=st.integers(8000, 192_000), frames=st.integers(1, 30_000))
def test_any_rate_has_its_length_and_sum(rate, frames):
    mixture = noise(2, frames)
    check_sum(separation.separate(Echo(), mixture, rate), mixture)


@pytest.mark.parametrize("rate", (8000, 11025, 44100, 48000, 192_000))
@pytest.mark.parametrize("model_rate", (16000, 44100))
def test_other_rates_are_aligned(rate, model_rate):
    """Half of a tone is voice, at whatever rate; a shift would leave more than half behind."""
    model = Gain()
    model.sample_rate = model_rate
    time = np.arange(2 * rate) / rate
    mixture = np.stack([np.sin(2 * np.pi * 1000 * time), np.cos(2 * np.pi * 440 * time)])
    estimates = separation.separate(model, mixture.astype(np.float32), rate)
    inner = slice(rate // 10, -rate // 10)
    np.testing.assert_allclose(estimates.vocals[:, inner], mixture[:, inner] / 2, atol=1e-3)


@pytest.mark.parametrize("rate", (8000, 44100, 192_000))
@pytest.mark.parametrize("frames", (1, 2, 100))
def test_a_song_may_be_a_single_sample(rate, frames):
    mixture = noise(2, frames)
    check_sum(separation.separate(Echo(rate=44100), mixture, rate), mixture)
    torch.manual_seed(0)
    check_sum(separation.separate(KaraokeNet(size="tiny"), mixture, rate), mixture)


@pytest.mark.parametrize("rate", (RATE, 44100))
def test_silence_stays_silence(rate):
    estimates = separation.separate(Echo(), np.zeros((2, 30_000), np.float32), rate)
    assert not estimates.vocals.any()
    assert not estimates.accompaniment.any()


def test_channels_go_in_pairs_and_one_left_over_as_mono():
    class Sides(Echo):
        """Voice of the first input is half of it, of the second a quarter."""

        def forward(self, wav):
            voice = wav * torch.tensor([0.5, 0.25])[:, None]
            return torch.stack([voice, wav - voice], dim=1)

    mixture = noise(5, 1000)
    vocals = separation.separate(Sides(), mixture, RATE).vocals
    gains = np.array([0.5, 0.25, 0.5, 0.25, 0.375], np.float32)[:, None]
    np.testing.assert_allclose(vocals, mixture * gains, atol=1e-7)


@pytest.mark.parametrize("channels", (1, 3, 6, 8))
def test_any_number_of_channels(channels):
    mixture = noise(channels, 30_000)
    estimates = separation.separate(Echo(), mixture, RATE, block_seconds=1)
    check_sum(estimates, mixture)
    np.testing.assert_allclose(estimates.vocals, Echo().whole(mixture), atol=1e-6)


def test_a_model_of_one_channel_may_give_three_dimensions():
    class Flat(Echo):
        def forward(self, wav):
            return super().forward(wav)[:, :, 0]

    model, mixture = Flat(channels=1), noise(3, 20_000)
    expected = Echo().whole(mixture)
    np.testing.assert_allclose(
        separation.separate(model, mixture, RATE).vocals, expected, atol=1e-6
    )


def test_one_dimension_in_one_dimension_out():
    mixture = noise(1, 5000)
    flat = separation.separate(Echo(), mixture[0], RATE)
    check_sum(flat, mixture[0])
    np.testing.assert_array_equal(flat.vocals, separation.separate(Echo(), mixture, RATE).vocals[0])


def test_the_level_is_the_inputs():
    mixture = 100 * noise()
    estimates = separation.separate(Echo(), mixture, RATE)
    quiet = separation.separate(Echo(), mixture / 1024, RATE)
    np.testing.assert_allclose(estimates.vocals, 1024 * quiet.vocals, rtol=1e-6)


# What the engine does to the model.


def test_the_model_runs_in_eval_mode_and_gets_its_own_mode_back():
    model = Echo()
    model.train()
    model.dropout.eval()
    first = separation.separate(model, noise(), RATE)
    second = separation.separate(model, noise(), RATE)
    np.testing.assert_array_equal(first.vocals, second.vocals)
    assert model.training
    assert not model.dropout.training


def test_no_gradient_is_kept_and_none_is_taken_from_the_caller():
    model = Echo()
    for _, vocals in separation.stream(model, [noise()], RATE, 2):
        assert torch.is_grad_enabled()
        assert isinstance(vocals, np.ndarray)
    assert model.gain.grad is None


def test_the_model_runs_where_it_is_told():
    model = Echo()
    separation.separate(model, noise(), RATE, device="cpu")
    assert model.gain.device.type == "cpu"
    with pytest.raises((RuntimeError, NotImplementedError)):
        separation.separate(model, noise(), RATE, device="no such device")


def test_a_model_that_gives_nan_is_found_out():
    model = Echo()
    model.gain.data.fill_(np.nan)
    with pytest.raises(RuntimeError, match="weights are damaged"):
        separation.separate(model, noise(), RATE)


def test_a_model_of_other_sources_is_found_out():
    class Four(Echo):
        def forward(self, wav):
            return torch.stack([wav] * 4, dim=1)

    with pytest.raises(RuntimeError, match=r"gives \(1, 4, 2, 8000\).*expected \(1, 2, 2, 8000\)"):
        separation.separate(Four(), noise(), RATE)


# What is refused.


@pytest.mark.parametrize(
    "mixture",
    [
        np.zeros((2, 0), np.float32),
        np.zeros((1, 2, 10), np.float32),
        np.float32(1),
        np.zeros((2, 10), np.int16),
        np.zeros((44100, 2), np.float32),
    ],
)
def test_what_is_no_song_is_refused(mixture):
    with pytest.raises(ValueError, match="expected"):
        separation.separate(Echo(), mixture, RATE)


@pytest.mark.parametrize("value", (np.nan, np.inf))
def test_nan_is_refused_with_its_place(value):
    mixture = noise(frames=20 * RATE)
    mixture[1, 19 * RATE] = value
    with pytest.raises(ValueError, match=r"NaN or Inf at 19\.000 s"):
        separation.separate(Echo(), mixture, RATE)


def test_blocks_must_have_the_channels_they_were_said_to_have():
    with pytest.raises(ValueError, match=r"got a block \(1, 8000\), expected \(2, n\)"):
        list(separation.stream(Echo(), [noise(2), noise(1)], RATE, 2))


# Constant memory, progress.


def test_memory_does_not_grow_with_the_song():
    def peak(seconds):
        blocks = (noise(2, RATE, seed) for seed in range(seconds))
        tracemalloc.start()
        total = sum(v.shape[1] for _, v in separation.stream(Echo(), blocks, 2 * RATE, 2))
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert total == seconds * RATE
        return found

    peak(10)
    assert peak(600) < 1.1 * peak(60)


def test_progress_runs_from_the_first_block_to_the_end():
    calls = []
    mixture = noise(frames=40 * RATE)
    separation.separate(Echo(), mixture, RATE, progress=lambda *call: calls.append(call))
    done, total = zip(*calls, strict=True)
    assert set(total) == {40.0}
    assert list(done) == sorted(done)
    assert len(done) > 2
    assert done[0] < 15
    assert done[-1] == 40.0
