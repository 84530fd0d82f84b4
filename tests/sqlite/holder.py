"""Others who hold the write lock: a process with a store of its own, and a stranger."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from ..processes import line_of, running

_HOLDER = """
import sys
from fencepost import connect
with connect(sys.argv[1]) as store:
    with store.transaction() as tx:
        store.queue("mail").enqueue(b"held")
        print("holds", flush=True)
        sys.stdin.readline()
    print("done", flush=True)
"""


@contextmanager
def holder(path: str) -> Iterator[subprocess.Popen[str]]:
    """Run a process that is inside a transaction, and ends it when told a line."""
    with running(["-c", _HOLDER, path], cwd=Path(path).parent) as process:
        assert line_of(process) == "holds"
        yield process


@contextmanager
def foreign_writer(path: str) -> Iterator[apsw.Connection]:
    """Hold SQLite's write lock, past the gate."""
    other = apsw.Connection(path)
    other.execute("begin immediate")
    try:
        yield other
    finally:
        other.execute("rollback")
        other.close()
