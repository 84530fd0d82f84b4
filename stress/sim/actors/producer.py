"""Enqueues: the same keys again and again, now and then with another body."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from ....store.types.messages.draft import Address, Draft, queue_scope

if TYPE_CHECKING:
    from ..process import Process
    from ..world import World

_DELAYS_MS = (0, 0, 0, 0, 1, 1_000, 20_000, 100_000)
_RETRY_FOR_MS = (10_000, 600_000, 259_200_000, 259_200_000)
_KEEPS_MS = (0, 1_000, 60_000, 3_600_000, 3_600_000)


def act(world: World, process: Process) -> None:
    """Enqueue one message, or a few together."""
    random = world.random
    queue = random.choice(tuple(world.config.caps))
    count = 1 if random.random() < 0.85 else random.randint(2, 4)
    drafts = [_draft(world, queue) for _ in range(count)]
    if count == 1 and random.random() < 0.5:
        drafts = [replace(drafts[0], redelivery="revive")]
    enqueue(world, process, drafts)


def enqueue(world: World, process: Process, drafts: list[Draft]) -> None:
    """Enqueue messages of one queue."""
    store = process.store
    assert store is not None

    def ask() -> list[tuple[str, int]]:
        receipts = store.engine.queue.enqueue(drafts)
        return [(receipt.status, receipt.message_id) for receipt in receipts]

    world.call(process, "enqueue", drafts, ask=ask)


def _draft(world: World, queue: str) -> Draft:
    random, lanes = world.random, world.config.lanes[queue]
    number = random.randrange(world.config.keys)
    keyless = random.random() < 0.1
    other = random.random() < 0.1
    address = Address(
        queue,
        lane=f"lane {random.randrange(lanes)}" if lanes else None,
        lane_policy=random.choice(("strict", "strict", "skip", "park")),
        delay_ms=random.choice(_DELAYS_MS),
        priority=random.choice((0, 0, 0, 1, -1)),
        max_attempts=random.choice((1, 2, 8, None)),
        retry_for_ms=random.choice(_RETRY_FOR_MS),
    )
    return Draft(
        scope=queue_scope(queue),
        source=None,
        key=None if keyless else f"k{number}",
        event="",
        headers={},
        body=f"{number}{' changed' if other else ''}".encode(),
        addresses=[address],
        keep_ms=random.choice(_KEEPS_MS),
    )
