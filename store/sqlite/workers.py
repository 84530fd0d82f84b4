"""The register of worker processes, and taking back what a dead one held."""

from __future__ import annotations

import os
import socket

from ..worker import Worker
from .alive import Alive
from .door import Door, Write
from .reap import reap_owner

_INSERT = """
insert into fp_worker (pool, pid, host, state, started_at_ms, seen_at_ms)
values (:pool, :pid, :host, 'starting', :now, :now)
"""

_REPORT = """
update fp_worker
set state = :state, handled = :handled, seen_at_ms = :now
where id = :id
"""

_DELETE = "delete from fp_worker where id = :id"

_ALL = """
select id, pool, pid, host, state, handled, started_at_ms, seen_at_ms
from fp_worker
order by id
"""


def register(write: Write, alive: Alive, pool: str) -> int:
    """Return a new worker's id; it counts as alive as long as this process keeps `alive` open."""
    host = socket.gethostname()
    write.run(_INSERT, {"pool": pool, "pid": os.getpid(), "host": host, "now": write.now_ms})
    worker = write.last_id
    # Before the commit: a row whose byte is free is taken for dead.
    alive.hold(worker)
    return worker


def report(write: Write, worker: int, state: str, handled: int) -> None:
    """Say what a worker is at, and how many messages it has handled so far."""
    write.run(_REPORT, {"id": worker, "state": state, "handled": handled, "now": write.now_ms})


def retire(write: Write, worker: int, why: str) -> int:
    """Strike a worker from the register; return how many claims it left behind."""
    left = reap_owner(write, worker, why)
    write.run(_DELETE, {"id": worker})
    return left


def workers(door: Door, alive: Alive) -> list[Worker]:
    """Return all registered workers, oldest first; a dead one's state is "lost"."""
    return [
        Worker(
            id=id,
            pool=pool,
            pid=pid,
            host=host,
            state=state if alive.holds(id) else "lost",
            handled=handled,
            started_at=started / 1000,
            seen_at=seen / 1000,
        )
        for id, pool, pid, host, state, handled, started, seen in door.read(_ALL)
    ]
