"""Writes down which files of the product a message goes through, in the process that imports this.

A file is entered when one of its functions is called with the message: its body, or a value that
holds it. Each line is `CALLER CALLEE`, two files of the package; a caller outside of it is "-".
"""

from __future__ import annotations

import inspect
import os
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import fencepost

BODY = b"the body of one message"

# The folders of the package are links to those at the root.
_ROOT = os.path.realpath(Path(fencepost.__file__).parent.parent.parent) + os.sep
_VARARGS = inspect.CO_VARARGS | inspect.CO_VARKEYWORDS


class Tracer:
    """Calls with the message, as a profile function."""

    def __init__(self, into: Path) -> None:
        self._fd = os.open(into, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._stopped = False
        self._frames: list[FrameType] = []  # a coroutine that goes on is called again

    def start(self) -> None:
        """Trace this thread, and those that it starts."""
        threading.setprofile(self)
        sys.setprofile(self)

    def stop(self) -> None:
        """Trace no longer. A worker puts back a profile function that its handler took away."""
        self._stopped = True

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        if (
            self._stopped
            or event != "call"
            or (callee := _file(frame)) is None
            or frame in self._frames
        ):
            return
        if any(map(_holds, _arguments(frame))):
            self._frames.append(frame)
            caller = None if frame.f_back is None else _file(frame.f_back)
            if caller != callee:
                os.write(self._fd, f"{caller or '-'} {callee}\n".encode())


def _file(frame: FrameType) -> str | None:
    path = os.path.realpath(frame.f_code.co_filename)
    inside = path.startswith(_ROOT) and not path.startswith((f"{_ROOT}tests", f"{_ROOT}.venv"))
    return path.removeprefix(_ROOT) if inside else None


def _arguments(frame: FrameType) -> list[object]:
    code = frame.f_code
    count = code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & _VARARGS)
    return [frame.f_locals.get(name) for name in code.co_varnames[:count]]


def _holds(value: Any, depth: int = 6) -> bool:
    """True for the body and for values that hold it; not for what lives longer than a message."""
    if isinstance(value, bytes | bytearray | memoryview):
        return BODY in bytes(value)
    if not depth:
        return False
    if isinstance(value, list | tuple):
        return any(_holds(each, depth - 1) for each in value)
    if isinstance(value, dict):
        return any(_holds(each, depth - 1) for each in value.values())
    if type(value).__module__.partition(".")[0] != "fencepost" or hasattr(value, "__dict__"):
        return False
    return any(_holds(getattr(value, name, None), depth - 1) for name in type(value).__slots__)
