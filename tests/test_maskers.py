"""The maskers: what they were built after, how far they see, and blocks that equal the whole."""

import pytest
import torch
from torch import nn

from asteroid_karaoke import KaraokeNet, maskers, overlap_add, separation
from asteroid_karaoke.maskers.band_cnn import BandCNN
from asteroid_karaoke.maskers.legacy import N_BINS, SEEN, STEP, Legacy
from asteroid_karaoke.maskers.unet import UNet

SMALL = {"band_cnn": {"size": "tiny"}}


def weights(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def layers(masker: Legacy, windows: torch.Tensor) -> list[str]:
    """What the layers are that windows go through, and what comes out of them: bins x frames."""
    found = []

    def note(module, _, out):
        words = [type(module).__name__]
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            kernel = "{}x{}".format(*module.kernel_size)
            shape = "{}x{}".format(*out.shape[2:])
            words += [str(module.out_channels), kernel, f"by {module.stride[0]}: {shape}"]
        elif isinstance(module, nn.Linear):
            words.append(str(module.out_features))
        elif isinstance(module, nn.Dropout):
            words.append(str(module.p))
        found.append(" ".join(words))

    kinds = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear, nn.Dropout, nn.Tanh, nn.ReLU)
    hooks = [m.register_forward_hook(note) for m in masker.modules() if isinstance(m, kinds)]
    with torch.no_grad():
        masker.estimate(windows)
    for hook in hooks:
        hook.remove()
    return found


@pytest.fixture(scope="module")
def models():
    """Each masker with weights that do something: norms that have seen data, masks that vary."""
    torch.manual_seed(0)
    built = {name: KaraokeNet(masker=name, **SMALL.get(name, {})) for name in maskers.MASKERS}
    for model in built.values():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.1)
                module.running_var.uniform_(0.2, 1)
        model.eval()
    return built


def noise(model: KaraokeNet, seconds: float, seed: int = 1) -> torch.Tensor:
    shape = (1, model.channels, round(seconds * model.sample_rate))
    return 0.1 * torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
@pytest.mark.parametrize("name", sorted(maskers.MASKERS))
def test_the_mask_has_the_spectrums_shape_and_is_bounded(models, name):
    masker = models[name].masker
    spectrum = models[name].encoder(noise(models[name], 1.3))
    for frames in (1, 7, spectrum.shape[-1]):
        mask = masker(spectrum[..., :frames])
        assert mask.shape == spectrum[..., :frames].shape
        assert mask.abs().max() <= 1.5
    assert mask.abs().std() > 1e-4, "the mask is the same everywhere: the test would show nothing"


@torch.no_grad()
@pytest.mark.parametrize("name", sorted(maskers.MASKERS))
def test_a_song_shifted_by_a_period_gives_a_shifted_mask(models, name):
    masker = models[name].masker
    spectrum = models[name].encoder(noise(models[name], 2.0))
    shift = masker.period
    late = masker(nn.functional.pad(spectrum, (shift, 0)))[..., shift:]
    inner = slice(min(masker.context, spectrum.shape[-1] - 8), None)
    expected = masker(spectrum)[..., inner]
    torch.testing.assert_close(late[..., inner], expected, atol=2e-3, rtol=0)


@torch.no_grad()
@pytest.mark.parametrize("name", sorted(maskers.MASKERS))
def test_context_is_as_long_as_it_says(models, name):
    """A touched frame changes no mask further off; of what is nearer, a good part."""
    model, masker = models[name], models[name].masker
    spectrum = model.encoder(noise(model, 14.0 if name == "unet" else 3.0))
    mask = masker(spectrum)
    middle = spectrum.shape[-1] // 2 // masker.period * masker.period
    reached = 0
    for frame in (middle, middle + masker.period - 1):
        touched = spectrum.clone()
        touched[..., frame] *= 30
        changed = (masker(touched) - mask).abs().amax((0, 1, 2)).gt(1e-7).nonzero()
        reached = max(reached, int((changed - frame).abs().max()))
    assert reached <= masker.context
    assert reached >= masker.context / (4 if name == "unet" else 2)
    if name == "legacy":
        assert reached == masker.context


@pytest.mark.parametrize("name", sorted(maskers.MASKERS))
def test_blocks_equal_the_whole(models, name, monkeypatch):
    """Given the margin that the context asks for, cut wherever a block may begin."""
    monkeypatch.setattr(overlap_add, "MARGIN_SECONDS", 20.0)
    model = models[name]
    margin = 2 * model.context / model.sample_rate
    song = noise(model, margin + 1.2)[0]
    with torch.no_grad():
        whole = model(song[None])[0, 0].reshape(song.shape).numpy()
    blocks = separation.separate(
        model, song.numpy(), int(model.sample_rate), block_seconds=margin + 1.0
    )
    assert abs(blocks.vocals - whole).max() < 1e-6
    assert abs(whole).max() > 1e-3


def test_the_margin_is_enough_for_the_unet(models):
    """Separation gives it 3 s of 6: what the rest would change is 60 dB below the voice."""
    model = models["unet"]
    song = noise(model, 18.0)[0]
    with torch.no_grad():
        whole = model(song[None])[0, 0].numpy()
    vocals = separation.separate(model, song.numpy(), int(model.sample_rate)).vocals
    assert ((vocals - whole) ** 2).mean() < 1e-6 * (whole**2).mean()


class TestLegacy:
    def test_it_has_the_layers_of_2018(self, models):
        masker = models["legacy"].masker
        assert weights(masker) == 67_151_464
        seen = layers(masker, torch.zeros(1, 1, N_BINS, SEEN))
        assert seen == [
            "Conv2d 64 3x3 by 3: 1366x25",
            "Conv2d 32 3x3 by 1: 1366x25",
            "Conv2d 64 5x1 by 5: 274x25",
            "Conv2d 64 3x1 by 3: 92x25",
            "Conv2d 32 3x3 by 1: 92x25",
            "Conv2d 64 3x3 by 3: 31x25",
            "Conv2d 32 3x3 by 1: 31x25",
            "Dropout 0.3",
            "Linear 2048",
            "Tanh",
            "Linear 2048",
            "ReLU",
            "Linear 5863",
            "ReLU",
            "ConvTranspose2d 32 5x5 by 1: 455x17",
            "ReLU",
            "ConvTranspose2d 32 5x5 by 3: 1365x17",
            "ReLU",
            "ConvTranspose2d 32 5x5 by 3: 4095x17",
            "ReLU",
            "ConvTranspose2d 1 3x1 by 1: 4097x17",
            "ReLU",
        ]
        with torch.no_grad():
            assert masker.estimate(torch.zeros(5, 1, N_BINS, SEEN)).shape == (5, 1, N_BINS, 17)

    @torch.no_grad()
    def test_a_mask_is_made_of_the_frames_in_the_middle_of_its_window(self, models, monkeypatch):
        masker = models["legacy"].masker

        def count(windows):
            """Estimate the mixture's own magnitude, half of it, in the 17 frames in the middle."""
            return windows[..., 4:21] / 2

        monkeypatch.setattr(masker, "estimate", count)
        spectrum = models["legacy"].encoder(noise(models["legacy"], 1.0))
        mask = masker(spectrum)
        torch.testing.assert_close(mask, torch.full_like(mask, 0.5))

    @torch.no_grad()
    def test_intensity_takes_out_more(self, models, monkeypatch):
        model = models["legacy"]
        spectrum = model.encoder(noise(model, 0.3))
        gentle = model.masker(spectrum)
        monkeypatch.setattr(model.masker, "intensity", 2.5)
        strong = model.masker(spectrum)
        torch.testing.assert_close(strong, (2.5 * gentle).clamp(max=1))
        assert strong.mean() > gentle.mean()
        assert model.get_model_args()["intensity"] == 2.5

    @torch.no_grad()
    def test_intensity_is_nothing_that_training_could_undo(self, models, monkeypatch):
        masker = models["legacy"].masker
        monkeypatch.setattr(masker, "intensity", 2.5)
        monkeypatch.setattr(masker, "estimate", lambda windows: windows[..., 4:21] / 4)
        spectrum = models["legacy"].encoder(noise(models["legacy"], 0.3))
        masks = [masker.train(training)(spectrum) for training in (True, False)]
        for mask, value in zip(masks, (0.25, 0.625), strict=True):
            torch.testing.assert_close(mask, torch.full_like(mask, value))

    @torch.no_grad()
    def test_channels_are_separated_each_by_itself(self, models):
        model = models["legacy"]
        song = noise(model, 0.6).view(1, 2, -1)
        estimates = model(song)
        assert estimates.shape == (1, 2, *song.shape[1:])
        torch.testing.assert_close(estimates.sum(1), song, atol=1e-6, rtol=0)
        alone = torch.stack([model(song[:, channel])[0] for channel in (0, 1)], dim=1)
        torch.testing.assert_close(estimates[0], alone, atol=1e-6, rtol=0)

    def test_what_it_can_not_be_is_refused(self):
        with pytest.raises(ValueError, match="2049 bins, expected 4097: n_fft 8192"):
            Legacy(1, 2049)
        with pytest.raises(ValueError, match="intensity is 0, expected more than 0"):
            Legacy(intensity=0)

    def test_a_step_is_a_third_of_a_window_of_samples(self):
        hop = Legacy.transform["hop_length"]
        assert STEP * hop == 8192
        assert (SEEN - 1) * hop == 3 * 8192


class TestUNet:
    def test_it_has_the_size_of_the_papers(self, models):
        assert weights(models["unet"]) == pytest.approx(9.8e6, rel=0.01)

    @torch.no_grad()
    def test_high_bins_follow_those_below_them(self, models):
        mask = models["unet"].masker(models["unet"].encoder(noise(models["unet"], 1.0)))
        assert mask.shape[2] == 2049
        top = mask[:, :, 896:1024].mean(2)
        torch.testing.assert_close(mask[:, :, 1024], top)
        torch.testing.assert_close(mask[:, :, 2048], top)

    def test_it_forgets_in_training_only(self, models):
        model = models["unet"]
        song = noise(model, 0.5)
        with torch.no_grad():
            assert torch.equal(model(song), model(song))
            model.train()
            assert not torch.equal(model(song), model(song))
        model.eval()

    def test_other_transforms_fit(self):
        masker = UNet(1, 257).eval()
        with torch.no_grad():
            assert masker(torch.randn(1, 1, 257, 30, dtype=torch.complex64)).shape[2] == 257


class TestBandCNN:
    def test_sizes(self):
        assert weights(BandCNN(size="small")) < 2e6
        assert weights(BandCNN(size="base")) == pytest.approx(10e6, rel=0.1)

    def test_the_names_of_the_weights_stay(self):
        """Weights that were trained before an option came are loaded after it."""
        names = set(BandCNN(size="tiny").state_dict())
        assert {"fold.offset", "bottleneck.0.rows", "bottleneck.0.norm.running_var"} <= names
        assert not [name for name in names if "gru" in name]

    @torch.no_grad()
    @pytest.mark.parametrize("bottleneck", ["conv", "recurrent"])
    def test_its_context_is_exact(self, bottleneck):
        """In float64, where nothing that a frame changes is lost; a GRU looks at no other frames"""
        torch.manual_seed(0)
        masker = BandCNN(n_bins=129, size="tiny", bottleneck=bottleneck).double().eval()
        middle = -(-masker.context // masker.period) * masker.period
        spectrum = torch.randn(1, 2, 129, 2 * middle + 20, dtype=torch.complex128)
        mask, reached = masker(spectrum), 0
        for frame in range(middle, middle + masker.period):
            touched = spectrum.clone()
            touched[..., frame] *= 30
            changed = (masker(touched) - mask).abs().amax((0, 1, 2)).nonzero()
            reached = max(reached, int((changed - frame).abs().max()))
        assert reached == masker.context == 50

    def test_width_and_depth_stand_in_for_the_sizes(self):
        masker = BandCNN(size="tiny", width=12, depth=2)
        assert len(masker.bottleneck) == 2
        assert weights(masker) < weights(BandCNN(size="tiny"))
        expected = {"size": "tiny", "width": 12, "depth": 2, "bottleneck": "conv"}
        assert masker.get_config() == expected

    def test_a_bottleneck_that_does_not_exist_is_answered_with_those_that_do(self):
        with pytest.raises(ValueError, match="bottleneck is 'lstm', expected one of conv, recur"):
            BandCNN(bottleneck="lstm")
