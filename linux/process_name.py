"""What a process of the pool is called in `ps -o comm`, `top` and `pgrep`."""

from __future__ import annotations

import contextlib
import os

# A longer one is cut off by the kernel: proc_pid_comm(5).
_MOST_BYTES = 15


def show_role(role: str) -> None:
    """Call this process `fp-ROLE`; it keeps its name where /proc cannot be written to.

    A forked process begins with the name of the one that it was forked from.
    """
    with contextlib.suppress(OSError):
        comm = os.open("/proc/self/comm", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(comm, f"fp-{role}".encode()[:_MOST_BYTES])
        finally:
            os.close(comm)
