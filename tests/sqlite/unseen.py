"""Opening files as code in C does, of which no audit hook is told."""

from __future__ import annotations

import _sqlite3
import contextlib
import ctypes
import os
from collections.abc import Callable, Iterator
from pathlib import Path


@contextlib.contextmanager
def opened(path: str | Path) -> Iterator[int]:
    """Open a file for reading; at the end its close() drops this process's locks on it."""
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.open(os.fsencode(path), os.O_RDONLY | os.O_CLOEXEC)
    if fd < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(path))
    try:
        yield fd
    finally:
        os.close(fd)


def touch(path: str | Path) -> None:
    """Open a file and close it."""
    with opened(path):
        pass


def copy(path: str | Path, to: str | Path) -> None:
    """Copy a file."""
    with opened(path) as fd, open(to, "wb") as copied:
        while part := os.read(fd, 2**20):
            copied.write(part)


def query(path: str | Path, sql: str) -> None:
    """Have the library behind Python's sqlite3 module open a database, run `sql` and close it."""
    with database(path) as run:
        run(sql)


@contextlib.contextmanager
def database(path: str | Path) -> Iterator[Callable[[str], int]]:
    """Have that library open a database; run(sql) returns its code, 0 for done."""
    library = _library()
    opened = ctypes.c_void_p()
    try:
        code = library.sqlite3_open(os.fsencode(path), ctypes.byref(opened))
        yield lambda sql: code or library.sqlite3_exec(opened, sql.encode(), None, None, None)
    finally:
        library.sqlite3_close(opened)


def _library() -> ctypes.CDLL:
    # Linked into the module, or a library of its own that came with it.
    library = ctypes.CDLL(getattr(_sqlite3, "__file__", None))
    library.sqlite3_open.argtypes = [ctypes.c_char_p, ctypes.POINTER(ctypes.c_void_p)]
    library.sqlite3_exec.argtypes = [ctypes.c_void_p, ctypes.c_char_p, *[ctypes.c_void_p] * 3]
    library.sqlite3_close.argtypes = [ctypes.c_void_p]
    return library
