"""Fork requests: a process that has opened nothing forks children for another one.

The child belongs to the process that asked, as if that had forked it: a process in between
exits, and the process that asked is a subreaper, so it inherits the orphan (see
parentage.subreaper).
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable

_MOST_FDS = 16

# What a child is asked to run.
FORK = b"fork"
LOAD_APP = b"load-app"
IMPORT_APP = b"import-app"


def ask(line: socket.socket, fds: list[int], what: bytes = FORK) -> int:
    """Fork a child of this process that is given the descriptors; return its pid.

    Raises:
        ConnectionError: No answer came on the line in time.
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
    """Answer fork requests until the other side hangs up.

    Each child calls `live` with what it was asked to run and the descriptors, and then returns
    from here too.
    """
    while True:
        try:
            message, given, _, _ = socket.recv_fds(line, 16, _MOST_FDS)
            if not message:
                return
            born = _fork(line)
        except ConnectionError:
            return  # the other side was killed before it read an answer
        if born:
            line.close()
            live(message, given)
            return
        for fd in given:
            os.close(fd)


def _fork(line: socket.socket) -> bool:
    """Fork a child for the process that asked; True in the child."""
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
        os.read(
            waits, 1
        )  # until the process in between has exited, and the one that asked is the parent
    elif middle > 0:
        os.waitpid(middle, 0)
        line.send(os.read(told, 32))
        os.close(go)
    for fd in (told, tells, waits, *(() if middle == 0 else (go,) if middle < 0 else ())):
        os.close(fd)
    return middle == 0
