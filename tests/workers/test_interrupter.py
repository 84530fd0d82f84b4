"""Telling a handler that its lease is lost: once, by whoever knows it first."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from fencepost import App, Context, LeaseLost, Message, Store, connect
from fencepost.workers.process.shared_page import SharedPage
from fencepost.workers.worker.attempt import Attempt
from fencepost.workers.worker.claimer import Claimer
from fencepost.workers.worker.coroutines import Coroutines
from fencepost.workers.worker.in_progress import InProgress
from fencepost.workers.worker.interrupts.interrupter import Interrupter

from ..clock import FakeClock
from ..processes import wait_until

LEASE = 60.0


class Remembering(Claimer):
    """A claimer that knows what was begun."""

    begun: Sequence[Attempt] = ()

    def begin(self, *arguments: Any) -> Attempt:
        """Begin it, and know it."""
        attempt = super().begin(*arguments)
        assert attempt is not None
        self.begun = [*self.begun, attempt]
        return attempt


class Bench:
    """The parts of a worker in this process, on a store with a clock that stands still."""

    def __init__(self, path: Path) -> None:
        self.clock = FakeClock()
        self.app = App(str(path))
        self.path = path
        self.store: Store = connect(path, clock=self.clock)
        self.interrupter = Interrupter(self.store.engine, LEASE, lambda: None)
        self.claims: Remembering

    def claim(self) -> None:
        """Enqueue a message and be ready to claim it."""
        pools = self.store.engine.pools
        self.store.queue("mail").enqueue(b"")
        self.claims = Remembering(
            self.store,
            self.app.handlers,
            worker=pools.register(pools.begin(None, 1)),
            lease=LEASE,
            in_progress=InProgress(self.store.engine, SharedPage()),
            interrupter=self.interrupter,
            tidy=lambda *_: None,
        )

    def lose(self) -> None:
        """Have another claim what is in work, and the interrupter have said what it has to say.

        Nobody nudges the interrupter: only the store's clock has gone on, as in a suspended machine.
        """
        self.clock.advance(LEASE)
        with connect(self.path, clock=self.clock) as other:
            assert other.queue("mail").claim()
        wait_until(lambda: self.claims.begun[0].warned, "the interrupter to see it")
        self.interrupter.stop()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """Whose interrupter watches."""
    numbers = (signal.SIGUSR2, signal.SIGURG)
    before = {number: signal.getsignal(number) for number in numbers}
    hook = sys.unraisablehook
    made = Bench(tmp_path / "store.db")
    made.interrupter.start()
    yield made
    for number, handler in before.items():
        signal.signal(number, handler)
    sys.unraisablehook = hook
    made.store.close()


def _refused(ctx: Context) -> None:
    with pytest.raises(LeaseLost, match="superseded"), ctx.transaction():
        raise AssertionError


def test_a_handler_that_the_store_has_refused_is_not_interrupted_as_well(bench: Bench) -> None:
    told: list[bool] = []

    @bench.app.task("mail")
    def mail(message: Message, ctx: Context) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGURG})
        try:
            bench.lose()
            assert bench.interrupter.interrupts.pending
            assert signal.SIGURG in signal.sigpending()
            _refused(ctx)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGURG})
        told.append(ctx.lost)

    bench.claim()
    interrupts = bench.interrupter.interrupts
    work = interrupts.begin()
    (claim,) = bench.claims.next(["mail"])

    def interrupt(error: BaseException, wanted: Callable[[], bool]) -> None:
        interrupts.ask(work, error, wanted)

    attempt = bench.claims.begin(claim, interrupt)
    interrupts.call(mail, claim.message, attempt.context)

    assert told == [True]
    assert not interrupts.pending


def test_a_coroutine_that_the_store_has_refused_is_not_cancelled_as_well(bench: Bench) -> None:
    told = []

    @bench.app.task("mail")
    async def mail(message: Message, ctx: Context) -> None:
        bench.lose()
        _refused(ctx)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        told.append(ctx.lost)

    bench.claim()
    coroutines = Coroutines(bench.app.handlers, bench.claims, bench.store.engine)
    (claim,) = bench.claims.next(["mail"])
    coroutines.begin(claim)
    while not told and coroutines.in_work:
        coroutines.run(0)
        coroutines.settle()
    coroutines.close()

    assert told == [True]


def test_a_coroutine_that_cleans_up_is_not_cancelled_again(bench: Bench) -> None:
    told: list[str] = []

    @bench.app.task("mail")
    async def mail(message: Message, ctx: Context) -> None:
        try:
            coroutines.cancel()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            coroutines.cancel()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            told.append("cleaned up")
            raise

    bench.claim()
    coroutines = Coroutines(bench.app.handlers, bench.claims, bench.store.engine)
    (claim,) = bench.claims.next(["mail"])
    coroutines.begin(claim)
    while coroutines.in_work:
        coroutines.run(0)
        coroutines.settle()
    coroutines.close()
    bench.interrupter.stop()

    assert told == ["cleaned up"]


@pytest.mark.parametrize(("what", "path"), [("'roof'", "store.db"), ("delivery 1", "other.db")])
def test_a_lease_of_the_handlers_own_that_is_lost_in_its_transaction_is_a_failure_like_any(
    bench: Bench, what: str, path: str
) -> None:
    @bench.app.task("mail")
    def mail(message: Message, ctx: Context) -> None:
        with ctx.transaction():
            found = str(bench.path.with_name(path))
            raise LeaseLost(what, cause="expired", operation="renew", path=found)

    bench.claim()
    (claim,) = bench.claims.next(["mail"])
    attempt = bench.claims.begin(claim, lambda *_: None)
    with pytest.raises(LeaseLost) as caught:
        mail(claim.message, attempt.context)
    bench.interrupter.stop()

    assert not attempt.context.lost
    bench.claims.failed(attempt, caught.value)
    bench.claims.next([])
    found = bench.store.delivery(claim.id)
    assert found is not None
    assert (found.state, found.attempt) == ("ready", 1)
    assert what in (found.error or "")
