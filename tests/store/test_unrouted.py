"""Messages that no route matched: kept, found, counted, and routed again."""

from __future__ import annotations

import pytest

from fencepost import QueueFull, Store
from fencepost.store.types.messages.draft import Address
from fencepost.store.types.messages.message import Message
from fencepost.store.types.unserved import Unrouted, UnroutedCount

from ..clock import FakeClock
from ..sqlite.inside import connection
from .deliveries import claim, deliver, states


def route(store: Store, message: Message, *queues: str) -> bool:
    (done,) = store.engine.operators.routing.route(
        [(message, [Address(queue) for queue in queues])]
    )
    return done


def to_route(store: Store, *sources: str) -> list[Message]:
    return store.engine.operators.routing.to_route(sources or ("github",), 10)


# UNROUTED-1
def test_it_keeps_its_body_as_long_as_its_key(store: Store, clock: FakeClock) -> None:
    receipt = deliver(store, (), keep_ms=60_000)

    (found,) = store.unrouted()

    assert (receipt.status, receipt.state) == ("accepted", None)
    assert found == Unrouted(
        message_id=receipt.message_id,
        source="github",
        key="event-1",
        event="push",
        received_at=store.engine.clock.now_ms() / 1000,
        expires_at=store.engine.clock.now_ms() / 1000 + 60,
        waiting=False,
    )
    clock.advance(59.999)
    store.sweep()
    assert len(store.unrouted()) == 1
    clock.advance(0.001)
    assert store.sweep() == 1
    assert store.unrouted() == []
    assert deliver(store, ()).status == "accepted"


# UNROUTED-2
def test_they_are_counted_by_source_and_event(store: Store, clock: FakeClock) -> None:
    since = store.engine.clock.now_ms() / 1000
    for key, event in (("1", "push"), ("2", "ping"), ("3", "push")):
        deliver(store, (), key=key, event=event)
        clock.advance(1)
    deliver(store, (), key="4", event="push", source="shop", scope="shop")
    deliver(store, key="5")

    assert store.unrouted_counts() == [
        UnroutedCount("github", "ping", 1, since + 1),
        UnroutedCount("github", "push", 2, since),
        UnroutedCount("shop", "push", 1, since + 3),
    ]


# UNROUTED-2
def test_they_are_listed_newest_first_by_what_is_asked(store: Store, clock: FakeClock) -> None:
    for n in range(6):
        source = "shop" if n == 5 else "github"
        deliver(store, (), key=f"{n}", event=f"e{n % 2}", source=source, scope=source)
        clock.advance(1)
    since = store.engine.clock.now_ms() / 1000 - 3

    def keys(**asked: object) -> str:
        return "".join(each.key or "" for each in store.unrouted(**asked))  # type: ignore[arg-type]

    assert keys() == "543210"
    assert keys(source="github") == "43210"
    assert keys(event="e1") == "531"
    assert keys(source="github", event="e1") == "31"
    assert keys(key="2") == keys(source="github", event="e0", key="2") == "2"
    assert keys(since=since) == "543"
    assert keys(limit=2) == "54"
    assert keys(limit=2, before=store.unrouted(limit=2)[-1].message_id) == "32"
    assert keys(source="github", event="e1", before=store.unrouted(key="3")[0].message_id) == "1"
    assert keys(source="nobody") == ""


# UNROUTED-3
def test_a_redelivery_routes_it_once_a_route_matches(store: Store) -> None:
    first = deliver(store, ())
    assert deliver(store, ()).status == "duplicate"

    again = deliver(store)

    assert (again.status, again.state, again.helped) == ("accepted", "ready", "routed")
    assert again.message_id == first.message_id
    assert store.unrouted() == []
    assert claim(store).message.body == b"the body"
    assert deliver(store).status == "duplicate"


# UNROUTED-4
def test_a_replayed_one_is_routed_by_whoever_has_its_source(store: Store) -> None:
    id = deliver(store, ()).message_id

    assert [outcome.kind for outcome in store.replay_unrouted([id])] == ["replayed"]

    assert store.unrouted()[0].waiting
    assert to_route(store, "shop") == []
    assert not store.engine.operators.routing.anything_to_route(["shop"])
    (message,) = to_route(store)
    assert (message.id, message.event, message.body) == (id, "push", b"the body")
    assert route(store, message, "deploy", "log")
    assert states(store) == {"deploy": "ready", "log": "ready"}
    assert store.unrouted() == []
    assert to_route(store) == []
    assert claim(store).message.body == b"the body"


# UNROUTED-4
def test_two_workers_route_it_once(store: Store) -> None:
    id = deliver(store, ()).message_id
    store.replay_unrouted([id])
    (message,) = to_route(store)

    assert route(store, message, "deploy")
    assert not route(store, message, "deploy")

    assert len(store.deliveries()) == 1


# UNROUTED-4
def test_one_that_still_has_no_route_waits_for_an_operator_as_before(
    store: Store, clock: FakeClock
) -> None:
    id = deliver(store, (), keep_ms=60_000).message_id
    store.replay_unrouted([id])
    clock.advance(3_600)
    assert store.sweep() == 0  # what an operator has asked for is not forgotten meanwhile
    (message,) = to_route(store)

    assert route(store, message)

    (found,) = store.unrouted()
    assert (found.waiting, found.expires_at) == (False, store.engine.clock.now_ms() / 1000 + 60)
    assert to_route(store) == []


# UNROUTED-4
def test_a_redelivery_may_be_quicker_than_a_worker(store: Store) -> None:
    id = deliver(store, ()).message_id
    store.replay_unrouted([id])
    (message,) = to_route(store)

    assert deliver(store).helped == "routed"

    assert not route(store, message, "deploy")
    assert len(store.deliveries()) == 1


# UNROUTED-5
def test_a_replay_says_what_stood_in_the_way(store: Store) -> None:
    waiting = deliver(store, (), key="1").message_id
    routed = deliver(store, key="2").message_id
    store.replay_unrouted([waiting])

    outcomes = store.replay_unrouted([waiting, routed, 999])

    assert [outcome.kind for outcome in outcomes] == ["active", "routed", "not_found"]


# UNROUTED-5
@pytest.mark.sqlite("damages a row of its file")
def test_a_damaged_message_is_not_routed_again_and_stops_no_other(store: Store) -> None:
    waiting, routed, damaged = (
        deliver(store, (), key="1").message_id,
        deliver(store, key="2").message_id,
        deliver(store, (), key="3").message_id,
    )
    store.replay_unrouted([waiting])
    change = "update fp_body set body = ? where message_id = ?"
    connection(store).execute(change, (b"rotten", damaged))

    outcomes = store.replay_unrouted([waiting, routed, damaged, 999])

    assert [outcome.kind for outcome in outcomes] == [
        "active",
        "routed",
        "unrecoverable",
        "not_found",
    ]


# UNROUTED-5
def test_a_full_queue_does_not_keep_a_replay_away(store: Store) -> None:
    store.queue("deploy", max_rows=1)
    id = deliver(store, ()).message_id
    deliver(store, key="another")
    with pytest.raises(QueueFull):
        deliver(store)
    store.replay_unrouted([id])

    assert route(store, to_route(store)[0], "deploy")

    assert store.stats()["deploy"].ready == 2


# UNSERVED-1
def test_queues_that_hold_work_and_that_no_pool_serves_are_named(store: Store) -> None:
    deliver(store, [Address("renamed"), Address("served"), Address("done")])
    deliver(store, [Address("renamed", delay_ms=60_000), Address("leased")], key="event-2")
    claim(store, "done").ack()
    claim(store, "leased")
    pool = store.engine.pools.begin(["served", "idle"], 1)

    named = [(each.queue, each.waiting, each.leased) for each in store.unserved()]

    assert named == [("leased", 0, 1), ("renamed", 2, 0)]
    store.engine.pools.end(pool)
    assert [each.queue for each in store.unserved()] == ["leased", "renamed", "served"]


# CONFLICT-1
def test_conflicts_are_counted_for_each_source(store: Store, clock: FakeClock) -> None:
    deliver(store)
    deliver(store, source="shop", scope="shop")
    clock.advance(60)
    for body in (b"other", b"another"):
        assert deliver(store, body=body).status == "conflict"
    store.queue("mail").enqueue(b"1", key="k")
    store.queue("mail").enqueue(b"2", key="k")

    (found,) = store.conflicts()

    assert (found.source, found.conflicts, found.key) == ("github", 2, "event-1")
    assert found.last_at == store.engine.clock.now_ms() / 1000
