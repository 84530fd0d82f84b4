"""Processes that are not children of this one: found by their parent, and killed safely."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path


def name_of(pid: int) -> str:
    """Return what no other process of this boot is called: its pid and when it started."""
    return f"{pid}-{_stat(pid)[19]}"


def children(parent: int) -> list[int]:
    """Return the children of a process's main thread, eldest first; none once it is gone."""
    try:
        return [
            int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        ]
    except (FileNotFoundError, ProcessLookupError):
        return []


def workers_of(supervisor: int) -> list[int]:
    """Return the children of a supervisor that work, or are about to."""
    return _named("fp-worker", supervisor)


def forkserver_of(supervisor: int) -> int | None:
    """Return the child of a supervisor that its app's is forked from, None when it has none."""
    return next(iter(_named("fp-forkserver", supervisor)), None)


def app_of(supervisor: int) -> int | None:
    """Return the child of a supervisor that has loaded the app, None when it has none."""
    return next(filter(_has_loaded, _named("fp-app", supervisor)), None)


def is_zombie(pid: int) -> bool:
    """True of a process that has ended and was not waited for."""
    try:
        return _stat(pid)[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def is_stopped(pid: int) -> bool:
    """True of a process that SIGSTOP keeps from running, and of one that has ended."""
    try:
        return _stat(pid)[0] in "TtZ"
    except (FileNotFoundError, ProcessLookupError):
        return True


def zombies(parent: int) -> set[str]:
    """Return the names of the children of a process that it has not waited for yet."""
    found = set()
    for pid in children(parent):
        with suppress(FileNotFoundError, ProcessLookupError):  # it has just been waited for
            if is_zombie(pid):
                found.add(name_of(pid))
    return found


def resident(pid: int) -> int:
    """Return how many bytes of memory a process has; 0 once it is gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def living_in(folder: Path) -> list[int]:
    """Return all processes that have a folder as their working directory."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (path / "cwd").readlink() == folder:
                found.append(int(path.name))
    return found


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


def _named(name: str, parent: int) -> list[int]:
    """Return the children of a process that have a name and have not ended, eldest first.

    One that has just been forked still has the name of the process that it was forked from.
    """
    found = []
    for pid in children(parent):
        with suppress(FileNotFoundError, ProcessLookupError):
            if Path(f"/proc/{pid}/comm").read_text() == f"{name}\n" and not is_zombie(pid):
                found.append(pid)
    return found


def _has_loaded(pid: int) -> bool:
    """True of a process that waits for others to be forked from it, with all signals blocked."""
    with suppress(FileNotFoundError, ProcessLookupError):
        status = Path(f"/proc/{pid}/status").read_text()
        return int(status.partition("\nSigBlk:")[2].split()[0], 16) != 0
    return False


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat from the state on; proc_pid_stat(5)."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
