"""fencepost sweep and fencepost backup."""

from __future__ import annotations

from pathlib import Path

import pytest

from fencepost import connect

from ..sqlite.inside import ask, session
from .command import Command


@pytest.fixture
def filled(path: Path) -> Path:
    """A store with a message that is kept and three whose retention has ended."""
    with connect(path) as store:
        for key in ("kept", "a", "b", "c"):
            store.queue("mail").enqueue(b"", key=key)
        store.queue("mail").ack_many(store.queue("mail").claim(limit=10))
        with session(store).write("test") as write:
            write.run("update fp_message set expires_at_ms = 1 where key <> 'kept'")
    return path


# GRANT-5
@pytest.mark.usefixtures("filled")
def test_a_sweep_says_what_it_removed_by_kind(command: Command) -> None:
    first, second = command("sweep", "--json"), command("sweep")

    assert (first.code, first.json()["removed"]["messages"]) == (0, 6)
    assert second.code == 0
    assert "messages" in second.out


def test_a_backup_can_be_opened(filled: Path, command: Command) -> None:
    dest = filled.with_name("copy.db")

    made = command("backup", str(dest))

    assert (made.code, made.err) == (0, "")
    assert str(dest) in made.out
    assert len(ask(dest, "select key from fp_message")) == 4


@pytest.mark.parametrize("dest", ["hooks.db", "missing/copy.db", "", "."])
def test_a_backup_that_cannot_be_is_one_line_and_exit_2(
    filled: Path, command: Command, monkeypatch: pytest.MonkeyPatch, dest: str
) -> None:
    monkeypatch.chdir(filled.parent)
    before = sorted(path.name for path in filled.parent.iterdir())

    assert command("backup", dest).complains(2)

    assert sorted(path.name for path in filled.parent.iterdir()) == before
