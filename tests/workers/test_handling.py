"""What becomes of a message by what its handler does."""

from __future__ import annotations

import re
from functools import partial

import pytest

from ..processes import running, wait_until
from .conftest import Site


def _drain(site: Site, *options: str) -> None:
    with running(site.work("--drain", *options), cwd=site.folder) as pool:
        assert pool.wait(timeout=90) == 0, (site.folder / "stderr").read_text()


def test_every_message_is_handled_once(site: Site) -> None:
    queue = site.store.queue("quick")
    queue.enqueue_many([{"body": b"%d" % n, "key": f"k{n}"} for n in range(200)])

    _drain(site)

    assert sorted(key for key, _, _ in site.effects()) == sorted(f"k{n}" for n in range(200))
    assert {attempt for _, attempt, _ in site.effects()} == {1}
    assert queue.stats().done == 200


def test_what_a_handler_returns_is_the_result_of_its_duplicates(site: Site) -> None:
    queue = site.store.queue("external")
    queue.enqueue(b"", key="k")

    _drain(site)

    assert queue.enqueue(b"", key="k").result == {"attempt": 1}


def test_an_async_handler_returns_a_result_too(site: Site) -> None:
    queue = site.store.queue("async-returning")
    queue.enqueue_many([{"body": b"", "key": f"k{n}"} for n in range(50)])

    _drain(site, "--workers", "1")

    assert queue.enqueue(b"", key="k49").result == {"attempt": 1}
    assert queue.stats().done == 50


@pytest.mark.parametrize("queue", ["slow", "async-slow"])
def test_a_handler_over_its_soft_timeout_is_tried_again(site: Site, queue: str) -> None:
    site.store.queue(queue).enqueue(b"", key="k")

    _drain(site, "--workers", "1")

    assert [(key, attempt) for key, attempt, _ in site.effects()] == [("k", 2)]
    assert "SoftTimeout: over its soft timeout of 0.3 s" in (site.folder / "stderr").read_text()


# WAKE-3, EFFECT-21
def test_an_idempotency_key_is_of_one_delivery(site: Site) -> None:
    queue = site.store.queue("external")
    queue.enqueue(b"", key="k1")
    queue.enqueue(b"", key="k2")

    _drain(site)

    lines = [line.split() for line in (site.folder / "external").read_text().splitlines()]
    keys = {key: idempotency for key, idempotency, _ in lines}
    assert keys["k1"] != keys["k2"]
    assert all(re.fullmatch("[0-9a-f]{64}", key) for key in keys.values())


# RECOV-1
@pytest.mark.parametrize(
    ("queue", "attempts", "error"),
    [
        ("failing", 2, r"RuntimeError: boom 2 \(app\.py:\d+ in failing\)"),
        ("discarding", 1, "not for us"),
        ("unstorable", 1, r"ValueError: half \\ud83d of a character"),
        ("unstorable-discard", 1, r"half \\ud83d of a character"),
        ("real-time", 1, r"worker process \d+ was killed by signal 40"),
        ("coroutine", 1, r"TypeError: coroutine did not run: it returned a coroutine"),
        ("leaving", 1, r"SystemExit: 3 \(app\.py:\d+ in leaving\)"),
        ("suicidal", 2, r"worker process \d+ was killed by SIGSEGV"),
        ("once", 1, r"worker process \d+ was killed by SIGKILL"),
        ("once-failing", 1, "not this time"),
        ("hopeless", 1, r"ZeroDivisionError: division by zero \(app\.py:\d+ in hopeless\)"),
        ("endless", 2, r"killed by SIGKILL: its handler was over its timeout"),
        ("async-failing", 1, r"RuntimeError: boom \(app\.py:\d+ in async_failing\)"),
        ("async-leaving", 1, r"SystemExit: 3"),
        ("async-holding", 1, r"InvalidInput: await within a transaction"),
        ("async-nesting", 1, r"InvalidInput: await within a transaction"),
        ("async-endless", 2, r"worker process \d+ was killed by SIGKILL"),
    ],
)
def test_a_message_that_cannot_be_handled_is_a_dead_letter_that_says_why(
    site: Site, queue: str, attempts: int, error: str
) -> None:
    site.store.queue(queue).enqueue(b"", key="k")
    site.store.queue("quick").enqueue_many([{"body": b"", "key": f"{n}"} for n in range(20)])

    _drain(site)

    (dead,) = site.store.deliveries(state="dead")
    assert (dead.queue, dead.attempt) == (queue, attempts)
    assert dead.error is not None
    assert re.search(error, dead.error), dead.error
    assert len(site.effects()) == 20


def test_what_may_happen_at_most_once_happens_once_though_its_worker_dies(site: Site) -> None:
    site.store.queue("once").enqueue(b"", key="k")

    _drain(site)

    assert (site.folder / "once").read_text() == "!"


# EFFECT-12
def test_a_handler_may_ask_for_another_attempt(site: Site) -> None:
    site.store.queue("again").enqueue(b"", key="k")

    _drain(site)

    assert [(key, attempt) for key, attempt, _ in site.effects()] == [("k", 3)]


def test_a_child_that_a_handler_forks_does_not_go_on_as_the_worker(site: Site) -> None:
    site.store.queue("forking").enqueue(b"", key="k")

    _drain(site)

    assert [(key, attempt) for key, attempt, _ in site.effects()] == [("k", 1)]


def test_an_error_after_the_transaction_does_not_repeat_it(site: Site) -> None:
    queue = site.store.queue("late-error")
    queue.enqueue(b"", key="k")

    _drain(site)

    assert len(site.effects()) == 1
    assert queue.stats().done == 1


# OUTBOX-9
def test_a_pool_works_on_the_queues_that_it_is_given(site: Site) -> None:
    site.store.queue("quick").enqueue(b"", key="k")
    site.store.queue("external").enqueue(b"", key="k")

    _drain(site, "--queue", "quick")

    assert site.store.queue("quick").stats().done == 1
    assert site.store.queue("external").stats().ready == 1


def test_a_pool_wakes_for_a_message(site: Site) -> None:
    with running(site.work("--workers", "2"), cwd=site.folder) as pool:
        assert pool.stdout is not None
        pool.stdout.readline()

        for n in range(20):
            site.store.queue("quick").enqueue(b"", key=f"k{n}")
            wait_until(partial(_handled, site, n + 1), "the message to be handled")


def _handled(site: Site, count: int) -> bool:
    return len(site.effects()) == count
