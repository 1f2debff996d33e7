"""The loss: zero for a perfect estimate, finite for silence, blind to level."""

import pytest
import torch

from asteroid_karaoke.losses import KaraokeLoss

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


def test_nothing_is_stored():
    assert not loss.state_dict()
