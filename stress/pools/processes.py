"""Processes that are not children of this one: found by their parent, and killed safely."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path


def name_of(pid: int) -> str:
    """Return what no other process of this boot is called: its pid and when it started."""
    return f"{pid}-{_stat(pid)[19]}"


def children(parent: int, *, spawned: bool = False) -> list[int]:
    """Return the children of a process's main thread, eldest first; none once it is gone.

    `spawned` leaves out all but those that multiprocess has spawned to work.
    """
    try:
        pids = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        return [int(pid) for pid in pids if not spawned or _spawned(int(pid))]
    except (FileNotFoundError, ProcessLookupError):
        return []


def kill(pid: int, *, parent: int) -> bool:
    """Kill a process with SIGKILL if it still is that parent's child; False when it is not."""
    with suppress(FileNotFoundError, ProcessLookupError):
        fd = os.pidfd_open(pid)
        try:
            # The number may have gone to another process: `fd` is whose it was a moment ago.
            if int(_stat(pid)[1]) == parent:
                signal.pidfd_send_signal(fd, signal.SIGKILL)
                return True
        finally:
            os.close(fd)
    return False


def _spawned(pid: int) -> bool:
    with suppress(FileNotFoundError, ProcessLookupError):
        return b"--multiprocessing-fork" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat from the state on; proc_pid_stat(5)."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
