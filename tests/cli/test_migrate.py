"""fencepost migrate: each step is told, and a dry run changes nothing."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from fencepost import connect
from fencepost.store.sqlite.file import schema

from ..sqlite.inside import ask
from .command import Command

# What two later versions could be.
CHAIN = (
    "alter table fp_worker add column note text",
    "create table fp_later (n integer) strict; insert into fp_later values (3)",
)


@pytest.fixture
def old(path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store of the first version, with a message, before a Fencepost that knows two more."""
    with connect(path) as store:
        store.queue("mail").enqueue(b"hello", key="k")
    newest = apsw.Connection(":memory:")
    newest.execute(";".join((schema.ddl(), *CHAIN)))
    tables = newest.execute(schema._OURS).fetchall()
    monkeypatch.setattr(schema, "MIGRATIONS", CHAIN)
    monkeypatch.setattr(schema, "_expected", lambda: tables)
    connection = apsw.Connection(str(path))
    connection.pragma("user_version", 1)
    connection.close()
    return path


def _tables(path: Path) -> list[tuple[object, ...]]:
    return ask(path, "select name, sql from sqlite_schema order by name")


def test_the_newest_version_has_nothing_to_do(path: Path, command: Command) -> None:
    connect(path).close()

    for words in (("migrate",), ("migrate", "--dry-run")):
        shown = command(*words)
        assert (shown.code, shown.err) == (0, "")
        assert f"found schema version {len(schema.MIGRATIONS) + 1}" in shown.out
        assert "nothing to do" in shown.out


# SCHEMA-3
def test_a_dry_run_takes_each_step_on_a_copy_and_changes_nothing(
    old: Path, command: Command
) -> None:
    before = _tables(old)

    shown = command("migrate", "--dry-run")

    assert (shown.code, shown.err) == (0, "")
    assert "found schema version 1" in shown.out
    assert "1 -> 2: works on a copy" in shown.out
    assert "2 -> 3: works on a copy" in shown.out
    assert (ask(old, "pragma user_version"), _tables(old)) == ([(1,)], before)
    assert [name for name in old.parent.iterdir() if "partial" in name.name] == []


# SCHEMA-3
def test_each_step_is_taken_and_told(old: Path, command: Command) -> None:
    shown = command("migrate")

    assert (shown.code, shown.err) == (0, "")
    assert "1 -> 2: done" in shown.out
    assert "2 -> 3: done" in shown.out
    assert ask(old, "pragma user_version") == [(3,)]
    assert ask(old, "select n from fp_later") == [(3,)]
    assert ask(old, "select key from fp_message") == [("k",)]
    assert "nothing to do" in command("migrate").out


def test_a_step_that_fails_is_one_line_and_leaves_the_version_before_it(
    old: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "MIGRATIONS", (CHAIN[0], "select no_such_function()"))

    assert command("migrate", "--dry-run").code == 1
    assert ask(old, "pragma user_version") == [(1,)]

    assert command("migrate").complains(1)
    assert ask(old, "pragma user_version") == [(2,)]


# SCHEMA-1
def test_a_newer_store_is_one_line_and_exit_2_and_untouched(path: Path, command: Command) -> None:
    connect(path).close()
    connection = apsw.Connection(str(path))
    connection.pragma("user_version", 99)
    connection.close()
    before = path.read_bytes()

    for words in (("migrate",), ("migrate", "--dry-run")):
        shown = command(*words)
        assert shown.complains(2)
        assert "99" in shown.err

    assert path.read_bytes() == before
