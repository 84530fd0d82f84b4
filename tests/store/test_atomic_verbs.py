"""Verbs that look and then write are atomic by themselves: a rival comes in between in none.

In each race the first caller is held within its verb, after it has looked and before it has
written. There it waits until the rival is seen inside of a verb of its own, and goes on.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from fencepost import Store, connect
from fencepost.store.engine.keyed import Item, Space
from fencepost.store.types.content import json_value

from ..processes import line_of, running, tell, wait_until

Meet = Callable[[], None]
SPACE = Space("a", "x")


class Race(NamedTuple):
    """Two calls that look at the same key.

    Attributes:
        first: Looks, meets the rival, and writes.
        rival: Code of the call that must not come in between; `keyed` is the namespace.
        held: What the key holds after both, the first before the rival.
    """

    first: Callable[[Store, Meet], object]
    rival: str
    held: object


def _met(meet: Meet, answer: Any) -> Any:
    meet()
    return answer


def _item(value: object) -> Item:
    return Item("k", json_value.encode(value))


RACES = {
    "update": Race(
        lambda store, meet: store.keyed("a", "x").update("k", lambda n: _met(meet, n + 1)),
        "keyed.update('k', lambda n: n + 10)",
        12,
    ),
    "delete_if": Race(
        lambda store, meet: store.keyed("a", "x").delete_if("k", lambda n: _met(meet, n == 1)),
        "keyed.register('k', 5)",
        5,
    ),
    "replace": Race(
        lambda store, meet: store.engine.keyed.replace(
            SPACE, _item(3), lambda entry: _met(meet, entry is not None and entry.value == 1)
        ),
        "keyed.update('k', lambda n: n * 7)",
        21,
    ),
    "delete_matching": Race(
        lambda store, meet: store.engine.keyed.delete_matching(
            SPACE, [("k", lambda entry: _met(meet, entry is not None and entry.value == 1))]
        ),
        "keyed.register_if_absent('k', 9)",
        9,
    ),
}


# FP-24
@pytest.mark.parametrize("name", RACES)
def test_a_thread_cannot_come_between_the_look_and_the_write_of_another(
    store: Store, name: str
) -> None:
    race, met = RACES[name], threading.Event()
    store.keyed("a", "x").register("k", 1)
    other = Store(store.engine.transactions.twin())
    with other, ThreadPoolExecutor(1) as pool:
        rivals: list[Future[Any]] = []

        def meet() -> None:
            rivals.append(pool.submit(eval, race.rival, {"keyed": other.keyed("a", "x")}))
            wait_until(lambda: _is_inside_a_verb(pool), "the rival is inside of its verb")
            assert not rivals[0].done()
            met.set()

        race.first(store, meet)
        rivals[0].result(timeout=60)

    assert met.is_set()
    assert store.keyed("a", "x").lookup("k") == race.held


def _is_inside_a_verb(pool: ThreadPoolExecutor) -> bool:
    frames = sys._current_frames()
    (thread,) = pool._threads
    if thread.ident not in frames:
        return False
    stack = traceback.extract_stack(frames[thread.ident])
    return any("/store/keyed/" in call.filename for call in stack)


_RIVAL = """
import faulthandler, signal, sys
from fencepost import connect

with connect(sys.argv[1], busy_timeout=60) as store:
    keyed = store.keyed("a", "x")
    faulthandler.register(signal.SIGUSR1, file=open(sys.argv[2], "w"))
    print("ready", flush=True)
    sys.stdin.readline()
    {rival}
    print("done", flush=True)
"""


# FP-24
@pytest.mark.parametrize("name", RACES)
def test_a_process_cannot_come_between_the_look_and_the_write_of_another(
    tmp_path: Path, name: str
) -> None:
    race, met = RACES[name], threading.Event()
    path, stack = tmp_path / "store.db", tmp_path / "stack"
    with connect(path, busy_timeout=60) as store:
        store.keyed("a", "x").register("k", 1)
        code = _RIVAL.format(rival=race.rival)
        with running(["-c", code, str(path), str(stack)], cwd=tmp_path) as rival:
            assert line_of(rival) == "ready"

            def meet() -> None:
                tell(rival, "go")
                wait_until(lambda: _shows_a_verb(rival, stack), "the rival is inside of its verb")
                met.set()

            race.first(store, meet)
            assert line_of(rival) == "done"

        assert met.is_set()
        assert store.keyed("a", "x").lookup("k") == race.held
    assert (tmp_path / "stderr").read_text() == ""


def _shows_a_verb(process: subprocess.Popen[str], stack: Path) -> bool:
    os.kill(process.pid, signal.SIGUSR1)
    return "/store/keyed/" in stack.read_text()


# FP-24
def test_two_that_change_different_caps_at_once_both_have_theirs(store: Store) -> None:
    others = [Store(store.engine.transactions.twin()) for _ in range(2)]
    queues = [other.queue("mail") for other in others]
    with ThreadPoolExecutor(2) as pool:
        with store.transaction():
            rows = pool.submit(queues[0].set_caps, max_rows=3)
            bytes = pool.submit(queues[1].set_caps, max_bytes=7)
            wait_until(lambda: _waiting(pool) == 2, "both have looked, and wait for the lock")
            assert [each.done() for each in (rows, bytes)] == [False, False]
        rows.result(timeout=60)
        bytes.result(timeout=60)

    caps = store.engine.queue.caps("mail")
    assert (caps.max_rows, caps.max_bytes) == (3, 7)
    for other in others:
        other.close()


def _waiting(pool: ThreadPoolExecutor) -> int:
    """Count the threads that wait for the lock of their verb."""
    frames = sys._current_frames()
    stacks = [
        traceback.extract_stack(frames[thread.ident])
        for thread in pool._threads
        if thread.ident in frames
    ]
    return sum(
        any(call.name == "change_caps" for call in stack)
        and "lock" in f"{stack[-1].filename} {stack[-1].line}"
        for stack in stacks
    )


class Boom(Exception):
    pass


def _boom(*_: object) -> Any:
    raise Boom


# KV-41
def test_a_function_that_raises_leaves_the_key_and_the_store_as_they_were(store: Store) -> None:
    keyed = store.keyed("a", "x")
    keyed.register("k", 1)
    calls: list[Callable[[], object]] = [
        lambda: keyed.update("k", _boom),
        lambda: keyed.delete_if("k", _boom),
        lambda: store.engine.keyed.replace(SPACE, _item(2), _boom),
        lambda: store.engine.keyed.delete_matching(SPACE, [("k", _boom)]),
    ]
    for call in calls:
        with pytest.raises(Boom):
            call()
        assert not store.engine.transactions.is_open()

    # What the error is of is not the store's damage.
    with pytest.raises(TypeError, match="object of type 'int' has no len"):
        keyed.delete_if("k", len)  # type: ignore[arg-type]
    assert keyed.lookup("k") == 1


# KV-41
def test_what_a_function_does_with_the_store_is_part_of_its_verb(store: Store) -> None:
    keyed = store.keyed("a", "x")
    keyed.register("k", 1)

    def enqueue_and(answer: Any) -> Callable[[object], Any]:
        def call(_: object) -> Any:
            store.queue("mail").enqueue(b"")
            keyed.register("seen", True)
            if answer is Boom:
                raise Boom
            return answer

        return call

    with pytest.raises(Boom):
        keyed.update("k", enqueue_and(Boom))
    assert store.queue("mail").stats().ready == 0
    assert keyed.lookup("seen") is None

    keyed.update("k", enqueue_and(2))
    assert keyed.delete_if("k", enqueue_and(True))
    assert store.queue("mail").stats().ready == 2
    assert keyed.lookup("seen") is True
    assert keyed.lookup("k") is None


# KV-41
def test_such_a_verb_is_part_of_the_transaction_around_it(store: Store) -> None:
    keyed = store.keyed("a", "x")
    keyed.register("k", 1)

    with pytest.raises(Boom), store.transaction():
        assert keyed.update("k", lambda n: n + 1) == 2
        assert keyed.delete_if("k", lambda n: n == 2)
        store.queue("mail", max_rows=5)
        raise Boom

    assert keyed.lookup("k") == 1
    assert store.engine.queue.caps("mail").max_rows is None
