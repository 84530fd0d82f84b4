"""Everything that processes of a pool write to stderr, as lines of the log."""

from __future__ import annotations

import contextlib
import json
import os
import select
import sys
import threading
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
    if not log.is_json:
        yield
        return
    before = duplicate(2)
    reading, writing = os.pipe()
    stopping, stop = os.pipe()
    thread = threading.Thread(target=_pass_on, args=(reading, stopping), name="stderr", daemon=True)
    thread.start()
    _flush()
    os.dup2(writing, 2)
    os.close(writing)
    try:
        yield
    finally:
        _flush()
        os.dup2(before, 2)
        os.close(before)
        os.close(stop)
        thread.join(_END_SECONDS)


def _pass_on(reading: int, stopping: int) -> None:
    """Copy lines until the end of the pipe, or until it is empty once `stopping` is readable."""
    poll = select.poll()
    poll.register(reading, select.POLLIN)
    poll.register(stopping, select.POLLIN)
    rest = select.poll()
    rest.register(stopping, select.POLLIN)
    begun, stopped = b"", False
    while True:
        ready = dict(poll.poll(0 if stopped else None))
        if not stopped and stopping in ready:
            stopped = True
            poll.unregister(stopping)
            continue
        said = os.read(reading, _MOST_BYTES) if reading in ready else b""
        *lines, begun = (begun + said).split(b"\n")
        if not said or len(begun) > _MOST_BYTES:
            lines, begun = [*lines, begun], b""
        log.gather()
        for line in lines:
            _write(line)
        log.flush()
        if not said:
            break
        if not stopped and len(said) < _REST_BYTES:
            rest.poll(_REST_SECONDS * 1000)
    os.close(reading)
    os.close(stopping)


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
