"""Recipes by the program. ``BITSPIKE`` names it; without it, what needs it is skipped and says so."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import bitspike as bs
from bitspike import _program, _runs

F = np.float32
PROGRAM = os.environ.get("BITSPIKE")
# A shell starts what runs behind it so, and then nobody can take the signal back.
needs_ctrl_c = pytest.mark.skipif(signal.getsignal(signal.SIGINT) is signal.SIG_IGN, reason="Ctrl-C is ignored in this process")
needs_program = pytest.mark.skipif(not PROGRAM, reason="BITSPIKE does not name the program")
QUICK = {"network.layers": "8-P-8", "train.epochs": 1, "train.batch_size": 50}


def images(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Bright on the left or on the right."""
    r = np.random.default_rng(seed)
    y = np.arange(n) % 2
    x = r.integers(0, 60, (n, 1, 8, 8), dtype=np.uint8)
    x[y == 0, :, :, :4] += 150
    x[y == 1, :, :, 4:] += 150
    return x, y


def test_a_program_that_is_not_there(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sysconfig.get_path", lambda *_: str(tmp_path / "scripts"))
    monkeypatch.delenv("BITSPIKE", raising=False)
    with pytest.raises(bs.ProgramError, match="nor in PATH, and neither program=... nor the environment variable BITSPIKE"):
        bs.train(out=tmp_path / "run")
    with pytest.raises(bs.ProgramError, match="program: expected the path of the program bitspike, found 'nowhere'"):
        bs.train(out=tmp_path / "run", program="nowhere")


def test_the_program_beside_python_goes_before_that_of_the_path(monkeypatch, tmp_path) -> None:
    monkeypatch.delenv("BITSPIKE", raising=False)
    name = "bitspike.exe" if sys.platform == "win32" else "bitspike"
    for folder in ("path", "scripts"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.setattr("sysconfig.get_path", lambda *_: str(tmp_path / "nowhere"))
    assert _program.find() == str(tmp_path / "path" / name)
    monkeypatch.setattr("sysconfig.get_path", lambda *_: str(tmp_path / "scripts"))
    assert _program.find() == str(tmp_path / "scripts" / name)
    monkeypatch.setenv("BITSPIKE", str(tmp_path / "x"))
    with pytest.raises(bs.ProgramError, match="the environment variable BITSPIKE"):
        bs.report([tmp_path])


def test_values_as_toml() -> None:
    assert _runs._toml({"a": [1, 2.5, True], "b": 'x"y\n'}) == '{ "a" = [1, 2.5, true], "b" = "x\\"y\\n" }'
    assert _runs._toml(np.float32(0.5)) == "0.5" and _runs._toml(np.int64(3)) == "3" and _runs._toml(1e-7) == "1e-07"
    assert _runs._flat({"optim": {"lr": 0.1}, "data.sensors.window": {"length": 3}}) == {"optim.lr": 0.1, "data.sensors.window": {"length": 3}}
    with pytest.raises(bs.InputTypeError, match="found object"):
        _runs._toml(object())


WRONG = [
    (lambda x, y: (x, y), "found 2 values"),
    (lambda x, y: (x.astype(np.float64), y, x, y), r"x_train: expected uint8 \[N, C, H, W\] .* found float64"),
    (lambda x, y: (x[:, 0], y, x, y), r"x_train: expected uint8 \[N, C, H, W\] .* found uint8 \[6, 8, 8\]"),
    (lambda x, y: (x, y, x[:, :, :4], y), r"x_test: expected uint8 \[N, 1, 8, 8\] as x_train, found uint8 \[6, 1, 4, 8\]"),
    (lambda x, y: (x, y[:3], x, y), r"y_train: expected integers from 0, \[6\], found int64 \[3\]"),
    (lambda x, y: (x, y * 2, x, y), "no sample of class 1 in y_train"),
    (lambda x, y: (x, y - 1, x, y), "y_train: expected integers from 0"),
    (lambda x, y: (x, y, x, y + 7), "no sample of class 2 in y_train"),
]


@pytest.mark.parametrize("case", range(len(WRONG)))
def test_arrays_that_cannot_be_are_refused(case: int, tmp_path) -> None:
    change, text = WRONG[case]
    with pytest.raises(bs.InputError, match=text):
        bs.train(data=change(*images(6, 0)), out=tmp_path / "r", program=sys.executable)


@needs_ctrl_c
@pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands for the program")
def test_ctrl_c_is_passed_on_and_errors_are_shown(tmp_path) -> None:
    script = tmp_path / "bitspike"
    script.write_text(
        "#!/bin/sh\ntrap 'echo stopping after this step >&2; sleep 0.3; echo saved > " + str(tmp_path / "saved") + "; exit 2' INT\n"
        "echo started >&2\nif [ \"$1\" = report ]; then echo 'error: no runs' >&2; exit 2; fi\nwhile :; do sleep 0.05; done\n"
    )
    script.chmod(0o755)
    seen: list[str] = []
    started = threading.Event()

    def progress(line: str) -> None:
        seen.append(line)
        if line == "started":
            started.set()

    def press() -> None:
        assert started.wait(20)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press).start()
    with pytest.raises(bs.Interrupted, match="stopping after this step"):
        _program.run(["train"], script, progress)
    assert (tmp_path / "saved").exists(), "the program was waited for"
    assert seen[0] == "started" and issubclass(bs.Interrupted, KeyboardInterrupt)
    with pytest.raises(bs.ProgramError, match="(?s)bitspike report .*error: no runs"):
        bs.report([tmp_path], program=script)


@needs_program
def test_train_on_arrays_export_and_run(tmp_path, capsys) -> None:
    (x, y), (xt, yt) = images(200, 1), images(60, 2)
    run = bs.train(QUICK, data=(x, y, xt, yt), classes=["left", "right"], method="agmm", seed=3, keys={"network.T": 2, "train.epochs": 6}, out=tmp_path / "run", threads=1, program=PROGRAM)  # fmt: skip
    assert "epoch 6" in capsys.readouterr().err
    assert run.accuracy > 0.9 and run.method == "agmm" and run.seed == 3 and len(run.epochs) == 6
    assert "test accuracy" in run._repr_html_() and "agmm seed 3" in repr(run)
    model = run.export(tmp_path / "net.bsnn", c=tmp_path / "fw", program=PROGRAM)
    assert (tmp_path / "fw").is_dir() and [n.split("-")[-1] for n in model.class_names] == ["left", "right"]
    # The arrays came back in their order: labels are those that went in.
    assert (model.predict(xt) == yt).mean() == pytest.approx(run.accuracy)
    page = run.report(tmp_path / "page.html", program=PROGRAM)
    assert "<html" in page.path.read_text() and page._repr_html_().startswith("<iframe")
    pandas = pytest.importorskip("pandas")
    table = run.to_pandas()
    assert isinstance(table, pandas.DataFrame) and len(table) == 6 and "flips.per_weight" in table


@needs_ctrl_c
@needs_program
@pytest.mark.skipif(sys.platform == "win32", reason="a signal to oneself")
def test_an_interrupted_run_goes_on(tmp_path) -> None:
    (x, y), (xt, yt) = images(200, 1), images(60, 2)
    folder, keys = tmp_path / "run", {**QUICK, "train.epochs": 60}

    def press() -> None:
        for _ in range(600):
            path = folder / "metrics.jsonl"
            if path.exists() and '"kind":"epoch"' in path.read_text().replace(" ", ""):
                break
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press).start()
    with pytest.raises(KeyboardInterrupt, match="--resume"):
        bs.train(keys, data=(x, y, xt, yt), out=folder, threads=1, progress=False, program=PROGRAM)
    stopped = bs.Run(folder)
    done = len(stopped.epochs)
    assert 1 <= done < 60 and stopped.info["status"] == "interrupted" and "not finished" in repr(stopped)
    finished = bs.train(resume=stopped, threads=1, progress=False, program=PROGRAM)
    assert len(finished.epochs) == 60 and finished.summary["epochs"] == 60


@needs_program
def test_logits_are_bit_for_bit_those_of_the_command_line(tmp_path) -> None:
    """A file of the trainer, run by the program and by the extension."""
    run = bs.train(QUICK, keys={"data.train_limit": 1000, "data.test_limit": 500}, out=tmp_path / "run", threads=1, progress=False, program=PROGRAM)
    model = run.export(tmp_path / "net.bsnn", program=PROGRAM)
    csv, raw = tmp_path / "out.csv", tmp_path / "in.f32"
    _program.run(["infer", tmp_path / "net.bsnn", "--samples", 300, "--threads", 1, "--write-predictions", csv, "--write-inputs", raw], PROGRAM)
    x = np.fromfile(raw, "<f4").reshape(-1, *model.sample_shape)
    lines = [line.split(",") for line in csv.read_text().splitlines()]
    logits = np.array([line[3:] for line in lines[1:]], dtype=F)  # the shortest text that gives the same float
    assert logits.shape == (300, 10) and np.array_equal(model(x).view(np.uint32), logits.view(np.uint32))
    assert [int(line[2]) for line in lines[1:]] == model.predict(x).tolist()


@needs_program
def test_compare_and_sweep_on_windows_of_sensors(tmp_path) -> None:
    r = np.random.default_rng(5)
    y = np.arange(90) % 3
    x = np.sin(np.arange(32) * (y[:, None, None] + 1) * 0.4 + r.uniform(0, 6, (90, 2, 1))).astype(F)
    keys = {"network.layers": "8-8", "train.epochs": 2, "train.batch_size": 20, "data.sensors.encode": {"kind": "direct", "steps": 2}, "network.T": 2}  # fmt: skip
    found = bs.compare(keys, data=(x[:60], y[:60], x[60:], y[60:]), classes=["low", "mid", "high"], methods=["bsnn", "agmm"], seeds=[1, 4], out=tmp_path / "cmp", threads=1, progress=False, program=PROGRAM)  # fmt: skip
    assert len(found.runs) == 4 and set(found.accuracies()) == {"bsnn", "agmm"} and all(len(v) == 2 for v in found.accuracies().values())
    assert found.runs[0].classes == ["low", "mid", "high"] and len(found.rows) == 4
    assert found.report.path.exists() and "<td>agmm</td>" in found._repr_html_()
    again = bs.compare(keys, data=(x[:60], y[:60], x[60:], y[60:]), classes=["low", "mid", "high"], methods=["bsnn", "agmm"], seeds=[1, 4], out=tmp_path / "cmp", threads=1, progress=False, program=PROGRAM)  # fmt: skip
    assert again.accuracies() == found.accuracies()
    swept = bs.sweep(keys, grid={"optim.lr": [0.05, 0.1]}, data=(x[:60], y[:60], x[60:], y[60:]), methods=["bsnn"], seeds=1, out=tmp_path / "sweep", classics=False, threads=1, progress=False, program=PROGRAM)  # fmt: skip
    assert len(swept.accuracies()) == 2
    pandas = pytest.importorskip("pandas")
    assert isinstance(found.to_pandas(), pandas.DataFrame) and len(found.to_pandas()) == 4


@needs_program
def test_what_the_program_says_comes_as_an_exception(tmp_path) -> None:
    with pytest.raises(bs.ProgramError, match="optim.lrr"):
        bs.train({"optim.lrr": 1}, out=tmp_path / "r", progress=False, program=PROGRAM)
    with pytest.raises(bs.InputError, match="resume: expected no other argument, found seed"):
        bs.train(resume=Path("x"), seed=1, program=PROGRAM)
    with pytest.raises(bs.InputTypeError, match="methods: expected a list of names"):
        bs.compare(methods="agmm", out=tmp_path / "c", program=PROGRAM)
