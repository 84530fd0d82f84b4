"""Commands that root runs on the store of a service's account."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fencepost import connect

from .command import Command

SERVICE = 65_534  # nobody; any account but root

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to others")


@pytest.fixture
def served(path: Path) -> Path:
    """A store whose folder and file belong to a service, with no sidecar beside it."""
    with connect(str(path)) as store:
        store.queue("mail").enqueue(b"x", key="1")
    for name in path.parent.iterdir():
        if name != path:
            name.unlink()
    for name in (path, path.parent):
        os.chown(name, SERVICE, SERVICE)
    path.parent.chmod(0o700)
    return path


# OPS-1
@pytest.mark.parametrize(
    "words",
    [
        ("doctor",),
        ("status",),
        ("migrate",),
        ("migrate", "--dry-run"),
        ("messages", "list"),
        ("workers", "list"),
        ("sweep",),
        ("pause", "mail"),
    ],
)
def test_a_command_that_root_runs_leaves_nothing_of_roots(
    served: Path, command: Command, words: tuple[str, ...]
) -> None:
    assert command(*words).code == 0

    owners = {name.name: name.lstat().st_uid for name in served.parent.iterdir()}
    assert set(owners.values()) == {SERVICE}, owners


# OPS-1
def test_what_a_store_needs_while_it_is_open_belongs_to_its_owner(served: Path) -> None:
    with connect(str(served)) as store:
        store.queue("mail").enqueue(b"y", key="2")
        owners = {name.name: name.lstat().st_uid for name in served.parent.iterdir()}

    assert {"hooks.db-wal", "hooks.db-shm", "hooks.db-gate", "hooks.db-wakeup"} <= owners.keys()
    assert set(owners.values()) == {SERVICE}, owners


# OPS-12
def test_a_store_and_a_backup_that_root_makes_belong_to_the_owner_of_the_folder(
    tmp_path: Path, command: Command
) -> None:
    folder = tmp_path / "service"
    folder.mkdir(mode=0o700)
    os.chown(folder, SERVICE, SERVICE)
    path = folder / "hooks.db"
    with connect(str(path)) as store:
        store.queue("mail").enqueue(b"x")
        store.backup(folder / "backup.db")
        owners = {name.name: name.lstat().st_uid for name in folder.iterdir()}

    assert {"hooks.db", "hooks.db-wal", "hooks.db-gate", "backup.db"} <= owners.keys()
    assert set(owners.values()) == {SERVICE}, owners
    assert command("doctor", "--store", str(path)).code == 0


# OPS-12
def test_a_store_that_root_makes_in_a_folder_that_many_share_is_roots(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    os.chown(folder, SERVICE, SERVICE)
    folder.chmod(0o1777)
    connect(str(folder / "hooks.db")).close()

    assert {name.lstat().st_uid for name in folder.iterdir()} == {0}


# OPS-1
def test_a_sidecar_that_root_left_earlier_is_given_back(served: Path, command: Command) -> None:
    gate = served.with_name("hooks.db-gate")
    gate.touch(0o600)
    assert gate.stat().st_uid == 0

    assert command("status").code == 0

    assert gate.stat().st_uid == SERVICE


# OPS-2
def test_doctor_as_root_has_no_complaint_of_the_services_own_files(
    served: Path, command: Command
) -> None:
    shown = command("doctor", "--json")

    (found,) = (step for step in shown.json()["steps"] if step["name"] == "permissions")
    assert shown.code == 0
    assert found["ok"]
    assert "running as root" in found["detail"]


# OPS-2
def test_doctor_as_root_names_a_file_of_a_third_account(served: Path, command: Command) -> None:
    served.with_name("hooks.db-ballast").touch(0o600)
    os.chown(served.with_name("hooks.db-ballast"), 1234, 1234)

    shown = command("doctor", "--json")

    (found,) = (step for step in shown.json()["steps"] if step["name"] == "permissions")
    assert not found["ok"]
    assert "hooks.db-ballast" in found["detail"]
