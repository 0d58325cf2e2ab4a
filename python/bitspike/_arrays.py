"""Arrays on their way in: checked once, with errors that name dtype, shape and layout found and expected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitspike._errors import InputError, InputTypeError

_DEVICES = {2: "a CUDA device", 4: "an OpenCL device", 7: "a Vulkan device", 8: "a Metal device", 10: "a ROCm device"}


def shown(x: NDArray[Any]) -> str:
    """Dtype and shape, as ``float32 [4, 1, 28, 28]``."""
    return f"{x.dtype} {list(x.shape)}"


def as_numpy(x: Any, name: str, expected: str) -> NDArray[Any]:
    """A NumPy array itself, or one that shares the memory of anything with ``__dlpack__`` on the CPU."""
    if isinstance(x, np.ndarray):
        return x
    kind = f"{type(x).__module__}.{type(x).__qualname__}"
    if not hasattr(x, "__dlpack__"):
        raise InputTypeError(f"{name}: expected {expected} (a NumPy array, or anything with __dlpack__), found {kind}")
    device = int(x.__dlpack_device__()[0]) if hasattr(x, "__dlpack_device__") else 1
    if device not in (1, 3):  # CPU, and CUDA's memory on the host
        where = _DEVICES.get(device, f"device kind {device}")
        raise InputTypeError(f"{name}: expected {expected} in the memory of the CPU, found a {kind} on {where}; move it first, as with .cpu()")
    try:
        return np.asarray(np.from_dlpack(x))
    except (BufferError, RuntimeError, TypeError, ValueError) as e:
        raise InputTypeError(f"{name}: expected {expected}, found a {kind} that cannot be shared: {e}") from e


def checked(x: Any, name: str, dtypes: Sequence[Any], shapes: str, expected: str = "", any_order: bool = False) -> NDArray[Any]:
    """An array of one of these dtypes in C order; ``shapes`` is what the message says of its shape, ``expected`` of everything."""
    kinds = " or ".join(str(np.dtype(d)) for d in dtypes)
    expected = expected or f"{kinds} {shapes}"
    a = as_numpy(x, name, expected)
    if not any(a.dtype == np.dtype(d) and a.dtype.isnative for d in dtypes):
        remedy = f"use {name}.astype(numpy.{np.dtype(dtypes[0])})"
        if a.dtype.kind in "biuf" or a.dtype.kind == "V":
            raise InputTypeError(f"{name}: expected {expected}, found {shown(a)}; {remedy}")
        raise InputTypeError(f"{name}: expected {expected}, found {shown(a)}")
    if not any_order and not (a.flags.c_contiguous and a.flags.aligned):
        raise InputTypeError(
            f"{name}: expected {expected} in C order, found {shown(a)} with strides {list(a.strides)}; use numpy.ascontiguousarray({name})"
        )
    return a


def batched(x: Any, name: str, dtypes: Sequence[Any], sample: Sequence[int], axes: str = "N") -> tuple[NDArray[Any], bool]:
    """Samples ``[N, *sample]``, and whether ``x`` was one sample without N."""
    inner = ", ".join(map(str, sample))
    shapes = f"[{axes}, {inner}] or [{inner}]"
    a = checked(x, name, dtypes, shapes)
    if a.shape == tuple(sample):
        return a[None], True
    if a.shape[1:] == tuple(sample) and a.ndim == len(sample) + 1:
        return a, False
    kinds = " or ".join(str(np.dtype(d)) for d in dtypes)
    raise InputError(f"{name}: expected {kinds} {shapes}, found {shown(a)}")
