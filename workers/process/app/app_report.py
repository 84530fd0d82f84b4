"""What an app process says once it has imported the app, or could not."""

from __future__ import annotations

import os
import socket
from contextlib import ExitStack

import msgspec

from ....app.schedules.schedule import Schedule
from ....linux.memfd import memfd

_MOST_WHY = 1000


class AppReport(msgspec.Struct, frozen=True):
    """How the import went.

    Attributes:
        state: "up", "unshared" or "failed", as of AppProcess.
        why: In words, when it is unshared or failed.
        handlers: The names of the app's.
        schedules: The app's.
    """

    state: str
    why: str = ""
    handlers: list[str] = []
    schedules: list[Schedule] = []


def send(line: socket.socket, report: AppReport, sources: bytes | None = None) -> None:
    """Send a report and what it was imported from; exit if the supervisor has hung up."""
    why = report.why[:_MOST_WHY].encode(errors="backslashreplace").decode()
    said = msgspec.structs.replace(report, why=why)
    with ExitStack() as files:
        # A file, because a message of a socket has a bound.
        contents = [msgspec.json.encode(said), *([] if sources is None else [sources])]
        fds = [files.enter_context(memfd(content)) for content in contents]
        try:
            socket.send_fds(line, [b"imported"], fds)
        except ConnectionError:
            os._exit(0)


def receive(line: socket.socket) -> tuple[AppReport | None, int | None]:
    """Return a report, None if the process is gone; and the descriptor of its sources, if sent."""
    try:
        _, fds, _, _ = socket.recv_fds(line, 64, 2)
    except OSError:
        return None, None
    if not fds:
        return None, None
    said, *sources = fds
    try:
        report = msgspec.json.decode(os.pread(said, os.fstat(said).st_size, 0), type=AppReport)
    finally:
        os.close(said)
    return report, next(iter(sources), None)
