"""Running a command from a worker: its environment, its output and its exit."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...linux.memfd import memfd
from .child import LINE_FD

# It waits for the command in place of a handler's own code, and kills it when interrupted.
INTERRUPTIBLE = True

_RUNNER = Path(__file__).with_name("child.py")
_START_SECONDS = 30.0
_END_SECONDS = 5.0
# How often `go_on` is called.
_LOOK_SECONDS = 0.25
_KEPT_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended.

    Attributes:
        code: Its exit code; the negative number of the signal that killed it; None if we killed
            it.
        said: The end of its stderr.
    """

    code: int | None
    said: str


class Runner:
    """Runs commands, one at a time, in a process that is started with the first of them.

    When this process dies, the command and every process that it has started are killed.
    """

    def __init__(self) -> None:
        self._line: socket.socket | None = None
        self._pid = 0

    def __reduce__(self) -> tuple[type[Runner], tuple[()]]:
        return Runner, ()  # another process starts its own

    def run(
        self,
        program: str,
        words: Sequence[str],
        environment: Mapping[str, str],
        body: bytes,
        proof: int,
        *,
        seconds: float | None,
        go_on: Callable[[], bool],
    ) -> Ended:
        """Run a command with `body` on its stdin; its stdout goes to our stderr.

        `proof` becomes its descriptor 3.

        It is killed after `seconds`, when `go_on` returns false, and when an exception is
        raised here. When this returns, no process that the command has started is left.

        Raises:
            OSError: The process that runs it was killed.
        """
        request = {"program": program, "words": list(words), "environment": dict(environment)}
        try:
            line = self._start() if self._line is None else self._line
            with contextlib.closing(_Listener()) as listener:
                with memfd(json.dumps(request).encode()) as asked, memfd(body) as stdin:
                    fds = [asked, stdin, listener.far_end, proof]
                    socket.send_fds(line, [b"run"], fds)
                listener.begin()
                deadline = None if seconds is None else time.monotonic() + seconds
                code = _answer(line, listener, deadline, go_on)
                if code is None:
                    self.close()
                return Ended(code, listener.rest())
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Kill the running command, and wait for its process to exit."""
        if self._line is not None:
            self._line.close()
            self._line = None
            give_up_at = time.monotonic() + _END_SECONDS
            while os.waitpid(self._pid, os.WNOHANG) == (0, 0):
                if time.monotonic() > give_up_at:
                    os.kill(self._pid, signal.SIGKILL)
                time.sleep(0.001)

    def _start(self) -> socket.socket:
        ours, far_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with far_end:
            self._pid = os.posix_spawn(
                sys.executable,
                [sys.executable, "-I", "-S", "-X", "utf8", str(_RUNNER)],
                os.environ,
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, far_end.fileno(), LINE_FD),
                    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                ],
                setsid=True,
                setsigmask=(),
                setsigdef=signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP},
            )
        self._line = ours
        ours.settimeout(_START_SECONDS)
        if ours.recv(16) != b"up":
            self.close()
            raise OSError("the process that runs commands does not start")
        ours.settimeout(None)
        return ours


class _Listener:
    """Copies a command's stderr to ours, and keeps the end of it."""

    def __init__(self) -> None:
        self.near_end, self.far_end = os.pipe()
        self._kept = b""
        self._cut = False

    def begin(self) -> None:
        """Close our copy of the far end, so that the pipe ends with the command."""
        os.close(self.far_end)
        self.far_end = -1
        os.set_blocking(self.near_end, False)

    def hear(self) -> bool:
        """Read once from the pipe; False when nothing is there."""
        try:
            said = os.read(self.near_end, 65_536)
        except BlockingIOError:
            return False
        with contextlib.suppress(OSError):
            os.write(2, said)
        self._cut = self._cut or len(self._kept) + len(said) > _KEPT_BYTES
        self._kept = (self._kept + said)[-_KEPT_BYTES:]
        return bool(said)

    def rest(self) -> str:
        """Return the end of the command's stderr, as text that can be stored."""
        while self.hear():
            pass
        kept = self._kept
        if self._cut:  # perhaps within a character
            kept = kept[next((at for at in range(4) if kept[at] & 0xC0 != 0x80), 0) :]
        text = kept.decode(errors="backslashreplace").replace("\0", "\\x00").strip()
        return f"…{text}" if self._cut else text

    def close(self) -> None:
        """Close the pipe."""
        os.close(self.near_end)
        if self.far_end >= 0:
            os.close(self.far_end)


def _answer(
    line: socket.socket,
    listener: _Listener,
    deadline: float | None,
    go_on: Callable[[], bool],
) -> int | None:
    """Return the exit code; None when the command has to be killed."""
    poll = select.poll()
    poll.register(line, select.POLLIN)
    poll.register(listener.near_end, select.POLLIN)
    while go_on():
        left = _LOOK_SECONDS if deadline is None else deadline - time.monotonic()
        if left <= 0:
            return None
        for fd, _ in poll.poll(min(left, _LOOK_SECONDS) * 1000):
            if fd == line.fileno():
                answer = line.recv(32)
                if not answer:
                    raise OSError("the process that runs commands was killed")
                return int(answer)
            if not listener.hear():
                poll.unregister(fd)  # it has closed its stderr and still runs
    return None
