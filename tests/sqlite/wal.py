"""What was written to a WAL: the commits in it and their pages, whichever process made them."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import apsw

# https://www.sqlite.org/fileformat2.html#the_write_ahead_log
_HEADER = struct.Struct(">8xI4xQ8x")  # page size, both salts
_FRAME = struct.Struct(">4xIQ8x")  # database size after a commit or 0, both salts


@dataclass
class Written:
    """What a block has written, once it has ended."""

    commits: int = 0
    pages: int = 0


@contextmanager
def written(address: str | Path) -> Iterator[Written]:
    """Count what the block writes to a store."""
    found = Written()
    with closing(apsw.Connection(str(address), flags=apsw.SQLITE_OPEN_READONLY)) as reader:
        # While this snapshot is open the WAL is begun anew at most once, before the block's first
        # commit: when all of it has been copied into the database already.
        reader.execute("begin; select 1 from sqlite_schema")
        salts, commits, pages = _contents(address)
        yield found
        now, found.commits, found.pages = _contents(address)
        if now == salts:
            found.commits -= commits
            found.pages -= pages


def _contents(address: str | Path) -> tuple[int, int, int]:
    """Return the salts of the WAL, and how many commits and pages it holds."""
    data = Path(f"{address}-wal").read_bytes()
    if not data:
        return 0, 0, 0
    page_bytes, salts = _HEADER.unpack_from(data)
    commits = pages = 0
    step = _FRAME.size + page_bytes
    for at in range(_HEADER.size, len(data) - step + 1, step):
        size, of_frame = _FRAME.unpack_from(data, at)
        if of_frame != salts:
            break  # of an earlier round
        pages += 1
        commits += size > 0
    return salts, commits, pages
