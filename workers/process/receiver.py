"""The receiver as a process of a pool."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from multiprocess.connection import Connection

from ...log.log import configure
from .app.app_process import Load, app_of
from .entry_point import report
from .managed_process import Role
from .shared_page import SharedPage

# serve(app, listener, on_ready, on_waiting)
Serve = Callable[[Any, int, Callable[[], None], Callable[[], None]], None]


def receiver_role(serve: Serve, listener: int, load: Load) -> Role:
    """Return the role of a process that serves an app.

    Args:
        serve: Called in the process; it returns when the process is to end.
        listener: The descriptor of a listening socket; it must stay open.
        load: Called in the process to get the app.
    """
    return Role("receiver", _receive, (serve, load), (listener,))


def _receive(
    line: Connection, page: SharedPage, parent: int, serve: Serve, load: Load, listener: int
) -> None:
    configure()
    serve(
        app_of(load),
        listener,
        lambda: report(line, b"ready 0"),
        lambda: report(line, b"waiting"),
    )
