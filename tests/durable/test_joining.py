"""Handlers with coalesce in worker processes: one call for many, killed, partly failed, poisoned."""

from __future__ import annotations

import signal

import pytest

from fencepost.store.types.messages.draft import Draft

from ..processes import fencepost, running, wait_until
from .conftest import Place

APP = """
import json, os, signal
from pathlib import Path

from fencepost import App, Discard, InvalidInput

app = App("hooks.db")
app.source("shop", scheme="hmac", secret="hush", header="x-signature", key="header:x-id")


def note(name, messages):
    with open(name, "a") as file:
        file.write(" ".join(message.key for message in messages) + "\\n")


def die_once(at):
    if Path("at").exists() and Path("at").read_text() == at:
        Path("at").unlink()
        os.kill(os.getpid(), signal.SIGKILL)


@app.on("shop", "stock", coalesce=lambda message: message.json()["id"], window=0.2)
def stock(messages, ctx):
    joins, queue = ctx.store.engine.durable.joins, ctx.store.engine.queue
    settle, claim = joins.settle, queue.claim

    def settling(*given):
        die_once("before the end")
        settle(*given)
        die_once("after the end")

    def claiming(*given, acks=(), **options):
        if acks:
            die_once("before the end")
        answer = claim(*given, acks=acks, **options)
        if acks:
            die_once("after the end")
        return answer

    joins.settle, queue.claim = settling, claiming
    note("begun", messages)
    die_once("in the handler")
    for message in messages:
        if "bad" in message.key and ctx.attempt == 1:
            ctx.fail(message, ValueError("bad stock"))
            die_once("after fail")
    if any("poison" in message.key for message in messages):
        raise ValueError("poisoned")
    note("ended", messages)


@app.on("shop", "slow", coalesce=lambda message: message.json()["id"], window=0, backoff=0.05,
        max_attempts=2)
async def slow(messages, ctx):
    note("begun", messages)
    if any("poison" in message.key for message in messages):
        raise Discard("poisoned")
    note("ended", messages)


@app.on("shop", "newest", coalesce=lambda message: 1, window=0.2, latest_only=True, backoff=0.05,
        max_attempts=2)
def newest(messages, ctx):
    queue = ctx.store.engine.queue
    claim = queue.claim

    def claiming(*given, acks=(), **options):
        if acks:
            die_once("before the end")
        return claim(*given, acks=acks, **options)

    queue.claim = claiming
    note("begun", messages)
    die_once("in the handler")
    if messages[0].key == "poison":
        ctx.fail(messages[0], "poisoned")


@app.on("shop", "refuses", coalesce=lambda message: 1, window=0)
def refuses(messages, ctx):
    tried = [
        lambda: ctx.step("a", print), lambda: ctx.sleep("b", 1), ctx.now, ctx.random,
        lambda: ctx.fail(None, "not mine"), lambda: ctx.wait("c"),
    ]
    refused = []
    for call in tried:
        try:
            call()
        except InvalidInput as error:
            refused.append(str(error))
    Path("refused").write_text("\\n".join(refused))
    with ctx.transaction() as tx:
        tx.execute("create table if not exists got (key text)")
        for message in messages:
            tx.execute("insert into got values (?)", (message.key,))


@app.on("shop", "keyless", coalesce=lambda message: message.json()["missing"])
def keyless(messages, ctx):
    raise AssertionError("never called")


@app.task("reindex", coalesce=True, most=3)
def reindex(messages, ctx):
    note("ended", messages)
"""


def arrive(place: Place, event: str, *keys: str, id: int = 1) -> None:
    """Have messages arrive as the receiver would enqueue them."""
    import importlib.util

    from fencepost import Message

    spec = importlib.util.spec_from_file_location("joined_app", place.folder / "app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    body = b'{"id": %d}' % id
    drafts = []
    for key in keys:
        message = Message(0, "shop", key, event, {}, body, 0.0)
        addresses = module.app.addresses(message)
        drafts.append(Draft("shop", "shop", key, event, {}, body, addresses))
    place.store.engine.queue.enqueue(drafts)


# JOIN-1
def test_a_handler_gets_what_arrived_within_the_window_in_one_call(place: Place) -> None:
    arrive(place, "stock", "a", "b", "c", id=1)
    arrive(place, "stock", "x", "y", id=2)

    place.drain("--workers", "2")

    assert sorted(place.lines("ended")) == ["a b c", "x y"]
    assert place.store.stats()["stock"].done == 5


# JOIN-5, K12
@pytest.mark.parametrize(
    ("at", "calls"),
    [
        ("in the handler", ["a b c d", "a b", "c d"]),
        ("before the end", ["a b c d"]),
        ("after the end", ["a b c d"]),
    ],
)
def test_a_worker_that_dies_with_a_group_ends_all_of_it_or_nothing(
    place: Place, at: str, calls: list[str]
) -> None:
    (place.folder / "at").write_text(at)
    arrive(place, "stock", "a", "b", "c", "d")

    place.drain("--workers", "1")

    assert not (place.folder / "at").exists()
    assert place.lines("begun") == calls
    assert place.store.stats()["stock"].done == 4


# JOIN-6, K12
@pytest.mark.parametrize("at", ["", "after fail", "before the end", "after the end"])
def test_a_message_that_failed_comes_back_alone_and_the_others_are_done(
    place: Place, at: str
) -> None:
    (place.folder / "at").write_text(at)
    arrive(place, "stock", "a", "bad", "c")

    place.drain("--workers", "1")

    ended = [key for line in place.lines("ended") for key in line.split()]
    assert {"a", "bad", "c"} == set(ended)
    assert place.store.stats()["stock"].done == 3
    assert place.lines("begun")[-1] in ("bad", "c")
    rows = place.store.read("select attempt from fp_delivery where queue = 'stock' order by id")
    attempts = [row[0] for row in rows]
    assert attempts == [1, 2, 1]


# JOIN-7, CLAIM-17
def test_a_poison_dies_alone(place: Place) -> None:
    arrive(place, "slow", *"abcdef", "poison", *"ghi")

    place.drain("--workers", "1")

    (dead,) = place.store.deliveries(state="dead")
    assert (dead.key, dead.attempt, dead.error) == ("poison", 1, "poisoned")
    assert place.store.stats()["slow"].done == 9
    ended = " ".join(place.lines("ended")).split()
    assert ended == list("abcdefghi")


# JOIN-9, K12
@pytest.mark.parametrize("at", ["", "in the handler", "before the end"])
def test_the_newest_is_handed_over_and_the_others_end_with_it(place: Place, at: str) -> None:
    (place.folder / "at").write_text(at)
    arrive(place, "newest", "a", "b", "c")

    place.drain("--workers", "1")

    assert place.lines("begun") == ["c"] * (2 if at else 1)
    rows = place.store.read("select state, error from fp_delivery order by id")
    superseded = ("cancelled", "superseded by d3")
    assert [tuple(row) for row in rows] == [superseded, superseded, ("done", None)]


# JOIN-9
def test_a_newest_that_dies_ends_the_others_too(place: Place) -> None:
    arrive(place, "newest", "a", "poison")

    place.drain("--workers", "1")

    rows = place.store.read("select state, attempt from fp_delivery order by id")
    assert [tuple(row) for row in rows] == [("cancelled", 1), ("dead", 2)]


# JOIN-10
def test_what_a_handler_with_coalesce_cannot_do_is_refused(place: Place) -> None:
    arrive(place, "refuses", "a", "b")
    arrive(place, "keyless", "c")

    place.drain("--workers", "1")

    assert len((place.folder / "refused").read_text().splitlines()) == 6
    assert [tuple(row) for row in place.store.read("select key from got")] == [("a",), ("b",)]
    assert place.store.stats()["refuses"].done == 2
    (dead,) = place.store.deliveries(state="dead")
    assert (dead.key, dead.error) == ("c", "no lane: KeyError: 'missing'")


# JOIN-1
def test_a_task_joins_what_waits_in_a_lane(place: Place) -> None:
    jobs = [{"body": b"", "key": key, "lane": "one"} for key in "abcde"]
    place.store.queue("reindex").enqueue_many(jobs)

    place.drain("--workers", "2")

    assert place.lines("ended") == ["a b c", "d e"]


# JOIN-1
def test_the_window_wakes_an_idle_worker(place: Place) -> None:
    with running(fencepost("work", "app.py", "--workers", "1"), cwd=place.folder) as pool:
        wait_until(lambda: len(place.store.pools()) == 1, "it runs")
        arrive(place, "stock", "a", "b")
        wait_until(lambda: place.store.stats()["stock"].done == 2, "it is done")
        pool.send_signal(signal.SIGTERM)
        assert pool.wait(60) == 0

    assert place.lines("ended") == ["a b"]
