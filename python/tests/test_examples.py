"""The example of a deep network: it is the network of the recipe, trains, and folds into a file that computes the same."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

import bitspike as bs
from bitspike import torch as bt

PROGRAM = os.environ.get("BITSPIKE")


@pytest.fixture(scope="module")
def bireal() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bireal", Path(__file__).parents[1] / "examples/bireal.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["bireal"] = module  # where dataclasses look for it
    spec.loader.exec_module(module)
    return module


def images(n: int) -> bs.data.DataSet:
    rng = np.random.default_rng(0)

    def part(n: int) -> bs.data.Part:
        return bs.data.Part(rng.integers(0, 256, (n, 3, 32, 32), np.uint8), rng.integers(0, 10, n))

    half = np.full(3, 0.5, np.float32)
    return bs.data.DataSet("made up", "", part(n), None, part(50), [str(i) for i in range(10)], half, half)


def test_it_trains_and_its_file_computes_the_same(bireal: ModuleType) -> None:
    data = bireal.Data(images(70))  # a batch of 64, and six that are left out
    net, result = bireal.in_torch(data, 1, 2, 0.1)
    assert len(result.loss) == 2 and 0 <= result.accuracy <= 1 and 0.5 < result.unchanged < 1
    assert list(result.ratio) == [f"blocks.{i}" for i in range(12)]
    assert all(len(v) == 2 and max(v) > 0 for v in result.ratio.values())
    spec = bt.fold(net, bireal.T, (3, 32, 32))
    found = bs.verify(net, spec.to_bytes(), torch.randn(20, 3, 32, 32))
    assert sum(layer.different for layer in found.layers) <= 5, str(found)


def test_crops_and_flips_are_those_of_the_image(bireal: ModuleType) -> None:
    x = torch.arange(1, 1 + 2 * 6 * 6, dtype=torch.uint8).view(1, 2, 6, 6).expand(200, 2, 6, 6)
    y = bireal.augmented(x, torch.Generator().manual_seed(0))
    assert y.shape == x.shape and y.dtype == torch.uint8
    padded = torch.nn.functional.pad(x[0], [4] * 4)
    cuts = {(dy, dx): padded[:, dy : dy + 6, dx : dx + 6] for dy in range(9) for dx in range(9)}
    places = set()
    for image in y:
        places.add(next((at, f) for at, cut in cuts.items() for f in (False, True) if torch.equal(image, cut.flip(2) if f else cut)))
    assert len(places) > 100


def test_intervals_are_those_of_welch(bireal: ModuleType) -> None:
    # By scipy.stats.ttest_ind(b, a, equal_var=False).confidence_interval().
    difference, half = bireal.welch([1.0, 2.0, 3.0], [2.0, 2.5, 4.5, 3.0])
    assert math.isclose(difference, 1.0) and math.isclose(half, 2.0783465, rel_tol=1e-4)
    assert bireal.welch([1.0, 1.0], [2.0, 2.0]) == (1.0, 0.0)


@pytest.mark.skipif(not PROGRAM, reason="BITSPIKE does not name the program")
def test_it_is_the_network_of_the_recipe(bireal: ModuleType, tmp_path: Path) -> None:
    # The recipe itself is not in the wheel; these are its keys that say the network.
    keys = {"data.set": "cifar10", "network.family": "bi-real", "network.layers": "16-P-4x16-4x32-4x64", "network.T": bireal.T}
    keys["network.head"] = "average"
    (tmp_path / "r.toml").write_text("name = 'r'\nmethod = 'agmm'\n" + "".join(f"{k} = {json.dumps(v)}\n" for k, v in keys.items()))
    said = subprocess.run([str(PROGRAM), "inspect", str(tmp_path / "r.toml"), "--json"], check=True, capture_output=True, text=True)
    told = json.loads(said.stdout)
    net = bireal.BiReal(3, 10)
    binary = sum(w.numel() for w in bt.optim.binary_parameters(net))
    assert (binary, sum(p.numel() for p in net.parameters())) == (told["binary_weights"], told["binary_weights"] + told["real_parameters"])
