"""Files are written under a temporary name that is then renamed, so that no half of one is ever seen."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def replace(path: str | os.PathLike[str], data: bytes) -> None:
    """Writes a file, or leaves the one that is there as it is."""
    target = Path(path)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=target.name, suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as f:
            f.write(data)
        os.chmod(name, 0o644)
        os.replace(name, target)
    except BaseException:
        os.unlink(name)
        raise
