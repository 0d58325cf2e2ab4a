"""Examples of modules that need PyTorch are left out where it is not installed."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

TORCH = importlib.util.find_spec("torch") is not None


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    return None if TORCH or collection_path.name not in NEEDS_TORCH else True


NEEDS_TORCH = {"test_examples.py", "test_flips.py", "test_fold.py", "test_golden.py", "test_interop.py", "test_ops.py", "test_optim.py", "test_verify.py"}


@pytest.fixture(scope="session")
def has_torch() -> bool:
    return TORCH
