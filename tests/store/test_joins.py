"""What each verb of the contract does within a transaction of the caller's is what it says."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from fencepost import InvalidInput, Store
from fencepost.store.engine import Engine, Hold, keyed, leases, once, transactions, upkeep
from fencepost.store.engine.keyed import Item, Space
from fencepost.store.engine.leases import NameHold
from fencepost.store.engine.once import Claimed, KeyHold
from fencepost.store.engine.operators import routes, routing
from fencepost.store.engine.operators import verbs as operators
from fencepost.store.engine.pools import schedules
from fencepost.store.engine.pools import verbs as pools
from fencepost.store.engine.pools.verbs import Report
from fencepost.store.engine.ports import liveness
from fencepost.store.engine.queue import outbox
from fencepost.store.engine.queue import verbs as queue
from fencepost.store.types.filter import Filter
from fencepost.store.types.messages.draft import Address, Draft
from fencepost.store.types.messages.message import Message
from fencepost.store.types.schedule import Rule, Standing
from fencepost.store.types.sending.outgoing import Outgoing

DOWN = "https://down.example:443"
SPACE, OTHER = Space("a", "x"), Space("a", "y")
RULE = Rule("mail", "0 9 * * *", "UTC", "once")
OLD = Rule("old", "0 9 * * *", "UTC", "once")


@dataclass
class World:
    """An engine with something of each kind in it."""

    engine: Engine
    claims: list[Hold]
    dead: int
    ready: int
    unrouted: int
    to_route: Message
    kept: Message
    lease: NameHold
    key: KeyHold
    pool: int
    worker: int
    schedule: Standing


@pytest.fixture
def world(store: Store) -> World:
    """A store with deliveries in every state, entries, a lease, a claimed key, a pool."""
    engine, mail = store.engine, store.queue("mail")
    mail.enqueue_many({"body": b"%d" % n} for n in range(5))
    claims = mail.claim(limit=4, lease=600)
    claims.pop().bury("no use")
    (dead,) = store.deliveries(state="dead")
    (ready,) = store.deliveries(state="ready")
    engine.queue.enqueue([Draft("s", "s", key, "e", {}, b"", []) for key in "kl"])
    engine.keyed.register(SPACE, [Item("k", "1"), Item("l", "2")])
    engine.keyed.register(OTHER, [Item("m", "3")])
    found = engine.leases.once.claim(
        "n", ["k"], holder="me", token="t", lease_ms=60_000, payload_sha256=None
    )
    assert isinstance(found, Claimed)
    pool = engine.pools.begin(["mail"], 1)
    kept, asked = engine.operators.routing.unrouted(limit=9)
    engine.operators.routing.replay_unrouted([asked.message_id])
    (message,) = engine.operators.routing.to_route(["s"], 9)
    for name in ("off", "drained"):
        engine.operators.routes.turn_off(name)
        engine.queue.enqueue([Draft("s", "s", name, "e", {}, b"", [Address(name)])])
    engine.operators.routes.turn_on("drained")
    (held,) = engine.operators.routes.kept("drained", ["s"], 9)
    engine.pools.schedules.declare(pool, [RULE, OLD], 1000)
    return World(
        engine,
        [claim.hold for claim in claims],
        dead.id,
        ready.id,
        kept.message_id,
        message,
        held,
        engine.leases.acquire("name", owner="me", token="t", ttl_ms=60_000).hold,
        found.hold,
        pool,
        engine.pools.register(pool),
        *engine.pools.schedules.declare(pool, [RULE], 1000),
    )


def _draft() -> Draft:
    return Draft("queue/mail", None, None, "", {}, b"", [Address("mail")])


def _enter(block: Any) -> None:
    with block:
        pass


# By the part of the engine and the verb: a call that changes something, if the verb does.
CALLS: dict[str, dict[str, Callable[[World], object]]] = {
    "queue": {
        "enqueue": lambda w: w.engine.queue.enqueue([_draft()]),
        "enqueue_each": lambda w: w.engine.queue.enqueue_each([_draft()]),
        "caps": lambda w: w.engine.queue.caps("mail"),
        "change_caps": lambda w: w.engine.queue.change_caps("mail", {"max_rows": 9}),
        "tell_deaths": lambda w: w.engine.queue.tell_deaths({"mail": True}),
        "on_died": lambda w: w.engine.queue.on_died(lambda deaths: None),
        "claim": lambda w: w.engine.queue.claim(["mail"], limit=1, lease_ms=1000),
        "renew": lambda w: w.engine.queue.renew(w.claims[0], 900_000),
        "ack": lambda w: w.engine.queue.ack(w.claims[0], None),
        "ack_many": lambda w: w.engine.queue.ack_many(w.claims),
        "completion": lambda w: _enter(w.engine.queue.completion(w.claims[0])),
        "retry": lambda w: w.engine.queue.retry(w.claims[0], 5, "again"),
        "release": lambda w: w.engine.queue.release(w.claims[0]),
        "bury": lambda w: w.engine.queue.bury(w.claims[0], "no use"),
        "next_at_ms": lambda w: w.engine.queue.next_at_ms(["mail"]),
        "waiting_since_ms": lambda w: w.engine.queue.waiting_since_ms(["mail"]),
        "anything_left": lambda w: w.engine.queue.anything_left(["mail"]),
    },
    "queue.outbox": {
        "send": lambda w: w.engine.queue.outbox.send(_draft(), Outgoing("https://x.example/")),
        "outgoing": lambda w: w.engine.queue.outbox.outgoing(1),
        "admit": lambda w: w.engine.queue.outbox.admit(DOWN, "probe"),
        "heard": lambda w: w.engine.queue.outbox.heard(DOWN, "asked to wait", "t", 9000),
    },
    "operators": {
        "stats": lambda w: w.engine.operators.stats(),
        "deliveries": lambda w: w.engine.operators.deliveries(Filter(), 9, None),
        "delivery": lambda w: w.engine.operators.delivery(w.ready),
        "content": lambda w: w.engine.operators.content(w.ready),
        "message": lambda w: w.engine.operators.message(1),
        "replay": lambda w: w.engine.operators.replay([w.dead]),
        "cancel": lambda w: w.engine.operators.cancel([w.dead]),
        "move": lambda w: w.engine.operators.move([w.ready], "other"),
        "pause": lambda w: w.engine.operators.pause("mail", True),
        "limit": lambda w: w.engine.operators.limit("mail", 3),
    },
    "operators.routing": {
        "unrouted": lambda w: w.engine.operators.routing.unrouted(limit=9),
        "unrouted_counts": lambda w: w.engine.operators.routing.unrouted_counts(),
        "replay_unrouted": lambda w: w.engine.operators.routing.replay_unrouted([w.unrouted]),
        "to_route": lambda w: w.engine.operators.routing.to_route(["s"], 9),
        "anything_to_route": lambda w: w.engine.operators.routing.anything_to_route(["s"]),
        "route": lambda w: w.engine.operators.routing.route([(w.to_route, [Address("mail")])]),
        "unserved": lambda w: w.engine.operators.routing.unserved(),
        "conflicts": lambda w: w.engine.operators.routing.conflicts(),
        "keys_of": lambda w: w.engine.operators.routing.keys_of("s"),
    },
    "operators.routes": {
        "off": lambda w: w.engine.operators.routes.off(),
        "turn_off": lambda w: w.engine.operators.routes.turn_off("mail"),
        "turn_on": lambda w: w.engine.operators.routes.turn_on("off"),
        "discard": lambda w: w.engine.operators.routes.discard("drained", 1),
        "draining": lambda w: w.engine.operators.routes.draining(["drained"], ["s"]),
        "kept": lambda w: w.engine.operators.routes.kept("drained", ["s"], 9),
        "drain": lambda w: w.engine.operators.routes.drain(
            "drained", [(w.kept, Address("drained"))]
        ),
    },
    "keyed": {
        "open": lambda w: w.engine.keyed.open(Space("a", "new", keyed.Options(max_entries=3))),
        "register": lambda w: w.engine.keyed.register(SPACE, [Item("k", "5")]),
        "register_if_absent": lambda w: w.engine.keyed.register_if_absent(SPACE, Item("z", "5")),
        "update": lambda w: w.engine.keyed.update(SPACE, "k", lambda entry: Item("k", "5")),
        "replace": lambda w: w.engine.keyed.replace(SPACE, Item("k", "5"), lambda entry: True),
        "find": lambda w: w.engine.keyed.find(SPACE, ["k"]),
        "take": lambda w: w.engine.keyed.take(SPACE, "k"),
        "delete": lambda w: w.engine.keyed.delete(SPACE, "k"),
        "delete_if": lambda w: w.engine.keyed.delete_if(SPACE, "k", lambda entry: True),
        "delete_matching": lambda w: w.engine.keyed.delete_matching(
            SPACE, [("k", lambda entry: True)]
        ),
        "entries": lambda w: w.engine.keyed.entries(SPACE, None),
        "between": lambda w: w.engine.keyed.between(SPACE, "", None, limit=None, descending=False),
        "count": lambda w: w.engine.keyed.count(SPACE),
        "clear": lambda w: w.engine.keyed.clear(SPACE),
        "move": lambda w: w.engine.keyed.move(SPACE, "y", most=9),
        "namespace": lambda w: w.engine.keyed.namespace(SPACE),
        "namespaces": lambda w: w.engine.keyed.namespaces(9),
        "quarantined": lambda w: w.engine.keyed.quarantined(9),
    },
    "leases": {
        "acquire": lambda w: w.engine.leases.acquire("new", owner="o", token="u", ttl_ms=1000),
        "renew": lambda w: w.engine.leases.renew(w.lease, 900_000),
        "fenced": lambda w: _enter(w.engine.leases.fenced(w.lease)),
        "release": lambda w: w.engine.leases.release(w.lease),
        "free": lambda w: w.engine.leases.free("name"),
        "get": lambda w: w.engine.leases.get("name"),
        "list": lambda w: w.engine.leases.list(9),
    },
    "once": {
        "claim": lambda w: w.engine.leases.once.claim(
            "n", ["new"], holder="h", token="u", lease_ms=1000, payload_sha256=None
        ),
        "renew": lambda w: w.engine.leases.once.renew(w.key, 900_000),
        "complete": lambda w: w.engine.leases.once.complete(w.key, "1", 60_000),
        "release": lambda w: w.engine.leases.once.release(w.key),
    },
    "pools": {
        "begin": lambda w: w.engine.pools.begin(["mail"], 3),
        "tell": lambda w: w.engine.pools.tell(w.pool, state="quiet", size=7),
        "end": lambda w: w.engine.pools.end(w.pool),
        "pools": lambda w: w.engine.pools.pools(),
        "scale": lambda w: w.engine.pools.scale(),
        "set_scale": lambda w: w.engine.pools.set_scale(3),
        "register": lambda w: w.engine.pools.register(w.pool),
        "report": lambda w: w.engine.pools.report({w.worker: Report("idle", 9)}),
        "renew_owned": lambda w: w.engine.pools.renew_owned([w.worker], 1000),
        "disown": lambda w: w.engine.pools.disown(w.worker, []),
        "take_back": lambda w: w.engine.pools.take_back(w.worker, []),
        "retire": lambda w: w.engine.pools.retire(w.worker, "it ended"),
        "workers": lambda w: w.engine.pools.workers(),
        "events": lambda w: w.engine.pools.events(limit=9),
    },
    "pools.schedules": {
        "declare": lambda w: w.engine.pools.schedules.declare(w.pool, [], 1000),
        "advance": lambda w: w.engine.pools.schedules.advance(w.schedule, [_draft()], 2000),
        "known": lambda w: w.engine.pools.schedules.known(),
        "remove": lambda w: w.engine.pools.schedules.remove(OLD.name),
    },
    "pools.liveness": {
        "beat": lambda w: w.engine.pools.liveness.beat(w.pool, [w.worker]),
        "gone": lambda w: w.engine.pools.liveness.gone(),
    },
    "transactions": {
        "begin": lambda w: _enter(w.engine.transactions.begin()),
        "is_open": lambda w: w.engine.transactions.is_open(),
    },
    "upkeep": {
        "ping": lambda w: w.engine.upkeep.ping(),
        "probe": lambda w: w.engine.upkeep.probe(),
        "integrity": lambda w: w.engine.upkeep.integrity(),
        "audit": lambda w: w.engine.upkeep.audit(),
        "sweep": lambda w: w.engine.upkeep.sweep(),
    },
}

PARTS: dict[str, type] = {
    "queue": queue.QueueVerbs,
    "queue.outbox": outbox.OutboxVerbs,
    "operators": operators.OperatorVerbs,
    "operators.routes": routes.RouteVerbs,
    "operators.routing": routing.RoutingVerbs,
    "keyed": keyed.KeyedVerbs,
    "leases": leases.LeaseVerbs,
    "once": once.OnceVerbs,
    "pools": pools.PoolVerbs,
    "pools.schedules": schedules.ScheduleVerbs,
    "pools.liveness": liveness.Liveness,
    "transactions": transactions.TransactionVerbs,
    "upkeep": upkeep.UpkeepVerbs,
}

# A file, SQL of a dialect, another opening, and one round of a leader: tried elsewhere.
ELSEWHERE = {"backup", "read", "twin", "tick"}
# Nothing that `_seen` shows.
UNSEEN = {"on_died", "begin", "disown", "take_back", "probe", "tell_deaths", "open", "admit"}


def _joins(part: str, verb: str) -> str:
    said = inspect.getdoc(getattr(PARTS[part], verb)) or ""
    (word,) = re.findall(r"^Joins: (\w+)", said, re.MULTILINE)
    return str(word)


def _verbs(word: str) -> list[Any]:
    return [
        pytest.param(part, verb, id=f"{part}.{verb}")
        for part, calls in CALLS.items()
        for verb in calls
        if _joins(part, verb) == word
    ]


def test_every_verb_is_called() -> None:
    for part, protocol in PARTS.items():
        verbs = {
            name
            for name, member in vars(protocol).items()
            if inspect.isfunction(member) and not name.startswith("_")
        }
        assert verbs - ELSEWHERE == CALLS[part].keys(), part


class Undone(Exception):
    pass


def _seen(engine: Engine) -> list[object]:
    """Return what an operator and a user see of a store."""
    return [
        engine.operators.stats(),
        engine.operators.deliveries(Filter(), 99, None),
        engine.operators.routing.unrouted(limit=9),
        engine.operators.routing.to_route(["s"], 9),
        engine.operators.routes.off(),
        engine.keyed.entries(SPACE, None),
        engine.keyed.entries(OTHER, None),
        engine.leases.list(9),
        [engine.queue.caps(name) for name in ("mail", "other")],
        engine.queue.outbox.admit(DOWN, "look").wait_ms > 0,
        engine.pools.pools(),
        engine.pools.workers(),
        engine.pools.scale(),
        engine.pools.schedules.known(),
        engine.pools.events(limit=99),
    ]


# FP-26
@pytest.mark.parametrize(("part", "verb"), _verbs("yes"))
def test_a_verb_that_joins_is_undone_with_the_transaction(
    world: World, part: str, verb: str
) -> None:
    before = _seen(world.engine)

    with pytest.raises(Undone), world.engine.transactions.begin():
        CALLS[part][verb](world)
        if verb not in UNSEEN and part != "once":
            assert _seen(world.engine) != before
        raise Undone

    assert _seen(world.engine) == before


# FP-26
@pytest.mark.parametrize(("part", "verb"), _verbs("yes"))
def test_a_verb_that_joins_commits_with_the_transaction(world: World, part: str, verb: str) -> None:
    with world.engine.transactions.begin():
        CALLS[part][verb](world)
        within = _seen(world.engine)

    assert _seen(world.engine) == within


# FP-26
@pytest.mark.parametrize(("part", "verb"), _verbs("no"))
def test_a_verb_that_does_not_join_is_refused_within_a_transaction(
    world: World, part: str, verb: str
) -> None:
    before = _seen(world.engine)

    with world.engine.transactions.begin():
        if (part, verb) == ("pools.liveness", "beat") and (
            world.engine.pools.liveness.beat_seconds is None
        ):
            return  # nobody has to call it
        with pytest.raises(InvalidInput, match="transaction"):
            CALLS[part][verb](world)

    assert _seen(world.engine) == before


# FP-26
@pytest.mark.parametrize(("part", "verb"), _verbs("reads"))
def test_a_verb_that_reads_changes_nothing(world: World, part: str, verb: str) -> None:
    before = _seen(world.engine)

    with world.engine.transactions.begin():
        CALLS[part][verb](world)

    assert _seen(world.engine) == before
