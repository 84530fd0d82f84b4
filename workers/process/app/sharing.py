"""Whether an imported app can be shared by fork: it has no threads, children or connections."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import threading

# All workers would share any other descriptor that the app has opened.
_HARMLESS = {"/dev/null", "/dev/random", "/dev/urandom"}


def obstacle(before: dict[int, str]) -> str | None:
    """Return why what was imported cannot be shared by fork; None when it can.

    `before`: the `descriptors` from before the import.
    """
    tasks = os.listdir("/proc/self/task")
    if len(tasks) > 1:
        names = [each.name for each in threading.enumerate()[1:]]
        return f"it starts threads while it is imported ({', '.join(names) or 'in C'})"
    with contextlib.suppress(OSError), open(f"/proc/self/task/{tasks[0]}/children") as file:
        if file.read().split():
            return "it starts processes while it is imported"
    for fd, what in descriptors().items():
        if before.get(fd) != what and not _harmless(fd, what):
            return f"it opens files or connections while it is imported ({what})"
    return None


def descriptors() -> dict[int, str]:
    """Return the open descriptors, and what each is."""
    found = {}
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # that of the listing itself
            found[int(fd)] = os.readlink(f"/proc/self/fd/{fd}")
    return found


def _harmless(fd: int, what: str) -> bool:
    """True when processes may share the descriptor without disturbing each other."""
    flags, kind = fcntl.fcntl(fd, fcntl.F_GETFL), os.fstat(fd).st_mode
    # A log: each line goes to its end.
    appended = stat.S_ISREG(kind) and bool(flags & os.O_APPEND) and bool(flags & os.O_WRONLY)
    return appended or what in _HARMLESS
