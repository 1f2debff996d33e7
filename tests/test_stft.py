"""The transform: exact, on its grid, and nothing of it in a checkpoint."""

import pytest
import torch

from asteroid_karaoke.stft import ISTFT, STFT


def pair(n_fft=1024, hop_length=256):
    return STFT(n_fft, hop_length, 8000), ISTFT(n_fft, hop_length, 8000)


@pytest.mark.parametrize("time", [0, 1, 255, 256, 1023, 5000])
def test_inverse_gives_back_every_sample(time):
    analysis, synthesis = pair()
    wav = torch.randn(2, 3, time, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(synthesis(analysis(wav), time), wav, atol=1e-5, rtol=0)


def test_a_tone_stands_in_its_bin():
    analysis, _ = pair()
    time = torch.arange(8000) / 8000
    spectrum = analysis(torch.sin(2 * torch.pi * 1000 * time)[None, None])
    assert spectrum.shape == (1, 1, 513, 1 + 8000 // 256)
    assert spectrum[0, 0, :, 15].abs().argmax() == round(1000 * 1024 / 8000)


def test_a_shift_by_a_hop_shifts_the_frames():
    analysis, _ = pair()
    wav = torch.randn(1, 1, 8192, generator=torch.Generator().manual_seed(0))
    late = torch.nn.functional.pad(wav, (256, 0))
    torch.testing.assert_close(
        analysis(late)[..., 3:-3], analysis(wav)[..., 2:-3], atol=1e-4, rtol=0
    )


def test_nothing_is_stored():
    assert not STFT(4096, 1024, 44100).state_dict()


def test_asteroid_finds_its_interface():
    analysis, _ = pair()
    config = analysis.filterbank.get_config()
    assert config == {"n_fft": 1024, "hop_length": 256, "sample_rate": 8000}


@pytest.mark.parametrize("hop_length", [0, 513])
def test_a_hop_that_can_not_be_undone_is_refused(hop_length):
    with pytest.raises(ValueError, match=f"hop_length is {hop_length}, expected 1 to 512"):
        STFT(1024, hop_length, 8000)
