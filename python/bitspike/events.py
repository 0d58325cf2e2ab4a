"""Events of event cameras: files into NumPy, frames for a network, and a simulated camera.

Whatever the file, times are microseconds, x goes to the right, y downwards, and p is True for ON (brighter).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bitspike import _core
from bitspike._arrays import as_numpy, checked, shown
from bitspike._errors import InputError, InputTypeError

FORMATS: tuple[str, ...] = tuple(_core.event_formats())
"""Names of the formats that are read."""


@dataclass(frozen=True, eq=False)
class Events:
    """Columns of events; ``t, x, y, p = events`` takes them apart."""

    t: NDArray[np.int64]
    """Microseconds."""
    x: NDArray[np.uint16]
    y: NDArray[np.uint16]
    p: NDArray[np.bool_]
    size: tuple[int, int] | None = None
    """Width and height of the sensor, where known."""
    format: str | None = None

    def __iter__(self) -> Iterator[NDArray[Any]]:
        return iter((self.t, self.x, self.y, self.p))

    def __len__(self) -> int:
        return len(self.t)

    def __repr__(self) -> str:
        n = len(self)
        span = f", {int(self.t.min())} to {int(self.t.max())} us, {int(self.p.sum())} ON" if n else ""
        size = "" if self.size is None else f", {self.size[0]}x{self.size[1]}"
        return f"Events({n}{span}{size}{'' if self.format is None else ', ' + self.format})"

    @classmethod
    def of(cls, t: Any, x: Any, y: Any, p: Any, size: tuple[int, int] | None = None) -> Events:
        """Columns of any integer dtype, ``p`` also booleans, each ``[N]``, checked and converted.

        >>> Events.of([0, 10], [1, 2], [0, 0], [1, 0], size=(4, 1))
        Events(2, 0 to 10 us, 1 ON, 4x1)
        """
        columns = [np.asarray(c if isinstance(c, (list, tuple)) else as_numpy(c, n, "integers [N]")) for n, c in zip("txyp", (t, x, y, p))]
        for name, c in zip("txyp", columns):
            if c.ndim != 1 or len(c) != len(columns[0]):
                raise InputError(f"{name}: expected integers [{len(columns[0])}], found {shown(c)}")
            if c.dtype.kind not in "iub" and c.size:
                raise InputTypeError(f"{name}: expected integers [{len(columns[0])}], found {shown(c)}")
            if name in "xy" and c.size and not (0 <= int(c.min()) and int(c.max()) <= 65535):
                raise InputError(f"{name}: expected 0 to 65535, found {int(c.min())} to {int(c.max())}")
        return cls(
            np.ascontiguousarray(columns[0], dtype=np.int64),
            np.ascontiguousarray(columns[1], dtype=np.uint16),
            np.ascontiguousarray(columns[2], dtype=np.uint16),
            np.ascontiguousarray(columns[3] > 0, dtype=np.bool_),
            size,
        )


def read(
    file: str | os.PathLike[str] | bytes | bytearray | memoryview,
    *,
    format: str | None = None,
    camera: str | None = None,
    stream: int | None = None,
    columns: str | None = None,
    time_unit: Literal["s", "ms", "us", "ns"] | None = None,
) -> Events:
    """All events of a file, or of the bytes of one; the format is told by the content.

    ``format``: one of :data:`FORMATS`, for files that do not say it, as ``"bin40"`` of N-MNIST. ``camera``: layout of AEDAT 2.0 without a
    header. ``stream``: of AEDAT4, instead of the first with events. ``columns`` and ``time_unit``: of CSV and Parquet, as ``"x,y,p,t"``,
    ``"s"``.

    Raises :class:`bitspike.DataError` with the byte offset, :class:`OSError` for what cannot be opened.
    """
    if isinstance(file, (bytes, bytearray, memoryview)):
        path, data = Path("bytes"), bytes(file)
    else:
        path, data = Path(file), None
    found, kind, size = _core.read_events(path, data, format, camera, stream, columns, time_unit)
    return Events(*found, size=size, format=kind)


def frames(
    events: Events | str | os.PathLike[str] | bytes,
    steps: int,
    *,
    size: tuple[int, int] | None = None,
    by: Literal["time", "count"] = "time",
    kind: Literal["counts", "voxel-grid", "time-surface"] = "counts",
    tau_us: float = 50_000.0,
    within: tuple[int, int] | None = None,
) -> NDArray[np.float32]:
    """Frames ``[T, C, H, W]``, float32, of events or of a file; T = ``steps``.

    ``"counts"``: events per bin, C = 2, OFF first. ``"voxel-grid"``: polarity shared between the two nearest bins, C = 1.
    ``"time-surface"``: exp((t_last − t_end) / ``tau_us``), C = 2. ``by``: bins of the same duration or of the same number of events.
    ``size``: width and height of the sensor, where the file does not say it. ``within``: first and last microsecond, instead of those
    of the events.

    >>> frames(Events.of([0, 10, 99], [0, 1, 1], [0, 0, 0], [1, 0, 1], size=(2, 1)), steps=2).tolist()
    [[[[0.0, 1.0]], [[1.0, 0.0]]], [[[0.0, 0.0]], [[0.0, 1.0]]]]
    """
    found = events if isinstance(events, Events) else read(events)
    size = size or found.size
    if size is None:
        raise InputError("size: expected the width and height of the sensor, which the file does not say")
    if steps < 1:
        raise InputError(f"steps: expected a number from 1, found {steps}")
    width, height = (int(v) for v in size)
    if not (0 < width <= 65535 and 0 < height <= 65535):
        raise InputError(f"size: expected width and height from 1 to 65535, found {size}")
    t, x, y, p = Events.of(*found)
    return _core.event_frames(t, x, y, p, steps, width, height, by, kind, float(tau_us), within)


@dataclass(frozen=True)
class Sensor:
    """Properties of a simulated event camera; the thresholds are steps of the logarithm of brightness."""

    threshold_on: float = 0.2
    threshold_off: float = 0.2
    threshold_sigma: float = 0.03
    """Deviation of thresholds from pixel to pixel."""
    refractory_us: int = 500
    noise_hz: float = 0.5
    """Noise events per pixel and second."""
    seed: int = 0


class Camera:
    """A simulated event camera: images go in one after the other, events come out.

    >>> camera = Camera(2, 1, Sensor(noise_hz=0.0, threshold_sigma=0.0))
    >>> len(camera.frame(0, np.array([[0.2, 0.5]], np.float32)))
    0
    >>> camera.frame(1000, np.array([[0.2, 1.0]], np.float32)).x.tolist()
    [1, 1]
    """

    def __init__(self, width: int, height: int, sensor: Sensor | None = None) -> None:
        if not (0 < width <= 65535 and 0 < height <= 65535):
            raise InputError(f"Camera: expected width and height from 1 to 65535, found {width} and {height}")
        self.size = (width, height)
        self._core = _core.Camera(width, height, sensor or Sensor())

    def frame(self, t_us: int, image: Any) -> Events:
        """Events after the image before, up to this one seen at ``t_us``; ``image`` is float32 ``[H, W]``, brightness 0 to 1."""
        shape = (self.size[1], self.size[0])
        a = checked(image, "image", (np.float32,), str(list(shape)))
        if a.shape != shape:
            raise InputError(f"image: expected float32 {list(shape)}, found {shown(a)}")
        return Events(*self._core.frame(t_us, a), size=self.size)


def saccades(
    image: Any, *, margin: int = 3, images_per_saccade: int = 100, recording: int = 0, sensor: Sensor | None = None
) -> Events:
    """Events of a simulated camera that looks at ``image``, float32 ``[H, W]`` from 0 to 1, while it makes the three saccades of
    N-MNIST: 300 ms. The sensor has ``margin`` dark pixels around the image; ``recording`` numbers its stream of noise.

    >>> image = np.zeros((28, 28), np.float32)
    >>> image[10:18, 10:18] = 1.0
    >>> saccades(image, images_per_saccade=10).size
    (34, 34)
    """
    a = checked(image, "image", (np.float32,), "[H, W]")
    if a.ndim != 2 or not a.size:
        raise InputError(f"image: expected float32 [H, W], found {shown(a)}")
    height, width = a.shape
    if max(height, width) > 65535 or not 0 <= margin <= 65535:
        raise InputError(f"image: expected sides and a margin up to 65535, found {shown(a)} and {margin}")
    found, size = _core.saccades(a, width, height, margin, images_per_saccade, recording, sensor or Sensor())
    return Events(*found, size=size)
