"""The process that runs commands for a worker, one at a time, and kills what they leave behind.

A worker has threads and an open store, so commands are not forked from it. This small process
is started from this file alone and imports no package. It is a subreaper, so it can find and
kill every process that a command has started. When its worker closes the socket or dies, it
kills the running command and exits.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import socket
import sys
import time

LINE_FD = 3
# Of the command: what proves the claim of its delivery.
PROOF_FD = 3

# linux/prctl.h
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36

# A process in an uninterruptible wait dies only when that wait ends, so we wait no longer.
_KILL_SECONDS = 2.0


def serve(line: socket.socket) -> None:
    """Run each command that the worker asks for and answer with its exit code."""
    # Not SIG_IGN, which a command would inherit.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, ctypes.c_ulong(1))
    line.send(b"up")
    while True:
        asked, fds, _, _ = socket.recv_fds(line, 16, 4)
        if not asked:
            return
        child = _start(*fds)
        while not _ended(child):
            ready, _, _ = select.select([line.fileno(), reading], [], [])
            if reading in ready:
                os.read(reading, 4096)
            if line.fileno() in ready:
                _clear(child)
                return
        status = _clear(child)
        line.send(b"%d" % os.waitstatus_to_exitcode(status))


def _start(request: int, body: int, errors: int, proof: int) -> int:
    with open(request, "rb") as file:
        what = json.load(file)
    parent = os.getpid()
    child = os.fork()
    if not child:
        try:
            _become(
                what["program"], what["words"], what["environment"], body, errors, proof, parent
            )
        finally:
            os._exit(127)
    os.close(body)
    os.close(errors)
    os.close(proof)
    return child


def _become(
    program: str,
    words: list[str],
    environment: dict[str, str],
    body: int,
    errors: int,
    proof: int,
    parent: int,
) -> None:
    """Become the command, in a session of its own, with our stderr as its stdout."""
    os.setsid()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL))
        if os.getppid() != parent:
            return
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        with contextlib.suppress(OSError, ValueError):
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.dup2(2, 1)
    os.dup2(errors, 2)
    os.dup2(body, 0)
    os.dup2(proof, PROOF_FD)
    os.closerange(PROOF_FD + 1, 256)
    try:
        os.execve(program, words, environment)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        os.write(2, f"fencepost cannot run {program}: {reason}\n".encode())


def _ended(child: int) -> bool:
    """True once it has exited. It stays a zombie, so that its process group id is not reused."""
    return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _clear(child: int) -> int:
    """Kill the command and every process it has started; return the command's wait status."""
    found = signal.SIGKILL.value
    deadline = time.monotonic() + _KILL_SECONDS
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)
    while time.monotonic() < deadline:
        for pid in _children():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            break
        if pid == child:
            found = status
        if not pid:
            time.sleep(0.001)
    return found


def _children() -> list[int]:
    """Return our children, zombies included; an empty list without /proc."""
    try:
        with open(f"/proc/self/task/{os.getpid()}/children") as file:
            return [int(pid) for pid in file.read().split()]
    except OSError:
        return []


if __name__ == "__main__":
    with socket.socket(fileno=LINE_FD) as line:
        serve(line)
