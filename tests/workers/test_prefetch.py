"""What a worker claims ahead: how much, and what becomes of what it does not begin."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from fencepost import App, Context, Message, Store, connect
from fencepost.app.handlers.handler import Handler
from fencepost.store.engine import Hold
from fencepost.store.types.worker import Progress
from fencepost.workers.process.managed_process import ManagedProcess
from fencepost.workers.process.shared_page import SharedPage
from fencepost.workers.supervisor.watching.stuck_workers import StuckWorkers
from fencepost.workers.worker.claimer import Claimer
from fencepost.workers.worker.in_progress import InProgress, SupervisedLease
from fencepost.workers.worker.interrupts.interrupter import Interrupter
from fencepost.workers.worker.plain import Plain
from fencepost.workers.worker.prefetch import Prefetch

from ..clock import FakeClock

LEASE = 60.0
MOST = 4

Handle = Callable[[Message, Context], object]


class Hook(InProgress):
    """Something happens just after a handler is said to begin."""

    then: Callable[[int], None] = staticmethod(lambda _: None)
    told = 0

    def tell(self) -> None:
        """Tell, and count it."""
        self.told += 1
        super().tell()

    def begin(self, hold: Hold, ends_ms: int, timeout: float | None = None) -> SupervisedLease:
        """Begin, and let it happen."""
        lease = super().begin(hold, ends_ms, timeout)
        self.then(hold.id)
        return lease


class Bench:
    """The parts of a worker that claims ahead, in this process, and their supervisor's."""

    def __init__(self, path: Path) -> None:
        self.clock = FakeClock()
        self.path = path
        self.store: Store = connect(path, clock=self.clock, busy_timeout=0.05)
        self.app = App(str(path))
        self.begun: list[int] = []
        self.looks: list[tuple[int, bool]] = []
        self.page = SharedPage()
        self.hook = Hook(self.store.engine, self.page)
        self.interrupter = Interrupter(self.store.engine, LEASE, lambda: None)
        self.stopping = False
        self.continues = True
        self.taken = 0
        pools = self.store.engine.pools
        self.worker = pools.register(pools.begin(None, 1))
        self.plain: Plain
        self.claimer: Claimer

    def start(self, handle: Handle, count: int = MOST, **settings: Any) -> None:
        """Have so many messages, and a worker that would handle all in one batch."""

        @self.app.task("mail", **settings)
        def mail(message: Message, ctx: Context) -> object:
            self.begun.append(message.id)
            return handle(message, ctx)

        self.store.queue("mail").enqueue_many([{"body": b""}] * count)
        self.claimer = Claimer(
            self.store,
            self.app.handlers,
            worker=self.worker,
            lease=LEASE,
            in_progress=self.hook,
            interrupter=self.interrupter,
            tidy=lambda claim, quick: self.looks.append((claim.id, quick)),
        )
        self.plain = Plain(
            self.app.handlers,
            self.claimer,
            self.hook,
            self.interrupter.interrupts,
            stopping=lambda: self.stopping,
            continues=lambda: self.continues,
            room=lambda: 250,
        )
        self.plain._prefetch.most["mail"] = count

    def supervise(self) -> None:
        """Look for stuck workers, as the supervisor does."""
        StuckWorkers(self.store.engine).look([cast(ManagedProcess, self)])

    def standing(self) -> dict[int, tuple[str, int]]:
        """State and attempts of each delivery."""
        return {each.id: (each.state, each.attempt) for each in self.store.deliveries()}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """Whose interrupter is not started: what is asked for waits in its queue."""
    made = Bench(tmp_path / "store.db")
    yield made
    made.store.close()


def _handler(**settings: Any) -> Handler:
    app = App("unused.db")
    app.task("mail", **settings)(lambda message, ctx: None)
    return app.handlers["mail"]


def _sizes(seconds: float, **settings: Any) -> list[int]:
    """What is claimed at once by and by, if each handler takes so long."""
    prefetch, sizes = Prefetch([_handler(**settings)]), list[int]()
    for _ in range(6):
        sizes.append(prefetch.most["mail"])
        prefetch.handled("mail", sizes[-1], seconds * sizes[-1])
    return sizes


# PREFETCH-4
def test_as_many_are_claimed_as_can_be_handled_within_20_ms_and_at_most_250() -> None:
    assert _sizes(0.000_01) == [1, 4, 16, 64, 250, 250]
    assert _sizes(0.001) == [1, 4, 15, 15, 15, 15]
    assert _sizes(0.02) == [1] * 6
    assert _sizes(3.0) == [1] * 6


# PREFETCH-4
def test_a_handler_may_be_given_fewer_at_once_and_one_with_a_single_attempt_is_given_one() -> None:
    assert _sizes(0.000_01, prefetch=1) == [1] * 6
    assert _sizes(0.000_01, prefetch=10) == [1, 4, 10, 10, 10, 10]
    assert _sizes(0.000_01, prefetch=1000)[-1] == 250
    assert _sizes(0.000_01, at_most_once=True) == [1] * 6
    assert _sizes(0.000_01, max_attempts=1, prefetch=50) == [1] * 6
    assert _sizes(0.000_01, max_attempts=2)[-1] == 250


# PREFETCH-4
def test_a_handler_that_turns_slow_is_given_fewer_soon() -> None:
    prefetch = Prefetch([_handler()])
    for _ in range(5):
        prefetch.handled("mail", prefetch.most["mail"], 0.000_01 * prefetch.most["mail"])

    prefetch.handled("mail", 1, 1.0)

    assert prefetch.most["mail"] == 1


# PREFETCH-3
def test_a_batch_is_acknowledged_with_the_next_claim(bench: Bench) -> None:
    bench.start(lambda message, ctx: None)

    assert len(bench.plain.work()) == MOST
    assert {state for state, _ in bench.standing().values()} == {"leased"}
    assert bench.plain.work() == []

    assert bench.standing() == dict.fromkeys(range(1, MOST + 1), ("done", 1))
    assert not bench.claimer.unsettled
    assert bench.page.batch is not None
    assert bench.page.batch.fences == ()


def _after(bench: Bench, happens: Callable[[], object], *, in_handler: int = 2) -> None:
    """Handle a batch, and let something happen in one of its handlers."""

    def handle(message: Message, ctx: Context) -> None:
        if message.id == in_handler:
            happens()

    bench.start(handle)
    bench.plain.work()
    assert bench.begun == [1, 2]
    bench.claimer.next([])
    assert bench.standing() == {1: ("done", 1), 2: ("done", 1), 3: ("ready", 0), 4: ("ready", 0)}
    assert not bench.claimer.unsettled


# PREFETCH-3
def test_behind_a_handler_that_takes_long_the_rest_is_given_back(bench: Bench) -> None:
    _after(bench, lambda: bench.clock.advance(0.02))


# PREFETCH-3, DRAIN-4
def test_a_worker_that_is_told_to_stop_gives_the_rest_back(bench: Bench) -> None:
    _after(bench, lambda: setattr(bench, "stopping", True))


# PREFETCH-3
def test_a_worker_that_may_not_continue_gives_the_rest_back(bench: Bench) -> None:
    _after(bench, lambda: setattr(bench, "continues", False))


# PREFETCH-3
def test_a_worker_that_is_told_to_cancel_begins_no_other(bench: Bench) -> None:
    def cancel() -> None:
        bench.interrupter.interrupts.cancels += 1

    _after(bench, cancel)


# PREFETCH-3
def test_what_a_handler_was_to_be_interrupted_with_does_not_meet_the_next(bench: Bench) -> None:
    pending: list[bool] = []

    def handle(message: Message, ctx: Context) -> None:
        interrupts = bench.interrupter.interrupts
        pending.append(interrupts.pending)
        interrupts.ask(interrupts._work, TimeoutError("too late for it"))

    bench.start(handle)
    bench.plain.work()

    assert pending == [False] * MOST


# PROCESS-17
def test_after_the_last_of_a_batch_the_process_is_looked_at_closely(bench: Bench) -> None:
    bench.start(lambda message, ctx: None)

    bench.plain.work()

    assert bench.looks == [(1, True), (2, True), (3, True), (4, False)]


# PROCESS-17
def test_after_a_batch_that_was_broken_off_too(bench: Bench) -> None:
    _after(bench, lambda: bench.clock.advance(0.02))

    assert bench.looks == [(1, True), (2, True), (2, False)]


# PREFETCH-3
def test_what_fails_in_a_batch_stops_no_other(bench: Bench) -> None:
    def handle(message: Message, ctx: Context) -> None:
        if message.id == 2:
            raise RuntimeError("boom")

    bench.start(handle)
    bench.plain.work()
    bench.claimer.next([])

    assert bench.begun == [1, 2, 3, 4]
    assert bench.standing()[2] == ("ready", 1)
    assert [bench.standing()[id] for id in (1, 3, 4)] == [("done", 1)] * 3


# PREFETCH-3
def test_while_the_store_does_not_answer_the_rest_is_kept_to_be_given_back(bench: Bench) -> None:
    bench.start(lambda message, ctx: setattr(bench, "stopping", True))
    bench.plain.work()
    with connect(bench.path, clock=bench.clock) as other, other.transaction():
        bench.claimer.next([])
        assert bench.claimer.unsettled

    bench.claimer.next([])

    assert not bench.claimer.unsettled
    rest = dict.fromkeys(range(2, MOST + 1), ("ready", 0))
    assert bench.standing() == {1: ("done", 1), **rest}


# PREFETCH-5
def test_from_a_stuck_worker_the_rest_is_taken_and_another_has_it(bench: Bench) -> None:
    others: list[int] = []

    def stick() -> None:
        bench.clock.advance(0.099)
        bench.supervise()
        assert bench.standing()[3] == ("leased", 1)
        bench.clock.advance(0.001)
        bench.supervise()
        assert [bench.standing()[id] for id in (1, 2)] == [("done", 1), ("leased", 1)]
        assert [bench.standing()[id] for id in (3, 4)] == [("ready", 0)] * 2
        with connect(bench.path, clock=bench.clock) as other:
            claims = other.queue("mail").claim(limit=9)
            others.extend(claim.id for claim in claims)
            for claim in claims:
                claim.release()

    _after(bench, stick)

    assert others == [3, 4]


# PREFETCH-5
def test_what_is_taken_in_the_moment_in_which_it_would_begin_does_not(bench: Bench) -> None:
    """The worker has seen that it is in time, and was stopped then: the worst that can be."""

    def stopped(id: int) -> None:
        if id == 3:
            bench.clock.advance(5)
            bench.supervise()

    bench.start(lambda message, ctx: None)
    bench.hook.then = stopped
    bench.plain.work()
    bench.claimer.next([])

    assert bench.begun == [1, 2]
    assert [bench.standing()[id] for id in (3, 4)] == [("ready", 0)] * 2


# PREFETCH-5
def test_what_begins_while_the_supervisor_takes_is_not_taken(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The supervisor has seen that much was not begun, and the worker goes on just then."""
    bench.start(lambda message, ctx: None)
    fences = [lease.fence for lease in bench.claimer.next(["mail"], MOST, {"mail": MOST})]
    bench.clock.advance(5)
    monkeypatch.setattr(
        "fencepost.workers.supervisor.watching.stuck_workers.time.sleep",
        lambda _: bench.page.move(0, 1),
    )

    bench.supervise()

    assert bench.standing() == {
        1: ("leased", 1),
        **dict.fromkeys(range(2, MOST + 1), ("ready", 0)),
    }
    assert bench.page.taken == fences[0]


# PREFETCH-5
def test_of_a_stuck_worker_is_taken_once_and_its_next_batch_is_its_own(bench: Bench) -> None:
    def stick(message: Message, ctx: Context) -> None:
        bench.clock.advance(1)
        bench.supervise()

    bench.start(stick, count=2)
    bench.plain.work()
    bench.plain.work()
    bench.plain.work()

    assert bench.begun == [1, 2]
    assert bench.standing() == {1: ("done", 1), 2: ("done", 1)}


# PREFETCH-6
def test_the_page_says_how_far_a_batch_is(bench: Bench) -> None:
    seen: list[Progress | None] = []

    def handle(message: Message, ctx: Context) -> object:
        seen.append(bench.page.progress)
        if message.id == 2:
            raise RuntimeError("boom")
        return {"a": "result"} if message.id == 3 else None

    bench.start(handle, count=5)
    bench.plain.work()

    assert seen[-1] is not None
    known = seen[-1].known
    fences = [known - place for place in reversed(range(5))]
    assert seen == [
        Progress(known, unbegun={*fences[1:]}),
        Progress(known, unbegun={*fences[2:]}, done={fences[0]}),
        Progress(known, unbegun={*fences[3:]}, done={fences[0]}, ended={fences[1]}),
        Progress(known, {fences[4]}, done={fences[0]}, ended={*fences[1:3]}),
        Progress(known, done={fences[0], fences[3]}, ended={*fences[1:3]}),
    ]


def test_nothing_is_known_of_a_page_on_which_nothing_was_claimed() -> None:
    assert SharedPage().progress == Progress()


def test_a_handler_with_a_transaction_tells_the_supervisor_twice(bench: Bench) -> None:
    def handle(_: Message, ctx: Context) -> None:
        with ctx.transaction():
            pass

    bench.start(handle)
    before = bench.hook.told
    bench.plain.work()

    # Of the claim, and of each when it begins and when it has ended.
    assert bench.hook.told - before == 1 + 2 * MOST
    assert bench.page.work is not None
    assert bench.page.work.handled == bench.hook.ended == MOST
    assert {state for state, _ in bench.standing().values()} == {"done"}
