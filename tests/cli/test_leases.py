"""Looking at named leases, and ending one by hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fencepost import LeaseLost, Store, connect

from ..clock import FakeClock
from .command import Command
from .shown import HOSTILE, ISO


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    """An open store, beside the commands that look at it."""
    with connect(str(path)) as opened:
        yield opened


def test_leases_are_listed_by_name(store: Store, command: Command) -> None:
    lease = store.leases.acquire("deploy", ttl=600, owner="me")
    store.leases.acquire("a report", ttl=600)
    store.leases.acquire("gone").release()

    shown = command("leases", "list", "--json")
    table = command("leases", "list")

    assert [row["name"] for row in shown.json()] == ["a report", "deploy"]
    row = shown.json()[1]
    assert set(row) == {"name", "owner", "fence", "acquired_at", "expires_at", "live"}
    assert (row["owner"], row["fence"], row["live"]) == ("me", lease.fence, True)
    assert ISO.fullmatch(row["acquired_at"])
    assert ISO.fullmatch(row["expires_at"])
    assert lease.token not in shown.out
    assert table.out.split()[:2] == ["name", "live"]
    assert len(table.out.splitlines()) == 3
    assert len(command("leases", "list", "--json", "--limit", "1").json()) == 1


def test_without_a_lease_the_list_is_empty(store: Store, command: Command) -> None:
    assert command("leases", "list", "--json").json() == []
    assert command("leases", "list").code == 0


def test_an_expired_lease_is_shown_as_such(path: Path, command: Command) -> None:
    rebooted = FakeClock(boot_name="before the reboot")
    with connect(str(path), clock=rebooted) as store:
        store.leases.acquire("deploy", ttl=600)

    (row,) = command("leases", "list", "--json").json()

    assert row["live"] is False


def test_releasing_a_lease_fences_its_holder(store: Store, command: Command) -> None:
    lease = store.leases.acquire("deploy", ttl=600)

    ended = command("leases", "release", "deploy")

    assert (ended.code, ended.out, ended.err) == (0, "released deploy\n", "")
    with pytest.raises(LeaseLost):
        lease.renew()
    assert store.leases.try_acquire("deploy") is not None


def test_what_nobody_holds_cannot_be_released(store: Store, command: Command) -> None:
    store.leases.acquire("gone").release()

    for name in ("gone", "never"):
        ended = command("leases", "release", name)
        assert ended.complains(1)
        assert name in ended.err


def test_names_and_owners_cannot_command_the_terminal(store: Store, command: Command) -> None:
    name = "".join(character for character in HOSTILE if ord(character) not in (*range(32), 127))
    store.leases.acquire(name, owner=name)

    for out in (command("leases", "list").out, command("leases", "release", name).out):
        assert "\u202e" not in out
        assert "\x9b" not in out
