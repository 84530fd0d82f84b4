"""Namespaces of one's own: what the kernel shows to one process and its children only."""

from __future__ import annotations

import ctypes
import os
import select
import signal
from collections.abc import Callable
from pathlib import Path

from .forked import exit_after

# linux/sched.h
MOUNTS = 0x00020000
_USERS = 0x10000000
_PIDS = 0x20000000

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def unshare(namespaces: int) -> None:
    """Give this process namespaces of its own, which go with it.

    An account that is not root needs the kernel's leave to be it in one more of them, and
    a process without other threads.

    Raises:
        OSError: That is not allowed here.
    """
    uid, gid = os.geteuid(), os.getegid()
    if uid == 0:
        call("unshare", namespaces)
        return
    call("unshare", namespaces | _USERS)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
    Path("/proc/self/gid_map").write_text(f"0 {gid} 1")


def among_own_pids(work: Callable[..., object], *arguments: object) -> int:
    """Call `work` in a fork that is the first process of a pid namespace; return its exit code.

    It dies with this process, and all that it starts dies with it. This process can start
    no other any more.

    Raises:
        OSError: That is not allowed here.
    """
    parent = os.pidfd_open(os.getpid())
    unshare(_PIDS)
    child = os.fork()
    if child == 0:
        exit_after(_be_first, parent, work, *arguments)
    os.close(parent)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _be_first(parent: int, work: Callable[..., object], *arguments: object) -> None:
    call("prctl", _PR_SET_PDEATHSIG, signal.SIGKILL)
    if select.select([parent], [], [], 0)[0]:
        raise ProcessLookupError("the parent was gone before the line above")
    work(*arguments)


def call(name: str, *arguments: object) -> None:
    """Call a function of the C library that returns 0 when it did what it should.

    Raises:
        OSError: It did not.
    """
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
