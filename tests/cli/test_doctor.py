"""fencepost doctor: exit 0 on a store that is well, 1 on a finding."""

from __future__ import annotations

import os
from pathlib import Path

import apsw
import pytest

from fencepost import StoreBusy, connect

from ..processes import tell
from ..sqlite.holder import holder
from .command import Command


@pytest.fixture
def filled(path: Path) -> Path:
    """A store of a few hundred kilobytes that nobody has open."""
    with connect(str(path)) as store:
        bodies = [os.urandom(3000) for _ in range(100)]
        store.queue("mail").enqueue_many(
            [{"body": body, "key": f"{n}"} for n, body in enumerate(bodies)]
        )
    return path


def failed(command: Command) -> list[str]:
    """Run doctor on a store with a finding; return the names of the failed steps."""
    shown = command("doctor", "--json")
    report = shown.json()
    assert (shown.code, shown.err, report["ok"]) == (1, "", False)
    table = command("doctor")
    assert table.code == 1
    assert "FAILED" in table.out
    return [step["name"] for step in report["steps"] if not step["ok"]]


def test_a_healthy_store_passes_every_step(filled: Path, command: Command) -> None:
    shown = command("doctor", "--json")
    table = command("doctor")

    report = shown.json()
    steps = [step["name"] for step in report["steps"]]
    assert (shown.code, shown.err, report["ok"]) == (0, "", True)
    assert {"permissions", "write", "wal", "clock", "integrity"} <= set(steps)
    assert all(step["ok"] for step in report["steps"])
    assert table.code == 0
    assert "FAILED" not in table.out


def test_a_store_that_is_missing_is_a_finding(path: Path, command: Command) -> None:
    assert failed(command) == ["open"]
    assert not path.exists()


def test_a_file_that_is_no_database_is_a_finding(path: Path, command: Command) -> None:
    path.write_bytes(b"no database" * 1000)

    assert failed(command) == ["open"]


def test_a_store_of_a_newer_fencepost_is_a_finding(filled: Path, command: Command) -> None:
    connection = apsw.Connection(str(filled))
    connection.execute("pragma user_version = 99")
    connection.close()

    assert failed(command) == ["open"]


def test_a_damaged_page_is_a_finding(filled: Path, command: Command) -> None:
    with filled.open("r+b") as file:
        for page in range(60, 80):  # behind the schema
            file.seek(page * 4096)
            file.write(b"\xa5" * 4096)

    assert "integrity" in failed(command)


def test_a_file_that_was_cut_short_is_a_finding(filled: Path, command: Command) -> None:
    with filled.open("r+b") as file:
        file.truncate(filled.stat().st_size // 2)

    assert failed(command)


def test_a_store_that_others_may_read_is_a_finding(filled: Path, command: Command) -> None:
    filled.chmod(0o644)

    first, second = command("doctor", "--json"), command("doctor", "--json")

    assert [step["name"] for step in first.json()["steps"] if not step["ok"]] == ["permissions"]
    assert (first.code, second.code) == (1, 0)
    assert filled.stat().st_mode & 0o777 == 0o600


def test_a_store_in_a_folder_where_anyone_may_write_is_a_finding(
    filled: Path, command: Command
) -> None:
    filled.parent.chmod(0o777)

    assert failed(command) == ["open"]


def test_a_store_behind_a_symbolic_link_is_a_finding(filled: Path, command: Command) -> None:
    filled.rename(filled.with_name("real.db"))
    filled.symlink_to("real.db")

    assert failed(command) == ["open"]


def _steps(command: Command) -> dict[str, str]:
    return {step["name"]: step["detail"] for step in command("doctor", "--json").json()["steps"]}


# KV-13
def test_each_thing_is_a_step_of_its_own(filled: Path, command: Command) -> None:
    assert set(_steps(command)) == {
        *("open", "sqlite", "permissions", "place", "writer", "write", "checkpoint", "wal"),
        *("clock", "integrity", "foreign keys", "counters", "steps", "kept messages"),
        "quarantined rows",
        *("unrouted messages", "unserved queues", "conflicts"),
    }


# TXN-4
def test_who_holds_the_write_lock_is_named(filled: Path, command: Command) -> None:
    with connect(filled, busy_timeout=0.1) as store, holder(str(filled)) as process:
        steps = {step.name: step for step in store.probe().steps}
        with pytest.raises(StoreBusy, match=f"held by pid {process.pid}") as caught:
            store.queue("mail").enqueue(b"")
        tell(process, "go on")

    assert not steps["writer"].ok
    assert f"process {process.pid} " in steps["writer"].detail
    assert caught.value.holders == (process.pid,)


# EVENT-10, ATT-4
@pytest.mark.parametrize(
    ("sql", "step"),
    [
        ("update fp_queue set ready = 7", "counters"),
        ("delete from fp_queue", "counters"),
        ("insert into fp_owner (name, entries) values ('me', 1)", "counters"),
        (
            """
            insert into fp_owner (name) values ('me');
            insert into fp_namespace (owner, name, overflow, entries)
            values ('me', 'n', 'evict', 2)
            """,
            "counters",
        ),
        (
            "insert into fp_quarantine (place, why, found_at_ms) values ('x', 'y', 1)",
            "quarantined rows",
        ),
        ("delete from fp_message where id = 1", "foreign keys"),
        (
            """
            insert into fp_step (id, name, occurrence, kind, fence, recorded_at_ms)
            values (1 << 40, 'charge', 1, 'call', 1, 1)
            """,
            "steps",
        ),
        ("insert into fp_wait (delivery_id, name, occurrence) values (999, 'yes', 1)", "steps"),
    ],
)
def test_rows_that_do_not_add_up_are_a_finding(
    filled: Path, command: Command, sql: str, step: str
) -> None:
    connection = apsw.Connection(str(filled))
    connection.execute(sql)
    connection.close()

    assert failed(command) == [step]


# S11
def test_files_of_another_account_are_a_finding(
    filled: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fencepost.store.sqlite.file.permissions.foreign", lambda path: (path,))

    assert failed(command) == ["permissions"]


def test_each_remark_about_who_may_do_what_is_made(
    filled: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled.parent.chmod(0o1777)
    monkeypatch.setattr("os.geteuid", lambda: 0)

    (step,) = [
        step
        for step in command("doctor", "--json").json()["steps"]
        if step["name"] == "permissions"
    ]

    assert "others may write" in step["detail"]
    assert "running as root" in step["detail"]


def test_damage_that_another_command_meets_is_no_wrong_usage(
    filled: Path, command: Command
) -> None:
    with filled.open("r+b") as file:
        file.seek(60 * 4096)
        file.write(b"\xa5" * 4096 * 20)

    assert command("backup", str(filled.parent / "copy.db")).complains(1)
