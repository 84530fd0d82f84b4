"""Claims, works, and ends its claims in every way there is, in time or late."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ....store.claim import Claim
from ....store.engine import Hold
from .. import effects
from ..reference import Grant
from ..verdict import Broken
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
    mine = random.choice(process.claims)
    (end,) = random.choices(_ENDS, _SHARES)
    end(world, process, mine)


def claim(world: World, process: Process, queue: str, limit: int, lease_ms: int) -> None:
    """Claim some of a queue."""
    store = process.store
    assert store is not None
    claims: list[Claim] = []

    def ask() -> list[Grant]:
        claims[:] = store.queue(queue).claim(limit=limit, lease=lease_ms / 1000)
        return [
            Grant(
                each.message.id,
                each.hold,
                each.message.body,
                each.attempt,
                round(each.expires_at * 1000),
            )
            for each in claims
        ]

    if world.call(process, "claim", queue, limit, lease_ms, ask=ask):
        process.claims += claims


def drain(world: World, process: Process) -> None:
    """Work off all that is there."""
    for _ in range(_MOST_ROUNDS):
        for row in list(world.model.tables.deliveries.values()):
            if row.parked:
                cancel(world, process, row.id)
        for queue in world.config.caps:
            claim(world, process, queue, 100, 60_000)
        for mine in list(process.claims):
            _ack(world, process, mine)
        process.claims.clear()
        tables = world.model.tables
        live = [row for queue in world.config.caps for row in tables.live(queue)]
        if not live:
            return
        moments = [at for row in live for at in (row.due_ms, row.until_ms) if at]
        world.machine.pass_time(
            min((at - world.now for at in moments if at > world.now), default=0)
        )
    raise Broken("never-stuck", f"what is left is not worked off: {live}")


def _ack(world: World, process: Process, mine: Claim) -> None:
    world.call(process, "ack", mine.hold, ask=mine.ack)
    _let_go(world, process, mine)


def _ack_many(world: World, process: Process, mine: Claim) -> None:
    store = process.store
    assert store is not None
    some = [each for each in process.claims if each.queue == mine.queue]

    def ask() -> list[Hold]:
        return [claim.hold for claim in store.queue(mine.queue).ack_many(some)]

    world.call(process, "ack_many", [each.hold for each in some], ask=ask)
    for each in some:
        _let_go(world, process, each)


def _complete(world: World, process: Process, mine: Claim) -> None:
    effect = effects.of_message(mine.message.id)

    def ask() -> None:
        with mine.transaction() as tx:
            tx.execute(effects.INSERT, (effect,))
            world.hesitate()

    world.call(process, "complete", mine.hold, effect, ask=ask)
    _let_go(world, process, mine)


def _retry(world: World, process: Process, mine: Claim) -> None:
    delay = world.random.choice(_DELAYS_MS)
    world.call(process, "retry", mine.hold, delay, ask=lambda: mine.retry(delay / 1000, "failed"))
    _let_go(world, process, mine)


def _release(world: World, process: Process, mine: Claim) -> None:
    world.call(process, "give_back", mine.hold, ask=mine.release)
    _let_go(world, process, mine)


def _bury(world: World, process: Process, mine: Claim) -> None:
    world.call(process, "bury", mine.hold, ask=lambda: mine.bury("hopeless"))
    _let_go(world, process, mine)


def _renew(world: World, process: Process, mine: Claim) -> None:
    lease = world.random.choice(_LEASES_MS)

    def ask() -> int:
        mine.renew(lease / 1000)
        return round(mine.expires_at * 1000)

    world.call(process, "keep", mine.hold, lease, ask=ask)


def _let_go(world: World, process: Process, mine: Claim) -> None:
    """Forget a claim, or be a worker that does not know when it is over."""
    if world.random.random() < 0.8:
        process.claims = [each for each in process.claims if each is not mine]


_ENDS = (_ack, _complete, _retry, _release, _bury, _renew, _ack_many)
_SHARES = (2, 4, 1, 1, 1, 1, 1)
