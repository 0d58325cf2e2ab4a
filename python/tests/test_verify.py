"""A network of PyTorch against its file."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import bitspike as bs
from bitspike import torch as bt


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(2)


def over(layer: nn.Module) -> nn.Module:
    return bt.TimeDistributed(layer)


def network(gate: nn.Module, pool_first: bool = True) -> nn.Sequential:
    middle = [over(nn.AvgPool2d(2)), bt.LIF()] if pool_first else [bt.LIF(), over(nn.AvgPool2d(2))]
    net = nn.Sequential(
        over(nn.Conv2d(2, 6, 3, padding=1)), bt.TimeBatchNorm(6), bt.LIF(),
        bt.BinaryConv2d(6, 8, 3, padding=1), bt.TimeBatchNorm(8), gate, *middle,
        bt.BinaryConv2d(8, 5, 3, padding=1), bt.TimeBatchNorm(5), bt.PLIF(), nn.Flatten(2), nn.Linear(5 * 4, 3),
    )  # fmt: skip
    for m in net:
        if isinstance(m, bt.TimeBatchNorm):
            nn.init.normal_(m.norm.weight, 1.0, 0.3)
            nn.init.normal_(m.norm.bias, 0.4, 0.3)
    for _ in range(3):
        net(torch.rand(2, 8, 2, 4, 4))
    return net.eval()


GATES = {
    "sigmoid": lambda: bt.Agmm(2, 8),
    "hard": lambda: bt.Agmm(2, 8, pool="hw", gate="hard", alpha_init=1.5),
    "element": lambda: bt.Agmm(2, 8, pool="none", gate="hard", alpha_init=1.5),
    "element-inside": lambda: bt.Agmm(2, 8, pool="none", gate="hard", alpha_inside=True, alpha="step-channel"),
    "ema": lambda: bt.Agmm(2, 8, gate="hard", eval_gate="ema"),
}


@pytest.mark.parametrize("name", GATES)
@pytest.mark.parametrize("pool_first", [True, False])
def test_a_folded_network_is_its_file(name: str, pool_first: bool) -> None:
    net = network(GATES[name](), pool_first)
    spec = bt.fold(net, 2, (2, 4, 4), classes=["a", "b", "c"])
    x = torch.rand(100, 2, 4, 4)
    found = bs.verify(net, spec.to_bytes(), x)
    assert found.samples == 100 and [c.layer for c in found.layers] == [0, 1, 2], found
    assert found.equal, str(found)
    assert found.logit_difference < 1e-5
    # The twin of the runtime in PyTorch says the same.
    assert torch.allclose(bt.run(spec, x), torch.from_numpy(found.logits), atol=1e-5)
    if name == "element":
        assert bs.Model.load(spec.to_bytes()).layers[1].facts["gate"] == "element"


def test_the_first_difference_is_named() -> None:
    net = network(bt.Agmm(2, 8))
    spec = bt.fold(net, 2, (2, 4, 4))
    second = spec.layers[1]
    offset = second.offset.copy()
    offset[3] += 1.0
    broken = replace(spec, layers=[spec.layers[0], replace(second, offset=offset), *spec.layers[2:]])
    x = torch.rand(50, 2, 4, 4)
    found = bs.verify(net, broken.to_bytes(), x)
    first = found.first_difference
    assert not found.equal and first is not None and first.layer == 1 and found.layers[0].different == 0
    assert first.name == "7" and first.first is not None
    sample, step, channel, row, column = first.first
    assert channel == 3, "the channel that was changed"
    spikes = bs.Model.load(broken.to_bytes()).spikes(x.numpy())[1].counts
    assert spikes.shape[0] == 50 and spikes[sample, step, channel, row, column] == 1, "more current, a spike more"
    assert "layer 1 (7)" in str(found) and f"the first: sample {sample}, step {step}, channel 3" in str(found)


def test_sequences_and_signals() -> None:
    net = nn.Sequential(
        over(nn.Conv1d(2, 6, 3, padding=1)), bt.TimeBatchNorm(6), bt.LIF(),
        bt.BinaryConv1d(6, 8, 3, padding=1), bt.TimeBatchNorm(8), bt.LIF(reset="hard"), nn.Flatten(2), nn.Linear(8 * 8, 3),
    ).eval()  # fmt: skip
    x = torch.rand(20, 3, 2, 8) * 3
    assert bs.verify(net, bt.fold(net, 3, (2, 8), sequence=True).to_bytes(), x).equal
    assert bs.verify(net, bt.fold(net, 3, (2, 8)).to_bytes(), x[:, 0]).equal


def test_a_file_of_another_network_is_refused() -> None:
    net = network(bt.Agmm(2, 8))
    spec = bt.fold(net, 2, (2, 4, 4))
    with pytest.raises(bs.InputError, match=r"x: expected float32 \[N, 2, 4, 4\] as the file takes, found \[3, 2, 4, 5\]"):
        bs.verify(net, spec.to_bytes(), torch.rand(3, 2, 4, 5))
    fewer = nn.Sequential(over(nn.Conv2d(2, 6, 3, padding=1)), bt.LIF(), nn.Flatten(2), nn.Linear(96, 3))
    with pytest.raises(bs.InputError, match="the 3 layers of neurons that the file has, found 1: 1"):
        bs.verify(fewer, spec.to_bytes(), torch.rand(3, 2, 4, 4))


def test_neurons_of_spikingjelly() -> None:
    neuron = pytest.importorskip("spikingjelly.activation_based.neuron")
    net = network(bt.Agmm(2, 8))
    for i in (2, 7):
        net[i] = neuron.LIFNode(tau=2.0, decay_input=False, v_reset=None, step_mode="m")
    found = bs.verify(net, bt.fold(net, 2, (2, 4, 4)).to_bytes(), np.random.default_rng(0).uniform(0, 1, (40, 2, 4, 4)).astype(np.float32))
    assert found.equal, str(found)
    assert [c.name for c in found.layers] == ["2", "7", "10"]
