"""The flip tracker against hand-counted histories and against its definition; Bop; groups."""

from __future__ import annotations

import copy
import random

import pytest
import torch
from torch import nn

from bitspike import torch as bt


def watch(values: list[float]) -> tuple[torch.Tensor, bt.FlipTracker]:
    w = torch.tensor(values)
    return w, bt.FlipTracker({"a": w})


def test_a_hand_counted_history() -> None:
    w, flips = watch([1.0, 1.0, -1.0])
    for values in ([-1.0, 1.0, -1.0], [1.0, 1.0, -1.0], [1.0, -1.0, -1.0]):
        w.copy_(torch.tensor(values))
        flips.step()
    r = flips.end_epoch().total
    # Weight 0 flips and flips back, weight 1 flips and stays, weight 2 never moves.
    assert (r.flips, r.undone, r.undone_in_epoch, r.changed_in_epoch) == (3, (1, 1), 1, 1)
    assert (r.weights, r.steps) == (3, 3) and abs(r.ratio - 1 / 3) < 1e-12
    # In the next epoch weight 1 goes back: undone within ten steps, but not within one epoch.
    w.copy_(torch.tensor([1.0, 1.0, -1.0]))
    flips.step()
    r = flips.end_epoch().total
    assert (r.flips, r.undone, r.undone_in_epoch, r.changed_since_start) == (1, (1, 1), 0, 0)


def test_counts_are_those_of_the_definition() -> None:
    draw, n = random.Random(7), 60
    w = torch.ones(n)
    flips = bt.FlipTracker({"a": w})
    last, step, every = [0] * n, 0, 0
    for length in [1, 37, 260, 99, 201]:
        epoch, want = step, [0, 0, 0, 0]
        for _ in range(length):
            step += 1
            for i in range(n):
                # Some weights flip every few steps, some every few hundred, so that ages are of every length.
                if draw.randrange(2 + 5 * i):
                    continue
                w[i] = -w[i]
                want[0] += 1
                if last[i]:
                    age = step - last[i]
                    want[1] += age <= 10
                    want[2] += age <= 100
                    want[3] += last[i] > epoch
                last[i] = step
            flips.step()
            if step % 50 == 0:
                # A tracker from a checkpoint goes on in the same way.
                other = bt.FlipTracker({"a": w})
                other.load_state_dict(flips.state_dict())
                flips = other
        r = flips.end_epoch().total
        assert [r.flips, *r.undone, r.undone_in_epoch] == want, f"epoch of {length} steps"
        every += r.flips
    assert every > 500


def test_zero_and_negative_zero_are_positive_and_nan_negative() -> None:
    w, flips = watch([0.0, -0.0, -1e-30, float("nan")])
    w.copy_(torch.tensor([1.0, 1.0, -1.0, -1.0]))
    flips.step()
    assert flips.report().total.flips == 0


def test_a_step_is_lazy_and_report_has_every_layer() -> None:
    net = nn.Sequential(bt.BinaryLinear(4, 3), bt.BinaryLinear(3, 2))
    flips = bt.FlipTracker(net)
    net[1].weight.data.neg_()
    flips.step()
    report = flips.end_epoch()
    assert list(report.layers) == ["0", "1"] and report.layers["1"].per_weight == 1.0 and report.total.weights == 18
    assert "total" in str(report) and len(str(report).splitlines()) == 4
    assert net[1].label == "1"


def test_state_of_another_network_is_refused() -> None:
    _, flips = watch([1.0, 2.0])
    with pytest.raises(ValueError, match=r"a.signs: expected bool \[3\], found bool \[2\]"):
        bt.FlipTracker({"a": torch.ones(3)}).load_state_dict(flips.state_dict())
    with pytest.raises(ValueError, match="layers"):
        bt.FlipTracker({"b": torch.ones(2)}).load_state_dict(flips.state_dict())


def test_prediction_matches_simulation() -> None:
    draw = torch.Generator().manual_seed(1)
    w = torch.randn(200_000, generator=draw, dtype=torch.float64) * 0.05
    mu, sigma, lr = 0.02, 0.3, 0.1
    grad = mu + sigma * torch.randn(200_000, generator=draw, dtype=torch.float64)
    observed = ((w >= 0) != (w - lr * grad >= 0)).double().mean().item()
    weight = nn.Parameter(w)
    weight.grad = grad
    (predicted,) = bt.FlipTracker({"a": weight}).predicted(lr).values()
    assert predicted is not None and abs(observed / predicted - 1) < 0.05
    assert bt.predicted_ratio(w, 0.0, 0.0, lr) is None


def test_bop_flips_once_its_momentum_passes_the_threshold() -> None:
    w = nn.Parameter(torch.tensor([0.03, -0.2, 0.0, -0.1]))
    opt, seen = bt.Bop([w], rate=0.5, threshold=0.6), []
    for _ in range(2):
        w.grad = torch.tensor([1.0, 1.0, -1.0, -1.0])
        opt.step()
        seen.append(w.tolist())
    # m is 0.5 after one step and 0.75 after two, with the sign of g: only weights of the same sign flip.
    assert seen == [[1.0, -1.0, 1.0, -1.0], [-1.0, -1.0, 1.0, 1.0]]


@pytest.mark.parametrize("make", [lambda p: bt.Bop(p, 0.1, 0.02), lambda p: bt.TBSO(p, 2, 0.1, 0.1, 0.05)])
def test_flip_rules_go_on_from_a_checkpoint(make) -> None:
    def run(w, opt, steps):
        for i in steps:
            w.grad = torch.randn(50, generator=torch.Generator().manual_seed(i))
            if isinstance(opt, bt.TBSO):
                opt.at(i % 2)
            opt.step()

    a = nn.Parameter(torch.linspace(-1, 1, 50))
    opt = make([a])
    run(a, opt, range(5))
    b = nn.Parameter(a.detach().clone())
    other = make([b])
    other.load_state_dict(copy.deepcopy(opt.state_dict()))
    start = a.detach().clone()
    run(a, opt, range(5, 12))
    run(b, other, range(5, 12))
    assert torch.equal(a, b) and not torch.equal(a.detach(), start) and set(a.tolist()) == {-1.0, 1.0}


def test_groups_hold_every_learned_parameter_once() -> None:
    net = nn.Sequential(
        nn.Conv2d(1, 2, 3), bt.BinaryConv2d(2, 4, 3), bt.TimeBatchNorm(4), bt.Agmm(2), bt.Agmm(2, alpha="fixed"), bt.PLIF(), nn.Linear(4, 2)
    )
    groups = {g["name"]: g for g in bt.param_groups(net, 0.1, 1e-3, 0.25, 0.5)}
    assert {k: len(g["params"]) for k, g in groups.items()} == {"binary": 1, "weight": 2, "plain": 5, "alpha": 1}
    assert [groups[k]["lr"] for k in ("binary", "weight", "alpha")] == [0.025, 0.1, 0.05]
    assert [groups[k]["weight_decay"] for k in groups] == [1e-3, 1e-3, 0.0, 0.0]
