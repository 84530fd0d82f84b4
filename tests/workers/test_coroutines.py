"""Async handlers and plain ones in the one thread of a worker that uses the store."""

from __future__ import annotations

import pytest

from fencepost import connect

from ..processes import running, wait_until
from .conftest import Site

APP = '''
import asyncio, ctypes, threading, time
from pathlib import Path

from fencepost import App, StoreFull

app = App(str(Path(__file__).parent / "store.db"))
# In C, and it does not let go of the interpreter.
hold = ctypes.PyDLL(None).usleep


@app.task("brief", concurrency=2)
async def brief(message, ctx):
    await asyncio.sleep(0)


@app.task("holding")
def holding(message, ctx):
    time.sleep(0.005)  # a thread that used the store would be using it by now
    hold(600_000)


@app.task("async-holding", concurrency=1)
async def async_holding(message, ctx):
    await asyncio.sleep(0.005)
    hold(600_000)


@app.task("threads")
def threads(message, ctx):
    return sorted(each.name for each in threading.enumerate())


@app.task("async-threads")
async def async_threads(message, ctx):
    return threads(message, ctx)


@app.task("short")
def short(message, ctx):
    time.sleep(0.05)


@app.task("own-loop", max_attempts=1)
def own_loop(message, ctx):
    return asyncio.run(asyncio.sleep(0, "from a loop of its own"))


@app.task("part-leaving", max_attempts=1)
async def part_leaving(message, ctx):
    async def leave():
        raise SystemExit(3)

    await asyncio.gather(leave())


@app.task("unheard", max_attempts=1)
def unheard(message, ctx):
    """Fails, and the store refuses to hear of it three times."""
    queue, answers = ctx.store.engine.queue, iter(range(3))
    retry = queue.retry

    def full(*arguments):
        for _ in answers:
            raise StoreFull("no room", operation="retry", path=ctx.store.address)
        return retry(*arguments)

    queue.retry = full
    raise RuntimeError("boom")


@app.task("async-unheard", max_attempts=1)
async def async_unheard(message, ctx):
    unheard(message, ctx)
'''


@pytest.fixture(autouse=True)
def _app(site: Site) -> None:
    (site.folder / "app.py").write_text(APP)


def _result(site: Site, queue: str) -> object:
    """What became of the delivery with the key `k`."""
    return site.store.queue(queue).enqueue(b"", key="k").result


@pytest.mark.parametrize("queue", ["holding", "async-holding"])
def test_a_handler_that_holds_the_interpreter_keeps_no_other_process_from_the_store(
    site: Site, queue: str
) -> None:
    site.store.queue(queue).enqueue_many({"body": b""} for _ in range(5))
    site.store.queue("brief").enqueue_many({"body": b""} for _ in range(2000))
    written = 0

    with (
        connect(site.path, busy_timeout=0.5) as other,
        running(site.work("--workers", "1"), cwd=site.folder),
    ):
        while other.queue(queue).stats().done < 5:
            other.queue("elsewhere").enqueue(b"")  # or it would raise StoreBusy
            for claim in other.queue("elsewhere").claim():
                claim.ack()
            written += 1

    assert written > 10


def test_one_thread_of_a_worker_claims_handles_and_settles(site: Site) -> None:
    for name in ("threads", "async-threads"):
        site.store.queue(name).enqueue(b"", key="k")

    site.drain()

    for name in ("threads", "async-threads"):
        assert _result(site, name) == ["MainThread", "interrupter"]


def test_coroutines_go_on_between_plain_handlers(site: Site) -> None:
    short, brief = site.store.queue("short"), site.store.queue("brief")
    short.enqueue_many({"body": b""} for _ in range(400))

    with running(site.work("--workers", "1"), cwd=site.folder):
        wait_until(lambda: short.stats().done, "the first of the plain ones")
        brief.enqueue_many({"body": b""} for _ in range(20))
        wait_until(lambda: brief.stats().done == 20, "the coroutines")
        assert short.stats().ready


def test_a_plain_handler_may_run_a_loop_of_its_own(site: Site) -> None:
    site.store.queue("own-loop").enqueue(b"", key="k")
    site.store.queue("brief").enqueue_many({"body": b""} for _ in range(20))

    site.drain()

    assert _result(site, "own-loop") == "from a loop of its own"


def test_a_task_that_leaves_takes_its_handler_with_it_and_not_the_worker(site: Site) -> None:
    site.store.queue("part-leaving").enqueue(b"")
    site.store.queue("brief").enqueue_many({"body": b""} for _ in range(20))

    site.drain()

    (dead,) = site.store.deliveries(state="dead")
    assert (dead.error or "").startswith("SystemExit: 3")
    assert site.store.queue("brief").stats().done == 20


@pytest.mark.parametrize("queue", ["unheard", "async-unheard"])
def test_a_failure_that_the_store_cannot_be_told_is_told_again(site: Site, queue: str) -> None:
    site.store.queue(queue).enqueue(b"")
    site.store.queue("brief").enqueue_many({"body": b""} for _ in range(20))

    site.drain()

    (dead,) = site.store.deliveries(state="dead")
    assert (dead.error or "").startswith("RuntimeError: boom")
    assert (site.folder / "stderr").read_text().count("the store cannot be used") == 1
