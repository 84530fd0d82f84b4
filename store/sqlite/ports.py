"""The ports on SQLite: the machine's clock, a FIFO for wake-ups, the store's id."""

from __future__ import annotations

from ..clock import HostClock
from .locks.wakeup_fifo import Wakeup
from .session.session import Session

# A worker whose FIFO is full or gone finds work all the same.
_POLL_SECONDS = 1.0


class SqliteIdentity:
    """See fencepost.store.engine.ports.identity.Identity."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def store_id(self) -> str:
        return self._session.store_id

    @property
    def address(self) -> str:
        return self._session.path


class SqliteClock:
    """See fencepost.store.engine.ports.clock.StoreClock; the store's time is a sum with the stopwatch's."""

    def __init__(self, session: Session, clock: HostClock) -> None:
        self._session = session
        self.stopwatch_ms = clock.boot_ms
        self.wall_ms = clock.wall_ms

    def now_ms(self) -> int:
        return self._session.now_ms()


class SqliteWakeup:
    """See fencepost.store.engine.ports.wakeup.Wakeup."""

    poll_seconds = _POLL_SECONDS

    def __init__(self, session: Session, wakeup: Wakeup) -> None:
        self._session = session
        self._wakeup = wakeup

    def fileno(self) -> int | None:
        self._session.check()
        return self._wakeup.fileno()

    def clear(self) -> None:
        self._session.check()
        self._wakeup.hush()
