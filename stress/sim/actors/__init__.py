"""Who uses the store. A process is each of them in turn."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ....store import Store
from . import consumer, holder, operator, producer, registrant
from .consumer import drain

if TYPE_CHECKING:
    from ..process import Process
    from ..world import World

__all__ = ["act", "drain", "prepare"]

_Actor = Callable[["World", "Process"], None]
_ACTORS: tuple[_Actor, ...] = (
    producer.act,
    consumer.act,
    holder.act,
    registrant.act,
    operator.act,
)
_SHARES = (28, 40, 12, 10, 10)


def prepare(world: World, store: Store) -> None:
    """Make what all of them use."""
    for name, cap in world.config.caps.items():
        store.queue(name, max_rows=cap)
        world.model.open_queue(name, cap)
    registrant.prepare(world, store)


def act(world: World, process: Process, rival: Process | None = None) -> None:
    """Make one call, as one of them; often the very one that a rival is in the middle of."""
    call = None if rival is None else rival.call
    if call is not None and call.verb == "enqueue" and world.random.random() < 0.5:
        producer.enqueue(world, process, call.arguments[0])
    else:
        (actor,) = world.random.choices(_ACTORS, _SHARES)
        actor(world, process)
