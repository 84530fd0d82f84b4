"""Anonymous in-memory files (memfd): they can be passed to a process like a pipe."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from tempfile import TemporaryFile


@contextlib.contextmanager
def memfd(content: bytes, label: str = "fencepost") -> Iterator[int]:
    """Yield the descriptor of a file with this content, positioned at its beginning.

    `label` is the name that /proc shows.
    """
    linux = sys.platform == "linux"
    with os.fdopen(os.memfd_create(label), "w+b") if linux else TemporaryFile() as file:
        file.write(content)
        file.seek(0)
        yield file.fileno()
