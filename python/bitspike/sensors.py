"""Recordings of sensors and sound: files into NumPy, and whole folders into arrays for a spiking network.

Keys are those of a recipe's table ``[data.sensors]``, see ``docs/reference/sensors.md`` of the repository.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitspike import _core
from bitspike._errors import InputError

_KINDS = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".parquet": "parquet", ".npy": "npy", ".raw": "raw", ".ts": "ts", ".wav": "audio",
    ".wave": "audio", ".aif": "audio", ".aiff": "audio", ".aifc": "audio", ".flac": "audio", ".ogg": "audio", ".oga": "audio",
    ".mp3": "audio",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Recording:
    """Several channels over the same time."""

    name: str
    channels: list[str]
    rate_hz: float | None
    values: NDArray[np.float32]
    """``[C, L]``, all finite."""
    label: str | None = None
    group: str | None = None

    def __repr__(self) -> str:
        rate = "" if self.rate_hz is None else f", {self.rate_hz:g} Hz"
        return f"Recording({self.name!r}, {', '.join(self.channels)}, {self.values.shape[1]} samples{rate})"


def read(
    file: str | os.PathLike[str],
    *,
    data: bytes | None = None,
    format: str | Mapping[str, Any] | None = None,
    missing: str | float = "error",
) -> list[Recording]:
    """The recordings of a file: CSV, Parquet, npy, WAV, AIFF, FLAC, Ogg, MP3, raw numbers, ``.ts``.

    ``data``: the bytes, with ``file`` as their name. ``format``: by the extension unless given; a kind, as ``"csv"``, or a mapping, as
    ``{"kind": "csv", "separator": ";"}``. ``missing``: ``"error"``, ``"hold"``, ``"linear"``, or a number.

    Raises :class:`bitspike.DataError` with line and field or byte, :class:`OSError` for what cannot be opened.

    >>> read("walk.csv", data=b"ax,ay\\n1,4\\n2,5\\n3,6\\n")
    [Recording('walk', ax, ay, 3 samples)]
    >>> read("walk.csv", data=b"ax,ay\\n1,\\n")
    Traceback (most recent call last):
    bitspike._errors.DataError: walk.csv: line 2, field 2: no value for channel ay
    hint: set data.sensors.missing = "hold", "linear" or { value = 0.0 } if gaps may be filled, else repair the file
    """
    path = Path(file)
    if format is None:
        kind = _KINDS.get(path.suffix.lower())
        if kind is None:
            raise InputError(f"format: expected one of {', '.join(sorted(set(_KINDS.values())))}, found {path.name!r}, whose ending is not known")
        format = kind
    keys = {"kind": format} if isinstance(format, str) else dict(format)
    if keys.get("kind") == "csv" and path.suffix.lower() == ".tsv":
        keys.setdefault("separator", "\t")
    gap = missing if isinstance(missing, str) else {"value": float(missing)}
    found = _core.read_recordings(path, data, json.dumps(keys), json.dumps(gap))
    return [Recording(**r) for r in found]


@dataclass(frozen=True, eq=False)
class Part:
    """Windows of one part of a set."""

    x: NDArray[Any]
    """``[N, T, C, H, W]``, uint8 spikes or float32 values; T is 1 where every step is the same."""
    y: NDArray[np.int64]
    """Class of each, ``[N]``."""
    groups: list[str | None]
    recordings: list[str]
    """Which recording each is of, and its first sample in it."""
    starts: list[int]

    def __len__(self) -> int:
        return len(self.y)

    def __repr__(self) -> str:
        return f"Part({len(self)} windows, {self.x.dtype} {list(self.x.shape)})"


@dataclass(frozen=True, eq=False)
class SensorSet:
    """A folder of recordings as arrays."""

    train: Part
    validation: Part | None
    test: Part
    steps: int
    """T of the network."""
    classes: list[str]
    channels: list[str]
    rate_hz: float | None
    window: int
    centre: NDArray[np.float32]
    """What was subtracted, one for each row of features; fitted on the training part."""
    scale: NDArray[np.float32]
    split: str
    """What was held out how."""


def load(path: str | os.PathLike[str], **keys: Any) -> SensorSet:
    """Reads a folder, cuts it into windows, splits, normalises and encodes, as a recipe does.

    ``keys`` are those of ``[data.sensors]``: ``load("rec", labels={"from": "name", "pattern": "{label}_{take}.csv"},
    window={"length": 128, "hop": 64}, split={"by": "recording"}, encode={"kind": "delta", "steps": 8})``.
    """
    found = _core.load_sensors(json.dumps({"path": os.fspath(path), **keys}))
    parts = {name: None if found[name] is None else Part(**found[name]) for name in ("train", "validation", "test")}
    return SensorSet(**{**found, **parts})
