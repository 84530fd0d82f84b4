"""A round of upkeep: expired rows, checkpoints, warnings.

The keeper of a pool calls tick() every few seconds. Of all processes one does it: whoever
holds a certain byte of the -alive file, which the kernel frees when that one ends.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable

from ...clock import HostClock
from ...engine.upkeep import Tick
from ...errors import FencepostError, StoreBusy, StoreCorrupt
from ...types.probe import ProbeReport, ProbeStep
from .. import events
from ..ends import ears
from ..file import space
from ..file.space import again_when_full
from ..keyed import namespaces
from ..leases import named_leases, once
from ..locks import lock_holders
from ..locks.live_bytes import Liveness
from ..outbox import hosts
from ..queue import retention
from ..session import clock as store_clock
from ..session.damage import tells
from ..session.session import Session, Write
from ..whole_file import backup
from . import audit, probe

# Removes at most so many rows that have expired; returns how many.
Sweeper = Callable[[Write, int], int]

SWEEPERS: dict[str, Sweeper] = {
    "messages": retention.sweep,
    "bodies": retention.sweep_bodies,
    "entries": namespaces.sweep,
    "keys": once.sweep,
    "leases": named_leases.sweep,
    "hosts": hosts.sweep,
    "ears": ears.sweep,
    "events": events.sweep,
}

# Short enough that nobody waits for one.
BATCH = 1024

# Upkeep gives way to whoever works.
_PATIENCE_SECONDS = 0.1

_WAL_PATIENT_BYTES = 8 * 1024 * 1024
_WAL_ALARM_BYTES = 16 * 1024 * 1024


@tells
class SqliteUpkeep:
    """See fencepost.store.engine.upkeep.UpkeepVerbs; the methods stand in its order."""

    def __init__(self, session: Session, alive: Liveness, clock: HostClock) -> None:
        self._session = session
        self._liveness = alive
        self._clock = clock
        self._held_back = 0  # ticks in a row
        self._fault = ""

    def ping(self) -> None:
        self._session.read("select one from fp_store")

    def probe(self) -> ProbeReport:
        return probe.probe(self._session, self._clock)

    def integrity(self) -> ProbeStep:
        return probe.integrity(self._session)

    def audit(self) -> list[ProbeStep]:
        return audit.audit(self._session)

    def sweep(self) -> dict[str, int]:
        removed = dict.fromkeys(SWEEPERS, 0)
        for kind, sweeper in SWEEPERS.items():
            rows = BATCH
            while rows == BATCH:
                rows = self._batch(sweeper)
                removed[kind] += rows
        return removed

    def tick(self) -> Tick | None:
        if not self._liveness.lead():
            return None
        removed: dict[str, int] = {}
        try:
            with self._session.write("see", joins=False, patience=_PATIENCE_SECONDS) as write:
                store_clock.see(write)
            for kind, sweeper in SWEEPERS.items():
                removed[kind] = self._batch(sweeper, _PATIENCE_SECONDS)
            alarms = self._check_wal()
            space.load_ballast(self._session.path)
        except StoreBusy:
            return Tick("failed", removed, ())
        except StoreCorrupt:
            raise
        except FencepostError as error:
            known, self._fault = self._fault, str(error)
            return Tick("failed", removed, () if known == self._fault else (self._fault,))
        self._fault = ""
        if BATCH in removed.values():
            return Tick("incomplete", removed, alarms)
        return Tick("swept" if any(removed.values()) else "nothing to do", removed, alarms)

    def backup(self, dest: str) -> str:
        return backup.backup(self._session, dest)

    @again_when_full
    def _batch(self, sweeper: Sweeper, patience: float | None = None) -> int:
        with self._session.write("sweep", joins=False, patience=patience) as write:
            return sweeper(write, BATCH)

    def _check_wal(self) -> tuple[str, ...]:
        """Checkpoint, and name who keeps a large WAL from being emptied for two ticks."""
        before = _size(self._session.path + "-wal")
        report = self._session.checkpoint(
            patience=_PATIENCE_SECONDS, patient=before > _WAL_PATIENT_BYTES
        )
        size = _size(self._session.path + "-wal")
        if report.complete or size <= _WAL_ALARM_BYTES:
            self._held_back = 0
            return ()
        self._held_back += 1
        if self._held_back != 2:
            return ()
        who = lock_holders.said(lock_holders.readers(self._session.path))
        return (f"the WAL has {size} bytes: {who} reads and does not end",)


def _size(path: str) -> int:
    with contextlib.suppress(FileNotFoundError):
        return os.stat(path).st_size
    return 0
