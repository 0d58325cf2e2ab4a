"""Training by recipe, out of Python: the ``bitspike`` program as a process of its own, data as folders or arrays, results as objects."""

from __future__ import annotations

import csv
import hashlib
import html
import json
import math
import os
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bitspike import _program
from bitspike._arrays import checked, shown
from bitspike._errors import InputError, InputTypeError, ProgramError
from bitspike._model import Model
from bitspike._png import png

if TYPE_CHECKING:
    import pandas as pd

PathLike = str | os.PathLike[str]
Recipe = PathLike | Mapping[str, Any] | None


def _toml(value: Any) -> str:
    """A value as TOML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if isinstance(value, str):
        # JSON's escapes are TOML's, but for those of surrogates, which are not made, and for DEL.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    if isinstance(value, (float, np.floating)):
        v = float(value)
        return "nan" if math.isnan(v) else ("inf" if v > 0 else "-inf") if math.isinf(v) else repr(v)
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_toml(str(k))} = {_toml(v)}" for k, v in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_toml, value)) + "]"
    raise InputTypeError(f"recipe: expected texts, numbers, lists and mappings, found {type(value).__name__}")


def _flat(keys: Mapping[str, Any]) -> dict[str, Any]:
    """``{"optim": {"lr": 0.1}}`` and ``{"optim.lr": 0.1}`` as the latter, tables of one level alone."""
    out: dict[str, Any] = {}
    for key, value in keys.items():
        if isinstance(value, Mapping) and "." not in key:
            out |= {f"{key}.{k}": v for k, v in value.items()}
        else:
            out[key] = value
    return out


def _sets(keys: Mapping[str, Any]) -> list[str]:
    return [part for key, value in _flat(keys).items() for part in ("--set", f"{key}={_toml(value)}")]


def _labels(y: Any, name: str, n: int) -> NDArray[np.int64]:
    a = np.asarray(y) if isinstance(y, (list, tuple)) else checked(y, name, (np.int64, np.int32, np.uint8, np.int16, np.uint32), "[N]", any_order=True)
    if a.shape != (n,) or a.dtype.kind not in "iu" or (a.size and int(a.min()) < 0):
        raise InputError(f"{name}: expected integers from 0, [{n}], found {shown(a)}")
    return a.astype(np.int64)


def _write_arrays(data: Sequence[Any], classes: Sequence[str] | None) -> tuple[Path, dict[str, Any]]:
    """A folder of files of these arrays, and the keys of a recipe that read it.

    The name of the folder is a hash of the arrays, so that a run finds its data again when it goes on.
    """
    if len(data) != 4:
        raise InputError(f"data: expected a folder, or (x_train, y_train, x_test, y_test), found {len(data)} values")
    what = "uint8 [N, C, H, W] with C 1 or 3 (images), or float32 [N, C, L] (windows of sensors)"
    xs = [checked(x, name, (np.float32, np.uint8), "", what, any_order=True) for x, name in ((data[0], "x_train"), (data[2], "x_test"))]
    for x, name in zip(xs, ("x_train", "x_test")):
        fits = (x.dtype == np.uint8 and x.ndim == 4 and x.shape[1] in (1, 3)) or (x.dtype == np.float32 and x.ndim == 3)
        if not fits or 0 in x.shape:
            raise InputError(f"{name}: expected {what}, found {shown(x)}")
        if x.dtype == np.float32 and not np.isfinite(x).all():
            raise InputError(f"{name}: expected finite values, found {x[~np.isfinite(x)][0]} in {shown(x)}")
    if xs[0].dtype != xs[1].dtype or xs[0].shape[1:] != xs[1].shape[1:]:
        raise InputError(f"x_test: expected {xs[0].dtype} [N, {', '.join(map(str, xs[0].shape[1:]))}] as x_train, found {shown(xs[1])}")
    ys = [_labels(y, name, len(x)) for y, name, x in ((data[1], "y_train", xs[0]), (data[3], "y_test", xs[1]))]
    count = len(classes) if classes is not None else int(max(y.max() for y in ys)) + 1
    names = list(classes) if classes is not None else [str(i) for i in range(count)]
    missing = sorted(set(range(count)) - set(ys[0].tolist()))
    if missing or max(int(y.max()) for y in ys) >= count:
        found = f"no sample of class {missing[0]} in y_train" if missing else f"label {max(int(y.max()) for y in ys)}"
        raise InputError(f"data: expected samples of the {count} classes 0 to {count - 1}, found {found}")
    if len(set(names)) != count:
        raise InputError(f"classes: expected {count} different names, found {names}")
    digest = hashlib.sha256(json.dumps([names, [shown(x) for x in xs]]).encode())
    for array in (*xs, *ys):
        digest.update(array.tobytes())
    folder = Path(tempfile.gettempdir()) / f"bitspike-data-{digest.hexdigest()[:16]}"
    width = len(str(count - 1))
    # Folders of classes are sorted by name: the number in front keeps the order of the labels.
    folders = [f"{i:0{width}d}" + ("" if classes is None else "-" + re.sub(r"[^\w .-]", "_", n)) for i, n in enumerate(names)]
    images = xs[0].dtype == np.uint8
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        for part, x, y in zip(("train", "test"), xs, ys):
            for name in folders:
                (folder / part / name).mkdir(parents=True)
            for i, (sample, label) in enumerate(zip(x, y)):
                path = folder / part / folders[label] / f"{i:08d}"
                if images:
                    path.with_suffix(".png").write_bytes(png(sample))
                else:
                    np.save(path.with_suffix(".npy"), sample)
        (folder / "complete").write_text("")
    if images:
        return folder, {"data.set": "image-folder", "data.path": folder, "data.channels": xs[0].shape[1]}
    keys = {
        "data.set": "sensors",
        "data.path": folder,
        "data.sensors.format": {"kind": "npy", "axes": "CL"},
        "data.sensors.labels": {"from": "folder", "label_depth": 1},
        "data.sensors.split": {"by": "files", "train": ["train/*"], "test": ["test/*"]},
        "data.sensors.classes": names,
    }
    if folders != names:
        keys["data.sensors.label_map"] = dict(zip(folders, names))
    return folder, keys


class _Call:
    """Arguments that train, compare and sweep share."""

    def __init__(self, recipe: Recipe, data: Any, classes: Sequence[str] | None, keys: Mapping[str, Any] | None) -> None:
        self.keys: dict[str, Any] = {}
        self.path: str | None = None
        if isinstance(recipe, Mapping):
            self.keys |= _flat(recipe)
        elif recipe is not None:
            if not isinstance(recipe, (str, os.PathLike)):
                raise InputTypeError(f"recipe: expected a path, a mapping or None, found {type(recipe).__name__}")
            self.path = os.fspath(recipe)
        if isinstance(data, (str, os.PathLike)):
            self.keys["data.path"] = Path(data).absolute()
        elif isinstance(data, (tuple, list)):
            self.keys |= _write_arrays(data, classes)[1]
        elif data is not None:
            raise InputTypeError(f"data: expected a folder, or (x_train, y_train, x_test, y_test), found {type(data).__name__}")
        self.keys |= _flat(keys or {})

    def args(self) -> list[str]:
        return ([self.path] if self.path is not None else []) + _sets(self.keys)


def _progress(show: bool) -> Any:
    return _program.Lines() if show else None


def _percent(v: float | None) -> str:
    return "-" if v is None else f"{100 * v:.2f} %"


def _table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    def cells(kind: str, row: Sequence[Any]) -> str:
        return "<tr>" + "".join(f"<{kind}>{html.escape(str(v))}</{kind}>" for v in row) + "</tr>"

    return f"<table><thead>{cells('th', head)}</thead><tbody>{''.join(cells('td', r) for r in rows)}</tbody></table>"


def _json(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return found
    except FileNotFoundError:
        raise InputError(f"{path}: expected a file of a run folder, found none") from None
    except json.JSONDecodeError as e:
        raise InputError(f"{path}: expected JSON, found something else at line {e.lineno}") from None


@dataclass(frozen=True)
class Run:
    """A run folder."""

    path: Path

    @cached_property
    def info(self) -> dict[str, Any]:
        """``run.json``."""
        return _json(self.path / "run.json")

    @cached_property
    def summary(self) -> dict[str, Any]:
        """``summary.json``: what came of the run, once it has finished."""
        return _json(self.path / "summary.json")

    @property
    def method(self) -> str:
        return str(self.info["method"])

    @property
    def seed(self) -> int:
        return int(self.info["seed"])

    @property
    def accuracy(self) -> float | None:
        """Of the test part, 0 to 1."""
        found: float | None = self.summary["test_accuracy"]
        return found

    @property
    def classes(self) -> list[str]:
        return list(self.info["dataset"]["classes"])

    @property
    def epochs(self) -> list[dict[str, Any]]:
        """A record for each epoch, as ``docs/reference/run-folder.md`` has it."""
        lines = (self.path / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        return [r for r in map(json.loads, lines) if r.get("kind") == "epoch"]

    def to_pandas(self) -> pd.DataFrame:
        """A row for each epoch; flips over all layers as columns ``flips.*``."""
        import pandas as pd

        rows = []
        for r in self.epochs:
            row = {k: v for k, v in r.items() if k not in ("kind", "flips", "layers", "crc32c")}
            rows.append(row | {f"flips.{k}": v for k, v in (r.get("flips") or {}).items()})
        return pd.DataFrame(rows)

    def export(
        self,
        out: PathLike,
        *,
        c: PathLike | None = None,
        template: str | None = None,
        onnx: PathLike | None = None,
        integer: bool = False,
        checkpoint: str = "last",
        program: PathLike | None = None,
    ) -> Model:
        """Writes the packed file ``out``, and on request C99 into the folder ``c`` (``template`` of a project: ``"bare"``, ``"arduino"``,
        ``"esp-idf"``, ``"zephyr"``) and an ONNX graph; gives the file as a model."""
        args: list[Any] = ["export", self.path, "-o", out, "--checkpoint", checkpoint]
        for flag, value in (("--c", c), ("--template", template), ("--onnx", onnx)):
            args += [flag, value] if value is not None else []
        _program.run(args + (["--integer"] if integer else []), program)
        return Model.load(out)

    def report(self, out: PathLike | None = None, *, program: PathLike | None = None) -> Report:
        """One HTML page of this run."""
        return report([self], out or self.path / "report.html", program=program)

    def __repr__(self) -> str:
        done = (self.path / "summary.json").exists()
        what = f"test accuracy {_percent(self.accuracy)}, {self.summary['epochs']} epochs" if done else "not finished"
        return f"Run({self.method} seed {self.seed}: {what}; {self.path})"

    def _repr_html_(self) -> str:
        if not (self.path / "summary.json").exists():
            return f"<p>{html.escape(repr(self))}</p>"
        s = self.summary
        rows = [
            ("test accuracy", _percent(s["test_accuracy"])),
            ("epochs", s["epochs"]),
            ("flips per weight", f"{s['flips_per_weight']:.3f}"),
            ("undone within 10 steps", _percent(s["back_10"])),
            ("firing rate", f"{s['firing_rate']:.3f}"),
            ("bytes in 1-bit form", s["bytes_1bit"]),
            ("folder", self.path),
        ]
        return _table((self.method, f"seed {self.seed}"), rows)


@dataclass(frozen=True)
class Report:
    """A page of HTML in a file."""

    path: Path

    def __repr__(self) -> str:
        return f"Report({self.path})"

    def _repr_html_(self) -> str:
        # A page of its own: its styles must not reach into the notebook.
        page = html.escape(self.path.read_text(encoding="utf-8"), quote=True)
        return f'<iframe srcdoc="{page}" width="100%" height="700" style="border:0"></iframe>'


@dataclass(frozen=True)
class Comparison:
    """Runs side by side."""

    path: Path
    runs: list[Run]

    @property
    def report(self) -> Report:
        """The page that the program wrote, with paired differences and intervals."""
        return Report(self.path / "report.html")

    @cached_property
    def rows(self) -> list[dict[str, str]]:
        """``runs.csv``: a row for each run, as text."""
        with (self.path / "runs.csv").open(encoding="utf-8", newline="") as f:
            return list(csv.DictReader(f))

    def to_pandas(self) -> pd.DataFrame:
        """A row for each run; columns as in ``docs/reference/run-folder.md``, section ``runs.csv``."""
        import pandas as pd

        return pd.read_csv(self.path / "runs.csv")

    def accuracies(self) -> dict[str, list[float]]:
        """Test accuracy of the seeds of each method (of a sweep, of each point and method), 0 to 1."""
        out: dict[str, list[float]] = {}
        for run in self.runs:
            where = run.path.parent.relative_to(self.path).as_posix()
            if run.accuracy is not None:
                out.setdefault(run.method if where == "." else f"{run.method} {where}", []).append(run.accuracy)
        return out

    def __repr__(self) -> str:
        parts = ", ".join(f"{name} {100 * sum(v) / len(v):.2f} %" for name, v in self.accuracies().items())
        return f"Comparison({len(self.runs)} runs: {parts}; {self.path})"

    def _repr_html_(self) -> str:
        rows = []
        for name, values in sorted(self.accuracies().items(), key=lambda item: -sum(item[1]) / len(item[1])):
            mean = sum(values) / len(values)
            spread = math.sqrt(sum((v - mean) ** 2 for v in values) / (len(values) - 1)) if len(values) > 1 else None
            spread_text = "-" if spread is None else f"{100 * spread:.2f}"
            rows.append((name, f"{100 * mean:.2f}", spread_text, len(values)))
        table = _table(("method", "test accuracy, %", "deviation of seeds", "seeds"), rows)
        return f"{table}<p>{html.escape(str(self.path / 'report.html'))}</p>"


def _many(command: str, args: list[Any], out: Path, program: PathLike | None, progress: bool) -> Comparison:
    _program.run([command, *args, "--out", out, "--json"], program, _progress(progress))
    folders = sorted(p.parent for p in out.rglob("summary.json"))
    return Comparison(out, [Run(p) for p in folders])


def _seeds(seeds: int | Sequence[int]) -> str:
    return str(seeds) if isinstance(seeds, int) else ",".join(map(str, seeds))


def train(
    recipe: Recipe = None,
    *,
    data: Any = None,
    classes: Sequence[str] | None = None,
    method: str | None = None,
    seed: int | None = None,
    epochs: int | None = None,
    out: PathLike | None = None,
    resume: PathLike | Run | None = None,
    keys: Mapping[str, Any] | None = None,
    threads: int | None = None,
    progress: bool = True,
    program: PathLike | None = None,
) -> Run:
    """Trains one network with the ``bitspike`` program, in a process of its own.

    Args:
        recipe: path of a recipe, or its keys, as ``{"network.T": 4}`` or ``{"network": {"T": 4}}``; None for the defaults, which train on
            the embedded images.
        data: a folder; or ``(x_train, y_train, x_test, y_test)`` with uint8 images ``[N, C, H, W]``, C 1 or 3, or float32 windows
            ``[N, C, L]``, and integer labels ``[N]``. Arrays are written to a folder of temporary files, where the run finds them again.
        classes: names of the classes, of arrays.
        keys: more keys of the recipe, over those of ``recipe``.
        out: the run folder; it must not exist.
        resume: an interrupted run, to go on with; nothing else may be given then but ``threads``, ``progress`` and ``program``.
        program: path of the program; else the environment variable ``BITSPIKE``, else ``PATH``.

    Ctrl-C is passed on: the program saves and ends, and :class:`bitspike.Interrupted`, a :class:`KeyboardInterrupt`, is raised.
    """
    tail: list[Any] = ["--json"] + (["--threads", threads] if threads is not None else [])
    if resume is not None:
        folder = resume.path if isinstance(resume, Run) else Path(resume)
        given = {"recipe": recipe, "data": data, "method": method, "seed": seed, "epochs": epochs, "out": out, "keys": keys}
        wrong = [k for k, v in given.items() if v is not None]
        if wrong:
            raise InputError(f"resume: expected no other argument, found {', '.join(wrong)}: a run goes on with its own recipe")
        _program.run(["train", "--resume", folder, *tail], program, _progress(progress))
        return Run(folder)
    call = _Call(recipe, data, classes, keys)
    if out is None:
        raise InputError("out: expected the folder of the run, found None")
    args: list[Any] = ["train", *call.args(), "--out", out]
    for flag, value in (("--method", method), ("--seed", seed), ("--epochs", epochs)):
        args += [flag, value] if value is not None else []
    _program.run(args + tail, program, _progress(progress))
    return Run(Path(out))


def compare(
    recipe: Recipe = None,
    *,
    data: Any = None,
    classes: Sequence[str] | None = None,
    methods: Sequence[str] = (),
    seeds: int | Sequence[int] = 2,
    epochs: int | None = None,
    out: PathLike,
    keys: Mapping[str, Any] | None = None,
    threads: int | None = None,
    jobs: int | None = None,
    classics: bool = True,
    progress: bool = True,
    program: PathLike | None = None,
) -> Comparison:
    """Trains methods × seeds and compares them. Called again with the same ``out`` it goes on where it stopped.

    ``methods``: names, as ``["bsnn", "agmm"]``; none for those that the program takes. ``seeds``: how many, or a list. ``classics``: whether
    classifiers without a network stand beside, where samples are windows of sensors. The rest as of :func:`train`.
    """
    args = _many_args(_Call(recipe, data, classes, keys), methods, seeds, epochs, threads, jobs, classics)
    return _many("compare", args, Path(out), program, progress)


def sweep(
    recipe: Recipe = None,
    *,
    grid: Mapping[str, Sequence[Any]],
    data: Any = None,
    classes: Sequence[str] | None = None,
    methods: Sequence[str] = (),
    seeds: int | Sequence[int] = 2,
    select: str | None = None,
    select_seeds: int | Sequence[int] | None = None,
    epochs: int | None = None,
    out: PathLike,
    keys: Mapping[str, Any] | None = None,
    threads: int | None = None,
    jobs: int | None = None,
    classics: bool = True,
    progress: bool = True,
    program: PathLike | None = None,
) -> Comparison:
    """Trains every point of ``grid``, as ``{"optim.lr": [0.05, 0.1]}``, with every method and seed.

    ``select="validation"``: each method's point is chosen on the validation part with ``select_seeds``, then trained with all ``seeds``;
    the test part is looked at once. The rest as of :func:`compare`.
    """
    args = _many_args(_Call(recipe, data, classes, keys), methods, seeds, epochs, threads, jobs, classics)
    for key, values in grid.items():
        args += ["--grid", f"{key}={','.join(v if isinstance(v, str) else _toml(v) for v in values)}"]
    if select is not None:
        args += ["--select", select]
    if select_seeds is not None:
        args += ["--select-seeds", _seeds(select_seeds)]
    return _many("sweep", args, Path(out), program, progress)


def _many_args(
    call: _Call,
    methods: Sequence[str],
    seeds: int | Sequence[int],
    epochs: int | None,
    threads: int | None,
    jobs: int | None,
    classics: bool,
) -> list[Any]:
    args: list[Any] = [*call.args(), "--seeds", _seeds(seeds)]
    if isinstance(methods, str):
        raise InputTypeError(f"methods: expected a list of names, found the text {methods!r}")
    args += ["--methods", ",".join(methods)] if methods else []
    for flag, value in (("--epochs", epochs), ("--threads", threads), ("--jobs", jobs)):
        args += [flag, value] if value is not None else []
    return args + ([] if classics else ["--no-classics"])


def report(runs: Sequence[Run | PathLike] | Comparison, out: PathLike = "report.html", *, program: PathLike | None = None) -> Report:
    """One HTML page of finished runs: run folders, or folders that contain them."""
    folders = [r.path if isinstance(r, Run) else Path(r) for r in (runs.runs if isinstance(runs, Comparison) else runs)]
    if not folders:
        raise InputError("runs: expected at least one run, found none")
    _program.run(["report", *folders, "--out", out], program)
    if not Path(out).exists():
        raise ProgramError(f"report: expected the page {out}, which the program did not write")
    return Report(Path(out))
