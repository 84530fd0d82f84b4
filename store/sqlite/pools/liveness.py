"""Registered pools and workers that are no longer alive."""

from __future__ import annotations

from collections.abc import Sequence

from ...engine.ports.liveness import Gone
from ..locks.live_bytes import Liveness
from ..session.damage import tells
from ..session.session import Session

_POOLS = "select id from fp_pool"

_WORKERS = "select id from fp_worker"

_EVIDENCE = "its process has ended: the kernel has freed its lock"


@tells
class SqliteLiveness:
    """See fencepost.store.engine.ports.liveness.Liveness: the kernel knows, so nobody has to beat."""

    beat_seconds = None

    def __init__(self, session: Session, alive: Liveness) -> None:
        self._session = session
        self._alive = alive

    def beat(self, pool: int, workers: Sequence[int]) -> None:
        pass

    def gone(self) -> Gone:
        pools = (id for (id,) in self._session.read(_POOLS) if not self._alive.holds_pool(id))
        workers = (id for (id,) in self._session.read(_WORKERS) if not self._alive.holds(id))
        return Gone(dict.fromkeys(pools, _EVIDENCE), dict.fromkeys(workers, _EVIDENCE))
