"""Reference vectors: computed with PyTorch in float64 by a program of its own, stored as float32.

``BITSPIKE_GOLDEN`` names their folder; without it these tests are skipped. Agreement wanted: spikes, signs and flips equal; floats
within 2e-5 of the tensor's largest magnitude (5e-4 after the third step of a network). Here everything runs in float64, so that the
float32 of the files is all that can differ.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bitspike import torch as bt

GOLDEN = os.environ.get("BITSPIKE_GOLDEN")
FILES = sorted(Path(GOLDEN, "vectors").glob("*.safetensors")) if GOLDEN else []

pytestmark = pytest.mark.skipif(not GOLDEN, reason="BITSPIKE_GOLDEN names no folder")


def load(path: Path) -> tuple[str, dict[str, Any], dict[str, Tensor]]:
    safetensors = pytest.importorskip("safetensors")
    with safetensors.safe_open(str(path), "pt") as f:
        meta = f.metadata()
        return meta["op"], json.loads(meta["params"]), {k: f.get_tensor(k).double() for k in f.keys()}


def cases(op: str) -> list[Any]:
    # The op is the start of the name of its files.
    return [pytest.param(p, id=p.stem) for p in FILES if p.stem.startswith(op)]


def close(found: Tensor, wanted: Tensor, tolerance: float = 2e-5) -> None:
    assert found.shape == wanted.shape
    assert (found - wanted).abs().max() <= tolerance * wanted.abs().max().clamp(min=1e-30)


def kernels(p: dict[str, Any]) -> Any:
    return "mean-abs" if p["scale"] == "mean_abs" else "none"


@pytest.mark.parametrize("path", cases("lif"))
def test_golden_lif(path: Path) -> None:
    _, p, t = load(path)
    x = t["x"].requires_grad_()
    spikes, membrane = bt.lif(x, **p)
    spikes.backward(t["grad_spikes"])
    assert torch.equal(spikes, t["spikes"])
    close(membrane, t["membrane"])
    close(x.grad, t["grad_x"])
    # The module, through its own arguments.
    tau = 1 / (1 - p["decay"])
    layer = bt.LIF(tau, p["v_threshold"], p["reset"], p["detach_reset"], p["surrogate"], p["width"])
    again = t["x"].detach().clone().requires_grad_()
    layer(again).backward(t["grad_spikes"])
    close(again.grad, t["grad_x"])


@pytest.mark.parametrize("path", cases("binary_conv2d"))
def test_golden_binary_conv2d(path: Path) -> None:
    _, p, t = load(path)
    out, inputs, k, _ = t["weight"].shape
    layer = bt.BinaryConv2d(inputs, out, k, p["stride"], p["padding"], scale=kernels(p)).double()
    layer.weight.data = t["weight"]
    for lead in ((), (1,)):  # [N, C, H, W] and [T, N, C, H, W]
        x = t["x"].detach().reshape(*lead, *t["x"].shape).requires_grad_()
        layer.zero_grad()
        y = layer(x)
        y.backward(t["grad_y"].reshape(y.shape))
        close(y.reshape(t["y"].shape), t["y"])
        close(x.grad.reshape(t["x"].shape), t["grad_x"])
        close(layer.weight.grad, t["grad_weight"])


@pytest.mark.parametrize("path", cases("binary_linear"))
def test_golden_binary_linear(path: Path) -> None:
    _, p, t = load(path)
    layer = bt.BinaryLinear(t["x"].shape[1], t["y"].shape[1], scale=kernels(p)).double()
    layer.weight.data = t["weight"]
    x = t["x"].requires_grad_()
    y = layer(x)
    y.backward(t["grad_y"])
    close(y, t["y"])
    close(x.grad, t["grad_x"])
    close(layer.weight.grad, t["grad_weight"])


@pytest.mark.parametrize("path", cases("batch_norm"))
def test_golden_batch_norm(path: Path) -> None:
    _, p, t = load(path)
    layer = bt.TimeBatchNorm(len(t["gamma"]), p["eps"], p["momentum"]).double()
    layer.norm.weight.data, layer.norm.bias.data = t["gamma"], t["beta"]
    x = t["x"].requires_grad_()
    y = layer(x)
    y.backward(t["grad_y"])
    close(y, t["y"])
    close(x.grad, t["grad_x"])
    close(layer.norm.weight.grad, t["grad_gamma"])
    close(layer.norm.bias.grad, t["grad_beta"])
    close(layer.norm.running_mean, t["running_mean"])
    close(layer.norm.running_var, t["running_var"])


@pytest.mark.parametrize("path", cases("agmm"))
def test_golden_agmm(path: Path) -> None:
    _, p, t = load(path)
    x = t["x"].requires_grad_()
    layer = bt.Agmm(x.shape[0], x.shape[2], pool=p["pool"], detach_gate=p["detach_gate"], apply=p["apply"]).double()
    layer.alpha.data = t["alpha"].view(-1, 1)
    y = layer(x)
    y.backward(t["grad_y"])
    close(y, t["y"])
    close(x.grad, t["grad_x"])
    if p["apply"] == "gradient":
        assert torch.equal(y, x) and layer.alpha.grad is None and not t["grad_alpha"].any()
    else:
        close(layer.alpha.grad.view(-1), t["grad_alpha"])


@pytest.mark.parametrize("path", cases("tet") + cases("mean_ce"))
def test_golden_loss(path: Path) -> None:
    op, _, t = load(path)
    logits = t["logits"].requires_grad_()
    loss = (bt.tet_loss if op == "tet_loss" else bt.mean_output_loss)(logits, t["labels"].long())
    loss.backward()
    close(loss.view(1), t["loss"])
    close(logits.grad, t["grad_logits"])


@pytest.mark.parametrize("path", cases("tbso"))
def test_golden_t_bso(path: Path) -> None:
    _, p, t = load(path)
    w = nn.Parameter(t["weight0"])
    opt = bt.TBSO([w], p["T"], p["one_minus_beta1"], p["gamma"], p["one_minus_beta2"], p["eps"])
    for i, grads in enumerate(t["grads"]):
        for step, g in enumerate(grads):
            w.grad = g
            opt.at(step).step()
        assert torch.equal(w.detach(), t[f"weight{i + 1}"])
    close(opt.state[w]["momentum"], t["momentum"])
    close(opt.state[w]["second_moment"], t["second_moment"])


class Net(nn.Module):
    """The network of the vectors: stem, two binary blocks, average pooling of spikes, classifier."""

    def __init__(self, p: dict[str, Any]) -> None:
        super().__init__()
        lif = p["lif"]
        neuron = {k: lif[k] for k in ("v_threshold", "reset", "detach_reset", "surrogate", "width")}
        steps, gate = p["T"], p["gate"]
        self.steps = steps
        self.stem = nn.Module()
        self.stem.conv = bt.TimeDistributed(nn.Conv2d(3, 8, 3, padding=1, bias=False))
        self.stem.norm = bt.TimeBatchNorm(8)
        self.block1, self.block2 = nn.Module(), nn.Module()
        for block, inputs, out in ((self.block1, 8, 8), (self.block2, 8, 12)):
            block.conv = bt.BinaryConv2d(inputs, out, 3, padding=1, scale=kernels(p))
            block.norm = bt.TimeBatchNorm(out)
            block.gate = bt.Agmm(steps, out, **gate) if gate else nn.Identity()
        self.neuron = bt.LIF(1 / (1 - lif["decay"]), **neuron)
        self.pool = bt.TimeDistributed(nn.AvgPool2d(2))
        self.fc = nn.Linear(12, 5)

    def forward(self, x: Tensor) -> Tensor:
        s = self.neuron(self.stem.norm(self.stem.conv(bt.repeat_steps(x, self.steps))))
        s = self.neuron(self.block1.gate(self.block1.norm(self.block1.conv(s))))
        s = self.neuron(self.block2.gate(self.block2.norm(self.block2.conv(self.pool(s)))))
        return self.fc(s.mean(dim=(3, 4)))

    def named(self) -> dict[str, nn.Parameter]:
        names = {"stem.weight": self.stem.conv.layers[0].weight, "fc.weight": self.fc.weight, "fc.bias": self.fc.bias}
        for key, part in (("stem", self.stem), ("block1", self.block1), ("block2", self.block2)):
            names |= {f"{key}.gamma": part.norm.norm.weight, f"{key}.beta": part.norm.norm.bias}
            if key != "stem":
                names[f"{key}.weight"] = part.conv.weight
                if isinstance(part.gate, bt.Agmm):
                    names[f"{key}.alpha"] = part.gate.alpha
        return names


@pytest.mark.parametrize("path", cases("net"))
def test_golden_three_steps_of_a_network(path: Path) -> None:
    _, p, t = load(path)
    net = Net(p).double()
    for name, param in net.named().items():
        param.data = t[f"step0.{name}"].reshape(param.shape)
    opt = torch.optim.SGD(bt.param_groups(net, p["lr"], p["weight_decay"]), p["lr"], momentum=p["momentum"])
    flips = bt.FlipTracker(net)
    for i in range(p["steps"]):
        tolerance = 2e-5 if i < 2 else 5e-4
        logits = net(t["input"])
        close(logits, t[f"step{i}.logits"], tolerance)
        loss = bt.tet_loss(logits, t["labels"].long())
        close(loss.view(1), t[f"step{i}.loss"], tolerance)
        opt.zero_grad()
        loss.backward()
        for name, param in net.named().items():
            if param.grad is not None:
                close(param.grad, t[f"step{i}.grad.{name}"].reshape(param.shape), tolerance)
        before = flips.report().total.flips
        opt.step()
        flips.step()
        assert flips.report().total.flips - before == int(t[f"step{i}.flips"])
        for name, param in net.named().items():
            close(param.detach(), t[f"step{i + 1}.{name}"].reshape(param.shape), tolerance)


def test_golden_every_file_has_a_test() -> None:
    ops = ("lif", "binary_conv2d", "binary_linear", "batch_norm", "agmm", "tet", "mean_ce", "tbso", "net")
    assert FILES and all(p.stem.startswith(ops) for p in FILES)
