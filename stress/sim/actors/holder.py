"""Holds named leases, and keys that are to be done once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ....store.engine.leases import NameHold
from ....store.engine.once import KeyHold
from ....store.leases import Lease
from ....store.once import Once
from .. import effects
from ..reference import NAMESPACE
from ..verdict import Broken

if TYPE_CHECKING:
    from ..process import Process
    from ..world import World

_TTLS_MS = (1, 2_000, 10_000, 60_000)
_KEEPS_MS = (1, 30_000, 3_600_000)
_MOST = 5
_NAMES = ("deploy", "report")


def act(world: World, process: Process) -> None:
    """Acquire or claim, or go on with what is held."""
    _believe(world, process)
    random = world.random
    if random.random() < 0.5:
        if not process.leases or random.random() < 0.4:
            _acquire(world, process)
        else:
            lease = random.choice(process.leases[-_MOST:])
            random.choice((_keep, _write, _write, _free))(world, process, lease)
    elif not process.turns or random.random() < 0.4:
        _claim(world, process)
    else:
        once, keep = random.choice(process.turns[-_MOST:])
        random.choice((_renew, _done, _done, _give_up))(world, process, once, keep)


def _believe(world: World, process: Process) -> None:
    """See that nobody believes in what is another's by now."""
    world.model.clock.now = world.now
    believed: list[Lease | Once] = [*process.leases, *(once for once, _ in process.turns)]
    for held in believed:
        if not held.lost and not world.model.may_believe(_hold(held)):
            raise Broken("holder-knows", f"{process} believes in {_hold(held)}")
    world.judge.checked["holder-knows"] += len(process.leases) + len(process.turns)


def _acquire(world: World, process: Process) -> None:
    store, random = process.store, world.random
    assert store is not None
    name, ttl = random.choice(_NAMES), random.choice(_TTLS_MS)
    owner = str(process)
    taken: list[Lease] = []

    def ask() -> tuple[int, str, int]:
        taken[:] = [store.leases.acquire(name, ttl / 1000, owner)]
        return taken[0].fence, taken[0].token, round(taken[0].expires_at * 1000)

    if world.call(process, "acquire", name, owner, ttl, ask=ask):
        process.leases += taken


def _keep(world: World, process: Process, lease: Lease) -> None:
    ttl = world.random.choice(_TTLS_MS)

    def ask() -> int:
        lease.renew(ttl / 1000)
        return round(lease.expires_at * 1000)

    world.call(process, "renew", lease._hold, ttl, ask=ask)


def _write(world: World, process: Process, lease: Lease) -> None:
    store = process.store
    assert store is not None

    def ask() -> None:
        with store.transaction(fence=lease) as tx:
            tx.execute(effects.INSERT, (lease.name,))
            world.hesitate()

    world.call(process, "write", lease._hold, ask=ask)


def _free(world: World, process: Process, lease: Lease) -> None:
    world.call(process, "release", lease._hold, ask=lease.release)


def _claim(world: World, process: Process) -> None:
    store, random = process.store, world.random
    assert store is not None
    key, ttl = f"k{random.randrange(world.config.keys)}", random.choice(_TTLS_MS)
    keep = random.choice(_KEEPS_MS)
    found: list[Once] = []

    def ask() -> tuple[str, int | None, int, str]:
        found[:] = [store.once(NAMESPACE, key, lease=ttl / 1000, keep_for=keep / 1000)]
        once = found[0]
        if once.claimed:
            return "claimed", None, once.fence or 0, once._claim().token
        return ("done", once.result, 0, "") if once.done else ("in work", None, 0, "")

    answer = world.call(process, "begin", key, ttl, ask=ask)
    if answer is not None and answer[0] == "claimed":
        process.turns.append((found[0], keep))


def _renew(world: World, process: Process, once: Once, keep: int) -> None:
    ttl = world.random.choice(_TTLS_MS)

    def ask() -> int:
        once.renew(ttl / 1000)
        return round(once.expires_at * 1000)

    world.call(process, "hold_on", once._claim(), ttl, ask=ask)


def _done(world: World, process: Process, once: Once, keep: int) -> None:
    fence = once.fence
    world.call(process, "end", once._claim(), fence, keep, ask=lambda: once.complete(fence))


def _give_up(world: World, process: Process, once: Once, keep: int) -> None:
    world.call(process, "give_up", once._claim(), ask=once.release)


def _hold(held: Lease | Once) -> NameHold | KeyHold:
    return held._hold if isinstance(held, Lease) else held._claim()
