"""The resident memory of a process."""

from __future__ import annotations

import os
import resource
import sys


def resident_bytes(pid: int) -> int | None:
    """Return the resident bytes of a process; without /proc, this one's maximum so far."""
    if sys.platform == "linux":
        try:
            with open(f"/proc/{pid}/statm", "rb") as file:
                return int(file.read().split()[1]) * resource.getpagesize()
        except OSError:
            return None  # it has ended, or no descriptor is free
    if pid != os.getpid():
        return None
    # In bytes on macOS, in KiB on others: getrusage(2).
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
