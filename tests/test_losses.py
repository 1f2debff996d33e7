"""The loss: zero for a perfect estimate, finite for silence, blind to level."""

import pytest
import torch

from asteroid_karaoke import KaraokeNet
from asteroid_karaoke.losses import KaraokeLoss, MagnitudeLoss, loss_for

loss = KaraokeLoss()


def stems(seed=0, level=0.1):
    return level * torch.randn(2, 2, 2, 16384, generator=torch.Generator().manual_seed(seed))


def test_a_perfect_estimate_costs_next_to_nothing():
    assert loss(stems(), stems()) < 1e-3 < loss(stems(1), stems())


def test_worse_estimates_cost_more():
    costs = [float(loss(stems() + error * stems(1), stems())) for error in (0.1, 0.3, 1.0)]
    assert costs == sorted(costs)


@pytest.mark.parametrize("silent", [0, 1, (0, 1)])
def test_silent_targets_give_finite_gradients(silent):
    targets = stems()
    targets[:, silent] = 0
    estimates = torch.zeros_like(targets, requires_grad=True)
    loss(estimates, targets).backward()
    assert estimates.grad.isfinite().all()


def test_quiet_songs_count_as_much_as_loud_ones():
    torch.testing.assert_close(
        loss(0.1 * stems(1), 0.1 * stems()), loss(stems(1), stems()), rtol=1e-2, atol=0
    )


def test_the_spectral_part_cares_for_quiet_bins():
    """A weak error costs relatively more in compressed spectra than in time."""
    spectral, time = KaraokeLoss(time_weight=0), KaraokeLoss(spectral_weight=0)
    weak, strong = stems() + 0.01 * stems(1), stems() + stems(1)
    ratios = [part(weak, stems()) / part(strong, stems()) for part in (spectral, time)]
    assert ratios[0] > ratios[1]


def test_each_resolution_has_its_turn():
    given, several = (stems(1), stems()), KaraokeLoss(n_ffts=(2048, 512))
    alone = [KaraokeLoss(n_ffts=(n_fft,))(*given) for n_fft in (2048, 512)]
    assert abs(alone[0] - alone[1]) > 1e-4
    assert [several(*given, turn=turn) for turn in range(4)] == [*alone, *alone]
    torch.testing.assert_close(several(*given), sum(alone) / 2)


class TestMagnitudeLoss:
    loss = MagnitudeLoss(1024, 256)

    def test_it_is_the_power_of_the_error_in_the_voice_alone(self):
        """The mean square of a bin of noise is the energy of the noise."""
        targets, silent = stems(), stems()
        silent[:, 0] = 0
        ratio = targets[:, 0].square().mean() / targets.sum(1).square().mean()
        assert float(self.loss(silent, targets)) == pytest.approx(float(ratio), rel=0.1)
        changed = targets.clone()
        changed[:, 1] = 0
        assert self.loss(changed, targets) == 0

    def test_phases_do_not_matter(self):
        turned = stems()
        turned[:, 0] *= -1
        assert self.loss(turned, stems()) < 1e-9 < loss(turned, stems())

    def test_silence_gives_finite_gradients(self):
        estimates = torch.zeros(1, 2, 2, 4096, requires_grad=True)
        self.loss(estimates, torch.zeros(1, 2, 2, 4096)).backward()
        assert estimates.grad.isfinite().all()

    def test_the_masker_says_which_loss(self):
        asked = loss_for(KaraokeNet(masker="legacy"))
        assert isinstance(asked, MagnitudeLoss) and asked.transform.n_fft == 8192
        assert isinstance(loss_for(KaraokeNet(size="tiny")), KaraokeLoss)


def test_nothing_is_stored():
    assert not loss.state_dict()
