"""Holds named leases, and keys that are to be done once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ....store.leases import Lease
from ....store.once import Once
from .. import effects
from ..model.leases import Tenancy
from ..model.once import Turn
from ..model.verdict import Broken

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
            tenancy, lease = random.choice(process.leases[-_MOST:])
            random.choice((_keep, _write, _write, _free))(world, process, tenancy, lease)
    elif not process.turns or random.random() < 0.4:
        _claim(world, process)
    else:
        turn, once = random.choice(process.turns[-_MOST:])
        random.choice((_renew, _done, _done, _give_up))(world, process, turn, once)


def _believe(world: World, process: Process) -> None:
    """See that nobody believes in what is another's by now."""
    for tenancy, lease in process.leases:
        if not lease.lost and not world.model.leases.may_believe(tenancy, world.now):
            raise Broken("holder-knows", f"{process} believes in {tenancy}")
    for turn, once in process.turns:
        if not once.lost and not world.model.once.may_believe(turn, world.now):
            raise Broken("holder-knows", f"{process} believes in {turn}")
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

    if world.call(process, "leases", "acquire", name, owner, ttl, ask=ask):
        holder = world.model.leases.names[name].holder
        assert holder is not None
        process.leases.append((holder, taken[0]))


def _keep(world: World, process: Process, tenancy: Tenancy, lease: Lease) -> None:
    ttl = world.random.choice(_TTLS_MS)

    def ask() -> int:
        lease.renew(ttl / 1000)
        return round(lease.expires_at * 1000)

    world.call(process, "leases", "renew", tenancy, ttl, ask=ask)


def _write(world: World, process: Process, tenancy: Tenancy, lease: Lease) -> None:
    store = process.store
    assert store is not None

    def ask() -> None:
        with store.transaction(fence=lease) as tx:
            tx.execute(effects.INSERT, (tenancy.name,))
            world.hesitate()

    world.call(process, "leases", "write", tenancy, ask=ask)


def _free(world: World, process: Process, tenancy: Tenancy, lease: Lease) -> None:
    world.call(process, "leases", "release", tenancy, ask=lease.release)


def _claim(world: World, process: Process) -> None:
    store, random = process.store, world.random
    assert store is not None
    key, ttl = f"k{random.randrange(world.config.keys)}", random.choice(_TTLS_MS)
    keep = random.choice(_KEEPS_MS)
    found: list[Once] = []

    def ask() -> tuple[str, int | None, int]:
        found[:] = [store.once("sim", key, lease=ttl / 1000, keep_for=keep / 1000)]
        once = found[0]
        if once.claimed:
            return "claimed", None, once.fence or 0
        return ("done", once.result, 0) if once.done else ("in work", None, 0)

    answer = world.call(process, "once", "claim", key, ttl, ask=ask)
    if answer is not None and answer[0] == "claimed":
        turn = world.model.once.keys[key].holder
        assert turn is not None
        turn.keep = keep
        process.turns.append((turn, found[0]))


def _renew(world: World, process: Process, turn: Turn, once: Once) -> None:
    ttl = world.random.choice(_TTLS_MS)

    def ask() -> int:
        once.renew(ttl / 1000)
        return round(once.expires_at * 1000)

    world.call(process, "once", "renew", turn, ttl, ask=ask)


def _done(world: World, process: Process, turn: Turn, once: Once) -> None:
    world.call(
        process,
        "once",
        "complete",
        turn,
        turn.fence,
        turn.keep,
        ask=lambda: once.complete(turn.fence),
    )


def _give_up(world: World, process: Process, turn: Turn, once: Once) -> None:
    world.call(process, "once", "release", turn, ask=once.release)
