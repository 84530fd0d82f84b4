"""Statements on leases and claims of keys are answered from an index, however many there are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fencepost import Store, connect
from fencepost.store.sqlite.leases import named_leases, once

from ..clock import FakeClock
from .inside import connection, steps_of

ROWS = 300

HOT = {
    "lease: find": (named_leases._FIND, "PRIMARY KEY"),
    "lease: enter again": (named_leases._ENTER_AGAIN, "PRIMARY KEY"),
    "lease: renew": (named_leases._RENEW, "PRIMARY KEY"),
    "lease: require": (named_leases._REQUIRE, "PRIMARY KEY"),
    "lease: release": (named_leases._RELEASE, "PRIMARY KEY"),
    "lease: look": (named_leases._LOOK, "PRIMARY KEY"),
    "lease: free": (named_leases._FREE, "PRIMARY KEY"),
    "lease: get": (named_leases._GET, "PRIMARY KEY"),
    "lease: sweep": (named_leases._SWEEP, "fp_lease_expiry"),
    "once: find": (once._FIND, "fp_once_key"),
    "once: renew": (once._RENEW, "fp_once_key"),
    "once: complete": (once._COMPLETE, "fp_once_key"),
    "once: release": (once._RELEASE, "fp_once_key"),
    "once: look": (once._LOOK, "fp_once_key"),
    "once: sweep": (once._SWEEP, "fp_once_expiry"),
}

PARAMETERS = {
    **dict.fromkeys(("now", "until", "before", "fence", "limit"), 1),
    **dict.fromkeys(("name", "token", "was", "namespace", "key", "result"), "x"),
}


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store with many leases and keys in every state."""
    path: Path = tmp_path_factory.mktemp("plans") / "store.db"
    clock = FakeClock()
    with connect(path, clock=clock, durability="normal") as store:
        for n in range(ROWS):
            lease = store.leases.acquire(f"name {n}", ttl=1 + n % 9)
            found = store.once("n", f"key {n}", lease=1 + n % 7)
            if n % 3 == 0:
                lease.release()
                found.release()
            if n % 3 == 1:
                found.complete(n)
        clock.advance(5)
        yield store


@pytest.mark.parametrize("name", HOT)
@pytest.mark.parametrize("analyzed", [False, True])
def test_a_statement_uses_its_index(full: Store, name: str, analyzed: bool) -> None:
    sql, index = HOT[name]
    if analyzed:
        connection(full).execute("analyze")

    plan = steps_of(full, sql, PARAMETERS)

    assert any(index in step for step in plan), plan
    for step in plan:
        assert "TEMP B-TREE" not in step, plan
        assert not step.startswith("SCAN"), plan


def test_the_list_is_read_in_its_order(full: Store) -> None:
    assert not any("TEMP B-TREE" in step for step in steps_of(full, named_leases._LIST, PARAMETERS))
