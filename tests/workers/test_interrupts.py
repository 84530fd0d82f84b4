"""Ending a handler from outside."""

from __future__ import annotations

import contextlib
import importlib
import os
import pkgutil
import random
import signal
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import fencepost.stress
from fencepost import Cancelled, LeaseLost, SoftTimeout, Store, connect
from fencepost.workers.worker.interrupts.interrupt import Interrupts

from ..processes import PATIENCE_SECONDS


@pytest.fixture
def interrupts() -> Iterator[Interrupts]:
    """Interrupts of this process, sent until they have had their effect."""
    made, ended = Interrupts(lambda: None), threading.Event()
    numbers = (signal.SIGUSR2, signal.SIGURG)
    before = {number: signal.getsignal(number) for number in numbers}
    hook = sys.unraisablehook

    def nag() -> None:
        while not ended.wait(0.002):
            if made.pending:
                made.send()

    made.install()
    with _beside(nag, ended):
        yield made
    for number, handler in before.items():
        signal.signal(number, handler)
    sys.unraisablehook = hook


@contextlib.contextmanager
def _beside(function: Callable[[], None], ended: threading.Event) -> Iterator[None]:
    thread = threading.Thread(target=function)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _sleep() -> None:
    time.sleep(PATIENCE_SECONDS)


def test_a_handler_is_interrupted_with_what_was_asked(interrupts: Interrupts) -> None:
    work = interrupts.begin()
    interrupts.ask(work, SoftTimeout("too long"))

    with pytest.raises(SoftTimeout, match="too long"):
        interrupts.call(_sleep)

    assert not interrupts.pending
    assert interrupts.cancels == 0


def _sleep_in(module: str) -> Callable[[], None]:
    """Return a function that sleeps, as if a module of this name had defined it."""
    namespace = {"__name__": module, "time": time}
    exec("def sleep():\n    time.sleep(0.1)", namespace)  # noqa: S102
    function: Callable[[], None] = namespace["sleep"]  # type: ignore[assignment]
    return function


@pytest.mark.parametrize(
    "module",
    [
        "fencepost.store.store",
        "fencepost.app.context",
        "fencepost.app.command.handler",
        "fencepost.log.log",
        "fencepost.workers.worker.interrupts.interrupt",
        "fencepost.a_name_of_tomorrow",
    ],
)
def test_our_own_code_is_not_interrupted_whatever_its_file_is_called(
    interrupts: Interrupts, module: str
) -> None:
    work = interrupts.begin()
    interrupts.ask(work, SoftTimeout())

    assert interrupts.call(_sleep_in(module)) is None
    assert interrupts.pending


@pytest.mark.parametrize(
    "module",
    [
        "shop",
        "fencepost_shop.mails",
        "fencepost.app.command.parent",
        "fencepost.stress.pools.apps.app",
        "fencepost.stress.a_name_of_tomorrow",
    ],
)
def test_code_in_a_handlers_place_is_interrupted(interrupts: Interrupts, module: str) -> None:
    work = interrupts.begin()
    interrupts.ask(work, SoftTimeout())

    with pytest.raises(SoftTimeout):
        interrupts.call(_sleep_in(module))


def test_only_these_modules_are_marked_as_interruptible() -> None:
    names = [each.name for each in pkgutil.walk_packages(fencepost.__path__, "fencepost.")]
    modules = [importlib.import_module(name) for name in names if not name.endswith("__main__")]

    marked = [each.__name__ for each in modules if hasattr(each, "INTERRUPTIBLE")]

    assert marked == ["fencepost.app.command.parent", "fencepost.stress"]


def test_what_the_interpreter_swallows_is_raised_again(interrupts: Interrupts) -> None:
    class Thing:
        pass

    swallowed = False

    def swallow(_: object) -> None:
        nonlocal swallowed
        try:
            _sleep()
        except SoftTimeout:
            swallowed = True
            raise

    def handler() -> None:
        thing = Thing()
        watched = weakref.ref(thing, swallow)
        del thing
        assert swallowed
        assert watched() is None
        _sleep()

    work = interrupts.begin()
    interrupts.ask(work, SoftTimeout("too long"))

    with pytest.raises(SoftTimeout, match="too long"):
        interrupts.call(handler)


def test_a_signal_from_elsewhere_cancels_what_is_in_work(interrupts: Interrupts) -> None:
    interrupts.begin()
    os.kill(os.getpid(), signal.SIGUSR2)

    with pytest.raises(Cancelled):
        interrupts.call(_sleep)

    assert interrupts.cancels == 1


def test_what_was_asked_of_work_that_has_ended_is_void(interrupts: Interrupts) -> None:
    work = interrupts.begin()
    interrupts.ask(work, SoftTimeout())
    interrupts.begin()
    interrupts.ask(work, SoftTimeout())

    assert interrupts.call(time.sleep, 0.05) is None
    assert interrupts.call(lambda: time.sleep(0.05)) is None


def test_a_handler_may_go_on_after_it_was_interrupted(interrupts: Interrupts) -> None:
    work = interrupts.begin()

    def stubborn() -> str:
        for error in (SoftTimeout(), Cancelled()):
            interrupts.ask(work, error)
            with pytest.raises(type(error)):
                _sleep()
        return "done"

    assert interrupts.call(stubborn) == "done"


def test_the_store_is_never_interrupted_half_way(interrupts: Interrupts, tmp_path: Path) -> None:
    with connect(tmp_path / "store.db") as store, connect(tmp_path / "store.db") as other:
        work = interrupts.begin()
        held = threading.Event()

        def write() -> None:
            held.wait()
            interrupts.ask(work, SoftTimeout())  # while it waits for the write lock
            with store.transaction() as tx:
                with contextlib.suppress(SoftTimeout):
                    _sleep()
                tx.execute("create table written (n integer)")
            raise AssertionError

        def hold() -> None:
            with other.transaction():
                held.set()
                time.sleep(0.1)

        thread = threading.Thread(target=hold)
        thread.start()
        with pytest.raises(AssertionError):
            interrupts.call(write)
        thread.join()

        assert _tables(other) == ["written"]


def test_an_interrupt_within_a_transaction_rolls_it_back(
    interrupts: Interrupts, tmp_path: Path
) -> None:
    with connect(tmp_path / "store.db") as store:
        work = interrupts.begin()

        def write() -> None:
            with store.transaction() as tx:
                tx.execute("create table written (n integer)")
                interrupts.ask(work, LeaseLost("delivery 1", cause="expired"))
                _sleep()

        with pytest.raises(LeaseLost):
            interrupts.call(write)

        assert _tables(store) == []


def test_nothing_escapes_from_around_short_handlers_and_no_write_is_torn(
    interrupts: Interrupts, tmp_path: Path
) -> None:
    dice, ended, work = random.Random(1), threading.Event(), 0

    def hammer() -> None:
        while not ended.wait(dice.uniform(0, 0.03)):
            interrupts.ask(work, SoftTimeout())

    with connect(tmp_path / "store.db", durability="normal") as store:
        with store.transaction() as tx:
            tx.execute("create table pair (a integer, b integer)")

        def handler(n: int) -> None:
            with store.transaction() as tx:
                tx.execute("insert into pair values (?, null)", (n,))
                time.sleep(0.005)
                tx.execute("update pair set b = a where a = ?", (n,))

        with _beside(hammer, ended):
            done = interrupted = n = 0
            deadline = time.monotonic() + PATIENCE_SECONDS
            while (interrupted < 20 or done < 20) and time.monotonic() < deadline:
                work, n = interrupts.begin(), n + 1
                try:
                    interrupts.call(handler, n)
                    done += 1
                except SoftTimeout:
                    interrupted += 1
            interrupts.begin()

        assert interrupted >= 20
        assert done >= 20
        with store.transaction() as tx:
            ((rows,),) = tx.execute("select count(*) from pair where a = b")
            assert tx.execute("select * from pair where a is not b") == []
        assert done <= rows <= done + interrupted


def _tables(store: Store) -> list[str]:
    with store.transaction() as tx:
        rows = tx.execute("select name from sqlite_schema where name not like 'fp@_%' escape '@'")
    return [name for (name,) in rows if not name.startswith("sqlite_")]
