"""What the tests of the contract start from: the same store on each engine.

A test that only some engines can pass says which, and why:

@pytest.mark.sqlite("why")    it is about what SQLite alone has or does
@pytest.mark.sql              callers have tables of their own
@pytest.mark.processes        other processes open the store too
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fencepost import Store

from ..clock import FakeClock
from ..kits import KITS, Effects, Kit


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Have a test run on each engine that has what it needs."""
    if "kit" not in metafunc.fixturenames:
        return
    marks = {mark.name for mark in metafunc.definition.iter_markers()}
    engines = [
        name
        for name, kit in KITS.items()
        if (name == "sqlite" or "sqlite" not in marks)
        and (kit.has_sql or "sql" not in marks)
        and (kit.has_processes or "processes" not in marks)
    ]
    metafunc.parametrize("kit", engines, indirect=True)


@pytest.fixture
def kit(request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock) -> Kit:
    """An engine, and a store on it that is not there yet."""
    return KITS[request.param](tmp_path, clock)


@pytest.fixture
def store(kit: Kit) -> Iterator[Store]:
    """An empty store on the fake clock; what must always be true of it is tried at the end."""
    with kit.open() as opened:
        yield opened
    kit.check()


@pytest.fixture
def effects(kit: Kit, store: Store) -> Effects:
    """What the test writes in transactions."""
    return Effects(store, has_sql=kit.has_sql)
