"""Everything that processes of a pool write to stderr, as lines of the log."""

from __future__ import annotations

import contextlib
import json
import os
import select
import sys
import threading
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec

from .log import log, render_json
from .standard_streams import duplicate

_MOST_BYTES = 1 << 20
_MOST_CHARACTERS = 32_000
_END_SECONDS = 5.0
# Between two reads, so that a line seldom wakes a process up: it takes a writer longer to wake
# the reader than to write the line. So much may come meanwhile before the pipe is half full.
_REST_SECONDS = 0.005
_REST_BYTES = 8192
# How each log line begins.
_OURS = b'{"timestamp": '

_decode = msgspec.json.Decoder().decode


@contextlib.contextmanager
def captured() -> Iterator[None]:
    """In the block, turn each line on descriptor 2 into a log line, if the log is JSON.

    So each line is a JSON object, whether a handler wrote it, a program that the handler
    started, or the interpreter as it ended. Lines that are JSON objects pass unchanged: the
    log's own, and those of apps that log in JSON. Processes that are started in the block
    inherit this, and what they have written is not lost when they are killed.
    """
    global _pipes
    if not log.is_json:
        yield
        return
    before = duplicate(2)
    pipes = _Pipes()
    thread = threading.Thread(target=pipes.pass_on, name="stderr", daemon=True)
    thread.start()
    _flush()
    writing = pipes.open()
    os.dup2(writing, 2)
    os.close(writing)
    _pipes = pipes
    try:
        yield
    finally:
        _pipes = None
        _flush()
        os.dup2(before, 2)
        os.close(before)
        pipes.stop()
        thread.join(_END_SECONDS)


def for_child() -> int:
    """Return a descriptor to be the stderr of a child process; the caller closes it.

    In a block of `captured` it is a pipe of its own, so that what one process has begun to
    write and what another writes meanwhile do not become one line.

    Raises:
        OSError: There are too many descriptors.
    """
    return duplicate(2) if _pipes is None else _pipes.open()


class _Pipes:
    """Pipes whose lines a thread passes on; what a line begins with waits for its end."""

    def __init__(self) -> None:
        self._opened: deque[int] = deque()
        self._control, self._tell = os.pipe()

    def open(self) -> int:
        """Return the end of a new pipe to write to; the caller closes it."""
        reading, writing = os.pipe()
        self._opened.append(reading)
        os.write(self._tell, b"+")
        return writing

    def stop(self) -> None:
        """Have `pass_on` return once all pipes are empty."""
        os.close(self._tell)

    def pass_on(self) -> None:
        """Copy lines until `stop`."""
        poll, rest = select.poll(), select.poll()
        poll.register(self._control, select.POLLIN)
        rest.register(self._control, select.POLLIN)
        begun: dict[int, bytes] = {}
        stopped = False
        while (ready := [fd for fd, _ in poll.poll(0 if stopped else None)]) or not stopped:
            if not stopped and self._control in ready:
                stopped = not os.read(self._control, _MOST_BYTES)
                while self._opened:
                    fd = self._opened.popleft()
                    poll.register(fd, select.POLLIN)
                    begun[fd] = b""
                if stopped:
                    poll.unregister(self._control)
                continue
            log.gather()
            size = 0
            for fd in ready:
                said = os.read(fd, _MOST_BYTES)
                size += len(said)
                if said:
                    begun[fd] = _write_lines(begun[fd] + said)
                else:
                    poll.unregister(fd)
                    os.close(fd)
                    _write(begun.pop(fd))
            log.flush()
            if not stopped and size < _REST_BYTES:
                rest.poll(_REST_SECONDS * 1000)
        for fd, line in begun.items():
            os.close(fd)
            _write(line)
        os.close(self._control)


_pipes: _Pipes | None = None


def _write_lines(said: bytes) -> bytes:
    """Write the lines that are whole, or too long to wait for; return what is left."""
    *lines, left = said.split(b"\n")
    if len(left) > _MOST_BYTES:
        lines, left = [*lines, left], b""
    for line in lines:
        _write(line)
    return left


def _write(line: bytes) -> None:
    at = line.find(_OURS)
    if at > 0 and _is_object(line[at:]):  # after the unfinished line of another writer
        _write(line[:at])
        line = line[at:]
    if _is_object(line):
        log.pass_on(line)
        return
    text = line.decode(errors="backslashreplace").strip("\r")
    now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    for start in range(0, len(text), _MOST_CHARACTERS):
        event = text[start : start + _MOST_CHARACTERS]
        fields = {"timestamp": now, "level": "info", "event": event, "stream": "stderr"}
        log.pass_on(render_json({**fields}).encode())


def _is_object(line: bytes) -> bool:
    if not line.startswith(b"{"):
        return False
    try:
        _decode(line)
    except (ValueError, RecursionError):
        return _is_unusual_object(line)
    return True


def _is_unusual_object(line: bytes) -> bool:
    """True for what the fast decoder refuses and others read, such as half of a surrogate pair."""
    try:
        json.loads(line, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return False
    return True


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _flush() -> None:
    with contextlib.suppress(Exception):
        sys.stderr.flush()
