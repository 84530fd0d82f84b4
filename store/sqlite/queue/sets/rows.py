"""INSERT of any number of rows in few statements, each with constant text.

The rows are inserted in their order: SQLite goes through VALUES from the first to the last.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...session.session import Write

# Rows of one statement. Between two sizes the statement has too many, and its LIMIT leaves those
# out that are not there: binding a NULL costs a fiftieth of a row.
_SIZES = (1, 10, 100)


class Insert:
    """An INSERT into one table."""

    def __init__(self, table: str, columns: Sequence[str], then: str = "") -> None:
        """`then` is what follows the values, such as "on conflict do nothing"."""
        self._width = len(columns)
        into = f"insert into {table} ({', '.join(columns)})"
        row = f"({', '.join('?' * len(columns))})"
        self._texts = {1: f"{into} values {row} {then}"}
        for size in _SIZES[1:]:
            rows = ", ".join([row] * size)
            self._texts[size] = f"{into} select * from (values {rows}) where true limit ? {then}"

    def run(self, write: Write, values: list[Any]) -> int:
        """Insert rows, given as one list of all their values; return how many were inserted."""
        width, texts = self._width, self._texts
        if len(values) == width:
            return write.change(texts[1], values)
        inserted, most = 0, _SIZES[-1] * width
        for start in range(0, len(values), most):
            part = values[start : start + most]
            count = len(part) // width
            size = next(size for size in _SIZES if size >= count)
            if size > 1:
                part += [None] * ((size - count) * width)
                part.append(count)
            inserted += write.change(texts[size], part)
        return inserted
