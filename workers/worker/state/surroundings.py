"""What surrounds a process: its directory, umask, environment, limits and user."""

from __future__ import annotations

import contextlib
import os
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

from ....log import standard_streams
from .restoring import BeyondRepair, Restore, value

_LIMITS = tuple(
    getattr(resource, f"RLIMIT_{name}")
    for name in ("AS", "CPU", "CORE", "DATA", "FSIZE", "NOFILE", "NPROC", "STACK")
)


def working_directory() -> Restore:
    """The working directory, also one that has been deleted."""
    here = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
    fd = standard_streams.duplicate(here)
    os.close(here)
    before = _identity(os.stat("."))
    path = os.readlink("/proc/self/cwd") if sys.platform == "linux" else os.getcwd()

    def restore() -> bool:
        if _identity(os.stat(".")) == before:  # also if it has been deleted meanwhile
            return False
        with contextlib.suppress(OSError):
            os.fchdir(fd)
        if _identity(os.stat(".")) != before:  # the descriptor is another file by now
            os.chdir(path)
        return True

    return restore


def umask() -> Restore:
    """The umask."""
    before = os.umask(0o077)
    os.umask(before)
    return lambda: os.umask(before) != before


def environment() -> Restore:
    """The environment, and the time zone that it names."""
    environ = os.environ
    # The encoded form: decoding it for each message would take as long as everything else.
    encoded: Callable[[], dict[Any, Any]] = (
        (lambda: environ._data) if hasattr(environ, "_data") else lambda: dict(environ)
    )
    raw, before = dict(encoded()), dict(environ)
    zone = environ.get("TZ")

    def restore() -> bool:
        if os.environ is environ and encoded() == raw:
            return False
        os.environ = environ  # noqa: B003 - the object itself
        in_zone = environ.get("TZ")
        for name in [name for name in environ if name not in before]:
            del environ[name]
        environ.update(before)
        if in_zone != zone:
            time.tzset()
        return True

    return restore


def limits() -> Restore:
    """The resource limits."""
    before = list(map(resource.getrlimit, _LIMITS))

    def restore() -> bool:
        now = list(map(resource.getrlimit, _LIMITS))
        if now == before:
            return False
        for limit, was in zip(_LIMITS, before, strict=True):
            try:
                resource.setrlimit(limit, was)
            except (OSError, ValueError) as error:  # the hard limit has been lowered
                raise BeyondRepair from error
        return True

    return restore


def user() -> Restore:
    """The effective user and group."""

    def put(before: tuple[tuple[int, int, int], tuple[int, int, int]]) -> None:
        os.setresuid(-1, before[0][1], -1)
        with contextlib.suppress(PermissionError):
            os.setresgid(-1, before[1][1], -1)
        if (os.getresuid(), os.getresgid()) != before:
            raise BeyondRepair

    if not hasattr(os, "getresuid"):
        return value(os.geteuid, os.seteuid)
    return value(lambda: (os.getresuid(), os.getresgid()), put)


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino
