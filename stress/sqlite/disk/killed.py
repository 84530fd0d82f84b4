"""Work that is killed at one of the operations by which it changes files."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from ...machine.forked import forked
from .disk import disk
from .errors import CHANGES


def count(work: Callable[..., object], *arguments: object) -> int:
    """Do it in a fork and return how many such operations SQLite asks for."""
    reads, writes = os.pipe()

    def do() -> None:
        with disk() as here:
            work(*arguments)
            os.write(writes, b"%d" % sum(here.done[kind] for kind in CHANGES))

    code = forked(do)
    os.close(writes)
    with os.fdopen(reads) as told:
        assert code == 0, code
        return int(told.read())


def kill_at(nth: int, work: Callable[..., object], *arguments: object) -> None:
    """Do it in a fork that is killed before the nth of them, 1 for the first."""

    def do() -> None:
        with disk() as here:
            here.inject(CHANGES, nth, lambda: signal.raise_signal(signal.SIGKILL))
            work(*arguments)

    code = forked(do)
    assert code == -signal.SIGKILL, code
