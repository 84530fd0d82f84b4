"""What becomes of the messages when the workers are killed in the middle of one."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

from .handler import notes
from .place import Place
from .processes import Workers, call
from .queue import Queue
from .services import Service

MESSAGES = 40
HANGS = 15
WAIT_SECONDS = 60.0
BY_ITSELF_SECONDS = 45.0


def kill(queue: Queue, durability: str, service: Service | None) -> str:
    """Kill both workers with SIGKILL while one is in a handler, start two more, and say what came.

    Where messages are missing after a while, the operator's remedy of the queue is applied.
    """
    folder = Path(tempfile.mkdtemp(prefix="peers-"))
    try:
        place = Place(folder, durability, service.url() if service else "", impatient=True)
        call(place, "prepare", queue)
        call(place, "put", queue, 0, MESSAGES, 1024, 1)
        first = Workers(place, queue, hang=HANGS)
        try:
            begun = first.wait(lambda: -1 - HANGS in _numbers(folder), WAIT_SECONDS)
        finally:
            first.kill()
        if not begun:
            return "not tried: the handler did not begin"
        second = Workers(place, queue)
        try:
            return _outcome(place, queue, second)
        finally:
            second.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _outcome(place: Place, queue: Queue, workers: Workers) -> str:
    def whole() -> bool:
        return not _missing(place.folder)

    started = time.monotonic()
    if workers.wait(whole, BY_ITSELF_SECONDS):
        return f"all handled, by itself after {time.monotonic() - started:.0f} s"
    missing = _missing(place.folder)
    call(place, "recover", queue)
    if workers.wait(whole, BY_ITSELF_SECONDS / 3):
        return f"all handled, {len(missing)} by hand"
    return f"not handled: {len(_missing(place.folder))} of {MESSAGES}"


def _missing(folder: Path) -> set[int]:
    return set(range(MESSAGES)) - _numbers(folder)


def _numbers(folder: Path) -> set[int]:
    return {note.number for note in notes(folder)}
