"""Every error says which verb failed, and on which store."""

from __future__ import annotations

import copy
import inspect
import pickle
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from fencepost import (
    App,
    Claim,
    FencepostError,
    Keyed,
    Lease,
    LeaseHeld,
    LeaseLost,
    Once,
    Queue,
    QueueFull,
    SchemaUnsupported,
    Store,
    StoreBusy,
    StoreOpenFailed,
    connect,
)
from fencepost.store.connect import adopt, make_folder, migrate, quarantine, restore
from fencepost.store.leases import Leases
from fencepost.workers import PoolOptions, run_pool

from ..kits import Kit

SURROGATE = "\ud800"
Call = Callable[[Store], object]


def _claim(store: Store) -> Any:
    store.queue("mail").enqueue(b"work")
    return store.queue("mail").claim()[0]


def _keyed(store: Store) -> Any:
    return store.keyed("owner", "names")


def _held(store: Store) -> Any:
    return store.leases.acquire("name")


def _enter(manager: Any) -> None:
    with manager:
        pass


def _closed(store: Store) -> Store:
    store.close()
    return store


def _lost(store: Store) -> Any:
    claim = _claim(store)
    claim.release()
    store.queue("mail").claim()
    return claim


# For each verb a call that it refuses: by its name in the error.
STORE: dict[str, Call] = {
    "queue": lambda s: s.queue("no name"),
    "keyed": lambda s: s.keyed("", "x"),
    "keyed limits": lambda s: s.keyed("a", "x", max_entries=0),
    "keyed ttl": lambda s: s.keyed("a", "x", ttl=-1),
    "keyed overflow": lambda s: s.keyed("a", "x", overflow="drop"),  # type: ignore[arg-type]
    "namespaces": lambda s: s.namespaces(limit=0),
    "quarantined": lambda s: s.quarantined(limit=0),
    "once": lambda s: s.once("a b", "key"),
    "once key": lambda s: s.once("a", SURROGATE),
    "once aliases": lambda s: s.once("a", "key", aliases="abc"),
    "once payload": lambda s: s.once("a", "key", payload="text"),  # type: ignore[arg-type]
    "idempotent": lambda s: s.idempotent("a", key=lambda: None, lease=0),
    "idempotent coroutine": lambda s: s.idempotent("a", key=lambda: "k")(_coroutine),
    "once without a key": lambda s: s.idempotent("a", key=lambda: None)(lambda: 1)(),
    "once with a bad key": lambda s: s.idempotent("a", key=lambda: SURROGATE)(lambda: 1)(),
    "complete": lambda s: s.idempotent("a", key=lambda: "k")(lambda: {1, 2})(),
    "transaction": lambda s: s.transaction(fence="lease"),  # type: ignore[arg-type]
    "read": lambda s: s.read(5),  # type: ignore[arg-type]
    "read parameters": lambda s: s.read("select 1", 5),  # type: ignore[arg-type]
    "read sql": lambda s: s.read("select * from nowhere"),
    "read timeout": lambda s: s.read("select 1", timeout=-1),
    "table timeout": lambda s: s.table("select 1", timeout=0),
    "scale": lambda s: s.scale(-1),
    "events": lambda s: s.events(worker=-1),
    "backup": lambda s: s.backup(5),  # type: ignore[arg-type]
    "deliveries": lambda s: s.deliveries(limit=0),
    "deliveries state": lambda s: s.deliveries(state="odd"),
    "delivery": lambda s: s.delivery(0),
    "delivery type": lambda s: s.delivery("1"),  # type: ignore[arg-type]
    "delivery size": lambda s: s.delivery(2**70),
    "content": lambda s: s.content(-1),
    "message": lambda s: s.message(-1),
    "replay_many one": lambda s: s.replay(-1),
    "cancel_many one": lambda s: s.cancel(-1),
    "set_caps": lambda s: s.queue("mail", max_rows=0),
    "replay_many": lambda s: s.replay_many(5),  # type: ignore[arg-type]
    "cancel_many": lambda s: s.cancel_many([0]),
    "move": lambda s: s.move("a b", "mail"),
    "move same": lambda s: s.move("mail", "mail"),
    "unrouted": lambda s: s.unrouted(limit=0),
    "pause": lambda s: s.pause("a b"),
    "resume": lambda s: s.resume("a b"),
    "limit": lambda s: s.limit("mail", 0),
    "remove_schedule": lambda s: s.remove_schedule(""),
    "route_off": lambda s: s.route_off("a b"),
    "route_on": lambda s: s.route_on("a b"),
    "discard_kept": lambda s: s.discard_kept("a b"),
    "outbox": lambda s: s.outbox("no url", b"", key="k"),
}
QUEUE: dict[str, Call] = {
    "enqueue": lambda s: s.queue("mail").enqueue("text"),  # type: ignore[arg-type]
    "enqueue key": lambda s: s.queue("mail").enqueue(b"", key=""),
    "enqueue headers": lambda s: s.queue("mail").enqueue(b"", headers={"a": 1}),  # type: ignore[dict-item]
    "enqueue lane": lambda s: s.queue("mail").enqueue(b"", lane="\n"),
    "enqueue delay": lambda s: s.queue("mail").enqueue(b"", delay=-1),
    "enqueue policy": lambda s: s.queue("mail").enqueue(b"", lane_policy="odd"),  # type: ignore[arg-type]
    "enqueue priority": lambda s: s.queue("mail").enqueue(b"", priority=2**40),
    "enqueue attempts": lambda s: s.queue("mail").enqueue(b"", max_attempts=0),
    "enqueue keep": lambda s: s.queue("mail").enqueue(b"", keep_for=timedelta(-1)),
    "enqueue size": lambda s: s.queue("mail").enqueue(bytes(26 * 2**20)),
    "enqueue over a cap": lambda s: s.queue("mail", max_bytes=1).enqueue(b"two"),
    "enqueue_many": lambda s: s.queue("mail").enqueue_many(5),  # type: ignore[arg-type]
    "enqueue one": lambda s: s.queue("mail").enqueue_many([{"body": "text"}]),
    "enqueue two": lambda s: s.queue("mail").enqueue_many([5]),  # type: ignore[list-item]
    "enqueue three": lambda s: s.queue("mail").enqueue_many([{"odd": b""}]),
    "claim": lambda s: s.queue("mail").claim(limit=0),
    "claim lease": lambda s: s.queue("mail").claim(lease=0),
    "claim within": lambda s: _within(s, lambda: s.queue("mail").claim()),
    "ack": lambda s: s.queue("mail").ack_many([5]),  # type: ignore[list-item]
    "ack_many": lambda s: s.queue("mail").ack_many("no"),  # type: ignore[arg-type]
    "set_caps": lambda s: s.queue("mail").set_caps(max_bytes=-1),
    "set_caps keep": lambda s: s.queue("mail").set_caps(keep_body_for=-1),
}
CLAIM: dict[str, Call] = {
    "ack": lambda s: _claim(s).ack({1}),
    "ack lost": lambda s: _lost(s).ack(),
    "retry": lambda s: _claim(s).retry(delay=-1),
    "retry lost": lambda s: _lost(s).retry(),
    "release lost": lambda s: _lost(s).release(),
    "bury lost": lambda s: _lost(s).bury("why"),
    "renew": lambda s: _claim(s).renew(0),
    "renew lost": lambda s: _lost(s).renew(30),
    "transaction": lambda s: _enter(_lost(s).transaction()),
    "transaction within": lambda s: _within_claim(s, _claim(s)),
}
KEYED: dict[str, Call] = {
    "register": lambda s: _keyed(s).register("", 1),
    "register value": lambda s: _keyed(s).register("k", {1}),
    "register nan": lambda s: _keyed(s).register("k", float("nan")),
    "register ttl": lambda s: _keyed(s).register("k", 1, ttl=-1),
    "register_many": lambda s: _keyed(s).register_many([("k", {1})]),
    "register_many pairs": lambda s: _keyed(s).register_many(5),
    "register_if_absent": lambda s: _keyed(s).register_if_absent(5, 1),
    "lookup": lambda s: _keyed(s).lookup(""),
    "lookup_many": lambda s: _keyed(s).lookup_many([""]),
    "lookup_many size": lambda s: _keyed(s).lookup_many(["k"] * 20_000),
    "consume": lambda s: _keyed(s).consume(""),
    "delete": lambda s: _keyed(s).delete(""),
    "delete_if": lambda s: _keyed(s).delete_if("", lambda value: True),
    "delete_if_equal": lambda s: _keyed(s).delete_if_equal("k", []),
    "update": lambda s: _keyed(s).update("", lambda value: value),
    "entries": lambda s: _keyed(s).entries(limit=0),
    "range": lambda s: _keyed(s).range(5),
    "move_from": lambda s: _keyed(s).move_from("names"),
    "observe": lambda s: _keyed(s).observe(""),
    "compare_and_set": lambda s: _keyed(s).compare_and_set("k", "odd", 1),
    "compare_and_delete": lambda s: _keyed(s).compare_and_delete("k", "odd"),
    "delete_observed": lambda s: _keyed(s).delete_observed([5]),
}
LEASES: dict[str, Call] = {
    "acquire": lambda s: s.leases.acquire(""),
    "acquire ttl": lambda s: s.leases.acquire("a", ttl=0),
    "acquire owner": lambda s: s.leases.acquire("a", owner=""),
    "acquire wait": lambda s: s.leases.acquire("a", wait=-1),
    "acquire held": lambda s: (_held(s), _held(s)),
    "acquire or not": lambda s: s.leases.try_acquire("\n"),
    "hold": lambda s: _enter(s.leases.hold("a", ttl=0.1)),
    "hold name": lambda s: _enter(s.leases.hold("")),
    "list": lambda s: s.leases.list(limit=0),
    "get": lambda s: s.leases.get(""),
    "free": lambda s: s.leases.free(""),
    "renew": lambda s: _held(s).renew(-1),
    "renew lost": lambda s: _released(s).renew(),
    "release lost": lambda s: _freed(s).release(),
    "transaction fence": lambda s: _enter(s.transaction(fence=_released(s))),
}
ONCE: dict[str, Call] = {
    "complete": lambda s: s.once("a", "k").complete({1}),
    "complete others'": lambda s: _second(s).complete(),
    "release others'": lambda s: _second(s).release(),
    "renew": lambda s: s.once("a", "k").renew(0),
    "once payload": lambda s: (s.once("a", "k", payload=b"1"), s.once("a", "k", payload=b"2")),
}
OPEN: dict[str, Call] = {
    "read": lambda s: _closed(s).stats(),
    "enqueue": lambda s: _closed(s).queue("mail").enqueue(b""),
    "transaction": lambda s: _enter(_closed(s).transaction()),
    "close": lambda s: _within(s, s.close),
    "backup": lambda s: _within(s, lambda: s.backup(f"{s.engine.identity.address}.copy")),
    "execute": lambda s: _executing(s, "select * from nowhere"),
    "execute pragma": lambda s: _executing(s, "pragma user_version = 3"),
    "transaction ended": lambda s: _ended(s).execute("select 1"),
}
VERBS = {
    f"{part}: {name}": (name.partition(" ")[0], call)
    for part, calls in {
        "store": STORE,
        "queue": QUEUE,
        "claim": CLAIM,
        "keyed": KEYED,
        "leases": LEASES,
        "once": ONCE,
        "open": OPEN,
    }.items()
    for name, call in calls.items()
}


async def _coroutine() -> None: ...


def _within(store: Store, call: Callable[[], object]) -> None:
    with store.transaction():
        call()


def _second(store: Store) -> Once:
    store.once("a", "k")
    return store.once("a", "k")


def _within_claim(store: Store, claim: Any) -> None:
    with store.transaction():
        _enter(claim.transaction())


def _executing(store: Store, sql: str) -> None:
    with store.transaction() as tx:
        tx.execute(sql)


def _ended(store: Store) -> Any:
    with store.transaction() as tx:
        pass
    return tx


def _released(store: Store) -> Any:
    lease = _held(store)
    lease.release()
    return lease


def _freed(store: Store) -> Any:
    lease = _held(store)
    store.leases.free("name")
    return lease


# ERROR-1
@pytest.mark.parametrize("verb", VERBS)
def test_an_error_names_the_verb_that_failed_and_its_store(kit: Kit, verb: str) -> None:
    operation, call = VERBS[verb]
    with kit.open() as store, pytest.raises(FencepostError) as told:
        call(store)

    assert told.value.path == store.engine.identity.address
    assert told.value.operation == operation


# ERROR-1
def test_every_public_verb_that_takes_an_argument_is_among_them() -> None:
    named = {operation for operation, _ in VERBS.values()}
    # Whose arguments are those of others, or refuse nothing.
    others = {
        "replay",
        "cancel",
        "try_acquire",
        "each_delivery",
        "move_many",
        "replay_unrouted",
        "kept",
        "fencing",
        "keys_of",
        "note_counts",
    }

    for cls in (Store, Queue, Claim, Keyed, Leases, Lease, Once):
        verbs = {
            name: verb
            for name, verb in inspect.getmembers(cls, inspect.isfunction)
            if not name.startswith("_") and len(inspect.signature(verb).parameters) > 1
        }
        assert verbs.keys() - others <= named, cls


APPS: dict[str, Callable[[App], object]] = {
    "source": lambda app: app.source("a b", scheme="github", secret="s"),
    "source scheme": lambda app: app.source("a", scheme="odd", secret="s"),  # type: ignore[arg-type]
    "source secret": lambda app: app.source("a", scheme="github"),
    "on": lambda app: app.on("nowhere", max_attempts=0)(_handler),
    "on settings": lambda app: app.on("nowhere", lease=-1)(print),  # type: ignore[call-arg]
    "task": lambda app: app.task("a b")(_handler),
    "task handler": lambda app: (app.task("mail")(_handler), app.task("mail")(print)),
    "task attempts": lambda app: app.task("mail", max_attempts=0)(_handler),
    "task timeout": lambda app: app.task("mail", timeout=-1)(_handler),
    "command": lambda app: app.command("nowhere", "push", []),
    "accept": lambda app: app.accept("a", {}, "text"),  # type: ignore[arg-type]
    "accept headers": lambda app: app.accept("a", 5, b""),  # type: ignore[arg-type]
    "work": lambda app: app.work(workers=-1),
    "work queues": lambda app: run_pool(app, _handler, PoolOptions(queues=["odd"])),  # type: ignore[arg-type]
}


def _handler(message: object, ctx: object) -> None: ...


# ERROR-2
@pytest.mark.parametrize("verb", APPS)
def test_a_declaration_that_is_refused_names_its_verb_and_the_apps_store(
    tmp_path: Path, verb: str
) -> None:
    app = App(str(tmp_path / "hooks.db"))

    with pytest.raises((FencepostError, TypeError)) as told:
        APPS[verb](app)

    if isinstance(told.value, FencepostError):
        assert told.value.path == str(tmp_path / "hooks.db")
        assert told.value.operation == verb.partition(" ")[0]


# ERROR-3
@pytest.mark.parametrize("target", [5, "", "postgresql://host/db", "/nowhere/at/all.db", "a\0b"])
@pytest.mark.parametrize("verb", [connect, migrate, quarantine, adopt, make_folder, restore])
def test_what_cannot_be_opened_is_named_as_it_was_given(
    tmp_path: Path, verb: Callable[..., object], target: Any
) -> None:
    options = {migrate: ((), {"dry_run": True}), restore: ((str(tmp_path / "b.db"),), {})}
    before, named = options.get(verb, ((), {}))

    with pytest.raises(FencepostError) as told:
        verb(*before, target, **named)

    assert told.value.operation
    assert told.value.path


# ERROR-3
def test_options_of_connect_that_make_no_sense_name_the_store(tmp_path: Path) -> None:
    path = str(tmp_path / "store.db")
    for options in ({"durability": "odd"}, {"busy_timeout": -1}, {"busy_timeout": "long"}):
        with pytest.raises(FencepostError) as told:
            connect(path, **options)
        assert (told.value.operation, told.value.path) == ("open", path)


# ERROR-4
@pytest.mark.parametrize(
    "error",
    [
        StoreBusy(operation="enqueue", path="/x.db", waited=1.5, holders=(7,)),
        QueueFull("mail", "5 rows", operation="enqueue", path="/x.db"),
        LeaseLost("delivery 7", cause="superseded", operation="ack", path="/x.db"),
        SchemaUnsupported("newer", found=9, supported=1, path="/x.db"),
        StoreOpenFailed("no", operation="open", path="/x.db"),
        LeaseHeld(
            "'a'", holder="me", expires_at=5.0, retry_after=1.0, operation="acquire", path="/x.db"
        ),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_crosses_processes_as_it_is(error: FencepostError) -> None:
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error)):  # noqa: S301 - our own
        assert type(other) is type(error)
        assert (str(other), other.__dict__) == (str(error), error.__dict__)
