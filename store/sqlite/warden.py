"""What a user's statements may do inside a write transaction."""

from __future__ import annotations

import apsw

from ..errors import SqlError
from ..transaction import Parameters, Row
from .faults import translate

_TABLE_WRITES = {
    apsw.SQLITE_INSERT,
    apsw.SQLITE_UPDATE,
    apsw.SQLITE_DELETE,
    apsw.SQLITE_CREATE_TABLE,
    apsw.SQLITE_CREATE_TEMP_TABLE,  # it would stand before the store's own
    apsw.SQLITE_DROP_TABLE,
    apsw.SQLITE_CREATE_INDEX,
    apsw.SQLITE_DROP_INDEX,
}

_NEVER = {
    apsw.SQLITE_TRANSACTION: "transaction control",
    apsw.SQLITE_PRAGMA: "PRAGMA",
    apsw.SQLITE_ANALYZE: "ANALYZE",  # its figures would change the plans of the store's own
    apsw.SQLITE_ATTACH: "ATTACH",
    apsw.SQLITE_DETACH: "DETACH",
    apsw.SQLITE_CREATE_TRIGGER: "triggers",
    apsw.SQLITE_CREATE_TEMP_TRIGGER: "triggers",
    apsw.SQLITE_CREATE_VIEW: "views",
    apsw.SQLITE_CREATE_TEMP_VIEW: "views",
    apsw.SQLITE_CREATE_VTABLE: "virtual tables",
}


class Warden:
    """Runs a user's SQL under an authorizer that keeps it to tables of its own.

    The authorizer is asked when a statement is compiled, so a user's are compiled
    anew each time and never shared with the store's.
    """

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._guarding = False
        self._refused = ""
        self._dropping = False
        connection.set_authorizer(self._authorize)

    def execute(self, sql: str, parameters: Parameters, path: str) -> list[Row]:
        """Run a user's statements and return all rows.

        Raises:
            SqlError: It failed, or is not allowed; the transaction goes on.
        """
        self._guarding, self._refused, self._dropping = True, "", False
        try:
            return self._connection.execute(sql, parameters, can_cache=False).fetchall()
        except apsw.Error as error:
            if self._refused:
                raise SqlError(
                    f"{self._refused} is not allowed in a transaction of the store",
                    operation="execute",
                    path=path,
                ) from error
            raise translate(error, "execute", path) from error
        except (TypeError, ValueError, OverflowError) as error:
            raise SqlError(str(error), operation="execute", path=path) from error
        finally:
            self._guarding = False

    def _authorize(
        self,
        action: int,
        first: str | None,
        second: str | None,
        database: str | None,
        by: str | None,
    ) -> int:
        if not self._guarding:
            return apsw.SQLITE_OK
        if action in _NEVER:
            self._refused = _NEVER[action]
            return apsw.SQLITE_DENY
        if action == apsw.SQLITE_FUNCTION and second == "sqlite_rename_table":
            self._refused = "renaming a table"  # to what, SQLite does not tell
            return apsw.SQLITE_DENY
        if self._numbers_change(action, first):
            self._refused = f"changing {first}"
            return apsw.SQLITE_DENY
        table = second if action in (apsw.SQLITE_CREATE_INDEX, apsw.SQLITE_DROP_INDEX) else first
        if action == apsw.SQLITE_ALTER_TABLE:
            table = second
        elif action not in _TABLE_WRITES:
            return apsw.SQLITE_OK
        for name in (table, first):
            if name is not None and name.lower().startswith("fp_"):
                self._refused = f"changing {name}"
                return apsw.SQLITE_DENY
        return apsw.SQLITE_OK

    def _numbers_change(self, action: int, table: str | None) -> bool:
        """True for a write to AUTOINCREMENT's record that is no part of a DROP TABLE."""
        if action == apsw.SQLITE_DROP_TABLE:
            self._dropping = True
        elif action == apsw.SQLITE_DELETE and table == "sqlite_master":
            self._dropping = False  # the last that SQLite asks about a DROP TABLE
        elif action in _TABLE_WRITES and table == "sqlite_sequence":
            return not self._dropping
        return False
