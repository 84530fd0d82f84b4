"""Messages that end or hang their workers, and what becomes of the others."""

from __future__ import annotations

import os
import signal
from functools import partial

import pytest

from fencepost.store.types.delivery import Delivery

from ..processes import is_gone, line_of, running, wait_until
from .conftest import Site

POISONS = '''
import collections, ctypes, itertools, re, resource

resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def note(message, ctx):
    (here / f"begun-{message.key}-{ctx.attempt}").write_text(str(os.getpid()))


@app.task("hanging", timeout=0.5, max_attempts=2)
def hanging(message, ctx):
    """Never lets go of the interpreter."""
    note(message, ctx)
    if ctx.attempt == 1:
        re.match("(a+)+$", "a" * 40 + "b")
    collections.deque(itertools.repeat(None), maxlen=0)


@app.task("long")
def long(message, ctx):
    """Does not let go of it for three leases."""
    note(message, ctx)
    ctypes.PyDLL(None).usleep(3_000_000)


@app.task("segfaulting")
def segfaulting(message, ctx):
    note(message, ctx)
    ctypes.string_at(0)


@app.task("killing-itself")
def killing_itself(message, ctx):
    note(message, ctx)
    eaten = b"x" * 64 * 2**20
    os.kill(os.getpid(), signal.SIGKILL)
'''


@pytest.fixture
def poisoned(site: Site) -> Site:
    """A site whose app has poisons too."""
    app = site.folder / "app.py"
    app.write_text(app.read_text() + POISONS)
    return site


def _delivery(site: Site, id: int) -> Delivery:
    found = site.store.delivery(id)
    assert found is not None
    return found


def test_a_handler_that_never_lets_go_is_killed_at_its_timeout_and_dead_in_the_end(
    poisoned: Site,
) -> None:
    hanging = poisoned.store.queue("hanging").enqueue(b"", key="k").message_id
    others = {f"k{number}" for number in range(20)}
    poisoned.store.queue("quick").enqueue_many([{"body": b"", "key": key} for key in others])

    with running(poisoned.work("--workers", "2", "--drain"), cwd=poisoned.folder) as pool:
        assert pool.wait(timeout=90) == 0

    found = _delivery(poisoned, hanging)
    assert (found.state, found.attempt, found.crashes) == ("dead", 2, 0)
    assert "its handler was over its timeout" in str(found.error)
    assert {key for key, _, _ in poisoned.effects()} == others


def test_a_handler_that_never_lets_go_keeps_its_lease(poisoned: Site) -> None:
    long = poisoned.store.queue("long").enqueue(b"", key="k").message_id

    options = ("--workers", "2", "--lease", "1", "--drain")
    with running(poisoned.work(*options), cwd=poisoned.folder) as pool:
        assert pool.wait(timeout=90) == 0

    found = _delivery(poisoned, long)
    assert (found.state, found.attempt) == ("done", 1)


@pytest.mark.parametrize(
    ("queue", "name", "mib"), [("segfaulting", "SIGSEGV", 1), ("killing-itself", "SIGKILL", 64)]
)
def test_what_ends_its_process_is_dead_after_three_deaths_and_says_of_what(
    poisoned: Site, queue: str, name: str, mib: int
) -> None:
    id = poisoned.store.queue(queue).enqueue(b"", key="k").message_id

    with running(poisoned.work("--workers", "2", "--drain"), cwd=poisoned.folder) as pool:
        assert pool.wait(timeout=90) == 0

    found = _delivery(poisoned, id)
    assert (found.state, found.attempt, found.crashes) == ("dead", 3, 3)
    error = str(found.error)
    assert f"was killed by {name}" in error
    assert int(error.partition("(at most ")[2].partition(" MiB of memory)")[0]) >= mib


def test_kills_from_outside_bury_nothing(site: Site) -> None:
    ids = [site.store.queue("gated").enqueue(b"", key=key).message_id for key in ("a", "b")]

    with running(site.work("--workers", "3"), cwd=site.folder) as pool:
        line_of(pool)
        for attempt in range(1, 5):
            for key in ("a", "b"):
                pid = wait_until(partial(site.begun, key, attempt), "it is begun")
                os.kill(pid, signal.SIGKILL)
                wait_until(partial(is_gone, pid), "it is gone")
        (site.folder / "go").touch()
        wait_until(lambda: {site.state(id) for id in ids} == {"done"}, "both to be done")
        pool.send_signal(signal.SIGTERM)
        assert pool.wait(timeout=60) == 0

    assert max(_delivery(site, id).crashes for id in ids) < 3
