"""Statements on rows by their ids: one, a run of numbers, or any."""

from __future__ import annotations

from array import array
from typing import Any

import apsw

from ...session.session import Write


class OnIds:
    """A statement with a text for ids that follow each other, and one for any.

    `in carray(...)` builds a table of them each time, which takes as long as 30 rows.
    """

    def __init__(self, sql: str, *, has_subquery: bool = False) -> None:
        """In the text stands `in :ids`.

        `has_subquery`: an update of several rows collects their ids in a table first, if its
        condition has a subquery, so that a single id is worth a text of its own.
        """
        self.run = sql.replace("in :ids", "between :first and :last")
        self.one = sql.replace("in :ids", "= :first") if has_subquery else self.run
        self.any = sql.replace("in :ids", "in carray(:ids)")

    def change(self, write: Write, ids: list[int], bindings: dict[str, Any]) -> int:
        """Run it on at least one id; return how many rows it changed."""
        if len(ids) == 1:
            return write.change(self.one, {**bindings, "first": ids[0], "last": ids[0]})
        first, last = min(ids), max(ids)
        if last - first == len(ids) - 1 == len(set(ids)) - 1:
            return write.change(self.run, {**bindings, "first": first, "last": last})
        return write.change(self.any, {**bindings, "ids": apsw.carray(array("q", ids))})
