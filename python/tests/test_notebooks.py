"""The notebooks run from top to bottom."""

from __future__ import annotations

from pathlib import Path

import pytest

import bitspike


def test_the_spikingjelly_notebook_runs(tmp_path, monkeypatch) -> None:
    pytest.importorskip("spikingjelly")
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    # The package under test, installed or not, is the one that the kernel sees.
    monkeypatch.setenv("PYTHONPATH", str(Path(bitspike.__file__).parent.parent))
    notebook = nbformat.read(Path(__file__).parent.parent / "notebooks/spikingjelly.ipynb", as_version=4)
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    text = "".join(o.get("text", "") for cell in notebook.cells for o in cell.get("outputs", []))
    scores = [float(line.split()[-1]) for line in text.splitlines() if "accuracy" in line]
    # Four classes: a quarter is chance.
    assert len(scores) == 2 and min(scores) > 0.5 and "as float32 parameters" in text, text
