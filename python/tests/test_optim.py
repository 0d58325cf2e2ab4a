"""The step of a binary weight: its laws, and its first steps by hand."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from bitspike import torch as bt


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def network() -> nn.Sequential:
    return nn.Sequential(
        bt.TimeDistributed(nn.Conv2d(1, 6, 3, padding=1, bias=False)),
        bt.TimeBatchNorm(6),
        bt.LIF(),
        bt.BinaryConv2d(6, 8, 3, padding=1),
        bt.TimeBatchNorm(8),
        bt.Agmm(2, pool="none", gate="hard"),
        bt.LIF(),
        bt.BinaryConv2d(8, 8, 3, padding=1),
        bt.TimeBatchNorm(8),
        bt.LIF(),
        nn.Flatten(2),
        nn.Linear(8 * 16, 3),
    )


def signs(net: nn.Module) -> list[Tensor]:
    return [p.detach() >= 0 for p in bt.binary_parameters(net)]


def train(net: nn.Module, steps: int = 8, factor: float = 1.0) -> list[list[Tensor]]:
    """Signs of all layers after every step."""
    g = torch.Generator().manual_seed(1)
    opt = bt.RelativeSGD(bt.param_groups(net, lr=0.3), lr=0.3)
    seen = []
    for _ in range(steps):
        x, y = torch.rand(8, 1, 4, 4, generator=g) * 2, torch.randint(0, 3, (8,), generator=g)
        loss = bt.tet_loss(net(bt.repeat_steps(x, 2)), y) * factor
        opt.zero_grad()
        loss.backward()
        opt.step()
        seen.append(signs(net))
    return seen


@pytest.mark.parametrize("powers", [(-7, 0), (0, 9), (5, -12)])
def test_powers_of_two_in_front_of_a_layer_change_no_sign(powers: tuple[int, int]) -> None:
    first = network()
    second = copy.deepcopy(first)
    with torch.no_grad():
        for p, k in zip(bt.binary_parameters(second), powers):
            p.mul_(2.0**k)
    start = signs(first)
    one, other = train(first), train(second)
    flips = sum(int((a != b).sum()) for a, b in zip(start, one[-1]))
    assert flips > 20, "a run without flips would prove nothing"
    for step, (a, b) in enumerate(zip(one, other)):
        assert all(torch.equal(x, y) for x, y in zip(a, b)), f"step {step}"
    # Not a sign only: no bit of anything.
    for (name, a), b in zip(first.state_dict().items(), second.state_dict().values()):
        assert torch.equal(a, b), name


def test_another_rule_does_not_have_the_law() -> None:
    """The test above can fail: with SGD the signs differ."""
    nets = [network()]
    nets.append(copy.deepcopy(nets[0]))
    with torch.no_grad():
        for p in bt.binary_parameters(nets[1]):
            p.mul_(2.0**-7)
    ends = []
    for net in nets:
        g = torch.Generator().manual_seed(1)
        opt = torch.optim.SGD(bt.param_groups(net, lr=0.3), lr=0.3, momentum=0.9)
        for _ in range(8):
            x, y = torch.rand(8, 1, 4, 4, generator=g) * 2, torch.randint(0, 3, (8,), generator=g)
            opt.zero_grad()
            bt.tet_loss(net(bt.repeat_steps(x, 2)), y).backward()
            opt.step()
        ends.append(signs(net))
    assert not all(torch.equal(a, b) for a, b in zip(*ends))


def test_a_power_of_two_on_the_loss_changes_no_sign() -> None:
    """Of binary weights, while all others stand still."""
    nets = [network()]
    nets.append(copy.deepcopy(nets[0]))
    ends = []
    for net, factor in zip(nets, (1.0, 2.0**-10)):
        for name, p in net.named_parameters():
            if not any(p is q for q in bt.binary_parameters(net)):
                p.requires_grad_(False)
        ends.append(train(net, 5, factor))
    assert all(torch.equal(x, y) for a, b in zip(*ends) for x, y in zip(a, b))


def test_steps_by_hand() -> None:
    layer = bt.BinaryLinear(2, 2).double()
    layer.weight.data = torch.tensor([[3.0, -4.0], [0.0, 0.0]], dtype=torch.float64)  # rms 2.5
    net = nn.Sequential(layer)
    opt = bt.RelativeSGD(bt.param_groups(net, 0.5, weight_decay=1 / 1024), lr=0.5, momentum=0.5)
    w = torch.tensor([[1.2, -1.6], [0.0, 0.0]], dtype=torch.float64)  # in units
    assert torch.allclose(layer.weight, w / 16)
    v = torch.zeros_like(w)
    for gradient in ([[1.0, 1.0], [1.0, 1.0]], [[0.0, 8.0], [0.0, 0.0]]):
        g = torch.tensor(gradient, dtype=torch.float64)
        layer.weight.grad = g
        opt.step()
        v = 0.5 * v + g / g.square().mean().sqrt() + 256 / 1024 * w
        w = w - 0.5 / 16 * v
        assert torch.allclose(layer.weight * 16, w, rtol=1e-12)


def test_other_parameters_have_the_ordinary_step() -> None:
    a = network()
    b = copy.deepcopy(a)
    x, y = torch.rand(8, 1, 4, 4), torch.arange(8) % 3
    # Without momentum the first step of ordinary parameters is that of SGD.
    for net in (a, b):
        bt.to_unit(net)
    for net, opt in (
        (a, bt.RelativeSGD(bt.param_groups(a, 0.1), lr=0.1)),
        (b, torch.optim.SGD(bt.param_groups(b, 0.1), lr=0.1, momentum=0.9)),
    ):
        bt.tet_loss(net(bt.repeat_steps(x, 2)), y).backward()
        opt.step()
    binary = {id(p) for net in (a, b) for p in bt.binary_parameters(net)}
    for (name, p), q in zip(a.named_parameters(), b.parameters()):
        if id(p) in binary:
            assert not torch.equal(p, q), name
        else:
            assert torch.allclose(p, q, rtol=1e-6, atol=1e-8), name


def test_groups_without_binary_weights_are_refused() -> None:
    with pytest.raises(ValueError, match='a group named "binary"'):
        bt.RelativeSGD(nn.Linear(2, 2).parameters())
