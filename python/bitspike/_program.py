"""The ``bitspike`` program: found, run, stopped."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bitspike._errors import ProgramError

Arg = str | os.PathLike[str] | int | float


class Interrupted(KeyboardInterrupt):
    """Ctrl-C while the program trained: it has saved, and goes on where it stopped with ``train(resume=...)`` or the same call again."""


def find(program: str | os.PathLike[str] | None = None) -> str:
    """The path of the program: the argument, else the environment variable ``BITSPIKE``, else what is installed beside this Python, else
    what ``PATH`` has."""
    for where, given in (("program", program), ("the environment variable BITSPIKE", os.environ.get("BITSPIKE"))):
        if given:
            path = shutil.which(os.fspath(given))
            if path is None:
                raise ProgramError(f"{where}: expected the path of the program bitspike, found {os.fspath(given)!r}, which cannot be run")
            return path
    # A kernel of a notebook has the environment's Python, but seldom its PATH.
    path = shutil.which("bitspike", path=sysconfig.get_path("scripts")) or shutil.which("bitspike")
    if path is None:
        raise ProgramError(
            "the program bitspike, which trains, is neither beside this Python nor in PATH, and neither program=... nor the environment "
            "variable BITSPIKE names it\n"
            'hint: `pip install "bitspike[train]"` brings it; in a checkout of the repository `cargo install --path crates/bitspike` builds it'
        )
    return path


class Lines:
    """Progress as lines on standard error, or as a display of a notebook that is replaced."""

    def __init__(self) -> None:
        self.latest: dict[str, str] = {}
        self.handle: Any = None
        try:
            from IPython import get_ipython  # type: ignore[import-not-found, unused-ignore]
            from IPython.display import display  # type: ignore[import-not-found, unused-ignore]

            shell = get_ipython()
            if shell is not None and "IPKernelApp" in shell.config:
                show: Any = display
                self.handle = show({"text/plain": ""}, raw=True, display_id=True)
        except ImportError:
            pass

    def __call__(self, line: str) -> None:
        if self.handle is None:
            print(line, file=sys.stderr, flush=True)
            return
        run, _, rest = line.partition(": ")
        # One line for each run, of its last epoch.
        self.latest[run if rest.startswith("epoch ") else line] = line
        self.handle.update({"text/plain": "\n".join(self.latest.values())}, raw=True)


def run(
    args: Sequence[Arg],
    program: str | os.PathLike[str] | None = None,
    progress: Callable[[str], None] | None = None,
    accept: tuple[int, ...] = (0,),
) -> str:
    """Standard output of the program. Ctrl-C is passed on: a run saves and ends, a second one ends it at once."""
    command = [find(program), *(os.fspath(a) if isinstance(a, os.PathLike) else str(a) for a in args)]
    windows = sys.platform == "win32"
    new_group: dict[str, Any] = {"creationflags": 0x200} if windows else {"start_new_session": True}
    said: list[str] = []
    stop = getattr(signal, "CTRL_BREAK_EVENT", signal.SIGINT) if windows else signal.SIGINT
    stopped = False
    # What it says goes to files that this thread looks into: no thread, and no read that waits, is there for Ctrl-C to come amiss.
    with tempfile.TemporaryDirectory(prefix="bitspike-", ignore_cleanup_errors=True) as folder:
        results, notes = Path(folder, "out"), Path(folder, "err")
        with results.open("ab") as out, notes.open("ab") as err:
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, **new_group)
        with notes.open("rb") as written:
            rest = b""

            def show(last: bool) -> None:
                nonlocal rest
                rest += written.read()
                *lines, rest = rest.split(b"\n")
                if last and rest:
                    lines, rest = [*lines, rest], b""
                for line in lines:
                    said.append(line.decode("utf-8", "replace"))
                    if progress is not None:
                        progress(said[-1])

            code = None
            try:
                while code is None:
                    try:
                        try:
                            code = child.wait(0.1)
                        except subprocess.TimeoutExpired:
                            pass
                        show(code is not None)
                    except KeyboardInterrupt:
                        child.send_signal(stop)
                        stopped = True
            except BaseException:
                child.kill()
                child.wait()
                raise
        result = results.read_text(encoding="utf-8", errors="replace")
    if stopped:
        raise Interrupted("\n".join(said[-3:]))
    if code not in accept:
        shown = "\n".join(said[-20:]) or f"exit code {code}"
        raise ProgramError(f"{Path(command[0]).name} {' '.join(command[1:3])}: {shown}")
    return result
