"""The handler of every queue: it does nothing but note the message's number and the time."""

from __future__ import annotations

import os
import struct
import time
from dataclasses import dataclass
from pathlib import Path

_RECORD = struct.Struct("<qqd")
_NAME = "handled"


@dataclass(frozen=True, slots=True)
class Note:
    """One run of the handler."""

    number: int
    pid: int
    at: float


class _Notes:
    """The open file, kept over forks: appends of a few bytes do not mix."""

    def __init__(self) -> None:
        path = Path(os.environ["PEERS_FOLDER"], _NAME)
        self.file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self.hang = int(os.environ["PEERS_HANG"] or "-1")


_notes: _Notes | None = None


def handle(body: bytes | str) -> None:
    """Note that the message is being handled."""
    global _notes
    if _notes is None:
        _notes = _Notes()
    number = int(body[:8])
    if number == _notes.hang:
        number = -1 - number
    os.write(_notes.file, _RECORD.pack(number, os.getpid(), time.monotonic()))
    if number < 0:
        while True:
            time.sleep(60)


def handled(folder: Path) -> int:
    """Return how many runs are noted."""
    path = folder / _NAME
    return path.stat().st_size // _RECORD.size if path.exists() else 0


def notes(folder: Path) -> list[Note]:
    """Return what is noted, in the order of the runs; a run that hangs has a negative number."""
    path = folder / _NAME
    data = path.read_bytes() if path.exists() else b""
    whole = len(data) - len(data) % _RECORD.size
    return sorted((Note(*each) for each in _RECORD.iter_unpack(data[:whole])), key=lambda n: n.at)
