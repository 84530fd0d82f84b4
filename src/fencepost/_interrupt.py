"""A Ctrl-C while the command line is imported, which is most of its start: a quiet exit.

The package imports this before all else. In anybody else's program it does nothing.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import sys

CODE = 130  # 128 and SIGINT's number, as shells have it


def end() -> None:
    """Have Ctrl-C raise KeyboardInterrupt again, which the command line catches from here on."""
    if signal.getsignal(signal.SIGINT) is _leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _leave(*_: object) -> None:
    os._exit(CODE)  # an exception would be told by whichever import or callback it comes out of


def _is_command_line() -> bool:
    program = sys.argv[0] if sys.argv else ""
    if program == "-m":
        return ("-m", "fencepost") in itertools.pairwise(sys.orig_argv)
    return os.path.basename(program) == "fencepost"


# One that ignores Ctrl-C from the start, as `nohup fencepost ... &` does, goes on ignoring it.
if _is_command_line() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    with contextlib.suppress(ValueError):  # not the main thread: no command line after all
        signal.signal(signal.SIGINT, _leave)
