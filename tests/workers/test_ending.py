"""Workers that are told things while they have something in work."""

from __future__ import annotations

import signal

import pytest

from ..processes import line_of, running, wait_until, workers_of
from .conftest import Site


def test_as_many_async_handlers_as_allowed_are_in_work_at_once(site: Site) -> None:
    queue = site.store.queue("async")
    queue.enqueue_many([{"body": b"", "key": f"k{n}"} for n in range(7)])

    with running(site.work("--workers", "1", "--lease", "0.9"), cwd=site.folder) as pool:
        wait_until(lambda: all(site.begun(f"k{n}", 1) for n in range(5)), "five to begin")
        # A plain handler does not wait for them, nor are leases lost meanwhile.
        site.store.queue("quick").enqueue(b"", key="plain")
        wait_until(lambda: len(site.effects()) == 1, "the plain one")
        wait_until(lambda: queue.stats().leased == 5, "five leases")
        assert not site.begun("k5", 1)
        (site.folder / "go").touch()
        wait_until(lambda: queue.stats().done == 7, "the end of all")
        pool.send_signal(signal.SIGTERM)
        assert pool.wait(timeout=60) == 0

    assert sorted(key for key, _, _ in site.effects()) == [*(f"k{n}" for n in range(7)), "plain"]
    assert {attempt for _, attempt, _ in site.effects()} == {1}


@pytest.mark.parametrize("queue", ["gated", "async"])
def test_leases_are_renewed_until_the_last_handler_has_ended(site: Site, queue: str) -> None:
    site.store.queue(queue).enqueue(b"", key="k")

    def expiry() -> float:
        delivery = site.store.delivery(1)
        assert delivery is not None
        return delivery.expires_at or 0.0

    with running(site.work("--workers", "1", "--lease", "0.9"), cwd=site.folder) as pool:
        wait_until(lambda: site.begun("k", 1), "the handler to begin")
        pool.send_signal(signal.SIGTERM)
        first = expiry()
        wait_until(lambda: expiry() > first + 1.5, "the lease to be renewed over and over")
        (site.folder / "go").touch()
        assert pool.wait(timeout=60) == 0

    assert [(key, attempt) for key, attempt, _ in site.effects()] == [("k", 1)]


@pytest.mark.parametrize(
    ("queue", "state", "attempt"),
    [
        ("gated", "ready", 0),
        ("async", "ready", 0),
        ("gated-once", "dead", 1),
        ("async-once", "dead", 1),
    ],
)
def test_what_is_cancelled_is_given_back_unless_it_may_run_only_once(
    site: Site, queue: str, state: str, attempt: int
) -> None:
    site.store.queue(queue).enqueue(b"", key="k")

    with running(site.work("--workers", "1", "--grace", "0.1"), cwd=site.folder) as pool:
        wait_until(lambda: site.begun("k", 1), "the handler to begin")
        pool.send_signal(signal.SIGTERM)
        assert pool.wait(timeout=60) == 0

    delivery = site.store.delivery(1)
    assert delivery is not None
    assert (delivery.state, delivery.attempt) == (state, attempt)
    if state == "dead":
        assert "Cancelled: the worker was told to end" in (delivery.error or "")
    assert "handler interrupted" in (site.folder / "stderr").read_text()


def test_a_quiet_pool_finishes_what_is_begun_and_claims_no_more(site: Site) -> None:
    queues = [site.store.queue(name) for name in ("quick", "async")]

    with running(site.work("--workers", "1"), cwd=site.folder) as pool:
        line_of(pool)
        pool.send_signal(signal.SIGTSTP)
        wait_until(lambda: {w["state"] for w in workers_of(site.path)} == {"quiet"}, "it is quiet")
        for queue in queues:
            queue.enqueue(b"", key="k")
        (site.folder / "go").touch()
        # Each would have been claimed within a moment of the bell.
        assert [queue.stats().ready for queue in queues] == [1, 1]
        pool.send_signal(signal.SIGCONT)
        wait_until(lambda: [queue.stats().done for queue in queues] == [1, 1], "both to be done")
