"""KaraokeNet and its maskers: what holds whatever the weights are."""

import pytest
import torch

from asteroid_karaoke import KaraokeNet, maskers
from asteroid_karaoke.maskers.band_cnn import MASK_LIMIT, bounded


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    net = KaraokeNet(size="tiny")
    for module in net.modules():  # statistics of a net that has seen something
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
    return net.eval()


@pytest.fixture(scope="module")
def song():
    return 0.1 * torch.randn(1, 2, 6 * 44100, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def test_estimates_add_up_to_the_mixture(model, song):
    estimates = model(song)
    assert estimates.shape == (1, 2, 2, song.shape[-1])
    torch.testing.assert_close(estimates.sum(1), song, atol=1e-6, rtol=0)


@torch.no_grad()
@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((9000,), (2, 9000)),
        ((3, 9000), (3, 2, 9000)),
        ((3, 1, 9000), (3, 2, 9000)),
        ((3, 2, 9000), (3, 2, 2, 9000)),
        ((1, 2, 1), (1, 2, 2, 1)),
        ((0,), (2, 0)),
        ((3, 0), (3, 2, 0)),
        ((0, 9000), (0, 2, 9000)),
        ((0, 2, 9000), (0, 2, 2, 9000)),
    ],
)
def test_shapes_that_asteroid_passes(model, shape, expected):
    assert model(torch.randn(shape)).shape == expected


@torch.no_grad()
def test_a_network_of_one_channel_separates_each_by_itself():
    net = KaraokeNet(size="tiny", channels=1).eval()
    song = torch.randn(2, 3, 9000, generator=torch.Generator().manual_seed(0))
    estimates = net(song)
    assert estimates.shape == (2, 2, 3, 9000)
    for channel in range(3):
        torch.testing.assert_close(estimates[:, :, channel], net(song[:, channel]))


@pytest.mark.parametrize("shape", [(), (1, 3, 100), (1, 1, 2, 100)])
def test_other_shapes_are_refused(model, shape):
    with pytest.raises(ValueError, match=r"expected \(time,\), \(batch, time\) or"):
        model(torch.zeros(shape))


@torch.no_grad()
def test_silence_stays_silence(model):
    assert not model(torch.zeros(1, 2, 44100)).any()


@torch.no_grad()
@pytest.mark.parametrize("gain", [1e-3, 10.0])
def test_a_louder_song_gives_a_louder_voice(model, song, gain):
    expected = model(song) * gain
    torch.testing.assert_close(model(song * gain), expected, atol=1e-4 * gain, rtol=1e-3)


@torch.no_grad()
def test_a_shifted_song_gives_a_shifted_voice(model, song):
    shift = 10 * model.grid
    late = model(torch.nn.functional.pad(song, (shift, 0)))
    inner = slice(model.context, -model.context)
    torch.testing.assert_close(
        late[..., shift:][..., inner], model(song)[..., inner], atol=1e-6, rtol=0
    )


@torch.no_grad()
def test_context_is_as_long_as_it_says_and_no_longer(model, song):
    middle = song.shape[-1] // 2
    touched = song.clone()
    touched[..., middle] += 1.0
    changed = (model(touched)[0, 0] - model(song)[0, 0]).abs().amax(0).nonzero()
    reach = max(int((changed - middle).abs().max()), 1)
    assert model.context / 4 < reach <= model.context


@torch.no_grad()
def test_two_runs_give_the_same_bits(model, song):
    assert torch.equal(model(song), model(song))


def test_forward_wav_is_in_eval_mode_and_restores_the_mode(model, song):
    model.train()
    with torch.no_grad():
        one, two = model.forward_wav(song), model.forward_wav(song)
    assert model.training
    assert torch.equal(one, two)
    model.eval()


def test_the_mask_is_bounded_and_keeps_its_phase():
    values = torch.randn(1, 4, 50, 50, generator=torch.Generator().manual_seed(0)) * 10
    mask = bounded(values)
    assert mask.abs().max() <= MASK_LIMIT + 1e-5
    real, imag = values.chunk(2, dim=1)
    torch.testing.assert_close(mask.angle(), torch.complex(real, imag).angle(), atol=1e-4, rtol=0)


def test_default_network_is_small():
    weights = sum(p.numel() for p in KaraokeNet().parameters())
    assert 0.5e6 < weights <= 1.5e6


@pytest.mark.parametrize("n_fft", [1024, 2048])
def test_other_transforms_and_channels_fit(n_fft):
    net = KaraokeNet(size="tiny", n_fft=n_fft, hop_length=n_fft // 4, channels=1).eval()
    args = net.get_model_args()
    assert args["n_fft"] == n_fft
    with torch.no_grad():
        assert net(torch.randn(1, 1, 8000)).shape == (1, 2, 8000)


def test_names_that_do_not_exist_are_answered_with_those_that_do():
    with pytest.raises(ValueError, match="masker is 'gru', expected one of band_cnn"):
        KaraokeNet(masker="gru")
    with pytest.raises(ValueError, match="size is 'huge', expected one of tiny, small"):
        KaraokeNet(size="huge")


@pytest.mark.parametrize("name", sorted(maskers.MASKERS))
def test_every_masker_keeps_the_contract(name):
    model = KaraokeNet(masker=name)
    rebuilt = KaraokeNet(**model.get_model_args())
    assert rebuilt.get_model_args() == model.get_model_args()
    assert all(isinstance(v, (int, float, str, bool)) for v in model.get_model_args().values())
    rebuilt.load_state_dict(model.state_dict())


@pytest.mark.parametrize("name", ["no-such-model", "no/such/model.pth", "exp/none.pth"])
def test_a_missing_model_is_said_to_be_missing(name):
    with pytest.raises(FileNotFoundError, match="neither a file nor one of the shipped weights"):
        KaraokeNet.from_pretrained(name)


def test_a_file_that_is_no_model_is_named(tmp_path):
    text = tmp_path / "song.pth"
    text.write_text("no weights here")
    with pytest.raises(ValueError, match=r"song\.pth holds no model"):
        KaraokeNet.from_pretrained(text)
    torch.save({"some": "dict"}, text)
    with pytest.raises(ValueError, match=r"song\.pth is no model"):
        KaraokeNet.from_pretrained(text)
