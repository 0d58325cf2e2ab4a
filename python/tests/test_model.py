"""The compiled runtime: what goes in, what comes out, and what is refused with what words. NumPy alone."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

import bitspike as bs
from bitspike.format import Block, Gate, Head, LogMel, Neuron, Residual, Signal, Spec

F = np.float32


def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def block(c_in: int, c_out: int, binary: bool, **more) -> Block:
    r = rng()
    weight = r.normal(size=(c_out, c_in, 3, 3)).astype(F)
    more.setdefault("neuron", Neuron(0.5, 1.0))
    return Block(weight, binary, r.uniform(0.2, 0.4, c_out).astype(F), r.normal(0.3, 0.3, c_out).astype(F), 1, (1, 1), **more)


def head(features: int, classes: int = 3) -> Head:
    r = rng()
    return Head(r.normal(size=(classes, features)).astype(F), r.normal(size=classes).astype(F))


def small(**more) -> Spec:
    return Spec(2, (1, 4, 6), [block(1, 4, False), block(4, 40, True, pool="current"), head(40 * 2 * 3)], **more)


# The runtime of a file in NumPy, from the definition in docs/reference/format.md: nothing of the package's own.


def conv(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    p = np.pad(x, ((0, 0), (1, 1), (1, 1)))
    h, wide = x.shape[1:]
    taps = [np.tensordot(w[:, :, i, j], p[:, i : i + h, j : j + wide], 1) for i in range(3) for j in range(3)]
    return np.sum(taps, axis=0)


def reference(spec: Spec, x: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """Logits of one sample and spikes of every block, in float64; gates per element or none, pooling of currents or none."""
    frames = x if spec.sequence else np.repeat(x[None], spec.steps, 0)
    seen = []
    for layer in spec.layers[:-1]:
        out = []
        u = 0.0
        for t, frame in enumerate(frames):
            w = np.where(layer.weight >= 0, 1.0, -1.0) if layer.binary else layer.weight.astype(np.float64)
            z = layer.slope.astype(np.float64)[:, None, None] * conv(frame, w) + layer.offset[:, None, None]
            if layer.gate is not None:
                z = layer.gate.values[t].astype(np.float64)[:, None, None] * np.clip(z / 4 + 0.5, 0, 1) * z
            if layer.pool == "current":
                c, h, wide = z.shape
                z = z[:, : h // 2 * 2, : wide // 2 * 2].reshape(c, h // 2, 2, wide // 2, 2).mean((2, 4))
            u = layer.neuron.decay * u + z
            s = (u >= layer.neuron.threshold).astype(np.float64)
            u = u - s * layer.neuron.threshold if layer.neuron.reset == "soft" else u * (1 - s)
            out.append(s)
        frames = np.stack(out)
        seen.append(frames)
    h = spec.layers[-1]
    return np.mean([h.weight.astype(np.float64) @ f.reshape(-1) + h.bias for f in frames], axis=0), seen


@pytest.mark.parametrize("gated", [False, True])
def test_logits_and_spikes_are_those_of_the_definition(gated: bool) -> None:
    spec = small()
    if gated:
        alpha = np.array([[1.5], [1.2]], F)
        spec = replace(spec, layers=[spec.layers[0], replace(spec.layers[1], gate=Gate("element", alpha)), spec.layers[2]])
    model = bs.Model.load(spec.to_bytes())
    assert model.format_version == (4 if gated else 1)
    x = rng().uniform(0, 2, (20, 1, 4, 6)).astype(F)
    logits, spikes = model.run(x)
    assert np.array_equal(logits, model(x)), "with and without an observer"
    assert [s.counts.shape for s in spikes] == [(20, 2, 4, 4, 6), (20, 2, 40, 2, 3)]
    rates = [s.rate for s in spikes]
    assert all(0.02 < r < 0.98 for r in rates), rates
    for i, sample in enumerate(x):
        want, seen = reference(spec, sample)
        assert all(np.array_equal(s.counts[i], w) for s, w in zip(spikes, seen)), i
        assert np.allclose(logits[i], want, atol=1e-5)


def test_threads_batches_and_kernels_change_no_bit() -> None:
    model = bs.Model.load(small().to_bytes())
    x = rng().uniform(0, 2, (700, 1, 4, 6)).astype(F)
    want = model(x, threads=1)
    assert np.array_equal(model(x), want) and np.array_equal(model(x, threads=3), want)
    assert np.array_equal(np.concatenate([model(x[:1]), model(x[1:5]), model(x[5:])]), want)
    assert np.array_equal(bs.Model.load(small().to_bytes(), kernels="portable")(x), want)
    one = model(x[0])
    assert one.shape == (3,) and np.array_equal(one, want[0])
    assert model(x[:0]).shape == (0, 3) and model.spikes(x[:0])[1].counts.shape == (0, 2, 40, 2, 3)
    assert np.array_equal(model.predict(x), want.argmax(1))


def test_a_stream_ends_where_the_whole_sample_does() -> None:
    spec = Spec(3, (2, 4, 4), [block(2, 6, False), block(6, 5, True), head(5 * 16)], sequence=True)
    model = bs.Model.load(spec.to_bytes())
    assert model.sample_shape == (3, 2, 4, 4)
    x = rng().uniform(0, 2, (4, 3, 2, 4, 4)).astype(F)
    want, whole = model.run(x)
    stream = model.stream()
    for i, sample in enumerate(x):
        for t, frame in enumerate(sample):
            logits, spikes = stream.step_with_spikes(frame)
            assert all(np.array_equal(s.counts, w.counts[i, t]) for s, w in zip(spikes, whole))
        assert stream.steps == 3 and np.array_equal(logits, want[i])
        stream.reset()
    assert stream.steps == 0
    with pytest.raises(bs.InputError, match=r"frame: expected float32 or uint8 \[2, 4, 4\], found float32 \[3, 2, 4, 4\]"):
        stream.step(x[0])


def test_counts_of_averaged_spikes() -> None:
    spec = Spec(2, (1, 4, 4), [block(1, 3, False, pool="spikes"), block(3, 4, True), head(4 * 4)])
    first, second = bs.Model.load(spec.to_bytes()).spikes(rng().uniform(0, 2, (9, 1, 4, 4)).astype(F))
    assert first.unit == 0.25 and first.counts.max() > 1 and first.counts.max() <= 4
    assert second.unit == 1.0 and set(np.unique(second.counts)) <= {0, 1}
    assert 0 < first.rate < 1


def test_pixels_are_normalised_as_the_file_says() -> None:
    spec = small(normalise=(np.array([0.3], F), np.array([0.2], F)))
    model = bs.Model.load(spec.to_bytes())
    pixels = rng().integers(0, 256, (5, 1, 4, 6), dtype=np.uint8)
    floats = ((pixels / 255.0 - np.float64(F(0.3))) / np.float64(F(0.2))).astype(F)
    assert np.array_equal(model(pixels), model(floats))
    mean, std = model.normalise
    assert np.allclose([*mean, *std], [0.3, 0.2])


def test_threads_share_a_model() -> None:
    model = bs.Model.load(small().to_bytes())
    x = rng().uniform(0, 2, (300, 1, 4, 6)).astype(F)
    want, found = model(x), []
    workers = [threading.Thread(target=lambda: found.append(model(x, threads=1))) for _ in range(4)]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    assert len(found) == 4 and all(np.array_equal(f, want) for f in found)


def test_a_model_owns_its_bytes_and_can_be_copied() -> None:
    data = bytearray(small(classes=["a", "b", "c"]).to_bytes())
    model = bs.Model.load(data)
    x = rng().uniform(0, 2, (3, 1, 4, 6)).astype(F)
    want = model(x)
    data[:] = bytes(len(data))
    assert np.array_equal(model(x), want)
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again(x), want) and again.class_names == ["a", "b", "c"]
    assert repr(again).startswith("Model(1x4x6 -> 3 classes (a, b, c), T = 2, 3 layers, 1440 binary weights")


def wrong_order(x: np.ndarray) -> np.ndarray:
    return np.asfortranarray(x)


REFUSED: list[tuple[Callable[[], object], type[Exception], str]] = [
    (lambda: np.zeros((5, 1, 4, 6)), bs.InputTypeError, r"x: expected float32 or uint8 \[N, 1, 4, 6\] or \[1, 4, 6\], found float64 \[5, 1, 4, 6\]; use x.astype\(numpy.float32\)"),
    (lambda: np.zeros((5, 1, 4, 6), ">f4"), bs.InputTypeError, r"found >f4 \[5, 1, 4, 6\]"),
    (lambda: np.zeros((5, 1, 4, 6), np.int64), bs.InputTypeError, r"found int64"),
    (lambda: np.zeros((5, 1, 4, 6), object), bs.InputTypeError, r"found object"),
    (lambda: np.zeros((5, 1, 6, 4), F), bs.InputError, r"expected float32 or uint8 \[N, 1, 4, 6\] or \[1, 4, 6\], found float32 \[5, 1, 6, 4\]"),
    (lambda: np.zeros((4, 6), F), bs.InputError, r"found float32 \[4, 6\]"),
    (lambda: np.zeros((), F), bs.InputError, r"found float32 \[\]"),
    (lambda: np.zeros((2, 5, 1, 4, 6), F), bs.InputError, r"found float32 \[2, 5, 1, 4, 6\]"),
    (lambda: wrong_order(np.zeros((5, 1, 4, 6), F)), bs.InputTypeError, r"in C order, found float32 \[5, 1, 4, 6\] with strides \[4, 20, 20, 80\]; use numpy.ascontiguousarray\(x\)"),
    (lambda: np.zeros((5, 1, 4, 12), F)[..., ::2], bs.InputTypeError, r"in C order"),
    (lambda: np.frombuffer(bytes(4 * 24 + 1), F, 24, 1).reshape(1, 4, 6), bs.InputTypeError, r"in C order"),
    (lambda: [[0.0]], bs.InputTypeError, r"anything with __dlpack__\), found builtins.list"),
    (lambda: None, bs.InputTypeError, r"found builtins.NoneType"),
    (lambda: np.full((2, 1, 4, 6), np.nan, F), bs.InputError, r"input value 0 \(from 0\) is NaN or infinite"),
]  # fmt: skip


@pytest.mark.parametrize("case", range(len(REFUSED)))
def test_what_is_refused_says_dtype_shape_and_layout(case: int) -> None:
    make, kind, text = REFUSED[case]
    model = bs.Model.load(small().to_bytes())
    with pytest.raises(kind, match=text):
        model(make())


def test_the_place_of_a_value_that_is_not_finite() -> None:
    model = bs.Model.load(small().to_bytes())
    x = np.zeros((900, 1, 4, 6), F)
    x[801, 0, 2, 3] = np.inf
    for run in (lambda: model(x, threads=1), lambda: model(x), lambda: model.spikes(x)):
        with pytest.raises(bs.InputError, match=str(801 * 24 + 2 * 6 + 3)):
            run()


def test_threads_are_a_number() -> None:
    model = bs.Model.load(small().to_bytes())
    for wrong in (-1, 1.5, "2"):
        with pytest.raises(bs.InputError, match="threads: expected a number from 0"):
            model(np.zeros((1, 1, 4, 6), F), threads=wrong)
    with pytest.raises(bs.InputTypeError, match="expected Model.load"):
        bs.Model("a.bsnn")  # type: ignore[arg-type]
    with pytest.raises(bs.InputTypeError, match="a path or the bytes of a file, found int"):
        bs.Model.load(3)  # type: ignore[arg-type]


def test_damaged_files_are_refused(tmp_path) -> None:
    data = small().to_bytes()
    for at in range(0, len(data), 97):
        broken = bytearray(data)
        broken[at] ^= 4
        with pytest.raises(bs.FormatError):
            bs.Model.load(broken)
    for end in (0, 1, 27, 28, 91, 100, len(data) - 1):
        with pytest.raises(bs.FormatError):
            bs.Model.load(data[:end])
    with pytest.raises(FileNotFoundError):
        bs.Model.load(tmp_path / "none.bsnn")
    with pytest.raises(bs.InputError, match="kernels"):
        bs.Model.load(data, kernels="mmx")


class Lent:
    """An array of another library, as ``__dlpack__`` shows it."""

    def __init__(self, x: np.ndarray, device: int = 1) -> None:
        self.x, self.device = x, device

    def __dlpack__(self, **keys: object) -> object:
        return self.x.__dlpack__()

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.device, 0


def test_arrays_of_other_libraries_come_by_dlpack() -> None:
    model = bs.Model.load(small().to_bytes())
    x = rng().uniform(0, 2, (3, 1, 4, 6)).astype(F)
    assert np.array_equal(model(Lent(x)), model(x))
    with pytest.raises(bs.InputTypeError, match=r"in the memory of the CPU, found a .*Lent on a CUDA device; move it first"):
        model(Lent(x, 2))
    with pytest.raises(bs.InputTypeError, match="float64"):
        model(Lent(x.astype(np.float64)))
    with pytest.raises(bs.InputTypeError, match="in C order"):
        model(Lent(np.asfortranarray(x)))


def test_tensors_of_torch() -> None:
    torch = pytest.importorskip("torch")
    model = bs.Model.load(small().to_bytes())
    x = rng().uniform(0, 2, (3, 1, 4, 6)).astype(F)
    assert np.array_equal(model(torch.from_numpy(x)), model(x))
    with pytest.raises(bs.InputTypeError, match="cannot be shared"):
        model(torch.from_numpy(x).requires_grad_())
    with pytest.raises(bs.InputTypeError, match="float64"):
        model(torch.from_numpy(x).double())


SIGNALS = {
    "whole": (Signal(["ax", "ay"], 32, 16, np.zeros(2, F), np.ones(2, F), 50.0, 0.001, clip=20.0), (2, 1, 32), False),
    "segments": (Signal(["a"], 32, 40, np.ones(1, F), np.ones(1, F), encoder="segments"), (1, 1, 8), True),
    "rate": (Signal(["a"], 8, 8, np.zeros(1, F), np.ones(1, F), encoder="rate", parameters=(0.5,), seed=7, signed=True), (2, 1, 8), True),
    "latency": (Signal(["a"], 8, 8, np.zeros(1, F), np.ones(1, F), encoder="latency", parameters=(0.125,)), (1, 1, 8), True),
    "delta": (Signal(["a"], 32, 8, np.zeros(1, F), np.ones(1, F), encoder="delta", parameters=(0.5,), count=3), (2, 1, 8), True),
    "population": (
        Signal(["a"], 8, 8, np.zeros(1, F), np.ones(1, F), encoder="population", parameters=(-2.0, 2.0, 1.5, 0.125), count=6), (6, 1, 8), True,
    ),
    "values": (
        Signal(["a"], 8, 8, np.zeros(1, F), np.ones(1, F), encoder="population", parameters=(-2.0, 2.0, 1.5, 0.0), count=4, values=True),
        (4, 1, 8), False,
    ),
    "mel": (
        Signal(["mono"], 160, 80, np.zeros(8, F), np.ones(8, F), 8000.0, 1 / 32768, LogMel(64, 32, 64, 8, 0.0, 4000.0, slaney=True)),
        (1, 8, 4), False,
    ),
    "bands": (
        Signal(["mono"], 160, 80, np.zeros(8, F), np.ones(8, F), 8000.0, front=LogMel(64, 32, 128, 8, 20.0, 3000.0, bands_are_channels=True)),
        (8, 1, 4), False,
    ),
}  # fmt: skip


def fed(signal: Signal, shape: tuple[int, int, int], sequence: bool) -> Spec:
    weight = rng().normal(size=(4, shape[0], 1, 1)).astype(F)
    first = Block(weight, False, np.ones(4, F), np.zeros(4, F), neuron=Neuron(0.5, 1.0))
    return Spec(4, shape, [first, head(4 * shape[1] * shape[2])], sequence, classes=["left", "right", "ü"], signal=signal)


@pytest.mark.parametrize("name", SIGNALS)
def test_feed_as_the_reader_reads_it(name: str) -> None:
    signal, shape, sequence = SIGNALS[name]
    model = bs.Model.load(fed(signal, shape, sequence).to_bytes())
    assert model.format_version == 5 and model.class_names == ["left", "right", "ü"]
    feed = model.feed
    assert feed is not None
    assert (feed.channels, feed.window, feed.hop, feed.rate_hz, feed.clip) == (
        list(signal.channels), signal.window, signal.hop, signal.rate_hz, signal.clip,
    )  # fmt: skip
    assert feed.per_count == signal.per_count and feed.encoder["kind"] == signal.encoder
    assert np.array_equal(feed.centre, signal.centre) and np.array_equal(feed.scale, signal.scale)
    numbers = [v for k, v in feed.encoder.items() if k in ("gain", "silent_below", "threshold", "low", "high", "beta")]
    assert tuple(numbers) == signal.parameters
    assert feed.encoder.get("seed", 0) == signal.seed and feed.encoder.get("signed", False) == signal.signed
    assert feed.encoder.get("most", feed.encoder.get("fields", 0)) == signal.count
    if signal.front is None:
        assert feed.front == {"kind": "samples"}
    else:
        f = signal.front
        want = {k: getattr(f, k) for k in ("frame", "hop", "fft", "mels", "low_hz", "high_hz", "floor", "slaney", "bands_are_channels")}
        assert {k: v for k, v in feed.front.items() if k != "kind"} == want


WRONG_FEEDS = [
    (lambda s: replace(s, window=33), r"expected .* as the network takes, found \[2, 1, 33\]"),
    (lambda s: replace(s, hop=0), "feed, hop: expected 1 to"),
    (lambda s: replace(s, rate_hz=-1.0), "rate_hz"),
    (lambda s: replace(s, per_count=0.0), "per_count"),
    (lambda s: replace(s, clip=0.0), "clip"),
    (lambda s: replace(s, scale=np.zeros(2, F)), "scale: expected numbers above 0"),
    (lambda s: replace(s, centre=np.zeros(3, F)), r"feed, centre: expected \[2\], found \[3\]"),
    (lambda s: replace(s, channels=["a\n", "b"]), "control characters"),
    (lambda s: replace(s, encoder="segments"), "feed"),
    (lambda s: replace(s, encoder="latency"), "parameters: expected 1"),
    (lambda s: replace(s, encoder="spikes"), "encoder: expected one of"),
]


@pytest.mark.parametrize("case", range(len(WRONG_FEEDS)))
def test_feeds_that_cannot_be_are_refused_by_the_writer(case: int) -> None:
    change, text = WRONG_FEEDS[case]
    signal, shape, sequence = SIGNALS["whole"]
    with pytest.raises(bs.FormatError, match=text):
        fed(change(signal), shape, sequence).to_bytes()


def test_names_of_classes_are_as_many_as_classes() -> None:
    with pytest.raises(bs.FormatError, match="expected 3 names of classes, found 2"):
        small(classes=["a", "b"]).to_bytes()
    with pytest.raises(bs.FormatError, match="expected at most 255 bytes"):
        small(classes=["a", "b", "c" * 256]).to_bytes()


def test_layers_and_versions_of_a_residual_file() -> None:
    inner = block(4, 4, True)
    spec = Spec(2, (1, 4, 4), [block(1, 4, False, neuron=None), Residual(inner), Neuron(0.5, 1.0, "hard"), head(64)])
    model = bs.Model.load(spec.to_bytes())
    assert [layer.kind for layer in model.layers] == ["block", "residual", "neurons", "head"]
    assert [layer.neurons for layer in model.layers] == [False, True, True, False]
    x = rng().uniform(0, 2, (3, 1, 4, 4)).astype(F)
    assert [s.layer for s in model.spikes(x)] == [1, 2] == [s.layer for s in model.spikes(x[:0])]
    assert model.layers[2].facts["reset"] == "hard" and model.format_version == 1
    gated = replace(inner, gate=Gate("sample", np.ones((2, 4), F), True, True, hard=True))
    hard = bs.Model.load(replace(spec, layers=[spec.layers[0], Residual(gated), *spec.layers[2:]]).to_bytes())
    assert hard.format_version == 4 and hard.layers[1].facts["gate"] == "sample-channel" and hard.layers[1].facts["hard"]
