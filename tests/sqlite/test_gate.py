"""The gate: one at a time, in the order of asking, and never held by one who has given up."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from fencepost.store.sqlite.gate import Gate

from ..processes import PATIENCE_SECONDS, is_stopped, line_of, running, wait_until

_SOON = 0.05

_HOLDER = """
import sys, time
from fencepost.store.sqlite.gate import Gate
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
    try:
        yield gate
    finally:
        gate.close()


def _later() -> float:
    return time.monotonic() + PATIENCE_SECONDS


def _is_free(path: str) -> bool:
    with _gate(path) as other:
        return other.enter(0.0)


def _blocked(path: str) -> int:
    """Count who waits for the lock, as the kernel lists it: their lines have an arrow."""
    inode = f":{os.stat(path).st_ino} "
    return sum(
        "->" in line and inode in line for line in Path("/proc/locks").read_text().splitlines()
    )


def _stand(path: str, count: int) -> bool:
    return _blocked(path) == count


def _leave_when(path: str, count: int, holder: Gate) -> None:
    wait_until(partial(_stand, path, count), "so many stand in the queue")
    holder.leave()


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


def test_one_who_gave_up_does_not_keep_the_lock_it_gets_later(path: str) -> None:
    with _gate(path) as holder, _gate(path) as hasty:
        assert holder.enter(_later())
        assert not hasty.enter(time.monotonic() + _SOON)
        wait_until(partial(_stand, path, 1), "it stands in the queue")
        holder.leave()

        wait_until(lambda: _is_free(path), "the lock is given back")


def test_one_who_gave_up_may_ask_again_from_its_old_place(path: str) -> None:
    with _gate(path) as holder, _gate(path) as hasty:
        assert holder.enter(_later())
        for _ in range(3):
            assert not hasty.enter(time.monotonic() + _SOON)
            wait_until(partial(_stand, path, 1), "it has one place in the queue")
        thread = _in_background(holder.leave)
        assert hasty.enter(_later())
        thread.join()

        assert not _is_free(path)
        hasty.leave()
        assert _is_free(path)


def test_closing_leaves_the_queue(path: str) -> None:
    with _gate(path) as holder:
        assert holder.enter(_later())
        for _ in range(3):
            with _gate(path) as hasty:
                assert not hasty.enter(time.monotonic() + _SOON)
        before = len(os.listdir("/proc/self/fd"))
        holder.leave()

        wait_until(lambda: len(os.listdir("/proc/self/fd")) <= before - 3, "they have gone")
        assert _is_free(path)


def test_an_error_from_a_signal_while_waiting_leaves_nothing_held(path: str) -> None:
    def interrupt(*_: object) -> None:
        raise InterruptedError

    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        with _gate(path) as holder, _gate(path) as waiting:
            assert holder.enter(_later())

            def disturb() -> None:
                wait_until(lambda: _blocked(path) == 1, "it waits")
                os.kill(os.getpid(), signal.SIGUSR1)

            thread = _in_background(disturb)
            with pytest.raises(InterruptedError):
                waiting.enter(_later())
            thread.join()
            holder.leave()

            wait_until(lambda: _is_free(path), "the lock is given back")
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_a_stopped_process_in_the_queue_keeps_nobody_behind_it_waiting(
    path: str, tmp_path: Path
) -> None:
    with _gate(path) as holder, running(["-c", _HOLDER, path], cwd=tmp_path) as stopped:
        assert holder.enter(_later())
        wait_until(partial(_stand, path, 1), "it stands in the queue")
        stopped.send_signal(signal.SIGSTOP)
        wait_until(partial(is_stopped, stopped.pid), "it is stopped")
        wait_until(partial(_stand, path, 0), "it has left the queue")
        with _gate(path) as behind:
            thread = _in_background(lambda: _leave_when(path, 1, holder))
            assert behind.enter(_later())
            thread.join()
            behind.leave()
            assert behind.enter(_later())
            behind.leave()

            stopped.send_signal(signal.SIGCONT)
            assert line_of(stopped) == "holds"


def test_the_death_of_a_holder_lets_the_next_in(path: str, tmp_path: Path) -> None:
    with running(["-c", _HOLDER, path], cwd=tmp_path) as process, _gate(path) as gate:
        assert line_of(process) == "holds"
        assert not gate.enter(time.monotonic() + _SOON)
        process.kill()

        assert gate.enter(_later())


def test_without_a_thread_to_wait_in_it_is_waited_for_all_the_same(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = threading.Event()

    def refuse(_: threading.Thread) -> None:
        refused.set()
        raise RuntimeError("can't start new thread")

    with _gate(path) as holder, _gate(path) as gate:
        assert holder.enter(_later())

        def leave_then() -> None:
            assert refused.wait(PATIENCE_SECONDS)
            holder.leave()

        thread = _in_background(leave_then)
        monkeypatch.setattr(threading.Thread, "start", refuse)
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
