"""Exclusive access to a store that no process has open."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator

from ...errors import StoreBusy, StoreOpenFailed
from . import lock_holders
from .gate import Gate

_PATIENCE_SECONDS = 5.0


@contextlib.contextmanager
def behind_gate(path: str, operation: str) -> Iterator[Gate]:
    """Hold the gate, so that nobody opens or writes the store meanwhile.

    Raises:
        StoreBusy: Somebody else has had it for five seconds.
    """
    with contextlib.closing(Gate(path + "-gate")) as gate:
        if not gate.enter(time.monotonic() + _PATIENCE_SECONDS):
            raise StoreBusy(
                operation=operation,
                path=path,
                waited=_PATIENCE_SECONDS,
                holders=lock_holders.writers(path),
            )
        yield gate


@contextlib.contextmanager
def open_nowhere(path: str, operation: str) -> Iterator[None]:
    """Hold every lock that a connection would need.

    POSIX locks of this very process would not be in the way, and closing the file drops
    them; so it must have no connection of its own.

    Raises:
        StoreOpenFailed: Somebody has the store open, and is named.
    """
    with contextlib.ExitStack() as stack:
        pids = lock_holders.users(path)
        for name in () if os.getpid() in pids else (path, path + "-shm"):
            with contextlib.suppress(FileNotFoundError):
                fd = os.open(name, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
                stack.callback(os.close, fd)
                try:
                    fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except (BlockingIOError, PermissionError):
                    pids = pids or [0]
        if pids:
            who = lock_holders.said([pid for pid in pids if pid])
            raise StoreOpenFailed(
                f"{who} has {path} open; stop it first", operation=operation, path=path
            )
        yield
