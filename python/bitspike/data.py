"""Data sets as arrays: the embedded images, and the sets of a recipe's table ``[data]``."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitspike import _core


@dataclass(frozen=True, eq=False)
class Part:
    """Samples and labels of one part of a set."""

    x: NDArray[Any]
    """``[N, C, H, W]``, or ``[N, T, C, H, W]`` of sequences: uint8 pixels or counts, or float32 values."""
    y: NDArray[np.int64]
    """Class of each, ``[N]``."""

    def __len__(self) -> int:
        return len(self.y)

    def __repr__(self) -> str:
        return f"Part({self.x.dtype} {list(self.x.shape)})"


@dataclass(frozen=True, eq=False)
class DataSet:
    """A data set in memory."""

    name: str
    split: str
    train: Part
    validation: Part | None
    test: Part
    classes: list[str]
    channel_mean: NDArray[np.float32]
    """Per channel over the training part; of pixels in units of ``p / 255``."""
    channel_std: NDArray[np.float32]

    def __repr__(self) -> str:
        return f"DataSet({self.name}: train {self.train.x.shape}, test {self.test.x.shape}, {len(self.classes)} classes)"


def load(set: str = "fashion-mnist-mini", path: str | os.PathLike[str] | None = None, *, steps: int = 1, **keys: Any) -> DataSet:
    """Reads a set; without arguments the 8,000 + 2,000 images that the package carries. Nothing is fetched over a network.

    ``set`` and ``keys`` are those of ``[data]`` in ``docs/reference/recipe.md``; ``path`` is the folder of the files. ``steps``: frames T of sets of
    events.

    >>> data = load(train_limit=1000)
    >>> data, data.classes[0]
    (DataSet(fashion-mnist-mini: train (1000, 1, 28, 28), test (2000, 1, 28, 28), 10 classes), 'T-shirt/top')
    """
    config = {"set": set, **keys} | ({} if path is None else {"path": os.fspath(path)})
    found = _core.load_images(json.dumps(config), steps)

    def part(arrays: dict[str, Any] | None) -> Part | None:
        if arrays is None:
            return None
        x = arrays["x"]
        return Part(x[:, 0] if x.shape[1] == 1 else x, arrays["y"])

    train, test = part(found["train"]), part(found["test"])
    assert train is not None and test is not None
    return DataSet(**{**found, "train": train, "validation": part(found["validation"]), "test": test})
