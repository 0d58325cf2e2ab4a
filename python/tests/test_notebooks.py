"""The notebooks run from top to bottom."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import bitspike

PROGRAM = os.environ.get("BITSPIKE")
needs_program = pytest.mark.skipif(not PROGRAM, reason="BITSPIKE does not name the program")


def execute(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Runs a notebook; gives what it printed and showed, as text."""
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    # The package under test, installed or not, is the one that the kernel sees.
    monkeypatch.setenv("PYTHONPATH", str(Path(bitspike.__file__).parent.parent))
    notebook = nbformat.read(Path(__file__).parent.parent / "notebooks" / name, as_version=4)
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()
    outputs = [o for cell in notebook.cells for o in cell.get("outputs", [])]
    return "\n".join(o.get("text", "") + "".join(o.get("data", {}).values()) for o in outputs)


def scores(text: str) -> list[float]:
    return [float(line.split()[-1]) for line in text.splitlines() if "accuracy" in line]


def test_the_spikingjelly_notebook_runs(tmp_path, monkeypatch) -> None:
    pytest.importorskip("spikingjelly")
    text = execute("spikingjelly.ipynb", tmp_path, monkeypatch)
    # Four classes: a quarter is chance.
    assert len(scores(text)) == 2 and min(scores(text)) > 0.5 and "as float32 parameters" in text, text


@needs_program
def test_the_first_notebook_runs(tmp_path, monkeypatch) -> None:
    pytest.importorskip("pandas")
    monkeypatch.setenv("BITSPIKE", str(PROGRAM))
    lines = [line for line in execute("first.ipynb", tmp_path, monkeypatch).splitlines() if ": accuracy" in line]
    # Ten classes: a tenth is chance.
    assert len(lines) == 2 and min(float(line.split()[-2]) for line in lines) > 75, lines


@needs_program
def test_the_notebook_of_comparisons_runs(tmp_path, monkeypatch) -> None:
    pytest.importorskip("pandas")
    monkeypatch.setenv("BITSPIKE", str(PROGRAM))
    text = execute("compare.ipynb", tmp_path, monkeypatch)
    lines = {line.split(":")[0]: float(line.split()[-2]) for line in text.splitlines() if ": accuracy" in line}
    assert set(lines) == {"full-precision", "bsnn", "agmm"}, text
    # Three classes: a third is chance.
    assert min(lines.values()) > 60, lines
    assert (tmp_path / "comparison/report.html").exists() and "<table>" in text


@needs_program
def test_the_notebook_of_firmware_runs(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("BITSPIKE", str(PROGRAM))
    text = execute("firmware.ipynb", tmp_path, monkeypatch)
    (line,) = [line for line in text.splitlines() if line.startswith("accuracy of the file")]
    file, trainer = (float(part.split()[-2]) for part in line.split(","))
    assert file == trainer > 60, line
    assert "fed with 64 samples" in text and (tmp_path / "firmware").is_dir()
