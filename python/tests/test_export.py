"""Networks in other formats compute what the file computes: ONNX in ONNX Runtime, NIR in its equations, C by a compiler."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import bitspike as bs
from bitspike.format import Block, Gate, Head, Neuron, Residual, Signal, Spec

F = np.float32
CC = shutil.which("cc") or shutil.which("gcc")
needs_cc = pytest.mark.skipif(CC is None, reason="no C compiler")


def block(rng: np.random.Generator, shape: tuple[int, int], binary: bool = True, **parts: object) -> Block:
    """A 3x3 convolution with numbers such that about a fifth of its neurons fire."""
    out, inputs = shape
    weight = rng.normal(size=(out, inputs, 3, 3)).astype(F)
    spread = np.sqrt(9 * inputs * (0.2 if binary else 1))
    slope = (0.9 / spread * rng.uniform(0.7, 1.3, out)).astype(F)
    return Block(weight, binary, slope, rng.uniform(-0.2, 0.2, out).astype(F), padding=(1, 1), **parts)


def chain(reset: str = "hard", pool: str = "current", gate: Gate | None = None, **parts: object) -> Spec:
    rng = np.random.default_rng(1)
    neuron = Neuron(0.5, 0.8, reset)
    blocks = [block(rng, (6, 2), False, neuron=neuron), block(rng, (33, 6), pool=pool, gate=gate, neuron=neuron)]
    head = Head(rng.normal(size=(10, 33 * 12)).astype(F), rng.normal(size=10).astype(F))
    return Spec(3, (2, 8, 6), [*blocks, head], **parts)


def residual(reset: str = "hard") -> Spec:
    rng = np.random.default_rng(2)
    neuron = Neuron(0.5, 0.6, reset)
    halved = replace(block(rng, (10, 6), neuron=neuron), stride=2)
    around = tuple(rng.normal(size=s).astype(F) for s in ((10, 6), 10, 10))
    layers = [block(rng, (6, 2), False), Residual(block(rng, (6, 6), neuron=neuron)), Residual(halved, around), neuron]
    # A square map: the package nir takes the rows of the kernel that averages it for its columns too.
    return Spec(3, (2, 8, 8), [*layers, Head(rng.normal(size=(10, 10)).astype(F), rng.normal(size=10).astype(F), True)])


def alpha(kind: str, **options: bool) -> Gate:
    return Gate(kind, np.array([[1.9], [2.0], [2.1]], F), **options)


SPECS = {
    "chain": lambda: chain(),
    "soft": lambda: chain("soft", "spikes"),
    "max": lambda: chain(pool="max-spikes", gate=Gate("fixed", np.array([[0.9], [1.0], [1.1]], F))),
    "gated": lambda: chain(gate=alpha("sample")),
    "hard gate": lambda: chain(gate=alpha("sample", per_channel=True, inside=True, hard=True)),
    "element": lambda: chain(gate=alpha("element"), normalise=(np.array([0.4, 0.5], F), np.array([0.2, 0.3], F))),
    "sequence": lambda: chain(sequence=True),
    "residual": lambda: residual(),
}


def samples(model: bs.Model, n: int = 128) -> NDArray:
    return np.random.default_rng(5).normal(size=(n, *model.sample_shape)).astype(F)


def windows(x: NDArray, kernel: tuple[int, int], stride: tuple[int, int]) -> NDArray:
    """``[N, C, H', W', kernel rows, kernel columns]``."""
    return np.lib.stride_tricks.sliding_window_view(x, kernel, axis=(2, 3))[:, :, :: stride[0], :: stride[1]]


def pair(values: object) -> tuple[int, int]:
    a, b = np.broadcast_to(np.asarray(values), 2)
    return int(a), int(b)


def nir_equations(path: Path, x: NDArray) -> NDArray:
    """The equations of NIR in NumPy, on a file as the package ``nir`` reads it: the mean output over the steps that the file states, one Euler step of its dt after another. ``x``: ``[N, C, H, W]``, of sequences
    ``[N, T, C, H, W]``."""
    import nir

    graph = nir.read(path)
    facts = {k: v.decode() if isinstance(v, bytes) else v for k, v in graph.metadata.items()}
    dt, steps = F(facts["dt"]), int(facts["steps"])
    sources = {name: [a for a, b in graph.edges if b == name] for name in graph.nodes}
    order: list[str] = []
    while len(order) < len(graph.nodes):
        order += [n for n in graph.nodes if n not in order and all(s in order for s in sources[n])]
    potentials: dict[str, NDArray] = {}
    total = 0.0
    for t in range(steps):
        values: dict[str, NDArray] = {}
        for name in order:
            node = graph.nodes[name]
            frame = x[:, t] if x.ndim == 5 else x
            value = sum(values[s] for s in sources[name]) if sources[name] else frame
            if isinstance(node, nir.Conv2d):
                (above, left), weight = pair(node.padding), np.asarray(node.weight)
                padded = np.pad(value, ((0, 0), (0, 0), (above, above), (left, left)))
                value = np.einsum("nchwyx,ocyx->nohw", windows(padded, weight.shape[2:], pair(node.stride)), weight, optimize=True)
                value = value + np.asarray(node.bias)[:, None, None]
            elif isinstance(node, nir.AvgPool2d):
                value = windows(value, pair(node.kernel_size), pair(node.stride)).mean((4, 5))
            elif isinstance(node, nir.Scale):
                value = value * node.scale
            elif isinstance(node, nir.Flatten):
                value = value.reshape(len(value), -1)
            elif isinstance(node, nir.Affine):
                value = value @ np.asarray(node.weight).T + node.bias
            elif isinstance(node, (nir.LIF, nir.IF)):
                v = potentials.get(name, np.zeros_like(value))
                leak = isinstance(node, nir.LIF)
                v = (v + dt / node.tau * (node.v_leak - v + node.r * value) if leak else v + dt * node.r * value).astype(F)
                fires = v > node.v_threshold
                soft = node.metadata.get("reset") in (b"soft", "soft")
                potentials[name] = np.where(fires, v - node.v_threshold if soft else F(0), v)
                value = fires.astype(F)
            else:
                assert isinstance(node, (nir.Input, nir.Output)), name
            values[name] = value
        total = total + values[order[-1]]
    return total / F(steps)


def agree(found: NDArray, expected: NDArray) -> None:
    """Equal predictions. A spike within rounding of its threshold may fall either way, so a logit may be another."""
    assert found.shape == expected.shape
    assert np.array_equal(found.argmax(1), expected.argmax(1))
    assert (np.abs(found - expected).max(1) > 1e-4).mean() <= 0.02


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("kind", ["float32", "uint8"])
def test_onnx_runtime_computes_what_the_file_computes(name: str, kind: str, tmp_path: Path) -> None:
    ort = pytest.importorskip("onnxruntime")
    spec = SPECS[name]()
    model = spec.model()
    spec.save_onnx(tmp_path / "net.onnx", input=kind)
    x = samples(model)
    if kind == "uint8":
        x = np.random.default_rng(6).integers(0, 256, x.shape, np.uint8)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    net = ort.InferenceSession(str(tmp_path / "net.onnx"), options, providers=["CPUExecutionProvider"])
    given = net.get_inputs()[0]
    assert (given.name, given.shape[1:]) == ("image" if kind == "uint8" else "input", list(model.sample_shape))
    agree(net.run(["logits"], {given.name: x.astype(F)})[0], model(x))


@pytest.mark.parametrize("weights", ["scaled", "signs"])
@pytest.mark.parametrize("name", ["chain", "soft", "sequence", "residual"])
def test_the_equations_of_nir_compute_what_the_file_computes(name: str, weights: str, tmp_path: Path) -> None:
    pytest.importorskip("nir")
    model = SPECS[name]().model()
    model.save_nir(tmp_path / "net.nir", weights=weights, soft_reset=name == "soft")
    x = samples(model)
    agree(nir_equations(tmp_path / "net.nir", x), model(x))


@needs_cc
@pytest.mark.parametrize("name", SPECS)
def test_exported_c_gives_the_same_bits(name: str, tmp_path: Path) -> None:
    spec = SPECS[name]()
    x = samples(spec.model(), 100)
    written = spec.save_c(tmp_path / "c", name="net", samples=x)
    assert [p.name for p in written] == ["net.h", "net.c", "net_test.c"]
    # The test that comes along, and the logits themselves, by a program of ours.
    (tmp_path / "c/print.c").write_text(
        '#include "net.h"\n#include <stdio.h>\nint main(void) {\n'
        "    static uint32_t arena[NET_ARENA_WORDS]; static float x[NET_INPUTS]; float y[NET_CLASSES];\n"
        "    while (fread(x, sizeof x, 1, stdin)) { if (net_run(arena, x, y) != NET_OK) return 1; fwrite(y, sizeof y, 1, stdout); }\n"
        "    return 0;\n}\n"
    )
    for main in ("net_test", "print"):
        command = [str(CC), "-std=c99", "-O2", "net.c", f"{main}.c", "-o", main]
        subprocess.run(command, cwd=tmp_path / "c", check=True)
    said = subprocess.run([tmp_path / "c/net_test"], check=True, capture_output=True, text=True).stdout
    assert said == "100 of 100 samples agree\n"
    logits = subprocess.run([tmp_path / "c/print"], input=x.tobytes(), check=True, capture_output=True).stdout
    assert logits == spec.model()(x).tobytes()


def test_a_stream_and_a_template_come_with_what_the_network_is_fed_with(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    weight = rng.normal(size=(4, 2, 1, 3)).astype(F)
    first = Block(weight, False, np.ones(4, F), np.zeros(4, F), padding=(0, 1), neuron=Neuron(0.5, 1.0))
    head = Head(rng.normal(size=(2, 4)).astype(F), np.zeros(2, F), True)
    signal = Signal(["x", "y"], 16, 8, np.zeros(2, F), np.ones(2, F), rate_hz=50.0)
    spec = Spec(2, (2, 1, 16), [first, head], classes=["a", "b"], signal=signal)
    names = [p.name for p in spec.save_c(tmp_path / "c", hop=4)]
    assert names == [f"bsnn_model{end}" for end in (".h", ".c", "_stream.h", "_stream.c")]
    rate = replace(spec, sequence=True, signal=replace(signal, encoder="rate", parameters=(1.0,)))
    with pytest.warns(UserWarning, match="no code for a stream"):
        assert len(rate.save_c(tmp_path / "rate")) == 2
    project = spec.save_c(tmp_path / "zephyr", template="zephyr")
    assert tmp_path / "zephyr/README.md" in project and all(p.is_file() for p in project)


def test_what_cannot_be_written_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    gated, soft = chain(gate=alpha("sample")).model(), chain("soft").model()
    for model, text in ((gated, "blocks.0: a gate per sample"), (soft, "stem: neurons that subtract")):
        with pytest.raises(bs.ExportError, match=text) as error:
            model.save_nir(tmp_path / "n.nir")
        assert "\nhint: " in str(error.value)
    with pytest.raises(bs.ExportError, match="hop|stream"):
        soft.save_c(tmp_path / "c", hop=4)
    with pytest.raises(bs.ExportError, match="templates"):
        soft.save_c(tmp_path / "c", template="amiga")
    for wrong in ({"name": "Net"}, {"name": "1"}, {"hop": 0}, {"samples": np.zeros((1, 2, 8, 6), F), "template": "bare"}):
        with pytest.raises(bs.InputError):
            soft.save_c(tmp_path / "c", **wrong)
    with pytest.raises(bs.InputTypeError):
        soft.save_c(tmp_path / "c", samples=np.zeros((1, 2, 8, 6)))
    with pytest.raises(bs.InputError, match="weights"):
        soft.save_nir(tmp_path / "n.nir", weights="ternary")
    with pytest.raises(bs.InputError, match="input"):
        soft.save_onnx(tmp_path / "n.onnx", input="float64")
    with pytest.raises(OSError):
        soft.save_onnx(tmp_path / "nowhere/n.onnx")
    assert not list(tmp_path.rglob("*"))


@needs_cc
def test_a_folded_network_goes_everywhere(tmp_path: Path) -> None:
    """From PyTorch: the predictions of the network itself."""
    torch, ort = pytest.importorskip("torch"), pytest.importorskip("onnxruntime")
    pytest.importorskip("nir")
    from bitspike import torch as bt

    torch.manual_seed(0)
    over = bt.TimeDistributed
    net = torch.nn.Sequential(
        over(torch.nn.Conv2d(2, 6, 3, padding=1)), bt.TimeBatchNorm(6), bt.LIF(reset="hard"),
        bt.BinaryConv2d(6, 12, 3, padding=1), bt.TimeBatchNorm(12), over(torch.nn.AvgPool2d(2)), bt.LIF(reset="hard"),
        torch.nn.Flatten(2), torch.nn.Linear(12 * 12, 10),
    )  # fmt: skip
    for _ in range(5):
        net(torch.randn(2, 16, 2, 8, 6))
    x = torch.randn(100, 2, 8, 6)
    spec = bt.fold(net.eval(), 2, (2, 8, 6))
    with torch.no_grad():
        expected = net(bt.repeat_steps(x, 2)).mean(0).numpy()
    a = x.numpy()
    spec.save_onnx(tmp_path / "net.onnx")
    session = ort.InferenceSession(str(tmp_path / "net.onnx"), providers=["CPUExecutionProvider"])
    agree(session.run(None, {"input": a})[0], expected)
    spec.save_nir(tmp_path / "net.nir")
    agree(nir_equations(tmp_path / "net.nir", a), expected)
    spec.save_c(tmp_path, name="net", samples=x)
    subprocess.run([str(CC), "-std=c99", "-O2", "net.c", "net_test.c", "-o", "net_test"], cwd=tmp_path, check=True)
    subprocess.run([tmp_path / "net_test"], check=True, capture_output=True)
