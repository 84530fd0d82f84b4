"""A user's transaction."""

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
    """Statements that commit together or not at all, on tables of your own.

    Refused are Fencepost's tables, named `fp_...`, and begin, commit, rollback, pragmas,
    triggers, views and attached files.
    """

    def execute(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """Run one or more SQL statements and return all rows that they produce.

        Args:
            parameters: A sequence for `?`, a mapping for `:name`. SQL with other
                placeholders, such as `?1`, `$1` or `@name`, is refused on every database.

        Raises:
            SqlError: The statement failed or is not allowed. If you catch it, the
                transaction can continue; if it leaves the block, everything is rolled back.
        """
        ...
