"""The gate: one at a time, in the order of asking, and never held by one who has given up."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from fencepost.store import connect
from fencepost.store.sqlite.locks import byte_locks
from fencepost.store.sqlite.locks.gate import _NOTE_BYTES, _TURN, Gate

from ..processes import PATIENCE_SECONDS, is_stopped, line_of, running, wait_until
from .interrupts import Interrupted, everywhere

_SOON = 0.05

_HOLDER = """
import sys, time
from fencepost.store import connect
from fencepost.store.sqlite.locks import byte_locks
from fencepost.store.sqlite.locks.gate import Gate
gate = Gate(sys.argv[1])
assert gate.enter(time.monotonic() + 90)
print("holds", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "store.db-gate")


@contextmanager
def _gate(path: str) -> Iterator[Gate]:
    gate = Gate(path)
    gate.says_turns = True  # as of an open store
    try:
        yield gate
    finally:
        gate.close()


def _later() -> float:
    return time.monotonic() + PATIENCE_SECONDS


def _is_free(path: str) -> bool:
    with _gate(path) as other:
        return other.enter(0.0)


def _stand(path: str, count: int) -> bool:
    """True when so many stand in line, as the kernel lists them: the first has its lock."""
    inode = f":{os.stat(path).st_ino} "
    lines = Path("/proc/locks").read_text().splitlines()
    return sum("OFDLCK" in line and inode in line for line in lines) == count


@contextmanager
def _a_first_in_line(path: str, holder: Gate) -> Iterator[None]:
    """Have somebody wait who is let in when the holder leaves, and leaves at once."""

    def pass_through() -> None:
        with _gate(path) as first:
            assert first.enter(_later())
            first.leave()

    thread = _in_background(pass_through)
    wait_until(partial(_stand, path, 1), "somebody is the first in line")
    try:
        yield
    finally:
        holder.leave()
        thread.join()


def _in_background(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_it_is_one_at_a_time(path: str) -> None:
    with _gate(path) as first, _gate(path) as second:
        assert first.enter(_later())
        assert not second.enter(0.0)
        assert not second.enter(time.monotonic() + _SOON)
        first.leave()
        assert second.enter(_later())
        assert not first.enter(0.0)


def test_those_who_wait_come_in_the_order_of_asking(path: str) -> None:
    order: list[int] = []
    with _gate(path) as holder:
        assert holder.enter(_later())

        def wait_for_it(number: int) -> None:
            with _gate(path) as gate:
                assert gate.enter(_later())
                order.append(number)
                gate.leave()

        threads = []
        for number in range(5):
            threads.append(_in_background(partial(wait_for_it, number)))
            wait_until(partial(_stand, path, number + 1), "it stands in the queue")
        holder.leave()
        for thread in threads:
            thread.join(PATIENCE_SECONDS)

    assert order == [0, 1, 2, 3, 4]


def test_one_who_gave_up_does_not_keep_the_place_it_gets_later(path: str) -> None:
    with _gate(path) as holder, _gate(path) as hasty:
        assert holder.enter(_later())
        with _a_first_in_line(path, holder):
            assert not hasty.enter(time.monotonic() + _SOON)
            wait_until(partial(_stand, path, 2), "it stands in line")

        wait_until(partial(_stand, path, 0), "the place is given back")
        assert _is_free(path)


def test_one_who_gave_up_may_ask_again_from_its_old_place(path: str) -> None:
    with _gate(path) as holder, _gate(path) as hasty:
        assert holder.enter(_later())
        with _a_first_in_line(path, holder):
            for _ in range(3):
                assert not hasty.enter(time.monotonic() + _SOON)
                wait_until(partial(_stand, path, 2), "it has one place in line")
            thread = _in_background(holder.leave)
            assert hasty.enter(_later())
            thread.join()

        assert not _is_free(path)
        hasty.leave()
        assert _is_free(path)


def test_closing_leaves_the_line(path: str) -> None:
    with _gate(path) as holder:
        assert holder.enter(_later())
        with _a_first_in_line(path, holder):
            before = len(os.listdir("/proc/self/fd"))
            for _ in range(3):
                with _gate(path) as hasty:
                    assert not hasty.enter(time.monotonic() + _SOON)
            assert len(os.listdir("/proc/self/fd")) == before + 3

        wait_until(lambda: len(os.listdir("/proc/self/fd")) == before - 2, "they have gone")
        assert _is_free(path)


@pytest.mark.parametrize("place", [1, 2])
def test_an_error_from_a_signal_while_waiting_leaves_nothing_held(path: str, place: int) -> None:
    def interrupt(*_: object) -> None:
        raise InterruptedError

    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        with ExitStack() as stack:
            holder = stack.enter_context(_gate(path))
            waiting = stack.enter_context(_gate(path))
            assert holder.enter(_later())
            if place == 2:
                stack.enter_context(_a_first_in_line(path, holder))

            def disturb() -> None:
                wait_until(partial(_stand, path, place), "it waits")
                os.kill(os.getpid(), signal.SIGUSR1)

            thread = _in_background(disturb)
            with pytest.raises(InterruptedError):
                waiting.enter(_later())
            thread.join()
            holder.leave()

            wait_until(partial(_stand, path, 0), "its place is given back")
            assert _is_free(path)
    finally:
        signal.signal(signal.SIGUSR1, before)


@contextmanager
def _interrupts() -> Iterator[Callable[[float], object]]:
    """Give out what raises Interrupted here after so many seconds."""

    def interrupt(*_: object) -> None:
        raise Interrupted

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        yield partial(signal.setitimer, signal.ITIMER_REAL)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_interrupts_at_all_times_leave_a_gate_that_works(path: str) -> None:
    chance = random.Random(1)
    enough = threading.Event()

    def come_and_go() -> None:
        with _gate(path) as gate:
            while not enough.is_set():
                assert gate.enter(_later())
                gate.leave()

    threads = [_in_background(come_and_go) for _ in range(2)]
    with _gate(path) as gate:
        with _interrupts() as interrupt_in:
            for _ in range(200):
                with pytest.raises(Interrupted):
                    interrupt_in(chance.uniform(0.000_05, 0.003))
                    while True:
                        assert gate.enter(_later())
                        gate.leave()
                gate.leave()
        assert gate.enter(_later())
        gate.leave()
        enough.set()
        for thread in threads:
            thread.join(PATIENCE_SECONDS)

    wait_until(partial(_stand, path, 0), "nobody stands in line")
    assert _is_free(path)


def test_an_interrupted_one_neither_holds_the_gate_nor_stands_in_line(path: str) -> None:
    with _gate(path) as gate:
        for enter in everywhere(lambda: gate.enter(0.0)):
            with suppress(Interrupted):
                enter()
                gate.leave()

            assert _is_free(path)
            assert _stand(path, 0)


def test_one_interrupted_behind_another_does_not_keep_the_place_it_gets_later(path: str) -> None:
    # The first in line is not let in: it is the place in line that matters here.
    with _gate(path) as gate, open(path, "r+b") as first:
        for enter in everywhere(lambda: gate.enter(time.monotonic() + 0.001)):
            wait_until(partial(byte_locks.take, first.fileno(), 0), "nobody is the first in line")
            with suppress(Interrupted):
                enter()
            byte_locks.give(first.fileno(), 0)
            gate.leave()

            wait_until(partial(_stand, path, 0), "its place is given back")
            assert _is_free(path)


@pytest.mark.parametrize("place", [1, 2])
def test_a_process_stopped_in_line_keeps_nobody_behind_it_waiting(
    path: str, tmp_path: Path, place: int
) -> None:
    with ExitStack() as stack:
        holder = stack.enter_context(_gate(path))
        assert holder.enter(_later())
        if place == 2:
            stack.enter_context(_a_first_in_line(path, holder))
        stopped = stack.enter_context(running(["-c", _HOLDER, path], cwd=tmp_path))
        wait_until(partial(_stand, path, place), "it stands in line")
        stopped.send_signal(signal.SIGSTOP)
        wait_until(partial(is_stopped, stopped.pid), "it is stopped")
        behind = stack.enter_context(_gate(path))
        thread = _in_background(holder.leave)
        for _ in range(100):
            assert behind.enter(_later())
            behind.leave()
        thread.join()

        stopped.send_signal(signal.SIGCONT)
        assert line_of(stopped) == "holds"


def test_the_death_of_a_holder_lets_the_next_in(path: str, tmp_path: Path) -> None:
    with running(["-c", _HOLDER, path], cwd=tmp_path) as process, _gate(path) as gate:
        assert line_of(process) == "holds"
        assert not gate.enter(time.monotonic() + _SOON)
        process.kill()

        assert gate.enter(_later())


def test_who_has_had_its_turn_gets_in_line(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [time.monotonic()]
    clock = SimpleNamespace(monotonic=lambda: now[0], sleep=time.sleep)
    monkeypatch.setattr("fencepost.store.sqlite.locks.gate.time", clock)
    with _gate(path) as gate, open(path, "r+b") as first:
        assert gate.enter(_later())
        gate.leave()
        assert byte_locks.take(first.fileno(), 0)
        for _ in range(10):
            assert gate.enter(_later())
            gate.leave()

        now[0] += 1
        thread = _in_background(lambda: gate.enter(_later()))
        wait_until(partial(_stand, path, 2), "it stands in line")
        assert _is_free(path)
        byte_locks.give(first.fileno(), 0)
        thread.join()
        assert not _is_free(path)


def test_who_waits_takes_no_turn_away_between_two_commits(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.monotonic()
    steps: list[Callable[[], object]] = []
    clock = SimpleNamespace(monotonic=lambda: now, sleep=lambda _: steps.pop(0)())
    monkeypatch.setattr("fencepost.store.sqlite.locks.gate.time", clock)
    with _gate(path) as busy, _gate(path) as waits:
        assert busy.enter(_later())
        steps += [
            lambda: busy.leave(),
            lambda: busy.enter(_later()) or pytest.fail("its turn was taken away"),
            lambda: busy.leave(),
            lambda: None,
        ]

        assert waits.enter(_later())
        assert not steps
        assert not _is_free(path)


@contextmanager
def _a_clock_that_steps(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """Have a sleep at the gate be the next of `steps`, and the time be `now`."""
    stands = SimpleNamespace(now=time.monotonic(), steps=[])
    clock = SimpleNamespace(monotonic=lambda: stands.now, sleep=lambda _: stands.steps.pop(0)())
    with monkeypatch.context() as patch:
        patch.setattr("fencepost.store.sqlite.locks.gate.time", clock)
        yield stands


def _commit(gate: Gate, clock: SimpleNamespace, away: float) -> None:
    """Come back to a gate after so many seconds, and leave it again."""
    clock.now += away
    assert gate.enter(_later())
    gate.leave()
    gate.left_at = clock.now


# FILE-2
def test_who_waits_lets_a_writer_be_away_for_as_long_as_it_tends_to(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with _a_clock_that_steps(monkeypatch) as clock, _gate(path) as busy, _gate(path) as waits:
        for _ in range(100):
            _commit(busy, clock, 0.000_21)
        clock.now += 1
        assert busy.enter(_later())
        clock.steps += [
            lambda: busy.leave(),
            *[lambda: None] * 2,
            lambda: busy.enter(_later()) or pytest.fail("its turn was taken away"),
            lambda: busy.leave(),
            *[lambda: None] * 3,
        ]

        assert waits.enter(_later())
        assert not clock.steps
        assert not _is_free(path)


def test_who_waits_does_not_wait_for_a_writer_that_tends_to_be_away_for_long(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with _a_clock_that_steps(monkeypatch) as clock, _gate(path) as busy, _gate(path) as waits:
        for _ in range(100):
            _commit(busy, clock, 0.000_31)
        clock.now += 1
        assert busy.enter(_later())
        clock.steps += [lambda: busy.leave(), lambda: None]

        assert waits.enter(_later())
        assert not clock.steps


# FILE-2
def test_who_waits_takes_the_gate_at_once_when_the_turn_is_over(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with _a_clock_that_steps(monkeypatch) as clock, _gate(path) as busy, _gate(path) as waits:
        assert busy.enter(_later())

        def end() -> None:
            busy.leave()
            clock.now += 0.011

        clock.steps += [end]

        assert waits.enter(_later())
        assert not clock.steps


# FILE-2
def test_who_waits_does_not_trust_a_turn_of_a_process_that_died(path: str, tmp_path: Path) -> None:
    with running(["-c", _HOLDER, path], cwd=tmp_path) as process, _gate(path) as gate:
        assert line_of(process) == "holds"
        os.pwrite(gate._fd, _TURN.pack(2**62, 2**62), _NOTE_BYTES)
        assert not gate.enter(time.monotonic() + _SOON)
        process.kill()

        assert gate.enter(_later())


@pytest.mark.parametrize("text", [b"", b"\xff", b"\xff" * 16, b"\0" * 16])
def test_a_turn_that_makes_no_sense_keeps_nobody_out(path: str, text: bytes) -> None:
    with _gate(path) as gate, _gate(path) as other:
        assert gate.enter(_later())
        os.ftruncate(gate._fd, _NOTE_BYTES)
        os.pwrite(gate._fd, text, _NOTE_BYTES)
        thread = _in_background(gate.leave)

        assert other.enter(_later())
        thread.join()


# FILE-2
def test_a_batch_is_one_turn_and_the_next_one_gets_in_line(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [time.monotonic()]
    clock = SimpleNamespace(monotonic=lambda: now[0], sleep=time.sleep)
    monkeypatch.setattr("fencepost.store.sqlite.locks.gate.time", clock)
    with _gate(path) as gate, open(path, "r+b") as first:
        assert gate.enter(_later(), batch=True)
        gate.leave()
        assert byte_locks.take(first.fileno(), 0)
        for _ in range(15):
            now[0] += 0.001
            assert gate.enter(_later())
            gate.leave()

        thread = _in_background(lambda: gate.enter(_later(), batch=True))
        wait_until(partial(_stand, path, 2), "it stands in line")
        assert _is_free(path)
        byte_locks.give(first.fileno(), 0)
        thread.join()
        assert not _is_free(path)


@pytest.mark.parametrize(("most", "seconds"), [(1, 0.010), (2, 0.020)])
def test_a_claim_of_several_to_handle_begins_the_turn_of_a_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int, seconds: float
) -> None:
    with connect(tmp_path / "store.db") as store, _a_clock_that_steps(monkeypatch) as clock:
        clock.now += 1
        store.engine.queue.claim(["q"], limit=most, lease_ms=1000, prefetch={"q": most})

        with open(tmp_path / "store.db-gate", "rb") as file:
            file.seek(_NOTE_BYTES)
            until, _ = _TURN.unpack(file.read(_TURN.size))
        assert until / 1e9 - clock.now == pytest.approx(seconds)


def test_without_a_thread_to_wait_in_it_is_waited_for_all_the_same(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = threading.Event()

    def refuse(*_: object) -> None:
        refused.set()
        raise RuntimeError("can't start new thread")

    with _gate(path) as holder, _gate(path) as gate, open(path, "r+b") as first:
        assert holder.enter(_later())
        assert byte_locks.take(first.fileno(), 0)

        def leave_then() -> None:
            assert refused.wait(PATIENCE_SECONDS)
            holder.leave()

        thread = _in_background(leave_then)
        monkeypatch.setattr("fencepost.store.sqlite.locks.line._thread.start_new_thread", refuse)
        assert gate.enter(_later())
        thread.join()


def test_a_forked_child_that_closes_its_copy_does_not_open_the_gate(path: str) -> None:
    with _gate(path) as gate:
        assert gate.enter(_later())
        if (pid := os.fork()) == 0:
            gate.abandon()
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0

        assert not _is_free(path)
