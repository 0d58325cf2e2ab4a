"""Packed ``.bsnn`` files, version 1 to 3 without integers: ``docs/reference/format.md`` of the repository is the byte table.

:func:`write` makes the bytes that the Rust writer makes of the same description. It checks lengths, order and ranges of fields; the
runtime's reader checks everything again. NumPy is all it needs.
"""

from __future__ import annotations

import os
import struct
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Pool = Literal["none", "current", "spikes", "max-spikes"]
Reset = Literal["soft", "hard"]

_POOLS = ("none", "current", "spikes", "max-spikes")


class FormatError(ValueError):
    """A description that cannot be written; the message has layer and array or field."""


@dataclass(frozen=True)
class Neuron:
    """``u = decay · v + z``, a spike where ``u ≥ threshold``; then v is u − threshold (soft) or 0 (hard)."""

    decay: float
    threshold: float
    reset: Reset = "soft"


@dataclass(frozen=True)
class Gate:
    """The factor of a current: ``values`` ``[T, 1]`` or ``[T, C]`` are the factor itself (``"fixed"``) or α (``"sample"``)."""

    kind: Literal["fixed", "sample"]
    values: Array
    per_channel: bool = False
    """``"sample"``: whether every channel has its own mean."""
    inside: bool = False
    """``"sample"``: whether α stands inside σ."""


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

    def to_bytes(self) -> bytes:
        """The bytes of the file."""
        return write(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the file, under a temporary name that is then renamed."""
        target, data = Path(path), self.to_bytes()
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=target.name, suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as f:
                f.write(data)
            os.chmod(name, 0o644)
            os.replace(name, target)
        except BaseException:
            os.unlink(name)
            raise


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
        self.rows = False
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
            self.reals += _reals(where, "factor" if b.gate.kind == "fixed" else "alpha", b.gate.values, shape)
            record["gate"] = 1 if b.gate.kind == "fixed" else 3 if b.gate.per_channel else 2
            record["gate_flags"] = int(wide and out > 1) + 2 * int(b.gate.inside)
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
    layers += b"".join(_record(r, body.rows) for r in body.records)
    meta = ""
    for key, value in spec.meta.items():
        if "=" in key or any(end in text for text in (key, value) for end in "\n\r"):
            raise FormatError(f"meta key {key!r}: a key has no '=', and neither has a line end")
        meta += f"{key}={value}\n"
    return _frame(3 if body.rows else 1, [layers, bytes(body.signs), bytes(body.reals), meta.encode()])


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


def _frame(version: int, sections: list[bytes]) -> bytes:
    """Header, table of sections, sections at multiples of 16."""
    front = 28 + 16 * len(sections) + 4
    data, table = bytearray(front), b""
    for i, section in enumerate(sections):
        data += bytes(-len(data) % 16)
        table += struct.pack("<4I", i + 1, len(data), len(section), crc32c(section))
        data += section
    head = b"\x89BSNN\r\n\x1a" + struct.pack("<2H2I8x", version, len(sections), 0x0A0B0C0D, len(data)) + table
    data[:front] = head + struct.pack("<I", crc32c(head))
    return bytes(data)
