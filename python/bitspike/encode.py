"""Encoders: normalised features into frames for a spiking network.

Every function takes float32 ``[N, C, R, L]``, also ``[N, C, L]`` (R is 1 then): N samples of C channels with R rows and L columns. It
gives ``[N, T, C', H, W]``: ``uint8`` spikes or counts, ``float32`` values. Formulas: ``docs/reference/sensors.md`` of the repository; results are bit
for bit those of training and of the exported C.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitspike import _core
from bitspike._arrays import checked, shown
from bitspike._errors import InputError

__all__ = ["delta", "direct", "latency", "population", "rate"]


def _run(x: Any, kind: str, run_seed: int = 0, epoch: int = 0, first: int = 0, **keys: Any) -> NDArray[Any]:
    a = checked(x, "x", (np.float32,), "[N, C, R, L] or [N, C, L]")
    if a.ndim == 3:
        a = a[:, :, None, :]
    if a.ndim != 4:
        raise InputError(f"x: expected float32 [N, C, R, L] or [N, C, L], found {shown(a)}")
    if not np.isfinite(a).all():
        raise InputError(f"x: expected finite values, found {a[~np.isfinite(a)][0]} in {shown(a)}")
    if not 1 <= keys["steps"] <= 4096:
        raise InputError(f"steps: expected 1 to 4096, found {keys['steps']}")
    return _core.encode(a, json.dumps({"kind": kind, **keys}), run_seed, epoch, first)


def direct(x: Any, steps: int, *, segments: bool = False) -> NDArray[np.float32]:
    """The values themselves, ``[N, 1, C, R, L]``, one frame for all steps; ``segments``: cut into T parts, ``[N, T, C, R, L/T]``.

    >>> direct(np.zeros((2, 3, 8), np.float32), 4, segments=True).shape
    (2, 4, 3, 1, 2)
    """
    return _run(x, "direct", steps=steps, segments=segments)


def rate(
    x: Any, steps: int, *, gain: float = 1.0, signed: bool = False, seed: int = 0, run_seed: int = 0, epoch: int = 0, first: int = 0
) -> NDArray[np.uint8]:
    """Random spikes ``[N, T, C, R, L]``: 1 with probability ``gain · x`` within 0 and 1; ``signed``: 2 C channels, the second half for −x.

    Draws depend on ``seed``, ``run_seed``, ``epoch`` and the number of the sample, counted from ``first``, alone.

    >>> rate(np.ones((1, 1, 3), np.float32), 2).tolist()
    [[[[[1, 1, 1]]], [[[1, 1, 1]]]]]
    """
    return _run(x, "rate", run_seed, epoch, first, steps=steps, gain=gain, signed=signed, seed=seed)


def latency(x: Any, steps: int, *, silent_below: float = 0.0) -> NDArray[np.uint8]:
    """One spike for each value, ``[N, T, C, R, L]``, the earlier the larger it is within 0 and 1; none below ``silent_below``.

    >>> latency(np.array([[[1.0, 0.5]]], np.float32), 3)[0, :, 0, 0].tolist()
    [[1, 0], [0, 1], [0, 0]]
    """
    return _run(x, "latency", steps=steps, silent_below=silent_below)


def delta(x: Any, steps: int, *, threshold: float = 0.5, max_count: int = 1) -> NDArray[np.uint8]:
    """Counts of levels that were crossed, ``[N, T, 2 C, R, L/T]``: upwards in the first C channels, downwards in the others."""
    return _run(x, "delta", steps=steps, threshold=threshold, max_count=max_count)


def population(
    x: Any,
    steps: int,
    *,
    fields: int = 6,
    low: float = -2.0,
    high: float = 2.0,
    beta: float = 1.5,
    values: bool = False,
    silent_below: float = 0.1,
) -> NDArray[Any]:
    """``fields`` bell curves for each value: one spike each, uint8 ``[N, T, C·fields, R, L]``; ``values``: the activations themselves,
    float32 ``[N, 1, C·fields, R, L]``."""
    output = "values" if values else "latency"
    return _run(
        x, "population", steps=steps, fields=fields, low=low, high=high, beta=beta, output=output, silent_below=silent_below
    )
