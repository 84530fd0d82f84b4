"""The canaries, in the order of their scenarios; a file for each scenario that has any."""

from __future__ import annotations

from ..harness.canary import Canary
from . import (
    backup,
    busy,
    caps,
    claims,
    clock,
    disk,
    drain,
    files,
    interrupt,
    io,
    leases,
    memory,
    open,
    pids,
    poison,
    pool,
    power,
    recycle,
    rude,
    scale,
    sim,
    soak,
    upgrade,
    wal,
    zombie,
)

CANARIES: dict[str, Canary] = {
    each.name: each
    for each in (
        *busy.CANARIES,
        *caps.CANARIES,
        *claims.CANARIES,
        *leases.CANARIES,
        *pool.CANARIES,
        *drain.CANARIES,
        *scale.CANARIES,
        *poison.CANARIES,
        *recycle.CANARIES,
        *rude.CANARIES,
        *pids.CANARIES,
        *zombie.CANARIES,
        *clock.CANARIES,
        *power.CANARIES,
        *io.CANARIES,
        *memory.CANARIES,
        *interrupt.CANARIES,
        *disk.CANARIES,
        *open.CANARIES,
        *files.CANARIES,
        *wal.CANARIES,
        *backup.CANARIES,
        *upgrade.CANARIES,
        *soak.CANARIES,
        *sim.CANARIES,
    )
}


def plant(name: str) -> None:
    """Plant a fault in this process, until it ends."""
    CANARIES[name].plant()
