"""What remembering costs: statements and commits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fencepost import Claim, Context, Store, Suspended, WaitTimeout, connect
from fencepost.testing.kept_lease import kept

from ..sqlite.inside import traced


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with connect(tmp_path / "hooks.db") as store:
        store.queue("work").enqueue(b"{}", key="k")
        yield store


def _context(store: Store, claim: Claim) -> Context:
    return Context(claim, store, kept(store.engine))


def _ten_steps(ctx: Context) -> list[Any]:
    return [ctx.step(f"s{n}", lambda n=n: n) for n in range(10)]


def _commits(statements: list[str]) -> int:
    return statements.count("commit")


# COST-8
def test_a_recorded_step_is_one_commit_and_a_replayed_one_is_nothing(store: Store) -> None:
    queue = store.queue("work")
    (claim,) = queue.claim()

    with traced(store) as recording:
        assert _ten_steps(_context(store, claim)) == list(range(10))
    assert (_commits(recording), len(recording)) == (10, 30)

    claim.release()
    (claim,) = queue.claim()
    ctx = _context(store, claim)
    with traced(store) as replaying:
        assert _ten_steps(ctx) == list(range(10))
    assert (_commits(replaying), len(replaying)) == (0, 1)  # all records by one read


# COST-8
def test_a_handler_that_remembers_nothing_costs_nothing(store: Store) -> None:
    queue = store.queue("work")
    queue.enqueue(b"{}", key="other")

    with traced(store) as plain:
        (claim,) = queue.claim()
        claim.ack()
    with traced(store) as with_context:
        (claim,) = queue.claim()
        _context(store, claim).close()
        claim.ack()

    assert with_context == plain
    assert not any("fp_step" in sql or "fp_wait" in sql for sql in plain)


# COST-8
def test_a_sleep_is_one_commit_and_waking_by_time_none(store: Store) -> None:
    (claim,) = store.queue("work").claim()
    ctx = _context(store, claim)

    with traced(store) as statements:
        with pytest.raises(BaseException, match="sleeps"):
            ctx.sleep("nap", 60)
        ctx.suspend()

    assert _commits(statements) == 1


# COST-8
def test_waits_that_have_timed_out_are_one_transaction_in_all(store: Store) -> None:
    def timed_out(ctx: Context, name: str) -> bool:
        try:
            ctx.wait(name, 0)
        except WaitTimeout:
            return True
        except Suspended:
            return False
        raise AssertionError("nobody has answered")

    names = [f"w{number}" for number in range(5)]
    for _ in names:
        (claim,) = store.queue("work").claim()
        ctx = _context(store, claim)
        assert [timed_out(ctx, name) for name in names].count(False) > 0
        ctx.suspend()
    (claim,) = store.queue("work").claim()
    ctx = _context(store, claim)

    with traced(store) as statements:
        assert [timed_out(ctx, name) for name in names] == [True] * 5

    begun = [each for each in statements if each.startswith("begin")]
    assert len(begun) == 1
    assert len([each for each in statements if "from fp_wait" in each]) == 5 + 1
