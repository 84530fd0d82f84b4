"""SIGTERM for commands that run for minutes and have processes and folders to clear away."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def ends_at_sigterm() -> Iterator[None]:
    """In the block SIGTERM interrupts as Ctrl-C does.

    It exits with the code that shells give a process killed by it. What a signal's handler
    raises while Python compiles a module is lost, unless it is a KeyboardInterrupt.

    Raises:
        SystemExit: SIGTERM came.
    """
    came = False

    def end(_number: int, _frame: object) -> None:
        nonlocal came
        came = True
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, end)
    try:
        yield
    except KeyboardInterrupt:
        if came:
            sys.exit(128 + signal.SIGTERM)
        raise
