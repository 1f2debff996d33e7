"""Muon: turned evenly, as long as Adam's steps, equal to torch's where torch has it."""

import pytest
import torch
from torch import nn

from asteroid_karaoke.muon import Muon, is_matrix, orthogonal


def test_singular_values_are_near_one_and_directions_stay():
    torch.manual_seed(0)
    for shape in ((16, 60), (60, 16)):
        matrix = torch.randn(shape) @ torch.diag(torch.logspace(0, -2, shape[1]))
        u, s, v = torch.linalg.svd(orthogonal(matrix), full_matrices=False)
        assert s.min() > 0.6 and s.max() < 1.3
        expected = torch.linalg.svd(matrix, full_matrices=False)
        # The product of u and v is what makes all singular values 1.
        assert torch.nn.functional.cosine_similarity(
            (u @ v).flatten(), (expected.U @ expected.Vh).flatten(), dim=0
        ) == pytest.approx(1, abs=0.02)


def test_matrices_learn_as_by_torch():
    """torch's own, which computes in bfloat16, takes the same steps."""
    torch.manual_seed(0)
    mine, theirs = nn.Linear(24, 12, bias=False), nn.Linear(24, 12, bias=False)
    theirs.load_state_dict(mine.state_dict())
    before = mine.weight.detach().clone()
    how = {"lr": 0.01, "weight_decay": 0.1, "momentum": 0.95}
    optimizers = [
        Muon(mine.parameters(), **how),
        torch.optim.Muon(theirs.parameters(), **how, adjust_lr_fn="match_rms_adamw"),
    ]
    for seed in range(3):
        x = torch.randn(64, 24, generator=torch.Generator().manual_seed(seed))
        for layer, optimizer in zip((mine, theirs), optimizers, strict=True):
            optimizer.zero_grad()
            layer(x).square().sum().backward()
            optimizer.step()
    moved = (mine.weight - before).norm()
    assert (mine.weight - theirs.weight).norm() < 0.05 * moved


def test_all_else_learns_by_adamw():
    torch.manual_seed(0)
    mine, theirs = nn.BatchNorm2d(8), nn.BatchNorm2d(8)
    how = {"lr": 0.01, "weight_decay": 0.1}
    for norm, optimizer in (
        (mine, Muon(mine.parameters(), **how)),
        (theirs, torch.optim.AdamW(theirs.parameters(), **how)),
    ):
        for seed in range(4):
            x = torch.randn(2, 8, 3, 3, generator=torch.Generator().manual_seed(seed))
            optimizer.zero_grad()
            norm(x).pow(3).sum().backward()
            optimizer.step()
    torch.testing.assert_close(mine.weight, theirs.weight)
    torch.testing.assert_close(mine.bias, theirs.bias)


def test_a_kernel_is_a_matrix_and_a_small_one_is_not():
    assert is_matrix(nn.Conv2d(4, 16, 3).weight)
    assert not is_matrix(nn.Conv2d(16, 4, 3).weight)
    assert not is_matrix(nn.BatchNorm2d(16).weight)
    layer = nn.Conv2d(4, 16, 3)
    optimizer = Muon(layer.parameters(), lr=0.1, weight_decay=0.0)
    before = layer.weight.detach().clone()
    layer(torch.randn(2, 4, 8, 8)).square().mean().backward()
    optimizer.step()
    step = (layer.weight - before).detach()
    assert step.square().mean().sqrt() == pytest.approx(0.1 * 0.2, rel=0.3)


def test_it_goes_on_from_its_state():
    torch.manual_seed(0)
    x = torch.randn(6, 12)
    whole, broken = nn.Linear(12, 12), nn.Linear(12, 12)
    broken.load_state_dict(whole.state_dict())

    def learn(layer, optimizer, steps):
        for _ in range(steps):
            optimizer.zero_grad()
            layer(x).pow(4).sum().backward()
            optimizer.step()

    learn(whole, Muon(whole.parameters()), 4)
    first = Muon(broken.parameters())
    learn(broken, first, 2)
    second = Muon(broken.parameters())
    second.load_state_dict(first.state_dict())
    learn(broken, second, 2)
    assert torch.equal(whole.weight, broken.weight) and torch.equal(whole.bias, broken.bias)
