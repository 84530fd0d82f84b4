"""Statements on rows by their ids: one, a run of numbers, or any."""

from __future__ import annotations

from array import array
from typing import Any

import apsw

from ...session.session import Write


class OnIds:
    """A statement with a text for one id, one for ids that follow each other, and one for any.

    `in carray(...)` builds a table of them each time, which takes as long as 30 rows. An update
    of several rows with a subquery in its condition collects their ids in a table first.
    """

    def __init__(self, sql: str) -> None:
        """In the text stands `in :ids`."""
        self.one = sql.replace("in :ids", "= :first")
        self.run = sql.replace("in :ids", "between :first and :last")
        self.any = sql.replace("in :ids", "in carray(:ids)")

    def change(self, write: Write, ids: list[int], bindings: dict[str, Any]) -> int:
        """Run it on at least one id; return how many rows it changed."""
        if len(ids) == 1:
            return write.change(self.one, {**bindings, "first": ids[0]})
        first, last = min(ids), max(ids)
        if last - first == len(ids) - 1 == len(set(ids)) - 1:
            return write.change(self.run, {**bindings, "first": first, "last": last})
        return write.change(self.any, {**bindings, "ids": apsw.carray(array("q", ids))})
