"""What handlers leave behind in their worker: frames, generators, open transactions."""

from __future__ import annotations

import pytest

from .conftest import Site

APP = """
import asyncio, time
from pathlib import Path

from fencepost import App

app = App(str(Path(__file__).parent / "store.db"))
kept = []


def rows(ctx):
    with ctx.transaction() as tx:
        yield from range(100_000)


@app.task("quick")
def quick(message, ctx):
    pass


@app.task("streaming", soft_timeout=0.3, max_attempts=1)
def streaming(message, ctx):
    stream = rows(ctx)
    for _ in stream:
        time.sleep(0.01)


@app.task("async-streaming", max_attempts=1)
async def async_streaming(message, ctx):
    stream = rows(ctx)
    next(stream)
    raise ValueError


@app.task("leaving", max_crashes=2)
def leaving(message, ctx):
    kept.append(ctx.transaction())
    kept[-1].__enter__()


@app.task("async-leaving", max_crashes=2)
async def async_leaving(message, ctx):
    leaving(message, ctx)
"""


@pytest.fixture(autouse=True)
def _app(site: Site) -> None:
    (site.folder / "app.py").write_text(APP)


@pytest.mark.parametrize(
    ("queue", "error"), [("streaming", "SoftTimeout: "), ("async-streaming", "ValueError")]
)
def test_a_transaction_in_a_generator_of_an_ended_handler_has_ended_too(
    site: Site, queue: str, error: str
) -> None:
    site.store.queue(queue).enqueue(b"")
    site.store.queue("quick").enqueue_many({"body": b""} for _ in range(20))

    assert "left a transaction open" not in site.drain()

    (dead,) = site.store.deliveries(state="dead")
    assert (dead.error or "").startswith(error)
    assert site.store.queue("quick").stats().done == 20


@pytest.mark.parametrize("queue", ["leaving", "async-leaving"])
def test_a_handler_that_leaves_a_transaction_open_is_held_to_have_crashed_its_worker(
    site: Site, queue: str
) -> None:
    site.store.queue(queue).enqueue(b"")
    site.store.queue("quick").enqueue_many({"body": b""} for _ in range(20))

    assert site.drain().count("left a transaction open") == 2

    (dead,) = site.store.deliveries(state="dead")
    assert "exited with 1" in (dead.error or "")
    assert site.store.queue("quick").stats().done == 20
