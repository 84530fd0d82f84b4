"""The app's code: the version that processes run, and during a reload the next one."""

from __future__ import annotations

import socket
import time

from ....app.schedules.schedule import Schedule
from ....log.log import log
from ....store.errors import InvalidInput
from ..forkserver import MAX_FAILURES, ForkServer
from .app_process import AppProcess, AppSpec

_AGAIN_SECONDS = 1.0
_HOPELESS_AGAIN_SECONDS = 10.0


class AppCode:
    """Keeps an app process up, from which all other processes are forked.

    During a reload there are two; `accept` replaces the current one by the next.

    Attributes:
        failures: How many loads in a row have failed while no app process was up.
    """

    def __init__(self, forkserver: ForkServer, spec: AppSpec) -> None:
        self.failures = 0
        self._forkserver = forkserver
        self._spec = spec
        self._current: AppProcess | None = None
        self._next: AppProcess | None = None
        self._wants_next = False
        self._start_at = 0.0
        self._began = False

    @property
    def is_up(self) -> bool:
        """A process can be forked."""
        return self._source is not None

    @property
    def on_trial(self) -> bool:
        """The next version is loaded, and not accepted yet."""
        return self._next is not None and self._next.is_up

    @property
    def handlers(self) -> list[str]:
        """The names of the handlers that new processes have."""
        return [] if self._source is None else self._source.handlers

    @property
    def schedules(self) -> list[Schedule]:
        """The schedules of the app that new processes have."""
        return [] if self._source is None else self._source.schedules

    @property
    def lines(self) -> dict[socket.socket, AppProcess]:
        """The lines of the app processes, to listen to."""
        return {each.line: each for each in self._all if each.line is not None}

    @property
    def pids(self) -> list[int]:
        """The pids of the app processes."""
        return [each.pid for each in self._all if each.line is not None]

    def fork(self, fds: list[int]) -> int:
        """Fork a child of this process that is given the descriptors; return its pid.

        Raises:
            OSError: It cannot be forked.
        """
        assert self._source is not None
        return self._source.fork(fds)

    def reload(self) -> None:
        """Load the app again, also when a load is under way: that one may have read old files."""
        if self._next is not None:
            self._next.end()
        self._next, self._wants_next, self._start_at = None, True, 0.0

    def keep_up(self) -> None:
        """Start the loads that are due, and give up those that take too long."""
        for each in self._all:
            each.enforce_time()
        if not self._forkserver.is_up:
            return
        if self._current is not None and self._current.state in ("failed", "lost"):
            self._note_loss(self._current)
        self._began |= self.is_up
        missing = self._current is None or self._current.state == "waiting"
        if missing and not self.on_trial and time.monotonic() >= self._start_at:
            self._current = self._begin(self._current) or self._current
        if self._wants_next and time.monotonic() >= self._start_at:
            self._next = self._begin()
            self._wants_next = self._next is None

    def verdict(self) -> str | None:
        """Return once why the next version could not be loaded; None while it may be."""
        if self._next is None or self._next.state not in ("failed", "lost"):
            return None
        why = self._next.why
        self.go_back()
        return why

    def accept(self) -> None:
        """Replace the current version by the next."""
        if self._next is not None:
            if self._current is not None:
                self._current.end()
            self._current, self._next = self._next, None

    def go_back(self) -> None:
        """Drop the next version; the current one stays in use."""
        if self._next is not None:
            self._next.end()
            self._next = None

    def end(self) -> None:
        """End the app processes; what was forked from them continues."""
        for each in self._all:
            each.end()

    @property
    def _all(self) -> list[AppProcess]:
        return [each for each in (self._current, self._next) if each is not None]

    @property
    def _source(self) -> AppProcess | None:
        if self.on_trial:
            return self._next
        current = self._current
        return current if current is not None and current.is_up else None

    def _begin(self, again: AppProcess | None = None) -> AppProcess | None:
        self._start_at = time.monotonic() + _AGAIN_SECONDS
        try:
            if again is None:
                return AppProcess(self._forkserver, self._spec)
            again.load()
            return again
        except OSError as error:
            log.warning("cannot load the app", error=str(error))
            return None

    def _note_loss(self, lost: AppProcess) -> None:
        """Load it again: from the same sources if it was up before, else from its files."""
        if lost.too_big and not self._began:
            raise InvalidInput(f"max-memory is too small: {lost.why}")
        if lost.state == "lost":
            self.failures = 0
            log.warning("the app process is started again", why=lost.why)
        else:
            self.failures += 1
            if self.failures <= MAX_FAILURES:
                log.error("cannot load the app", error=lost.why)
            hopeless = self.failures >= MAX_FAILURES
            pause = _HOPELESS_AGAIN_SECONDS if hopeless else _AGAIN_SECONDS
            self._start_at = time.monotonic() + pause
        if lost.was_up:
            lost.state = "waiting"
        else:
            self._current = None
