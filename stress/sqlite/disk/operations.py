"""Operations on files, as a write cache holds them, and what each does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from random import Random
from typing import Literal, NamedTuple

SECTOR = 512

# The contents of every file that is there, by its full path.
Image = Mapping[str, bytes]

Piece = tuple[int, bytes]


class Op(NamedTuple):
    """Something that happened to a file.

    Attributes:
        inode: Which file; one that is made anew under an old name is another.
        offset: Of a truncate the new size.
        folder: The folder was synced with it.
        was: Of a rename the old name; `path` is the new one.
    """

    kind: Literal["create", "write", "truncate", "sync", "failed sync", "delete", "rename"]
    path: str
    inode: int
    offset: int = 0
    data: bytes = b""
    folder: bool = False
    was: str = ""


def enter(names: dict[str, int], op: Op) -> None:
    """Have a folder's names changed by an operation."""
    if op.kind == "delete":
        names.pop(op.path, None)
        return
    if op.kind == "rename":
        names.pop(op.was, None)
    names[op.path] = op.inode


def tear(op: Op, random: Random) -> Iterator[Piece]:
    """Leave of each sector what was to be written, what was there, or garbage."""
    start, end = op.offset, op.offset + len(op.data)
    while start < end:
        stop = min((start // SECTOR + 1) * SECTOR, end)
        fate = random.randrange(3)
        if fate == 0:
            yield start, op.data[start - op.offset : stop - op.offset]
        elif fate == 1:
            yield start, random.randbytes(stop - start)
        start = stop


def covers(later: Op, earlier: Op) -> bool:
    """True when the later operation leaves nothing of the earlier one."""
    if later.kind == "truncate":
        return later.offset <= earlier.offset
    return (
        later.offset <= earlier.offset
        and later.offset + len(later.data) >= earlier.offset + len(earlier.data)
        and earlier.kind == "write"
    )


def do(contents: bytearray, op: Op) -> None:
    """Change the contents of a file as an operation does."""
    if op.kind == "write":
        write(contents, op.offset, op.data)
    elif op.offset < len(contents):
        del contents[op.offset :]
    else:
        contents.extend(bytes(op.offset - len(contents)))


def write(contents: bytearray, offset: int, data: bytes) -> None:
    """Write data at an offset, after zeros where the file is shorter."""
    if offset > len(contents):
        contents.extend(bytes(offset - len(contents)))
    contents[offset : offset + len(data)] = data
