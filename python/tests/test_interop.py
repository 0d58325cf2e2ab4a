"""What researchers bring along: neurons of other libraries, torch.compile, AMP, checkpoints, copies."""

from __future__ import annotations

import copy
import io

import pytest
import torch
from torch import Tensor, nn

from bitspike import torch as bt


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def network(first: nn.Module, second: nn.Module, steps: int = 2) -> nn.Sequential:
    return nn.Sequential(
        bt.TimeDistributed(nn.Conv2d(1, 4, 3, padding=1, bias=False)),
        bt.TimeBatchNorm(4),
        first,
        bt.BinaryConv2d(4, 6, 3, padding=1),
        bt.TimeBatchNorm(6),
        bt.Agmm(steps, 6, pool="nchw"),
        second,
        nn.Flatten(2),
        nn.Linear(6 * 16, 3),
    )


def trains(net: nn.Module, reset=lambda net: None) -> None:
    """Three steps on one batch: every learned parameter gets a gradient, signs flip, the loss falls."""
    x, y = torch.rand(12, 1, 4, 4) * 2, torch.arange(12) % 3
    opt = torch.optim.SGD(bt.param_groups(net, 0.2, 0.0, lr_binary_mult=8), 0.2, momentum=0.9)
    flips, losses = bt.FlipTracker(net), []
    for _ in range(12):
        reset(net)
        loss = bt.tet_loss(net(bt.repeat_steps(x, 2)), y)
        opt.zero_grad()
        loss.backward()
        assert all(p.grad is not None for p in net.parameters() if p.requires_grad)
        opt.step()
        flips.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] and flips.end_epoch().total.flips > 0


def test_own_neurons_train() -> None:
    trains(network(bt.LIF(), bt.PLIF()))


def test_neurons_of_spikingjelly() -> None:
    neuron = pytest.importorskip("spikingjelly.activation_based.neuron")
    functional = pytest.importorskip("spikingjelly.activation_based.functional")

    def make() -> nn.Module:
        return neuron.LIFNode(tau=2.0, decay_input=False, v_reset=None, detach_reset=True, step_mode="m")

    trains(network(make(), make()), functional.reset_net)
    # With decay_input=False and a soft reset theirs is our equation, spike for spike.
    x = torch.rand(6, 3, 4, 5, 5) * 2
    layer = make()
    assert torch.equal(layer(x), bt.LIF()(x))
    layer = neuron.IFNode(v_reset=0.0, step_mode="m")
    assert torch.equal(layer(x), bt.IF(reset="hard")(x))


class Leaky(nn.Module):
    """snnTorch's neuron over a whole sequence."""

    def __init__(self, snntorch) -> None:
        super().__init__()
        self.neuron = snntorch.Leaky(beta=0.5)

    def forward(self, x: Tensor) -> Tensor:
        v, spikes = self.neuron.init_leaky(), []
        for current in x:
            s, v = self.neuron(current, v)
            spikes.append(s)
        return torch.stack(spikes)


def test_neurons_of_snntorch() -> None:
    snntorch = pytest.importorskip("snntorch")
    trains(network(Leaky(snntorch), Leaky(snntorch)))


def test_state_dict_goes_through_a_file() -> None:
    net = network(bt.LIF(), bt.PLIF())
    net(torch.rand(2, 5, 1, 4, 4))  # moves the running statistics
    file = io.BytesIO()
    torch.save(net.state_dict(), file)
    file.seek(0)
    other = network(bt.LIF(), bt.PLIF())
    other.load_state_dict(torch.load(file, weights_only=True))
    x = torch.rand(2, 5, 1, 4, 4)
    assert torch.equal(net.eval()(x), other.eval()(x)) and torch.equal(copy.deepcopy(net)(x), net(x))
    assert {"3.weight", "4.norm.running_var", "5.alpha", "5.running_means", "6.decay_logit"} <= net.state_dict().keys()


def test_autocast_keeps_the_dtype_of_a_layer_and_trains() -> None:
    net = network(bt.LIF(), bt.LIF())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = net(torch.rand(2, 5, 1, 4, 4))
        assert out.dtype == torch.bfloat16
        bt.tet_loss(out.float(), torch.zeros(5, dtype=torch.int64)).backward()
    assert net[3].weight.grad is not None and net[3].weight.grad.dtype == torch.float32


@pytest.mark.parametrize("backend", ["aot_eager"])
def test_compile_changes_nothing(backend) -> None:
    net = network(bt.LIF(), bt.LIF())
    twin = copy.deepcopy(net)
    compiled = torch.compile(twin, backend=backend, fullgraph=True)
    x, y = torch.rand(2, 5, 1, 4, 4), torch.zeros(5, dtype=torch.int64)
    for _ in range(2):
        a, b = bt.tet_loss(net(x), y), bt.tet_loss(compiled(x), y)
        a.backward()
        b.backward()
    assert torch.allclose(a, b)
    for (name, p), q in zip(net.named_parameters(), twin.parameters()):
        assert torch.allclose(p.grad, q.grad, atol=1e-6), name
    assert torch.allclose(net[5].running_means, twin[5].running_means)
