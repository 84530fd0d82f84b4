"""Memory that runs out for SQLite alone, in one process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import apsw


@contextmanager
def scarce(more: int) -> Iterator[None]:
    """Let SQLite have only so many bytes more than it has now, within the block."""
    apsw.hard_heap_limit(apsw.memory_used() + more)
    try:
        yield
    finally:
        apsw.hard_heap_limit(0)
        apsw.soft_heap_limit(0)  # or SQLite goes on to take memory for scarce, and spills
