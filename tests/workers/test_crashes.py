"""kill -9 of whatever, whenever: nothing is lost, no committed effect happens twice."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter

from ..processes import is_gone, line_of, running, stop_outside_transactions, wait_until, workers_of
from .conftest import Site

MESSAGES = 400


def _enqueue(site: Site) -> set[str]:
    keys = {f"k{n}" for n in range(MESSAGES)}
    site.store.queue("quick").enqueue_many([{"body": b"", "key": key} for key in sorted(keys)])
    return keys


# COMMIT-8, OUTBOX-10
def test_workers_killed_at_random_are_replaced_and_nothing_is_done_twice(site: Site) -> None:
    dice = random.Random(1)
    keys = _enqueue(site)
    killed = 0

    with running(site.work("--workers", "3"), cwd=site.folder) as pool:
        line_of(pool)
        deadline = time.monotonic() + 90
        while len(site.effects()) < MESSAGES or killed < 5:
            assert time.monotonic() < deadline
            assert pool.poll() is None
            if workers := workers_of(site.path):
                os.kill(dice.choice(workers)["pid"], signal.SIGKILL)
                killed += 1
        wait_until(lambda: len(workers_of(site.path)) == 3, "the pool to be whole again")
        pool.send_signal(signal.SIGTERM)
        assert pool.wait(timeout=60) == 0

    handled = Counter(key for key, _, _ in site.effects())
    assert set(handled) == keys
    assert set(handled.values()) == {1}
    assert site.store.workers() == []


def test_only_the_dead_worker_is_replaced(site: Site) -> None:
    with running(site.work("--workers", "3"), cwd=site.folder) as pool:
        line_of(pool)
        before = {worker["pid"] for worker in workers_of(site.path)}
        victim = min(before)

        os.kill(victim, signal.SIGKILL)
        wait_until(
            lambda: len({worker["pid"] for worker in workers_of(site.path)} - {victim}) == 3,
            "another worker",
        )

        after = {worker["pid"] for worker in workers_of(site.path)}
        assert before - {victim} < after


# LEASE-13
def test_a_killed_workers_message_runs_again_long_before_its_lease_ends(site: Site) -> None:
    site.store.queue("gated").enqueue(b"", key="k")

    with running(site.work("--workers", "2", "--lease", "3600"), cwd=site.folder):
        pid = wait_until(lambda: site.begun("k", 1), "the first attempt")
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: site.begun("k", 2), "the second attempt")
        (site.folder / "go").touch()
        wait_until(lambda: site.state(1) == "done", "the end")

    assert [(key, attempt) for key, attempt, _ in site.effects()] == [("k", 2)]


def test_workers_die_with_their_supervisor_and_a_new_pool_goes_on_at_once(site: Site) -> None:
    site.store.queue("gated").enqueue(b"", key="k")
    keys = _enqueue(site)

    with running(site.work("--workers", "2", "--lease", "3600"), cwd=site.folder) as pool:
        first = wait_until(lambda: site.begun("k", 1), "the first attempt")
        pids = [worker["pid"] for worker in workers_of(site.path)]
        pool.kill()
        wait_until(lambda: all(is_gone(pid) for pid in pids), "the workers to die")
        assert first in pids

    (site.folder / "go").touch()
    with running(site.work("--drain"), cwd=site.folder) as pool:
        assert pool.wait(timeout=90) == 0

    handled = Counter(key for key, _, _ in site.effects())
    assert handled == Counter(keys | {"k"})


# COMMIT-7, DRAIN-2
def test_a_stopped_worker_that_wakes_after_its_lease_changes_nothing(site: Site) -> None:
    queue = site.store.queue("gated")
    queue.enqueue(b"", key="k")

    with running(site.work("--workers", "2", "--lease", "2"), cwd=site.folder):
        stopped = wait_until(lambda: site.begun("k", 1), "the first attempt")
        stop_outside_transactions(stopped, site.path)
        other = wait_until(lambda: site.begun("k", 2), "another worker to take over")
        (site.folder / "go").touch()
        wait_until(lambda: site.state(1) == "done", "the other to finish")
        done = site.store.delivery(1)

        os.kill(stopped, signal.SIGCONT)
        lost = site.folder / "lost-k-1"
        wait_until(lost.exists, "the stopped worker to be refused")

        wait_until(lambda: lost.read_text() == "True", "ctx.lost")
        assert other != stopped
        assert site.effects() == [("k", 2, other)]
        assert site.store.delivery(1) == done


# INGRESS-15
def test_a_lease_is_renewed_for_as_long_as_the_handler_works(site: Site) -> None:
    site.store.queue("gated").enqueue(b"", key="k")

    def expiry() -> float:
        delivery = site.store.delivery(1)
        assert delivery is not None
        return delivery.expires_at or 0.0

    with running(site.work("--workers", "2", "--lease", "0.9"), cwd=site.folder) as pool:
        wait_until(lambda: site.begun("k", 1), "the first attempt")
        first = expiry()
        wait_until(lambda: expiry() > first + 3, "the lease to be renewed over and over")
        (site.folder / "go").touch()
        wait_until(lambda: site.state(1) == "done", "the end")
        pool.send_signal(signal.SIGTERM)
        assert pool.wait(timeout=60) == 0

    assert [(key, attempt) for key, attempt, _ in site.effects()] == [("k", 1)]


# DRAIN-4
def test_sigterm_finishes_what_is_begun_and_begins_nothing_more(site: Site) -> None:
    queue = site.store.queue("gated")
    queue.enqueue(b"", key="k1")

    with running(site.work("--workers", "1"), cwd=site.folder) as pool:
        wait_until(lambda: site.begun("k1", 1), "the handler to begin")
        queue.enqueue(b"", key="k2")
        pool.send_signal(signal.SIGTERM)
        (worker,) = workers_of(site.path)
        (site.folder / "go").touch()
        assert pool.wait(timeout=60) == 0
        assert is_gone(worker["pid"])

    assert [(key, attempt) for key, attempt, _ in site.effects()] == [("k1", 1)]
    assert queue.stats().ready == 1


# DRAIN-4
def test_a_second_sigterm_ends_a_handler_that_will_not_end(site: Site) -> None:
    queue = site.store.queue("gated")
    queue.enqueue(b"", key="k")

    with running(site.work("--workers", "1", "--lease", "3600"), cwd=site.folder) as pool:
        pid = wait_until(lambda: site.begun("k", 1), "the handler to begin")
        pool.send_signal(signal.SIGTERM)
        wait_until(lambda: "stopping" in (site.folder / "stderr").read_text(), "the first to tell")
        pool.send_signal(signal.SIGTERM)
        assert pool.wait(timeout=60) == 0
        assert is_gone(pid)

    assert queue.stats().ready == 1
    assert site.store.workers() == []


def test_a_process_that_a_handler_left_behind_does_not_hide_the_workers_death(site: Site) -> None:
    left = site.folder / "left"
    queue = site.store.queue("leaving-behind")
    queue.enqueue(b"", key="k1")

    with running(site.work("--workers", "1"), cwd=site.folder) as pool:
        try:
            wait_until(lambda: queue.stats().done == 1, "the first to be handled")
            (worker,) = workers_of(site.path)
            os.kill(worker["pid"], signal.SIGKILL)
            site.store.queue("quick").enqueue(b"", key="k2")
            wait_until(lambda: len(site.effects()) == 2, "another worker")
            pool.send_signal(signal.SIGTERM)
            assert pool.wait(timeout=60) == 0
            assert not is_gone(int(left.read_text()))
        finally:
            (site.folder / "go").touch()


# TXN-4
def test_a_pool_whose_store_stays_locked_waits_for_it(site: Site) -> None:
    app = site.folder / "app.py"
    app.write_text(app.read_text().replace('"store.db"))', '"store.db"), busy_timeout=0.01)'))
    site.store.queue("gated").enqueue(b"", key="k")
    told = site.folder / "stderr"

    with running(site.work("--drain", "--workers", "1"), cwd=site.folder) as pool:
        pid = wait_until(lambda: site.begun("k", 1), "the first attempt")
        with site.store.transaction():
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda: "cannot be used" in told.read_text(), "the next to be kept out")
            assert pool.poll() is None
        (site.folder / "go").touch()
        assert pool.wait(timeout=90) == 0

    assert [(key, attempt) for key, attempt, _ in site.effects()] == [("k", 2)]


# DRAIN-3
def test_an_ending_that_cannot_be_written_is_tried_until_it_is(site: Site) -> None:
    app = site.folder / "app.py"
    app.write_text(app.read_text().replace('"store.db"))', '"store.db"), busy_timeout=0.01)'))
    site.store.queue("gated").enqueue(b"", key="k")
    told = site.folder / "stderr"

    with running(site.work("--drain", "--workers", "1"), cwd=site.folder) as pool:
        wait_until(lambda: site.begun("k", 1), "the first attempt")
        with site.store.transaction():
            (site.folder / "go").touch()  # its transaction is refused, and so is its retry
            wait_until(lambda: '"operation": "retry"' in told.read_text(), "the first try")
        assert pool.wait(timeout=90) == 0

    assert [(key, attempt) for key, attempt, _ in site.effects()] == [("k", 2)]


def test_a_pool_goes_on_when_nobody_reads_its_log(site: Site) -> None:
    site.store.queue("failing").enqueue(b"", key="k")
    code = (
        "import os, sys\n"
        "reading, writing = os.pipe()\n"
        "os.close(reading)\n"
        "os.dup2(writing, 2)\n"
        "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])\n"
    )

    with running(["-c", code, *site.work("--drain")], cwd=site.folder) as pool:
        assert pool.wait(timeout=90) == 0

    assert site.store.queue("failing").stats().dead == 1
