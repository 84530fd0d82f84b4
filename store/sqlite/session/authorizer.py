"""The authorizer: what users' statements may do."""

from __future__ import annotations

import time
from itertools import islice

import apsw

from ...errors import SqlError
from ...rules import placeholders
from ...types.transaction import Parameters, Row, Table
from ..locks.foreign_sqlite import Ticket
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


_READS = {
    apsw.SQLITE_SELECT,
    apsw.SQLITE_READ,
    apsw.SQLITE_FUNCTION,
    apsw.SQLITE_RECURSIVE,
}

# Pragmas that tell something, whatever they are given.
_TELLING = {
    *("table_info", "table_xinfo", "table_list", "index_list", "index_info", "index_xinfo"),
    *("foreign_key_list", "foreign_key_check", "integrity_check", "quick_check"),
    *("database_list", "collation_list", "function_list", "compile_options"),
}
# Those that change something when they are given a value.
_TELLING_ALONE = {
    *("user_version", "schema_version", "application_id", "data_version", "encoding"),
    *("page_count", "page_size", "freelist_count", "journal_mode", "synchronous"),
}

# What apsw raises for a parameter that is missing or cannot be one.
_UNBOUND = (TypeError, ValueError, OverflowError, KeyError)

# A user's statement that comes again is kept compiled, under this and its text: no statement of the
# store's begins so, and SQLite skips it. So neither is ever taken for the other.
_USERS = "\f"
# Of a transaction's statements few have another text each time, with values in it. Those are met
# once, and must not push the store's out of the cache.
_MOST_KEPT = 16
_MOST_CHARACTERS = 2000

# So many steps of SQLite's machine are taken between two looks at the time.
_STEPS = 100_000


class Authorizer:
    """Runs a user's SQL under an authorizer that keeps it to tables of its own.

    The authorizer is asked when a statement is compiled, so a user's are never shared with the
    store's.

    Attributes:
        connection: The one that it watches.
        ticket: Of that connection, None once it is about to be closed.
    """

    def __init__(self, connection: apsw.Connection) -> None:
        self.connection = connection
        self.ticket: Ticket | None = None
        self._guarding = False
        self._reading = False
        self._refused = ""
        self._dropping = False
        # What was run before, by its text: for parameters of which type, and the text to keep it by.
        self._known: dict[str, tuple[type, str]] = {}
        connection.set_authorizer(self._authorize)

    def execute(self, sql: str, parameters: Parameters, path: str) -> list[Row]:
        """Run a user's statements and return all rows.

        Raises:
            SqlError: It failed, or is not allowed; the transaction goes on.
        """
        known = self._known.get(sql) if type(sql) is str else None
        if known is None or known[0] is not type(parameters):
            known = None
            _check(sql, parameters, "execute", path)
        self._guarding, self._refused, self._dropping = True, "", False
        try:
            if known is not None:
                return self.connection.execute(known[1], parameters).fetchall()
            rows = self.connection.execute(sql, parameters, can_cache=False).fetchall()
            self._keep(sql, parameters)
            return rows
        except apsw.Error as error:
            if self._refused:
                raise SqlError(
                    f"{self._refused} is not allowed in a transaction of the store",
                    operation="execute",
                    path=path,
                ) from error
            raise translate(error, "execute", path, users=True) from error
        except _UNBOUND as error:
            raise SqlError(_unbound(error), operation="execute", path=path) from error
        finally:
            self._guarding = False

    def _keep(self, sql: str, parameters: Parameters) -> None:
        """Have a statement kept compiled when it comes again."""
        # Of several in one text all but the first would be kept without the mark.
        if type(sql) is str and len(sql) <= _MOST_CHARACTERS and ";" not in sql:
            if len(self._known) >= _MOST_KEPT and sql not in self._known:
                del self._known[next(iter(self._known))]
            self._known[sql] = type(parameters), _USERS + sql

    def read(
        self, sql: str, parameters: Parameters, path: str, *, seconds: float, most: int | None
    ) -> Table:
        """Run one statement of a user's that only reads; return at most `most` of its rows.

        Raises:
            SqlError: It failed, would change something, or took longer than `seconds`.
        """
        _check(sql, parameters, "read", path)
        ends_at = time.monotonic() + seconds
        columns: list[str] = []

        def begin(cursor: apsw.Cursor, *_: object) -> bool:
            found = [column[0] for column in cursor.get_description()]
            if columns and found:  # a comment has none
                raise SqlError("one statement at a time", operation="read", path=path)
            columns.extend(found)
            return True

        self._guarding, self._reading, self._refused = True, True, ""
        cursor = self.connection.cursor()
        cursor.exec_trace = begin
        try:
            self.connection.set_progress_handler(lambda: time.monotonic() > ends_at, _STEPS)
            found = cursor.execute(sql, parameters, can_cache=False)
            rows = found.fetchall() if most is None else list(islice(found, most + 1))
            cursor.close(True)
        except apsw.InterruptError as error:
            raise SqlError(
                f"the statement took longer than {seconds:g} s and was stopped",
                operation="read",
                path=path,
            ) from error
        except apsw.Error as error:
            if self._refused:
                raise SqlError(
                    f"{self._refused} is refused: this only reads; write with store.transaction()",
                    operation="read",
                    path=path,
                ) from error
            raise translate(error, "read", path, users=True) from error
        except _UNBOUND as error:
            raise SqlError(_unbound(error), operation="read", path=path) from error
        finally:
            self.connection.set_progress_handler(None)
            self._guarding = self._reading = False
            cursor.close(True)
        if not columns:
            raise SqlError("there is no statement", operation="read", path=path)
        return Table(columns, rows[:most], most is not None and len(rows) > most)

    def _authorize_read(self, action: int, first: str | None, second: str | None) -> int:
        name = (first or "").lower()
        if action in _READS or (
            action == apsw.SQLITE_PRAGMA
            and (name in _TELLING or (name in _TELLING_ALONE and second is None))
        ):
            return apsw.SQLITE_OK
        what = str(apsw.mapping_authorizer_function[action]).removeprefix("SQLITE_")
        self._refused = f"PRAGMA {first}" if what == "PRAGMA" else what.replace("_", " ")
        return apsw.SQLITE_DENY

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
        if self._reading:
            return self._authorize_read(action, first, second)
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


def _check(sql: str, parameters: Parameters, operation: str, path: str) -> None:
    """Refuse placeholders that another engine would not take."""
    if isinstance(sql, str) and (what := placeholders.wrong(sql, parameters)):
        raise SqlError(what, operation=operation, path=path)


def _unbound(error: Exception) -> str:
    return f"no value for :{error.args[0]}" if isinstance(error, KeyError) else str(error)
