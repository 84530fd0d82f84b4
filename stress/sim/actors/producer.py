"""Enqueues: the same keys again and again, now and then with another body."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ....store import Queue
from ....store.types.message import Redelivery
from ..model.queues import Draft

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
        drafts = [drafts[0]._replace(revives=True)]
    enqueue(world, process, drafts)


def enqueue(world: World, process: Process, drafts: list[Draft]) -> None:
    """Enqueue messages of one queue."""
    store = process.store
    assert store is not None
    queue = store.queue(drafts[0].queue)
    world.call(
        process,
        "queues",
        "enqueue",
        drafts,
        ask=lambda: _enqueue(queue, drafts),
    )


def _draft(world: World, queue: str) -> Draft:
    random, lanes = world.random, world.config.lanes[queue]
    number = random.randrange(world.config.keys)
    keyless = random.random() < 0.1
    other = random.random() < 0.1
    return Draft(
        queue=queue,
        key=None if keyless else f"k{number}",
        body=f"{number}{' changed' if other else ''}".encode(),
        lane=f"lane {random.randrange(lanes)}" if lanes else None,
        policy=random.choice(("strict", "strict", "skip", "park")),
        delay=random.choice(_DELAYS_MS),
        priority=random.choice((0, 0, 0, 1, -1)),
        keep=random.choice(_KEEPS_MS),
        attempts=random.choice((1, 2, 8, None)),
        retry_for=random.choice(_RETRY_FOR_MS),
    )


def _enqueue(queue: Queue, drafts: list[Draft]) -> list[tuple[str, int]]:
    messages: list[dict[str, Any]] = [
        {
            "body": draft.body,
            "key": draft.key,
            "lane": draft.lane,
            "lane_policy": draft.policy,
            "delay": draft.delay / 1000,
            "priority": draft.priority,
            "keep_for": draft.keep / 1000,
            "max_attempts": draft.attempts,
            "retry_for": draft.retry_for / 1000,
        }
        for draft in drafts
    ]
    if len(messages) == 1:
        (message,) = messages
        draft = queue._draft(**message)
        redelivery: Redelivery = "revive" if drafts[0].revives else "ignore"
        receipts = queue._engine.queue.enqueue([replace(draft, redelivery=redelivery)])
    else:
        receipts = queue.enqueue_many(messages)
    return [(receipt.status, receipt.message_id) for receipt in receipts]
