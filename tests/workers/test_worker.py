"""A worker and its supervisor's line, in one process."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from multiprocess import Pipe
from multiprocess.connection import Connection

from fencepost import App, Context, LeaseLost, Message, OutcomeUnknown, Store, StoreFull, connect
from fencepost.app.handlers.hooks import Hooks
from fencepost.linux.memory import resident_bytes
from fencepost.workers.process.shared_page import SharedPage
from fencepost.workers.worker.in_progress import InProgress
from fencepost.workers.worker.recycle import Age, Recycle
from fencepost.workers.worker.router import Router
from fencepost.workers.worker.worker import Worker

from ..processes import PATIENCE_SECONDS, wait_until

Run = Callable[..., None]
NEVER = Recycle()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store on the machine's clock."""
    with connect(tmp_path / "store.db") as opened:
        yield opened


@pytest.fixture
def page() -> SharedPage:
    """What the worker shares with its supervisor."""
    return SharedPage()


@pytest.fixture
def run(store: Store, page: SharedPage) -> Iterator[Run]:
    """Runs a worker until `supervise`, which has the other end of the line, returns."""
    numbers = (signal.SIGUSR2, signal.SIGURG)
    before = {number: signal.getsignal(number) for number in numbers}
    hook = sys.unraisablehook
    app = App(store.engine.identity.address)

    @app.task("mail")
    def mail(message: Message, ctx: Context) -> None:
        if message.key == "late" and not believed_lost:
            believed_lost.append(True)
            ctx._lease.refused = True
            raise LeaseLost(
                "this one", cause="expired", operation="renew", path=store.engine.identity.address
            )

    believed_lost: list[bool] = []

    def run(supervise: Callable[[Connection[Any, Any]], None], recycle: Recycle = NEVER) -> None:
        line, far_end = Pipe()
        signals, other = os.pipe()
        os.set_blocking(signals, False)

        def supervisor() -> None:
            try:
                supervise(far_end)
            finally:
                far_end.close()

        thread = threading.Thread(target=supervisor)
        pool = store.engine.pools.begin(None, 1)
        id = store.engine.pools.register(pool)
        worker = Worker(
            store,
            app.handlers,
            id=id,
            lease=30.0,
            in_progress=InProgress(store.engine, page),
            line=line,
            signals=signals,
            recycle=recycle,
            hooks=Hooks(),
            router=Router(store, app),
        )
        thread.start()
        worker.run()
        thread.join()
        assert (found := page.work) is not None
        assert (found.claims, found.state) == (0, "stopping")
        for fd in (signals, other):
            os.close(fd)

    yield run
    for number, handler in before.items():
        signal.signal(number, handler)
    sys.unraisablehook = hook


def _enqueue(store: Store, *keys: str) -> None:
    store.queue("mail").enqueue_many([{"body": b"", "key": key} for key in keys])


def _done(store: Store, count: int) -> Callable[[], bool]:
    return lambda: store.queue("mail").stats().done == count


def test_a_worker_ends_when_its_supervisor_is_gone(run: Run, store: Store) -> None:
    _enqueue(store, "a")

    run(lambda line: wait_until(_done(store, 1), "the message"))

    assert store.queue("mail").stats().done == 1


def test_a_worker_that_has_done_enough_asks_for_a_successor_and_goes_on(
    run: Run, store: Store
) -> None:
    said = []
    _enqueue(store, *"abcd")

    def supervise(line: Connection[Any, Any]) -> None:
        assert line.poll(PATIENCE_SECONDS)
        said.append(line.recv_bytes())
        _enqueue(store, "e")
        wait_until(_done(store, 5), "the last one")
        assert not line.poll(0)

    run(supervise, Recycle(max_handled=2))

    assert said == [b"recycle it has handled 2 deliveries"]


def test_a_quiet_worker_claims_no_more_until_it_is_told_to(
    run: Run, store: Store, page: SharedPage
) -> None:
    def supervise(line: Connection[Any, Any]) -> None:
        line.send_bytes(b"quiet")
        wait_until(lambda: (work := page.work) and work.state == "quiet", "it is quiet")
        _enqueue(store, "a")
        assert store.queue("mail").stats().ready == 1
        line.send_bytes(b"resume")
        wait_until(_done(store, 1), "the message")

    run(supervise)


def test_a_worker_stays_while_the_store_fails_and_tells_of_it_once(
    run: Run, store: Store, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    claim, failures = store.engine.queue.claim, 0

    def full(*arguments: Any, **options: Any) -> Any:
        nonlocal failures
        failures += 1
        if failures <= 4:
            raise StoreFull("no room", operation="claim", path=store.engine.identity.address)
        return claim(*arguments, **options)

    monkeypatch.setattr(store.engine.queue, "claim", full)
    _enqueue(store, "a")

    run(lambda line: wait_until(_done(store, 1), "the message"))

    out, err = capfd.readouterr()
    assert (out + err).count("the store cannot be used") == 1
    assert (out + err).count("the store can be used again") == 1


def test_acks_whose_outcome_is_unknown_are_told_again(
    run: Run, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = store.engine.queue.claim
    unknown: list[object] = []

    def torn(*arguments: Any, **options: Any) -> Any:
        if options["acks"] and not unknown:
            unknown.append(claim(*arguments, **options))  # it is done, and nobody hears
            raise OutcomeUnknown(
                "COMMIT failed", operation="claim", path=store.engine.identity.address
            )
        return claim(*arguments, **options)

    monkeypatch.setattr(store.engine.queue, "claim", torn)
    _enqueue(store, "a", "b")

    run(lambda line: wait_until(_done(store, 2), "both"))

    assert unknown
    assert [each.attempt for each in store.deliveries()] == [1, 1]


def test_a_process_may_reach_an_age_a_count_and_a_size() -> None:
    assert Age(NEVER).why(10**9) is None
    assert Age(Recycle(max_handled=100)).why(89) is None
    assert Age(Recycle(max_handled=100)).why(100) == "it has handled 100 deliveries"
    assert Age(Recycle(max_age=3600)).why(0) is None
    assert Age(Recycle(max_age=0)).why(0) == "it is 0 s old"
    resident = resident_bytes(os.getpid())
    assert resident is not None
    assert Age(Recycle(max_memory=resident * 2)).why(0) is None

    # A worker that begins too big has room for something before it is replaced.
    begun_too_big = Age(Recycle(max_memory=resident // 2))
    more = b"x" * resident
    assert "MiB of memory" in (begun_too_big.why(0) or "")
    del more
    assert Age(Recycle(max_memory=resident // 2)).why(0) is None


def test_what_is_claimed_while_it_is_told_to_stop_is_not_begun(
    run: Run, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim, run_worker = store.engine.queue.claim, Worker.run
    workers: list[Worker] = []

    def late(*arguments: Any, **options: Any) -> Any:
        found = claim(*arguments, **options)
        if found[0]:
            workers[0].stop()
        return found

    def remembered(self: Worker) -> None:
        workers.append(self)
        run_worker(self)

    monkeypatch.setattr(Worker, "run", remembered)
    monkeypatch.setattr(store.engine.queue, "claim", late)
    _enqueue(store, "a")

    run(lambda line: wait_until(lambda: line.poll() and line.recv_bytes() == b"ended", "its end"))

    (found,) = store.deliveries()
    assert (found.state, found.attempt) == ("ready", 0)


def test_what_was_believed_lost_is_given_back(run: Run, store: Store) -> None:
    _enqueue(store, "late")

    run(lambda line: wait_until(_done(store, 1), "it is handled after all"))

    (found,) = store.deliveries()
    assert found.attempt == 1
