"""Registers keyed state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ....store import Store
from ....store.engine.keyed import Item
from ....store.keyed import Keyed
from ..reference import NAMESPACE

if TYPE_CHECKING:
    from ..process import Process
    from ..world import World

_TTLS_MS = (None, 1, 5_000, 60_000)


def prepare(world: World, store: Store) -> None:
    """Make the namespaces."""
    for name, (cap, overflow) in world.config.spaces.items():
        world.model.open_space(name, cap, overflow)
        store.keyed(NAMESPACE, name, max_entries=cap, overflow=overflow)


def act(world: World, process: Process) -> None:
    """Register, look up, consume, delete or count."""
    store, random = process.store, world.random
    assert store is not None
    name = random.choice(tuple(world.config.spaces))
    keyed, key = store.keyed(NAMESPACE, name), f"k{random.randrange(world.config.keys)}"
    random.choice(
        (_register, _register, _register_if_absent, _register_if_absent, _look_up, _take)
    )(world, process, keyed, name, key)


def _register(world: World, process: Process, keyed: Keyed, name: str, key: str) -> None:
    value, ttl = world.random.randrange(1, 1000), world.random.choice(_TTLS_MS)
    seconds = None if ttl is None else ttl / 1000
    world.call(
        process,
        "register",
        name,
        Item(key, str(value), ttl),
        ask=lambda: keyed.register(key, value, ttl=seconds),
    )


def _register_if_absent(world: World, process: Process, keyed: Keyed, name: str, key: str) -> None:
    value, ttl = world.random.randrange(1, 1000), world.random.choice(_TTLS_MS)
    seconds = None if ttl is None else ttl / 1000
    world.call(
        process,
        "register_if_absent",
        name,
        Item(key, str(value), ttl),
        ask=lambda: keyed.register_if_absent(key, value, ttl=seconds),
    )


def _look_up(world: World, process: Process, keyed: Keyed, name: str, key: str) -> None:
    if world.random.random() < 0.5:
        world.call(process, "count", name, ask=keyed.count)
    else:
        world.call(process, "lookup", name, key, ask=lambda: keyed.lookup(key, 0))


def _take(world: World, process: Process, keyed: Keyed, name: str, key: str) -> None:
    if world.random.random() < 0.5:
        world.call(process, "consume", name, key, ask=lambda: keyed.consume(key, 0))
    else:
        world.call(process, "delete", name, key, ask=lambda: keyed.delete(key))
