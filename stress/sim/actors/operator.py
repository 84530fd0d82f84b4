"""Replays and cancels, frees leases, and does the upkeep."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..process import Process
    from ..world import World


def act(world: World, process: Process) -> None:
    """Do one of them."""
    delivery = _pick(world)
    kind = world.random.randrange(5)
    if delivery is not None and kind == 0:
        replay(world, process, delivery)
    elif delivery is not None and kind == 1:
        cancel(world, process, delivery)
    else:
        world.random.choice((_free, _sweep, _tick))(world, process)


def replay(world: World, process: Process, delivery: int) -> None:
    """Make a dead one ready again."""
    store = process.store
    assert store is not None
    world.call(process, "replay", delivery, ask=lambda: store.replay(delivery).kind)


def cancel(world: World, process: Process, delivery: int) -> None:
    """Give one up."""
    store = process.store
    assert store is not None
    world.call(process, "cancel", delivery, ask=lambda: store.cancel(delivery).kind)


def _pick(world: World) -> int | None:
    rows = world.model.tables.deliveries.values()
    ended = [row.id for row in rows if row.state in ("dead", "cancelled")]
    some = ended or [row.id for row in rows]
    return world.random.choice(some) if some else None


def _free(world: World, process: Process) -> None:
    store = process.store
    assert store is not None
    name = world.random.choice(("deploy", "report"))
    world.call(process, "free", name, ask=lambda: store.leases.free(name))


def _sweep(world: World, process: Process) -> None:
    store = process.store
    assert store is not None
    world.keep_up(process, store.sweep)


def _tick(world: World, process: Process) -> None:
    store = process.store
    assert store is not None
    world.keep_up(process, store.engine.upkeep.tick)
