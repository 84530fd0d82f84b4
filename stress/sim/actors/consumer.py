"""Claims, works, and ends its claims in every way there is, in time or late."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ....store.claim import Claim
from .. import effects
from ..model.queues import Claimed, Held
from ..model.verdict import Broken
from .operator import cancel

if TYPE_CHECKING:
    from ..process import Process
    from ..world import World

_LEASES_MS = (1, 1_000, 5_000, 30_000)
_DELAYS_MS = (0, 1, 2_000, 40_000)
_MOST_HELD = 6
_MOST_ROUNDS = 300


def act(world: World, process: Process) -> None:
    """Claim, or go on with what is held."""
    random = world.random
    if not process.claims or (len(process.claims) < _MOST_HELD and random.random() < 0.4):
        queue = random.choice(tuple(world.config.caps))
        claim(world, process, queue, random.randint(1, 4), random.choice(_LEASES_MS))
        return
    held, mine = random.choice(process.claims)
    (end,) = random.choices(_ENDS, _SHARES)
    end(world, process, held, mine)


def claim(world: World, process: Process, queue: str, limit: int, lease_ms: int) -> None:
    """Claim some of a queue."""
    store = process.store
    assert store is not None
    claims: list[Claim] = []

    def ask() -> list[Claimed]:
        claims[:] = store.queue(queue).claim(limit=limit, lease=lease_ms / 1000)
        return [
            Claimed(
                each.message.id,
                each.id,
                each.message.body,
                each.attempt,
                each.fence,
                each.token,
                round(each.expires_at * 1000),
            )
            for each in claims
        ]

    if world.call(process, "queues", "claim", queue, limit, lease_ms, ask=ask):
        for each in claims:
            job = world.model.queues.by_message(each.message.id)
            assert job is not None
            assert job.last is not None
            process.claims.append((job.last, each))


def drain(world: World, process: Process) -> None:
    """Work off all that is there."""
    queues = world.model.queues
    for _ in range(_MOST_ROUNDS):
        for job in [job for job in queues.jobs if job.parked]:
            cancel(world, process, job)
        for queue in world.config.caps:
            claim(world, process, queue, 100, 60_000)
        for held, mine in list(process.claims):
            _ack(world, process, held, mine)
        process.claims.clear()
        if not any(queues.live(queue) for queue in world.config.caps):
            return
        ahead = [at - world.now for at in queues.moments() if at > world.now]
        world.machine.pass_time(min(ahead, default=0))
    raise Broken("never-stuck", f"what is left is not worked off: {queues.jobs}")


def _ack(world: World, process: Process, held: Held, mine: Claim) -> None:
    world.call(process, "queues", "ack", held, ask=mine.ack)
    _let_go(world, process, held)


def _ack_many(world: World, process: Process, held: Held, mine: Claim) -> None:
    store = process.store
    assert store is not None
    some = [each for each in process.claims if each[1].queue == mine.queue]

    def ask() -> list[Held]:
        refused = store.queue(mine.queue).ack_many([claim for _, claim in some])
        return [held for held, claim in some if claim in refused]

    world.call(process, "queues", "ack_many", [held for held, _ in some], ask=ask)
    for each, _ in some:
        _let_go(world, process, each)


def _complete(world: World, process: Process, held: Held, mine: Claim) -> None:
    def ask() -> None:
        with mine.transaction() as tx:
            tx.execute(effects.INSERT, (effects.of_job(held.job),))
            world.hesitate()

    world.call(process, "queues", "complete", held, ask=ask)
    _let_go(world, process, held)


def _retry(world: World, process: Process, held: Held, mine: Claim) -> None:
    delay = world.random.choice(_DELAYS_MS)
    world.call(
        process, "queues", "retry", held, delay, ask=lambda: mine.retry(delay / 1000, "failed")
    )
    _let_go(world, process, held)


def _release(world: World, process: Process, held: Held, mine: Claim) -> None:
    world.call(process, "queues", "release", held, ask=mine.release)
    _let_go(world, process, held)


def _bury(world: World, process: Process, held: Held, mine: Claim) -> None:
    world.call(process, "queues", "bury", held, ask=lambda: mine.bury("hopeless"))
    _let_go(world, process, held)


def _renew(world: World, process: Process, held: Held, mine: Claim) -> None:
    lease = world.random.choice(_LEASES_MS)

    def ask() -> int:
        mine.renew(lease / 1000)
        return round(mine.expires_at * 1000)

    world.call(process, "queues", "renew", held, lease, ask=ask)


def _let_go(world: World, process: Process, held: Held) -> None:
    """Forget a claim, or be a worker that does not know when it is over."""
    if world.random.random() < 0.8:
        process.claims = [each for each in process.claims if each[0] is not held]


_ENDS = (_ack, _complete, _retry, _release, _bury, _renew, _ack_many)
_SHARES = (2, 4, 1, 1, 1, 1, 1)
