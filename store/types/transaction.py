"""The write transaction as its users see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

Row = tuple[Any, ...]
Parameters = Sequence[Any] | Mapping[str, Any]


class Table(NamedTuple):
    """What a statement that reads has answered.

    Attributes:
        more: There are rows beyond the ones asked for.
    """

    columns: list[str]
    rows: list[Row]
    more: bool


class Transaction(Protocol):
    """Statements that commit together, or not at all.

    Tables are the caller's own: those named fp_ are refused, and so are transaction
    control, pragmas, triggers, views and attached files.
    """

    def execute(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """Run one or more statements and return all rows of the answer.

        `parameters` is a sequence for ?, a mapping for :name.

        Raises:
            SqlError: The statement failed or is not allowed. The transaction goes on;
                an error that leaves the block rolls all of it back.
        """
        ...
