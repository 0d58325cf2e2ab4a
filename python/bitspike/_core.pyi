"""The compiled part. Arguments were checked by the Python around it."""

import os
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from bitspike.events import Sensor

__all__ = [
    "Camera", "Model", "Stream", "c", "encode", "event_formats", "event_frames", "load_images", "load_sensors", "newest_format", "nir", "onnx",
    "read_events", "read_recordings", "saccades", "version",
]  # fmt: skip

version: str
newest_format: int

_F32 = NDArray[np.float32]
_U8 = NDArray[np.uint8]
_Columns = tuple[NDArray[np.int64], NDArray[np.uint16], NDArray[np.uint16], NDArray[np.bool_]]
_Counts = tuple[int, _U8, float]

@final
class Model:
    def __new__(cls, file: bytes, kernels: str | None = None) -> Model: ...
    def run(self, x: _F32, threads: int = 0) -> _F32: ...
    def spikes(self, x: _F32) -> tuple[_F32, list[_Counts]]: ...
    def pixels(self, x: _U8) -> _F32: ...
    def stream(self) -> Stream: ...
    def file(self) -> bytes: ...
    def info(self) -> dict[str, Any]: ...

@final
class Stream:
    def step(self, frame: _F32, spikes: bool = False) -> tuple[_F32, list[_Counts] | None]: ...
    def reset(self) -> None: ...
    def done(self) -> int: ...

@final
class Camera:
    def __new__(cls, width: int, height: int, sensor: Sensor) -> Camera: ...
    def frame(self, t: int, image: _F32) -> _Columns: ...

def nir(model: Model, weights: str, soft_reset: bool) -> bytes: ...
def onnx(model: Model, pixels: bool) -> bytes: ...
def c(
    model: Model,
    name: str,
    samples: _F32 | None = None,
    template: str | None = None,
    hop: int | None = None,
) -> tuple[list[tuple[str, str]], str | None]: ...
def event_formats() -> list[str]: ...
def read_events(
    path: str | os.PathLike[str],
    data: bytes | None = None,
    format: str | None = None,
    camera: str | None = None,
    stream: int | None = None,
    columns_in_order: str | None = None,
    time_unit: str | None = None,
) -> tuple[_Columns, str, tuple[int, int] | None]: ...
def event_frames(
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.bool_],
    steps: int,
    width: int,
    height: int,
    by: str,
    kind: str,
    tau_us: float,
    within: tuple[int, int] | None = None,
) -> _F32: ...
def saccades(
    image: _F32,
    width: int,
    height: int,
    margin: int,
    images_per_saccade: int,
    recording: int,
    sensor: Sensor,
) -> tuple[_Columns, tuple[int, int]]: ...
def read_recordings(path: str | os.PathLike[str], data: bytes | None, format: str, missing: str) -> list[dict[str, Any]]: ...
def load_sensors(config: str) -> dict[str, Any]: ...
def encode(x: _F32, config: str, run_seed: int, epoch: int, first: int) -> NDArray[Any]: ...
def load_images(config: str, steps: int) -> dict[str, Any]: ...
