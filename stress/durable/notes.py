"""What processes of the scenario note, where no death of theirs can take it back."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from ..machine.processes import name_of


class Note(msgspec.Struct, omit_defaults=True):
    """Something that a process did or saw.

    Attributes:
        what: Its kind, such as "effect".
        at_ms: On the store's clock.
        step: The step, or the point of the handler, that it is about.
        says: What was seen there.
        process: By name_of; filled in when it is read.
        number: Its place among those of its process, likewise.
    """

    what: str
    at_ms: int
    delivery: int = 0
    fence: int = 0
    step: str = ""
    says: str = ""
    process: str = ""
    number: int = 0


class Notes:
    """The file of this process, in the folder of the scenario."""

    def __init__(self, folder: Path) -> None:
        where = folder / "notes"
        where.mkdir(exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._fd = os.open(where / name_of(os.getpid()), flags, 0o600)

    def write(self, note: Note) -> None:
        """Write a note; once this has returned the kernel has it."""
        os.write(self._fd, msgspec.json.encode(note) + b"\n")

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)


def read(folder: Path) -> list[Note]:
    """Return all notes, of each process in their order; without a line that was cut off."""
    found, decode = list[Note](), msgspec.json.Decoder(Note).decode
    for path in sorted((folder / "notes").iterdir()):
        whole = path.read_bytes().rpartition(b"\n")[0]
        for number, line in enumerate(whole.splitlines()):
            note = decode(line)
            note.process, note.number = path.name, number
            found.append(note)
    return found
