"""Routes on again while workers die: each kept message once, in the order of its lane."""

from __future__ import annotations

import json

import pytest

from fencepost.store.types.messages.draft import Address, Draft

from .conftest import Place

APP = '''
import os, signal
from pathlib import Path

from fencepost import App
from fencepost.store.sqlite.session.transactions import Block

app = App("hooks.db")
app.source("shop", scheme="hmac", secret="hush", header="x-signature", key="header:x-id")
commit = Block._commit


def dies(block):
    """Die at the second and the fourth transaction that drains, as the file says."""
    at = Path("die").read_text()
    drains = block._operation == "drain"
    if drains:
        with open("drains", "a") as file:
            file.write("x")
    kill = drains and len(Path("drains").read_text()) in (2, 4)
    if kill and at == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    commit(block)
    if kill and at == "after":
        os.kill(os.getpid(), signal.SIGKILL)


Block._commit = dies


@app.on("shop", "order", lane=lambda message: message.json()["lane"])
def work(message, ctx):
    with ctx.transaction() as tx:
        tx.execute("create table if not exists worked (key text)")
        tx.execute("insert into worked values (?)", (message.key,))


@app.on("shop", "order", name="other")
def other(message, ctx):
    pass
'''

MESSAGES = 450
LANES = 7


def draft(n: int) -> Draft:
    body = json.dumps({"lane": f"lane-{n % LANES}"}).encode()
    addresses = [Address("work", lane=f"lane-{n % LANES}"), Address("other")]
    return Draft(
        "shop", "shop", f"{n}", "order", {"content-type": "application/json"}, body, addresses
    )


# ROUTE-2, ROUTE-8
@pytest.mark.parametrize("at", ["before", "after"])
def test_workers_that_die_while_they_drain_route_each_message_once_and_in_order(
    place: Place, at: str
) -> None:
    store = place.store
    (place.folder / "die").write_text(at)
    store.route_off("work")
    store.engine.queue.enqueue([draft(n) for n in range(MESSAGES - 50)])
    store.route_on("work")
    store.engine.queue.enqueue([draft(n) for n in range(MESSAGES - 50, MESSAGES)])
    assert store.routes_off()[0].kept == MESSAGES
    assert store.stats()["other"].ready == MESSAGES

    place.drain("--workers", "2")

    assert len((place.folder / "drains").read_text()) >= 4
    assert store.routes_off() == []
    assert (store.stats()["work"].done, store.stats()["other"].done) == (MESSAGES, MESSAGES)
    worked = [int(row[0]) for row in store.read("select key from worked order by rowid")]
    assert sorted(worked) == list(range(MESSAGES))
    for lane in range(LANES):
        of_lane = [n for n in worked if n % LANES == lane]
        assert of_lane == sorted(of_lane)
