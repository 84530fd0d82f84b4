"""Forks by request: a process that has opened nothing forks children for the one that asks.

What is forked belongs to that one at once, as if it had forked it itself: a process between
the two ends, and who asks adopts its orphans meanwhile (see parentage.adopting).
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable

_MOST_FDS = 16

# What a child can be asked to be.
FORK = b"fork"
LOAD_APP = b"load-app"
IMPORT_APP = b"import-app"


def ask(line: socket.socket, fds: list[int], what: bytes = FORK) -> int:
    """Return the pid of a new child of this process, to which the descriptors were given.

    Raises:
        ConnectionError: Nobody answers on the line, or not in its time.
        OSError: The kernel refuses to fork.
    """
    try:
        socket.send_fds(line, [what], fds)
        answer = int(line.recv(32) or b"0")
    except (OSError, ValueError) as error:
        raise ConnectionError("the process that forks does not answer") from error
    if answer > 0:
        return answer
    if not answer:
        raise ConnectionError("the process that forks is gone")
    raise OSError(-answer, "cannot fork")


def serve(line: socket.socket, live: Callable[[bytes, list[int]], None]) -> None:
    """Fork for the process that asks, until it hangs up; each child calls `live`.

    `live` is given what the child was asked to be, and the descriptors.

    It returns in the child too, when `live` has.
    """
    while True:
        try:
            message, given, _, _ = socket.recv_fds(line, 16, _MOST_FDS)
            if not message:
                return
            born = _fork(line)
        except ConnectionError:
            return  # who asked was killed, with an answer unread
        if born:
            line.close()
            live(message, given)
            return
        for fd in given:
            os.close(fd)


def _fork(line: socket.socket) -> bool:
    """Fork a process that is the child of who asked; True in it."""
    told, tells = os.pipe()
    waits, go = os.pipe()
    try:
        middle = os.fork()
    except OSError as error:
        line.send(b"%d" % -(error.errno or 1))
        middle = -1
    if middle == 0:
        try:
            pid = os.fork()
        except OSError as error:
            pid = -(error.errno or 1)
        if pid != 0:
            os.write(tells, b"%d" % pid)
            os._exit(0)
        os.close(go)
        os.read(waits, 1)  # until the one between has ended, and who asked is the parent
    elif middle > 0:
        os.waitpid(middle, 0)
        line.send(os.read(told, 32))
        os.close(go)
    for fd in (told, tells, waits, *(() if middle == 0 else (go,) if middle < 0 else ())):
        os.close(fd)
    return middle == 0
