"""Folding: the file computes what the network computes, the Rust program writes the same bytes and gives the same logits, and what the
format lacks is refused by name. ``BITSPIKE`` names the program; without it its tests are skipped."""

from __future__ import annotations

import json
import os
import struct
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import bitspike
from bitspike import format as fmt
from bitspike import torch as bt

BIN = os.environ.get("BITSPIKE")


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def wake(net: nn.Module, shape: tuple[int, ...], steps: int = 2) -> nn.Module:
    """Moves norms and gates from their starting values, as training does."""
    for m in net.modules():
        if isinstance(m, bt.TimeBatchNorm):
            nn.init.normal_(m.norm.weight, 1.0, 0.3)
            nn.init.normal_(m.norm.bias, 0.4, 0.3)
        if isinstance(m, bt.Agmm):
            nn.init.normal_(m.alpha, 1.5, 0.2)
    for _ in range(3):
        net(torch.rand(steps, 8, *shape))
    return net.eval()


def stem(inputs: int = 2, out: int = 6) -> list[nn.Module]:
    return [bt.TimeDistributed(nn.Conv2d(inputs, out, 3, padding=1)), bt.TimeBatchNorm(out)]


def chain(*middle: nn.Module, first: nn.Module | None = None, features: int = 5 * 16) -> nn.Sequential:
    end = [nn.Flatten(2), nn.Linear(features, 3)]
    return nn.Sequential(*stem(), first or bt.LIF(), *middle, *end)


def binary(**options) -> bt.BinaryConv2d:
    return bt.BinaryConv2d(6, 5, 3, padding=1, **options)


def over(layer: nn.Module) -> nn.Module:
    return bt.TimeDistributed(layer)


class Residual(nn.Module):
    """A Bi-Real chain, written by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(*stem())
        self.first = nn.Sequential(bt.LIF(), bt.BinaryConv2d(6, 6, 3, padding=1), bt.TimeBatchNorm(6), bt.Agmm(2))
        self.second = nn.Sequential(bt.PLIF(), bt.BinaryConv2d(6, 40, 3, stride=2, padding=1), bt.TimeBatchNorm(40))
        self.around = nn.Sequential(over(nn.Sequential(nn.AvgPool2d(2))), over(nn.Conv2d(6, 40, 1, bias=False)), bt.TimeBatchNorm(40))
        self.last, self.head = bt.IF(reset="hard"), nn.Linear(40, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = x + self.first(x)
        x = self.second(x) + self.around(x)
        return self.head(self.last(x).mean((3, 4)))


class Pooled(nn.Module):
    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.body, self.fc = nn.Sequential(*stem(), bt.LIF(), layer, bt.TimeBatchNorm(5), bt.LIF()), nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.body(x).mean(dim=(-2, -1))).mean(0)


def norm(c: int = 5) -> bt.TimeBatchNorm:
    return bt.TimeBatchNorm(c, v_threshold=0.8)


NETS = {
    "plain": lambda: chain(binary(), norm(), bt.LIF()),
    "scale": lambda: chain(binary(scale="mean-abs"), norm(), bt.LIF(reset="hard")),
    "current": lambda: chain(binary(), norm(), over(nn.AvgPool2d(2)), bt.LIF(), features=20),
    "pool-norm": lambda: chain(binary(), over(nn.AvgPool2d(2)), norm(), bt.LIF(), features=20),
    "average": lambda: chain(over(nn.AvgPool2d(2)), binary(), norm(), bt.LIF(), over(nn.AvgPool2d(2)), features=5),
    "maximum": lambda: chain(over(nn.MaxPool2d(2)), binary(), norm(), bt.IF(), features=20),
    "mean": lambda: Pooled(binary()),
    "residual": Residual,
    "no-norm": lambda: chain(binary(), bt.LIF(v_threshold=3.0)),
    **{
        f"gate-{i}": (lambda o=o, p=p: chain(binary(), *([bt.Agmm(2, 5, **o), norm()] if p else [norm(), bt.Agmm(2, 5, **o)]), bt.LIF()))
        for i, (o, p) in enumerate(
            [
                (dict(), False),
                (dict(pool="hw", alpha_inside=True), False),
                (dict(alpha="step-channel"), False),
                (dict(pool="nchw"), False),
                (dict(pool="hw", eval_gate="ema"), False),
                (dict(pool="const", alpha="step-channel"), False),
                (dict(apply="gradient"), False),
                (dict(apply="gradient"), True),
            ]
        )
    },
}


@pytest.mark.parametrize("name", NETS)
def test_a_file_computes_what_the_network_computes(name) -> None:
    net = wake(NETS[name](), (2, 4, 4))
    spec = bt.fold(net, 2, (2, 4, 4))
    assert len(spec.to_bytes()) % 4 == 0
    x = torch.rand(50, 2, 4, 4)
    with torch.no_grad():
        out = net.double()(bt.repeat_steps(x.double(), 2))
    want = out.mean(0) if out.dim() == 3 else out
    found = bt.run(spec, x)
    # Slopes are rounded to float32, which may turn a spike that lies on the threshold.
    same = (found - want).abs().amax(1) < 1e-5
    assert same.sum() >= 49 and want.std() > 1e-3


def test_signals_and_sequences() -> None:
    net = nn.Sequential(
        over(nn.Conv1d(2, 6, 5, padding=2)), bt.TimeBatchNorm(6), bt.LIF(), over(nn.AvgPool1d(2)),
        bt.BinaryConv1d(6, 5, 3, padding=1), bt.TimeBatchNorm(5), bt.Agmm(2), bt.LIF(), nn.Flatten(2), nn.Linear(5 * 10, 3),
    )  # fmt: skip
    wake(net, (2, 20))
    spec = bt.fold(net, 2, (2, 20), sequence=True)
    assert struct.unpack_from("<H", spec.to_bytes(), 8) == (3,)
    x = torch.rand(2, 30, 2, 20, dtype=torch.float64)
    with torch.no_grad():
        want = net.double()(x).mean(0)
    assert ((bt.run(spec, x.unsqueeze(3)) - want).abs().amax(1) < 1e-5).sum() >= 29


@pytest.mark.parametrize("decay_input", [False, True])
def test_neurons_of_spikingjelly_fold(decay_input) -> None:
    neuron = pytest.importorskip("spikingjelly.activation_based.neuron")
    functional = pytest.importorskip("spikingjelly.activation_based.functional")
    make = lambda: neuron.LIFNode(tau=2.0, decay_input=decay_input, v_reset=None, step_mode="m", v_threshold=0.6)  # noqa: E731
    net = chain(binary(), norm(), make(), first=make()).eval()
    spec = bt.fold(net, 2, (2, 4, 4))
    x = torch.rand(50, 2, 4, 4) * 3
    functional.reset_net(net)
    with torch.no_grad():
        want = net.double()(bt.repeat_steps(x.double(), 2)).mean(0)
    assert ((bt.run(spec, x) - want).abs().amax(1) < 1e-5).sum() >= 49 and want.std() > 1e-3


class Branch(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = chain(binary(), norm(), bt.LIF())

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x) if x.sum() > 0 else self.net(-x)


class Two(nn.Module):
    """Two layers side by side, of which one is used."""

    def __init__(self, used: int) -> None:
        super().__init__()
        self.used, self.front = used, nn.Sequential(*stem(), bt.LIF())
        self.sides = nn.ModuleList([nn.Sequential(binary(), norm(), bt.LIF()) for _ in range(2)])
        self.end = nn.Sequential(nn.Flatten(2), nn.Linear(80, 3))

    def forward(self, x: Tensor) -> Tensor:
        s = self.front(x)
        return self.end([side(s) for side in self.sides][self.used])


@pytest.mark.parametrize(
    "net, text",
    [
        (lambda: chain(over(nn.Conv2d(6, 5, 3, padding=1)), norm(), bt.LIF()), r"3\.layers\.0 \(Conv2d\): .*real weights"),
        (lambda: chain(binary(), norm(), bt.Agmm(2, pool="none"), bt.LIF()), r'5 \(Agmm\): pool="none"'),
        (lambda: chain(binary(), norm(), bt.Agmm(3), bt.LIF()), r"5 \(Agmm\): expected 2 time steps, found 3"),
        (lambda: chain(binary(), bt.Agmm(2), norm(), bt.LIF()), r"5 \(TimeBatchNorm\): a gate that differs"),
        (lambda: chain(binary(), norm(), over(nn.AvgPool2d(2)), bt.Agmm(2), bt.LIF()), r"6 \(Agmm\): .*front of the pooling"),
        (lambda: chain(binary(), norm(), over(nn.AvgPool2d(3)), bt.LIF()), r"5\.layers\.0 \(AvgPool2d\): .*2x2"),
        (lambda: chain(binary(), norm(), nn.ReLU(), bt.LIF()), r"5 \(ReLU\)"),
        (lambda: chain(binary(dilation=2), norm(), bt.LIF()), r"3 \(BinaryConv2d\): .*dilation"),
        (lambda: chain(bt.BinaryConv2d(6, 5, 9, padding=4), norm(), bt.LIF()), r"layer 1, kernel rows: expected 1, 3, 5 or 7, found 9"),
        (lambda: chain(norm(6), binary(), norm(), bt.LIF()), r"3 \(TimeBatchNorm\): expected right behind a convolution"),
        (lambda: nn.Sequential(*stem(), bt.LIF()), "logits"),
        (Branch, "traced"),
        (lambda: Two(0), r"sides\.1\.2: .*no branches"),
        (lambda: Two(1), r"sides\.1\.2: .*no branches"),
    ],
)  # fmt: skip
def test_what_the_format_lacks_is_refused_by_name(net, text) -> None:
    with pytest.raises((bt.FoldError, fmt.FormatError), match=text):
        bt.fold(net(), 2, (2, 4, 4))


def test_save_leaves_nothing_but_the_file(tmp_path) -> None:
    spec = bt.fold(chain(binary(), norm(), bt.LIF()), 2, (2, 4, 4), meta={"name": "n"})
    spec.save(tmp_path / "a.bsnn")
    assert [p.name for p in tmp_path.iterdir()] == ["a.bsnn"] and (tmp_path / "a.bsnn").read_bytes() == spec.to_bytes()
    with pytest.raises(fmt.FormatError, match="meta key 'a=b'"):
        replace(spec, meta={"a=b": ""}).save(tmp_path / "b.bsnn")
    with pytest.raises(fmt.FormatError, match="layer 0, slope: expected finite numbers"):
        replace(spec, layers=[replace(spec.layers[0], slope=spec.layers[0].slope * np.nan), *spec.layers[1:]]).to_bytes()


def program(*args: object) -> None:
    subprocess.run([str(BIN), *map(str, args)], check=True, capture_output=True)


RECIPES = {
    "vgg": 'method = "agmm"\n[network]\nlayers = "8-P-33-16-P"\nT = 2\npooling = "spikes"\nweight_scale = "mean-abs"\n',
    "vgg-hw": 'method = "agmm-hw"\n[network]\nlayers = "4-P-40-P"\nT = 3\nhead = "average"\n[neuron]\nkind = "plif"\nreset = "hard"\n',
    "vgg-element": 'method = "agmm"\n[agmm]\nalpha_inside = true\n[network]\nlayers = "8-P-12-16-P"\nT = 2\n',
    "vgg-hard-hw": 'method = "agmm-hw"\n[agmm]\ngate = "hard"\nalpha = "step-channel"\n[network]\nlayers = "4-16"\nT = 2\n',
    "bi-real": 'method = "agmm"\n[network]\nfamily = "bi-real"\nlayers = "8-8-16"\nT = 2\nhead = "average"\n',
}


@pytest.fixture(scope="module", params=RECIPES)
def trained(request, tmp_path_factory):
    """A run of the Rust program, and its files."""
    if not BIN:
        pytest.skip("BITSPIKE names no program")
    folder = tmp_path_factory.mktemp("run")
    (folder / "r.toml").write_text('name = "t"\n' + RECIPES[request.param])
    program("train", folder / "r.toml", "--out", folder / "run", "--epochs", 1, "--threads", 1, "-q")
    program("export", folder / "run", "-o", folder / "rust.bsnn", "--safetensors", folder / "folded.safetensors")
    return folder


def tensors(path: Path) -> tuple[dict[str, Tensor], dict]:
    safetensors = pytest.importorskip("safetensors")
    with safetensors.safe_open(str(path), "pt") as f:
        return {k: f.get_tensor(k) for k in f.keys()}, json.loads(f.metadata()["bitspike"])


def meta_of(data: bytes) -> dict[str, str]:
    _, start, length, _ = struct.unpack_from("<4I", data, 28 + 3 * 16)
    return dict(line.split("=", 1) for line in data[start : start + length].decode().splitlines())


def test_the_writer_makes_the_bytes_of_the_rust_writer(trained) -> None:
    t, net = tensors(trained / "folded.safetensors")
    arrays = {k: v.numpy().astype(np.float32) for k, v in t.items()}
    layers: list = []
    for layer in net["layers"]:
        name = layer["name"]
        neuron = fmt.Neuron(**layer["neuron"]) if layer.get("neuron") else None
        if layer["kind"] == "head":
            layers.append(fmt.Head(arrays["head.weight"], arrays["head.bias"], layer["features"] == "average"))
            continue
        if layer["kind"] == "neurons":
            layers.append(neuron)
            continue
        gate = None
        kind = layer["gate"]["kind"]
        if kind in ("sample", "element"):
            alpha, about = arrays[f"{name}.alpha"].reshape(net["T"], -1), layer["gate"]
            hard = kind == "sample" and about.get("hard", False)
            gate = fmt.Gate(kind, alpha, about.get("per_channel", False), about["inside"], hard)
        block = fmt.Block(
            arrays[f"{name}.weight"], name != "stem", arrays[f"{name}.slope"], arrays[f"{name}.offset"],
            layer["stride"], (layer["padding"],) * 2, gate, layer.get("pool", "none"), neuron,
        )  # fmt: skip
        if layer["kind"] == "residual":
            shortcut = [arrays.get(f"{name}.shortcut.{part}") for part in ("weight", "slope", "offset")]
            weight = shortcut[0]
            if weight is not None:
                shortcut[0] = weight.reshape(weight.shape[:2])
            layers.append(fmt.Residual(block, None if weight is None else tuple(shortcut)))
        else:
            layers.append(block)
    rust = (trained / "rust.bsnn").read_bytes()
    means, classes = (arrays["input.mean"], arrays["input.std"]), bitspike.Model.load(rust).class_names
    assert classes is not None and len(classes) == 10
    spec = fmt.Spec(net["T"], tuple(net["input"]), layers, net["sequence"], means, meta_of(rust), classes)
    assert spec.to_bytes() == rust


class Around(nn.Module):
    """A residual block."""

    def __init__(self, inner: nn.Module, around: nn.Module) -> None:
        super().__init__()
        self.inner, self.around = inner, around

    def forward(self, x: Tensor) -> Tensor:
        return self.around(x) + self.inner(x)


def rebuild(trained: Path) -> tuple[nn.Module, fmt.Spec]:
    """The trained network in PyTorch, from the raw parameters of its checkpoint, and its fold."""
    t, _ = tensors(trained / "run/checkpoints/last.safetensors")
    p = {k.removeprefix("param."): v for k, v in t.items() if k.startswith("param.")}
    folded, about = tensors(trained / "folded.safetensors")
    steps = about["T"]

    def normed(name: str) -> bt.TimeBatchNorm:
        layer = bt.TimeBatchNorm(len(p[f"{name}.norm.gamma"]))
        layer.norm.weight.data, layer.norm.bias.data = p[f"{name}.norm.gamma"], p[f"{name}.norm.beta"]
        layer.norm.running_mean, layer.norm.running_var = p[f"{name}.norm.running_mean"], p[f"{name}.norm.running_var"]
        return layer

    def neuron(name: str, like: dict) -> nn.Module:
        if f"{name}.neuron.decay_logit" in p:
            layer = bt.PLIF(v_threshold=like["threshold"], reset=like["reset"])
            layer.decay_logit.data = p[f"{name}.neuron.decay_logit"]
            return layer
        return bt.LIF(1 / (1 - like["decay"]), like["threshold"], like["reset"])

    modules: list[nn.Module] = []
    for layer in about["layers"][:-1]:
        name = layer["name"]
        if layer["kind"] == "neurons":
            modules.append(neuron(name, layer["neuron"]))
            continue
        first = len(modules)
        weight = p[f"{name}.conv.weight" if name == "stem" else f"{name}.conv.latent"]
        out, inputs = weight.shape[:2]
        if name == "stem":
            conv: nn.Module = nn.Conv2d(inputs, out, 3, layer["stride"], 1, bias=False)
        else:
            scale = "mean-abs" if "mean-abs" in (trained / "r.toml").read_text() else "none"
            conv = bt.BinaryConv2d(inputs, out, 3, layer["stride"], 1, scale=scale)
        conv.weight.data = weight
        modules += [over(conv) if name == "stem" else conv, normed(name)]
        if f"{name}.gate.alpha" in p:
            about_gate = layer["gate"]
            pool_of = "none" if about_gate["kind"] == "element" else "hw" if about_gate["per_channel"] else "chw"
            gate = bt.Agmm(steps, out, pool=pool_of, gate="hard" if about_gate.get("hard") else "sigmoid")
            gate.alpha_inside = about_gate["inside"]
            gate.alpha.data = p[f"{name}.gate.alpha"].reshape(steps, -1)
            modules.append(gate)
        pool = {"none": [], "current": [over(nn.AvgPool2d(2))], "spikes": [over(nn.AvgPool2d(2))]}[layer.get("pool", "none")]
        if layer["kind"] == "residual":
            around: nn.Module = nn.Identity()
            if f"{name}.shortcut.conv.weight" in p:
                weight = p[f"{name}.shortcut.conv.weight"]
                real = nn.Conv2d(inputs, out, 1, bias=False)
                real.weight.data = weight.reshape(out, inputs, 1, 1)
                around = nn.Sequential(over(nn.AvgPool2d(2)), over(real), normed(f"{name}.shortcut"))
            inner = nn.Sequential(neuron(name, layer["neuron"]), *modules[first:])
            modules[first:] = [Around(inner, around)]
            continue
        if layer.get("neuron") is None:
            continue
        fire = neuron(name, layer["neuron"])
        modules += [*pool, fire] if layer["pool"] == "current" else [fire, *pool]
    classes, features = p["head.weight"].shape
    head = nn.Linear(features, classes)
    head.weight.data, head.bias.data = p["head.weight"], p["head.bias"]
    end = [over(nn.AdaptiveAvgPool2d(1))] if about["layers"][-1]["features"] == "average" else []
    net = nn.Sequential(*modules, *end, nn.Flatten(2), head).eval()
    means = (folded["input.mean"].numpy(), folded["input.std"].numpy())
    return net, bt.fold(net, steps, tuple(about["input"]), normalise=means)


def test_logits_are_those_of_the_rust_runtime(trained) -> None:
    net, spec = rebuild(trained)
    spec.save(trained / "python.bsnn")
    csv, raw = trained / "out.csv", trained / "in.f32"
    program("infer", trained / "python.bsnn", "--samples", 300, "--threads", 1, "--write-predictions", csv, "--write-inputs", raw)
    table = np.genfromtxt(csv, delimiter=",", names=True)
    columns = [n for n in table.dtype.names if n.startswith("logit")] or list(table.dtype.names[-10:])
    rust = torch.from_numpy(np.stack([table[c] for c in columns], axis=1))
    x = torch.from_numpy(np.fromfile(raw, dtype="<f4")).reshape(-1, *spec.input)
    with torch.no_grad():
        want = net.double()(bt.repeat_steps(x.double(), spec.steps)).mean(0)
    assert rust.shape == want.shape and len(want) == 300
    assert torch.equal(rust.argmax(1), want.argmax(1))
    assert ((rust - want).abs().amax(1) < 1e-4).sum() >= 298, "more than rounding at the threshold"
