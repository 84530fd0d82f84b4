"""The scenarios, in the order in which they are run and shown."""

from __future__ import annotations

from ..harness.scenario import Scenario
from ..sqlite.scenarios import (
    backup,
    busy,
    disk,
    files,
    interrupt,
    io,
    memory,
    open,
    power,
    upgrade,
    wal,
)
from . import (
    caps,
    claims,
    clock,
    drain,
    leases,
    pids,
    poison,
    pool,
    recycle,
    rude,
    scale,
    sim,
    soak,
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
