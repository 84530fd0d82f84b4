"""Routes that are off: what comes is kept, and routed in order once they are on."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from fencepost import QueueFull, Store, StoreCorrupt
from fencepost.store.engine.operators.routes import RouteVerbs
from fencepost.store.types.durable.ended import Asked
from fencepost.store.types.messages.draft import Address
from fencepost.store.types.messages.message import Message
from fencepost.store.types.unserved import OffRoute

from ..clock import FakeClock
from ..kits import Kit
from ..sqlite.inside import connection
from .deliveries import claim, deliver, draft, states
from .test_schedules import NINE, RULE, _schedule

DEPLOY = Address("deploy", lane="main")
BOTH = (DEPLOY, Address("log"))


def verbs(store: Store) -> RouteVerbs:
    return store.engine.operators.routes


def kept(store: Store, queue: str = "deploy", limit: int = 100) -> list[Message]:
    return verbs(store).kept(queue, ["github"], limit)


def drain(store: Store, messages: Sequence[Message], to: Address | None = DEPLOY) -> list[bool]:
    return verbs(store).drain("deploy", [(message, to) for message in messages])


def handled(store: Store) -> str:
    """Claim and acknowledge all of the queue, one after the other; return their keys."""
    keys = ""
    while leases := store.queue("deploy").claim():
        keys += leases[0].message.key or ""
        leases[0].ack()
    return keys


def remembered_until(store: Store, id: int) -> float | None:
    found = store.message(id)
    assert found is not None
    return found.remembered_until


# ROUTE-1
def test_what_comes_while_a_route_is_off_is_kept(store: Store, clock: FakeClock) -> None:
    assert store.route_off("deploy")
    since = store.now()

    receipt = deliver(store, [DEPLOY], keep_ms=60_000)

    assert (receipt.status, receipt.state) == ("accepted", None)
    assert store.deliveries() == []
    assert store.routes_off() == [OffRoute("deploy", "off", since, 1)]
    assert store.unrouted_counts() == []
    (listed,) = store.unrouted()
    assert (listed.message_id, listed.kept_for) == (receipt.message_id, ("deploy",))
    assert (listed.waiting, listed.expires_at) == (False, None)
    clock.advance(86_400)
    assert store.sweep() == 0
    assert deliver(store, [DEPLOY], keep_ms=60_000).status == "duplicate"
    assert deliver(store, [DEPLOY], body=b"other").status == "conflict"
    (message,) = kept(store)
    assert (message.id, message.body, message.key) == (receipt.message_id, b"the body", "event-1")


# ROUTE-1
def test_off_is_off_for_every_process_by_the_commit(kit: Kit, store: Store) -> None:
    with kit.open() as other:
        other.route_off("deploy")

        deliver(store, [DEPLOY], key="a")

        assert [found.kept for found in other.routes_off()] == [1]
        other.route_on("deploy")
        assert drain(store, kept(store)) == [True]
        deliver(store, [DEPLOY], key="b")
    assert handled(store) == "ab"


# ROUTE-1, TRIG-12
def test_what_is_in_the_queue_or_has_no_source_is_not_kept(store: Store) -> None:
    deliver(store, [DEPLOY], key="a")
    claim(store).retry(delay=0)
    store.route_off("deploy")
    store.queue("deploy").enqueue(b"job", key="b")

    assert handled(store) == "ab"
    assert store.routes_off()[0].kept == 0


# ROUTE-1
def test_what_a_schedule_enqueues_is_not_kept(store: Store) -> None:
    pools = store.engine.pools
    store.route_off("report")
    (seen,) = pools.schedules.declare(pools.begin(None, 1), [RULE], NINE - 1)

    assert pools.schedules.advance(seen, [_schedule().draft(NINE)], NINE).accepted == 1

    assert store.stats()["report"].ready == 1


# ROUTE-1
def test_other_routes_of_the_message_are_not_touched(store: Store, clock: FakeClock) -> None:
    store.route_off("deploy")
    id = deliver(store, BOTH, keep_ms=60_000).message_id
    assert states(store) == {"log": "ready"}

    (log,) = store.queue("log").claim()
    assert log.message.body == b"the body"
    log.ack()

    clock.advance(3600)
    assert store.sweep() == 0
    assert remembered_until(store, id) is None
    store.route_on("deploy")
    assert drain(store, kept(store)) == [True]
    (deploy,) = store.queue("deploy").claim()
    assert deploy.message.body == b"the body"
    deploy.ack()
    assert states(store) == {"log": "done", "deploy": "done"}
    assert remembered_until(store, id) == store.now() + 60
    clock.advance(61)
    assert store.sweep() == 3


# ROUTE-1
def test_a_batch_is_kept_and_delivered_message_by_message(store: Store) -> None:
    store.route_off("deploy")
    addresses = [[DEPLOY], [Address("log")], BOTH, [DEPLOY], []]

    receipts = store.engine.queue.enqueue_each(
        [draft(each, key=f"{n}") for n, each in enumerate(addresses)]
    )

    assert [getattr(each, "state", each) for each in receipts] == [
        None,
        "ready",
        "ready",
        None,
        None,
    ]
    assert [each.key for each in kept(store)] == ["0", "2", "3"]
    assert store.stats()["log"].ready == 2
    assert [(each.key, each.kept_for) for each in store.unrouted()] == [
        ("4", ()),
        *((key, ("deploy",)) for key in "320"),
    ]


# ROUTE-1, TRIG-13
def test_turning_off_or_on_again_changes_nothing(store: Store, clock: FakeClock) -> None:
    assert not store.route_on("deploy")
    assert store.route_off("deploy")
    before = store.routes_off()
    clock.advance(5)
    assert not store.route_off("deploy")
    assert store.routes_off() == before
    deliver(store, [DEPLOY])
    assert store.route_on("deploy")
    assert not store.route_on("deploy")
    assert [each.state for each in store.routes_off()] == ["draining"]
    assert store.route_off("deploy")
    assert drain(store, kept(store)) == [False]
    assert [(each.state, each.kept) for each in store.routes_off()] == [("off", 1)]


# ROUTE-1
def test_a_route_with_nothing_kept_is_on_at_once(store: Store) -> None:
    store.route_off("deploy")

    assert store.route_on("deploy")

    assert store.routes_off() == []
    assert deliver(store, [DEPLOY]).state == "ready"
    assert [event.kind for event in store.events()] == ["route on", "route off"]


# ROUTE-2
def test_what_is_new_waits_behind_what_was_kept(store: Store) -> None:
    store.route_off("deploy")
    for key in "abc":
        deliver(store, [DEPLOY], key=key)
    store.route_on("deploy")
    assert drain(store, kept(store, limit=2)) == [True, True]
    deliver(store, [DEPLOY], key="d")
    assert handled(store) == "ab"
    assert [each.key for each in kept(store)] == ["c", "d"]

    assert drain(store, kept(store)) == [True, True]

    assert store.routes_off() == []
    deliver(store, [DEPLOY], key="e")
    assert handled(store) == "cde"


# ROUTE-2
def test_two_workers_that_drain_route_each_message_once_and_in_order(store: Store) -> None:
    store.route_off("deploy")
    for key in "abc":
        deliver(store, [DEPLOY], key=key)
    store.route_on("deploy")
    assert verbs(store).draining(["deploy", "log"], ["github"]) == ["deploy"]
    assert verbs(store).draining(["log"], ["github"]) == []
    assert verbs(store).draining(["deploy"], ["shop"]) == []
    one, other = kept(store, limit=2), kept(store)

    assert drain(store, one) == [True, True]
    assert drain(store, other) == [False, False, True]

    assert drain(store, one) == [False, False]
    assert handled(store) == "abc"
    assert verbs(store).draining(["deploy"], ["github"]) == []


# ROUTE-2
def test_draining_waits_for_room_in_the_queue(store: Store) -> None:
    store.queue("deploy", max_rows=2)
    store.route_off("deploy")
    for key in "abc":
        deliver(store, [DEPLOY], key=key)
    store.route_on("deploy")

    assert drain(store, kept(store)) == [True, True, False]
    assert handled(store) == "ab"
    assert drain(store, kept(store)) == [True]

    deliver(store, [DEPLOY], key="d")
    with pytest.raises(QueueFull):
        deliver(store, [DEPLOY], key="e")
    assert handled(store) == "cd"


# ROUTE-2
def test_what_fits_in_no_queue_any_more_is_handled_all_the_same(store: Store) -> None:
    store.route_off("deploy")
    deliver(store, [DEPLOY], key="a")
    store.queue("deploy", max_bytes=3)
    store.route_on("deploy")

    assert drain(store, kept(store)) == [True]

    assert handled(store) == "a"


# ROUTE-2
def test_without_a_matching_route_it_is_unrouted(store: Store, clock: FakeClock) -> None:
    store.route_off("deploy")
    alone = deliver(store, [DEPLOY], key="1", keep_ms=60_000).message_id
    beside = deliver(store, BOTH, key="2", keep_ms=60_000).message_id
    store.queue("log").claim()[0].ack()
    store.route_on("deploy")

    assert drain(store, kept(store), None) == [True, True]

    assert [each.message_id for each in store.unrouted()] == [alone]
    assert remembered_until(store, alone) == store.now() + 60
    assert remembered_until(store, beside) == store.now() + 60
    assert store.routes_off() == []


# ROUTE-3
def test_what_is_discarded_is_remembered_and_not_handled(store: Store, clock: FakeClock) -> None:
    store.route_off("deploy")
    alone = deliver(store, [DEPLOY], key="1", keep_ms=60_000).message_id
    beside = deliver(store, BOTH, key="2", keep_ms=60_000).message_id
    deliver(store, [DEPLOY], key="3", keep_ms=60_000)

    assert verbs(store).discard("deploy", 2) == 2

    assert [each.key for each in kept(store)] == ["3"]
    assert store.discard_kept("deploy") == 1
    assert [(each.state, each.kept) for each in store.routes_off()] == [("off", 0)]
    store.route_on("deploy")
    assert remembered_until(store, alone) == store.now() + 60
    assert remembered_until(store, beside) is None
    assert deliver(store, [DEPLOY], key="1").status == "duplicate"
    assert store.unrouted() == []
    assert states(store) == {"log": "ready"}
    clock.advance(61)
    assert store.sweep() == 2


# ROUTE-3
def test_discarding_the_last_while_it_drains_turns_the_route_on(store: Store) -> None:
    store.route_off("deploy")
    deliver(store, [DEPLOY])
    store.route_on("deploy")

    assert store.discard_kept("deploy") == 1

    assert store.routes_off() == []
    assert store.discard_kept("deploy") == 0


# ROUTE-4
def test_an_unrouted_message_is_kept_when_its_route_is_off(store: Store) -> None:
    first, second = (deliver(store, (), key=key).message_id for key in "12")
    store.route_off("deploy")

    assert deliver(store, [DEPLOY], key="1").status == "duplicate"
    store.replay_unrouted([second])
    (message,) = store.engine.operators.routing.to_route(["github"], 10)
    assert store.engine.operators.routing.route([(message, BOTH)]) == [True]

    assert [each.id for each in kept(store)] == [first, second]
    assert states(store) == {"log": "ready"}
    assert [each.kept_for for each in store.unrouted()] == [("deploy",), ("deploy",)]
    assert [outcome.kind for outcome in store.replay_unrouted([first, second])] == ["kept", "kept"]


# ROUTE-4
def test_a_message_that_is_kept_has_not_ended_and_a_discarded_one_is_cancelled(
    store: Store,
) -> None:
    def look(id: int) -> str | None:
        (found,) = store.engine.durable.ends.look([Asked(id)])
        assert not isinstance(found, StoreCorrupt)
        return None if found is None else found.state

    store.route_off("deploy")
    alone, beside = (deliver(store, to, key=f"{len(to)}").message_id for to in ([DEPLOY], BOTH))
    store.queue("log").claim()[0].ack()
    assert (look(alone), look(beside)) == (None, None)

    store.discard_kept("deploy")

    assert (look(alone), look(beside)) == ("cancelled", "done")


# ROUTE-6
def test_kept_messages_are_listed_among_the_unrouted(store: Store) -> None:
    for queue in ("deploy", "log"):
        store.route_off(queue)
    for key, to in (("0", ()), ("1", [DEPLOY]), ("2", BOTH), ("3", ()), ("4", BOTH[1:])):
        deliver(store, to, key=key, event=f"e{key}")

    def listed(**asked: object) -> list[tuple[str | None, int]]:
        return [(each.key, len(each.kept_for)) for each in store.unrouted(**asked)]  # type: ignore[arg-type]

    assert listed() == [("4", 1), ("3", 0), ("2", 2), ("1", 1), ("0", 0)]
    assert listed(limit=2) == [("4", 1), ("3", 0)]
    assert listed(limit=2, before=store.unrouted()[1].message_id) == [("2", 2), ("1", 1)]
    assert listed(event="e2") == listed(key="2") == listed(source="github", event="e2")
    assert listed(source="shop") == []
    assert [each.event for each in store.unrouted_counts()] == ["e0", "e3"]


# ROUTE-4
def test_a_message_kept_for_two_routes_ends_with_the_second(store: Store) -> None:
    store.route_off("deploy")
    store.route_off("log")
    id = deliver(store, BOTH, keep_ms=60_000).message_id
    store.route_on("deploy")
    assert drain(store, kept(store)) == [True]
    assert handled(store) == "event-1"
    assert remembered_until(store, id) is None
    assert store.engine.operators.routes.kept("log", ["github"], 9)[0].body == b"the body"

    assert store.discard_kept("log") == 1

    assert remembered_until(store, id) == store.now() + 60


# ROUTE-4
def test_a_dead_delivery_beside_is_revived_as_ever(store: Store) -> None:
    store.route_off("deploy")
    deliver(store, BOTH)
    claim(store, "log").bury("no")

    assert deliver(store, BOTH).helped == "revived"

    assert states(store) == {"log": "ready"}
    assert len(kept(store)) == 1


# ROUTE-4
def test_a_delivery_that_was_moved_there_meanwhile_is_the_one(store: Store) -> None:
    store.route_off("deploy")
    deliver(store, BOTH)
    (log,) = store.deliveries()
    store.move_many([log.id], "deploy")
    store.route_on("deploy")

    assert drain(store, kept(store)) == [True]

    assert handled(store) == "event-1"
    assert len(store.deliveries()) == 1


# ROUTE-4
def test_a_lane_that_cannot_be_had_makes_a_dead_letter_when_it_drains(store: Store) -> None:
    store.route_off("deploy")
    deliver(store, [Address("deploy", refused="no lane")])
    assert store.deliveries() == []
    store.route_on("deploy")

    assert drain(store, kept(store), Address("deploy", refused="no lane")) == [True]

    assert states(store) == {"deploy": "dead"}


# ROUTE-5
@pytest.mark.sqlite("damages a row of its file")
def test_a_damaged_message_becomes_a_dead_letter_and_stops_no_other(store: Store) -> None:
    store.route_off("deploy")
    damaged, _ = (deliver(store, [DEPLOY], key=key).message_id for key in "ab")
    change = "update fp_body set body = ? where message_id = ?"
    connection(store).execute(change, (b"rotten", damaged))
    assert [message.key for message in kept(store)] == ["b"]
    assert store.deliveries() == []
    store.route_on("deploy")

    assert drain(store, kept(store)) == [True]

    assert store.routes_off() == []
    (dead,) = store.deliveries(state="dead")
    assert (dead.message_id, "damaged" in (dead.error or "")) == (damaged, True)
    assert handled(store) == "b"


# ROUTE-2
@pytest.mark.sqlite("what is read at a time is its own")
def test_not_too_many_large_messages_are_read_at_a_time(store: Store) -> None:
    store.route_off("deploy")
    for n, key in enumerate("abc"):
        deliver(store, [DEPLOY], key=key, body=random.Random(n).randbytes(3 * 1024 * 1024))
    deliver(store, [DEPLOY], key="d", body=random.Random(3).randbytes(9 * 1024 * 1024))
    store.route_on("deploy")
    read = []

    while messages := kept(store):
        read.append([message.key for message in messages])
        assert all(drain(store, messages))

    assert read == [["a", "b"], ["c"], ["d"]]
