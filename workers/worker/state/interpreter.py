"""What the interpreter and its modules have been told."""

from __future__ import annotations

import gc
import locale
import socket
import sys
import threading
import warnings
from typing import Any

from .restoring import Restore, attributes, value


def settings() -> Restore:
    """What `gc`, `sys`, `socket` and `threading` have been told."""
    parts = [
        value(gc.isenabled, lambda before: gc.enable() if before else gc.disable()),
        value(sys.getrecursionlimit, sys.setrecursionlimit),
        value(sys.getswitchinterval, sys.setswitchinterval),
        value(sys.gettrace, sys.settrace),
        value(sys.getprofile, sys.setprofile),
        value(socket.getdefaulttimeout, socket.setdefaulttimeout),
        attributes(sys, "excepthook", "unraisablehook"),
        attributes(threading, "excepthook"),
    ]
    return lambda: any([part() for part in parts])  # noqa: C419 - all of them


def locale_settings() -> Restore:
    """The locale."""
    return value(
        lambda: locale.setlocale(locale.LC_ALL),
        lambda before: locale.setlocale(locale.LC_ALL, before),
    )


def warning_filters() -> Restore:
    """The filters of warnings."""
    filters: Any = warnings.filters
    before = list(filters)

    def restore() -> bool:
        if warnings.filters is filters and list(filters) == before:
            return False
        warnings.filters = filters
        warnings.resetwarnings()
        filters[:] = before
        return True

    return restore
