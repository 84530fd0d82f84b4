"""The scenarios, in the order in which they are run and shown."""

from __future__ import annotations

from ..scenario import Scenario
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

SCENARIOS: dict[str, Scenario] = {
    each.name: each
    for each in (
        busy.SCENARIO,
        caps.SCENARIO,
        claims.SCENARIO,
        leases.SCENARIO,
        pool.SCENARIO,
        drain.SCENARIO,
        scale.SCENARIO,
        poison.SCENARIO,
        recycle.SCENARIO,
        rude.SCENARIO,
        pids.SCENARIO,
        zombie.SCENARIO,
        clock.SCENARIO,
        power.SCENARIO,
        io.SCENARIO,
        memory.SCENARIO,
        interrupt.SCENARIO,
        disk.SCENARIO,
        open.SCENARIO,
        files.SCENARIO,
        wal.SCENARIO,
        backup.SCENARIO,
        upgrade.SCENARIO,
        soak.SCENARIO,
        sim.SCENARIO,
    )
}
