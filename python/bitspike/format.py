"""Packed ``.bsnn`` files without integers, version 1 to 5: ``docs/reference/format.md`` of the repository is the byte table.

:func:`write` makes the bytes that the Rust writer makes of the same description. It checks lengths, order and ranges of fields; the
runtime's reader checks everything again. NumPy is all it needs.
"""

from __future__ import annotations

import os
import struct
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from bitspike import _files
from bitspike._errors import FormatError

if TYPE_CHECKING:
    from bitspike._model import Model

Array = NDArray[np.float32]
Pool = Literal["none", "current", "spikes", "max-spikes"]
Reset = Literal["soft", "hard"]

_POOLS = ("none", "current", "spikes", "max-spikes")


__all__ = ["Block", "FormatError", "Gate", "Head", "LogMel", "Neuron", "Residual", "Signal", "Spec", "crc32c", "write"]


@dataclass(frozen=True)
class Neuron:
    """``u = decay · v + z``, a spike where ``u ≥ threshold``; then v is u − threshold (soft) or 0 (hard)."""

    decay: float
    threshold: float
    reset: Reset = "soft"


@dataclass(frozen=True)
class Gate:
    """The factor of a current: ``values`` ``[T, 1]`` or ``[T, C]`` are the factor itself (``"fixed"``) or α.

    ``"sample"``: one for each sample, from the mean of its currents. ``"element"``: one for each current, from that current, always with
    the hard function ``min(max(x/4 + ½, 0), 1)``.
    """

    kind: Literal["fixed", "sample", "element"]
    values: Array
    per_channel: bool = False
    """``"sample"``: whether every channel has its own mean."""
    inside: bool = False
    """Whether α stands inside the function."""
    hard: bool = False
    """``"sample"``: whether the function is the hard one instead of σ."""


@dataclass(frozen=True)
class Block:
    """Convolution, slope and offset per channel, gate, pooling, neurons: ``z = (a S + b) · k``."""

    weight: Array
    """``[C_out, C_in, kernel rows, kernel columns]``: real in the first layer, else numbers whose signs count, +1 from 0 on."""
    binary: bool
    slope: Array
    offset: Array
    stride: int = 1
    padding: tuple[int, int] = (0, 0)
    gate: Gate | None = None
    pool: Pool = "none"
    neuron: Neuron | None = None

    def sums(self, rows: int, columns: int) -> tuple[int, int]:
        """Rows and columns of the sums of an input of so many."""
        kernel = self.weight.shape[2:]
        high, wide = ((n + 2 * p - k) // self.stride + 1 for n, p, k in zip((rows, columns), self.padding, kernel))
        return high, wide

    def window(self, rows: int, columns: int) -> tuple[int, int]:
        """Rows and columns of what is pooled: 2×2, 1×2 where the sums have one row, 1×1 without a pooling."""
        return (1, 1) if self.pool == "none" else (min(self.sums(rows, columns)[0], 2), 2)


@dataclass(frozen=True)
class Residual:
    """Neurons (those of ``block``) and binary convolution with a shortcut around both."""

    block: Block
    projection: tuple[Array, Array, Array] | None = None
    """Weights ``[C_out, C_in]``, slope and offset of a shortcut that halves the map; without it, the identity."""


@dataclass(frozen=True)
class Head:
    """The classifier: weights ``[class, feature]`` over a flattened map ``[C, H, W]`` or its mean, bias ``[class]``."""

    weight: Array
    bias: Array
    average: bool = False


@dataclass(frozen=True)
class LogMel:
    """A logarithmic mel spectrogram in front of the network: ``[C, L]`` to ``[C, mels, frames]``."""

    frame: int
    """Samples of a frame."""
    hop: int
    fft: int
    """Points of the Fourier transform, from ``frame`` on."""
    mels: int
    low_hz: float
    high_hz: float
    """At most half the rate."""
    floor: float = 1e-10
    """Energy below which the logarithm is not taken."""
    slaney: bool = False
    bands_are_channels: bool = False


@dataclass(frozen=True)
class Signal:
    """How a sample is made of a recording: what a device does before the network."""

    channels: Sequence[str]
    """Their names."""
    window: int
    """Samples of a window, per channel."""
    hop: int
    centre: Array
    """Subtracted, one for each row of features: ``[C]``, with log-mel ``[C · mels]``."""
    scale: Array
    """What the rest is divided by, above 0."""
    rate_hz: float | None = None
    per_count: float = 1.0
    """What a count of a converter is worth, as 1/32768 for 16-bit audio."""
    front: LogMel | None = None
    clip: float | None = None
    encoder: Literal["whole", "segments", "rate", "latency", "delta", "population"] = "whole"
    parameters: tuple[float, ...] = ()
    """Of the encoder. Rate: gain. Latency: silent_below. Delta: threshold. Population: low, high, beta, silent_below."""
    count: int = 0
    """Delta: the largest count, 1 to 255. Population: curves, 3 to 256."""
    seed: int = 0
    """Rate."""
    signed: bool = False
    """Rate: whether negative values have channels of their own."""
    values: bool = False
    """Population: whether activations go in, instead of spikes."""

    def frames(self, steps: int) -> tuple[bool, tuple[int, int, int]]:
        """Whether a sample is T frames, and the shape ``(C, H, W)`` of one."""
        rows, columns = 1, self.window
        if self.front is not None:
            rows, columns = self.front.mels, 1 + (self.window - self.front.frame) // self.front.hop
        c = len(self.channels)
        c, r = (c * rows, 1) if self.front is not None and self.front.bands_are_channels else (c, rows)
        if self.encoder in ("segments", "delta"):
            if columns % steps:
                raise FormatError(f"feed, encoder: expected a number of columns that {steps} steps divide, found {columns}")
            columns //= steps
        factor = {"rate": 2 if self.signed else 1, "delta": 2, "population": self.count}.get(self.encoder, 1)
        whole = self.encoder == "whole" or (self.encoder == "population" and self.values)
        return not whole, (c * factor, r, columns)


@dataclass(frozen=True)
class Spec:
    """A network to be written; the head is the last layer."""

    steps: int
    input: tuple[int, int, int]
    layers: list[Block | Residual | Neuron | Head]
    sequence: bool = False
    """Whether inputs are T frames; otherwise one image stands for all steps."""
    normalise: tuple[Array, Array] | None = None
    """Mean and deviation per channel that make floats of bytes."""
    meta: dict[str, str] = field(default_factory=dict)
    classes: Sequence[str] | None = None
    """Names of the classes, in the order of the logits; with them the file has version 5."""
    signal: Signal | None = None
    """How samples are made of recordings; needs ``classes``."""

    def to_bytes(self) -> bytes:
        """The bytes of the file."""
        return write(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the file, under a temporary name that is then renamed."""
        _files.replace(path, self.to_bytes())

    def model(self) -> Model:
        """The file as a :class:`bitspike.Model` that runs."""
        from bitspike._model import Model

        return Model.load(self.to_bytes())

    def save_onnx(self, path: str | os.PathLike[str], **options: Any) -> None:
        """See :meth:`bitspike.Model.save_onnx`."""
        self.model().save_onnx(path, **options)

    def save_nir(self, path: str | os.PathLike[str], **options: Any) -> None:
        """See :meth:`bitspike.Model.save_nir`."""
        self.model().save_nir(path, **options)

    def save_c(self, folder: str | os.PathLike[str], **options: Any) -> list[Path]:
        """See :meth:`bitspike.Model.save_c`."""
        return self.model().save_c(folder, **options)


def _table() -> list[int]:
    table = []
    for n in range(256):
        for _ in range(8):
            n = n >> 1 ^ 0x82F63B78 if n & 1 else n >> 1
        table.append(n)
    return table


_CRC = _table()


def crc32c(data: bytes) -> int:
    """CRC-32C, that of iSCSI.

    >>> hex(crc32c(b"123456789"))
    '0xe3069283'
    """
    crc, table = 0xFFFFFFFF, _CRC
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def _reals(layer: str, array: str, values: Array, shape: tuple[int, ...]) -> bytes:
    """Checks an array and gives its bytes."""
    if values.shape != shape:
        raise FormatError(f"{layer}, {array}: expected {list(shape)}, found {list(values.shape)}")
    if not np.isfinite(values).all():
        raise FormatError(f"{layer}, {array}: expected finite numbers, found {values[~np.isfinite(values)][0]}")
    return np.ascontiguousarray(values, dtype="<f4").tobytes()


def _within(layer: str, name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise FormatError(f"{layer}, {name}: expected {low} to {high}, found {value}")


class _Body:
    def __init__(self, spec: Spec) -> None:
        self.spec, self.map = spec, spec.input
        self.records: list[dict[str, float]] = []
        self.rows = self.hard = False
        self.signs, self.reals = bytearray(), bytearray()

    def record(self, where: str, kind: int, out: int) -> dict[str, float]:
        for name, value in (*zip(("channels in", "rows", "columns"), self.map), ("channels out", out)):
            _within(where, name, value, 1, 65535)
        c, h, w = self.map
        return {"kind": kind, "c_in": c, "c_out": out, "rows": h, "columns": w}

    def neuron(self, where: str, record: dict[str, float], neuron: Neuron | None) -> None:
        if neuron is None:
            record["reset"] = 2
            return
        _within(where, "decay", neuron.decay, 0.0, 1.0)
        if not 0.0 < neuron.threshold < float("inf"):
            raise FormatError(f"{where}, threshold: expected a finite number above 0, found {neuron.threshold}")
        record |= {"decay": neuron.decay, "threshold": neuron.threshold, "reset": int(neuron.reset == "hard")}

    def block(self, where: str, kind: int, b: Block) -> dict[str, float]:
        out, c_in, *kernel = b.weight.shape
        record = self.record(where, kind, out)
        if c_in != self.map[0]:
            raise FormatError(f"{where}, weights: expected {self.map[0]} channels in, found {c_in}")
        for k, p, n, axis in zip(kernel, b.padding, self.map[1:], ("rows", "columns")):
            if k not in (1, 3, 5, 7):
                raise FormatError(f"{where}, kernel {axis}: expected 1, 3, 5 or 7, found {k}")
            _within(where, f"padding of {axis}", p, 0, k - 1)
            _within(where, f"{axis} with padding", n + 2 * p, k, 65535)
        _within(where, "stride", b.stride, 1, 2)
        window = b.window(*self.map[1:])
        self.rows |= any(a != b for a, b in (kernel, b.padding, window))
        record |= {"kernel": kernel[1], "kernel_rows": kernel[0], "stride": b.stride}
        record |= {"padding": b.padding[1], "padding_rows": b.padding[0], "pool": _POOLS.index(b.pool)}
        if b.binary:
            self.signs += _pack(where, b.weight)
        else:
            turned = b.weight.transpose(2, 3, 1, 0)
            self.reals += _reals(where, "weights", turned, turned.shape)
        self.reals += _reals(where, "slope", b.slope, (out,)) + _reals(where, "offset", b.offset, (out,))
        self.neuron(where, record, b.neuron)
        if b.gate is not None:
            wide = b.gate.values.shape[-1] != 1
            shape = (self.spec.steps, out if wide else 1)
            kind_of = b.gate.kind
            if kind_of not in ("fixed", "sample", "element"):
                raise FormatError(f'{where}, gate: expected "fixed", "sample" or "element", found {kind_of!r}')
            self.reals += _reals(where, "factor" if kind_of == "fixed" else "alpha", b.gate.values, shape)
            hard = b.gate.hard and kind_of == "sample"
            self.hard |= hard or kind_of == "element"
            record["gate"] = {"fixed": 1, "element": 4}.get(kind_of, 3 if b.gate.per_channel else 2)
            inside = b.gate.inside and kind_of != "fixed"
            record["gate_flags"] = int(wide and out > 1) + 2 * int(inside) + 4 * int(hard)
        high, wide_out = b.sums(*self.map[1:])
        self.map = (out, high // window[0], wide_out // window[1])
        return record

    def layer(self, where: str, layer: Block | Residual | Neuron | Head, first: bool, last: bool) -> dict[str, float]:
        if first != (isinstance(layer, Block) and not layer.binary):
            raise FormatError(f"{where}: expected a real convolution as the first layer, and nowhere else")
        if last != isinstance(layer, Head):
            raise FormatError(f"{where}: expected a classifier as the last layer, and nowhere else")
        if isinstance(layer, Block):
            if first and layer.gate is not None:
                raise FormatError(f"{where}: expected no gate behind a real convolution")
            if layer.neuron is None and (not first or layer.pool != "none"):
                raise FormatError(f"{where}: expected neurons")
            return self.block(where, 1 if first else 2, layer)
        if isinstance(layer, Residual):
            c_in = self.map[0]
            if layer.block.neuron is None or layer.block.pool != "none" or not layer.block.binary:
                raise FormatError(f"{where}: expected a residual block with neurons, binary weights and no pooling")
            record = self.block(where, 3, layer.block)
            if layer.projection is not None:
                weight, slope, offset = layer.projection
                record["projected"] = 1
                out = self.map[0]
                self.reals += _reals(where, "shortcut weights", weight.transpose(), (c_in, out))
                self.reals += _reals(where, "shortcut slope", slope, (out,)) + _reals(where, "shortcut offset", offset, (out,))
            return record
        if isinstance(layer, Neuron):
            record = self.record(where, 4, self.map[0])
            self.neuron(where, record, layer)
            return record
        classes, features = layer.weight.shape
        record = self.record(where, 5, classes)
        record["pool"] = int(layer.average)
        c, h, w = self.map
        if features != c * (1 if layer.average else h * w):
            raise FormatError(f"{where}, weights: expected {c * (1 if layer.average else h * w)} features, found {features}")
        # Features of a flattened map are channels-last in the file.
        turned = layer.weight.reshape(classes, c, features // c).transpose(2, 1, 0)
        self.reals += _reals(where, "weights", turned, turned.shape) + _reals(where, "bias", layer.bias, (classes,))
        return record


def _pack(where: str, weight: Array) -> bytes:
    """``[channel out][ky][kx][word]``: bit i of word j is the sign of input channel 32 j + i."""
    if np.isnan(weight).any():
        raise FormatError(f"{where}: a weight is not a number")
    out, c_in, high, wide = weight.shape
    bits = np.zeros((out, high, wide, -(-c_in // 32) * 32), dtype=np.uint8)
    bits[..., :c_in] = weight.transpose(0, 2, 3, 1) >= 0
    return np.packbits(bits, axis=-1, bitorder="little").tobytes()


def write(spec: Spec) -> bytes:
    """The bytes of a file; raises :class:`FormatError` with layer and array or field.

    >>> w = np.ones((2, 1, 1, 1), np.float32)
    >>> block = Block(w, False, np.ones(2, np.float32), np.zeros(2, np.float32), neuron=Neuron(0.5, 1.0))
    >>> head = Head(np.ones((3, 8), np.float32), np.zeros(3, np.float32))
    >>> data = write(Spec(4, (1, 2, 2), [block, head], meta={"name": "tiny"}))
    >>> data[:8], data[-10:], len(data)
    (b'\\x89BSNN\\r\\n\\x1a', b'name=tiny\\n', 330)
    """
    body = _Body(spec)
    _within("network", "T", spec.steps, 1, 1024)
    if not spec.layers or not isinstance(spec.layers[-1], Head):
        raise FormatError("network: expected a classifier as the last layer")
    _within("network", "layers", len(spec.layers), 2, 65535)
    if int(np.prod(spec.input)) > 1 << 24:
        raise FormatError(f"network, input: expected at most 2^24 values, found {list(spec.input)}")
    if spec.normalise is not None:
        for name, values in zip(("mean", "std"), spec.normalise):
            body.reals += _reals("network", name, values, (spec.input[0],))
        if not (spec.normalise[1] > 0).all():
            raise FormatError("network, std: expected numbers above 0")
    last = len(spec.layers) - 1
    for i, layer in enumerate(spec.layers):
        body.records.append(body.layer(f"layer {i}", layer, i == 0, i == last))
    flags = int(spec.normalise is not None) + 2 * int(spec.sequence)
    classes = spec.layers[-1].weight.shape[0]
    layers = struct.pack("<8H", spec.steps, *spec.input, classes, len(spec.layers), flags, 0)
    fed = spec.classes is not None or spec.signal is not None
    layers += b"".join(_record(r, body.rows or body.hard or fed) for r in body.records)
    meta = ""
    for key, value in spec.meta.items():
        if "=" in key or any(end in text for text in (key, value) for end in "\n\r"):
            raise FormatError(f"meta key {key!r}: a key has no '=', and neither has a line end")
        meta += f"{key}={value}\n"
    sections = [(1, layers), (2, bytes(body.signs)), (3, bytes(body.reals)), (4, meta.encode())]
    if fed:
        sections.append((6, _feed(spec, classes)))
    return _frame(5 if fed else 4 if body.hard else 3 if body.rows else 1, sections)


_ENCODERS = ("whole", "segments", "rate", "latency", "delta", "population")
_PARAMETERS = {"rate": 1, "latency": 1, "delta": 1, "population": 4}


def _feed(spec: Spec, classes: int) -> bytes:
    """Section FEED."""
    if spec.classes is None or len(spec.classes) != classes:
        found = "none" if spec.classes is None else len(spec.classes)
        raise FormatError(f"feed: expected {classes} names of classes, found {found}")
    out, names = bytes(4), list(spec.classes)
    if spec.signal is not None:
        out = _signal(spec.signal, spec)
        names += list(spec.signal.channels)
    for name in names:
        raw = name.encode()
        if len(raw) > 255 or any(unicodedata.category(c) == "Cc" for c in name):
            raise FormatError(f"feed, name {name!r}: expected at most 255 bytes without control characters")
        out += bytes([len(raw)]) + raw
    return out


def _signal(s: Signal, spec: Spec) -> bytes:
    """The fixed part of FEED, centres and scales."""
    where, most = "feed", 1 << 24
    _within(where, "channels", len(s.channels), 1, 65535)
    for name, value in (("window", s.window), ("hop", s.hop)):
        _within(where, name, value, 1, most)
    if s.rate_hz is not None and not 0 < s.rate_hz < float("inf"):
        raise FormatError(f"{where}, rate_hz: expected a finite number above 0, found {s.rate_hz}")
    if s.per_count == 0 or not np.isfinite(s.per_count):
        raise FormatError(f"{where}, per_count: expected a finite number that is not 0, found {s.per_count}")
    if s.clip is not None and not 0 < s.clip < float("inf"):
        raise FormatError(f"{where}, clip: expected a finite number above 0, found {s.clip}")
    if s.encoder not in _ENCODERS:
        raise FormatError(f"{where}, encoder: expected one of {', '.join(_ENCODERS)}, found {s.encoder!r}")
    wanted = _PARAMETERS.get(s.encoder, 0)
    if len(s.parameters) != wanted:
        raise FormatError(f"{where}, parameters: expected {wanted} of encoder {s.encoder!r}, found {len(s.parameters)}")
    rows, mel = 1, (0, 0, 0, 0, 0.0, 0.0, 0.0)
    if s.front is not None:
        f = s.front
        _within(where, "mels", f.mels, 1, 1024)
        _within(where, "frame", f.frame, 2, s.window)
        _within(where, "mel hop", f.hop, 1, most)
        _within(where, "fft", f.fft, f.frame, 1 << 20)
        if s.rate_hz is None or not 0 <= f.low_hz < f.high_hz <= s.rate_hz / 2 or not f.floor > 0:
            raise FormatError(f"{where}, front: expected a rate, 0 <= low_hz < high_hz <= rate/2 and a floor above 0, found {f}, {s.rate_hz}")
        rows, mel = f.mels, (f.mels, f.frame, f.hop, f.fft, f.low_hz, f.high_hz, f.floor)
    sequence, shape = s.frames(spec.steps)
    if shape != spec.input or (sequence and spec.steps > 1) != (spec.sequence and spec.steps > 1):
        kind = "sequences" if spec.sequence else "single frames"
        raise FormatError(f"{where}: expected {kind} {list(spec.input)} as the network takes, found {list(shape)} of encoder {s.encoder!r}")
    flags = 1 * bool(s.front and s.front.slaney) + 2 * bool(s.front and s.front.bands_are_channels)
    flags += 4 * (s.encoder == "rate" and s.signed) + 8 * (s.encoder == "population" and s.values)
    count = s.count if s.encoder in ("delta", "population") else 0
    low, high = {"delta": (1, 255), "population": (3, 256)}.get(s.encoder, (0, 0))
    _within(where, "count", count, low, high)
    parameters = [*s.parameters, *[0.0] * (4 - len(s.parameters))]
    out = struct.pack("<4B2H2I", 1, int(s.front is not None), _ENCODERS.index(s.encoder), flags, len(s.channels), mel[0], s.window, s.hop)
    out += struct.pack("<2df3I3d", s.rate_hz or 0.0, s.per_count, s.clip or 0.0, *mel[1:4], *mel[4:])
    out += struct.pack("<I4f4xQ", count, *parameters, s.seed if s.encoder == "rate" else 0)
    n = len(s.channels) * rows
    if not (np.asarray(s.scale) > 0).all():
        raise FormatError(f"{where}, scale: expected numbers above 0")
    return out + _reals(where, "centre", np.asarray(s.centre), (n,)) + _reals(where, "scale", np.asarray(s.scale), (n,))


def _record(r: Mapping[str, float], rows: bool) -> bytes:
    def get(name: str) -> int:
        return cast(int, r.get(name, 0))

    # Without need there are no rows of kernels: a square network is a file of version 1.
    kernel_rows, padding_rows = (get("kernel_rows"), get("padding_rows")) if rows else (0, 0)
    return struct.pack(
        "<8B4H2f4B2B2x",
        *(get(k) for k in ("kind", "pool", "gate", "gate_flags", "reset", "kernel", "stride", "padding")),
        *(get(k) for k in ("c_in", "c_out", "rows", "columns")),
        r.get("decay", 0.0),
        r.get("threshold", 0.0),
        get("projected"),
        0,
        0,
        0,
        kernel_rows,
        padding_rows,
    )


def _frame(version: int, sections: list[tuple[int, bytes]]) -> bytes:
    """Header, table of sections, sections at multiples of 16."""
    front = 28 + 16 * len(sections) + 4
    data, table = bytearray(front), b""
    for kind, section in sections:
        data += bytes(-len(data) % 16)
        table += struct.pack("<4I", kind, len(data), len(section), crc32c(section))
        data += section
    head = b"\x89BSNN\r\n\x1a" + struct.pack("<2H2I8x", version, len(sections), 0x0A0B0C0D, len(data)) + table
    data[:front] = head + struct.pack("<I", crc32c(head))
    return bytes(data)
