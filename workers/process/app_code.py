"""The code that processes run: what was loaded last, and at a reload the next on trial."""

from __future__ import annotations

import socket
import time

from ...log.log import log
from ...store.errors import InvalidInput
from .app_process import AppProcess, Wanted
from .forkserver import MAX_FAILURES, ForkServer

_AGAIN_SECONDS = 1.0
_HOPELESS_AGAIN_SECONDS = 10.0


class AppCode:
    """Keeps the app loaded, for as many processes as are wanted of it.

    The next loading takes the place of the current one when it is `accept`ed.

    Attributes:
        failures: How many loadings in a row have failed while there was none to go on with.
    """

    def __init__(self, forkserver: ForkServer, wanted: Wanted) -> None:
        self.failures = 0
        self._forkserver = forkserver
        self._wanted = wanted
        self._current: AppProcess | None = None
        self._next: AppProcess | None = None
        self._wants_next = False
        self._start_at = 0.0
        self._began = False

    @property
    def is_up(self) -> bool:
        """A process can be had."""
        return self._source is not None

    @property
    def on_trial(self) -> bool:
        """The next is loaded, and not accepted yet."""
        return self._next is not None and self._next.is_up

    @property
    def handlers(self) -> list[str]:
        """The names of the handlers that new processes have."""
        return [] if self._source is None else self._source.handlers

    @property
    def lines(self) -> dict[socket.socket, AppProcess]:
        """What there is to listen to."""
        return {each.line: each for each in self._all if each.line is not None}

    @property
    def pids(self) -> list[int]:
        """The processes."""
        return [each.pid for each in self._all if each.line is not None]

    def fork(self, fds: list[int]) -> int:
        """Return the pid of a new child of this process, to which the descriptors were given.

        Raises:
            OSError: There is none.
        """
        assert self._source is not None
        return self._source.fork(fds)

    def reload(self) -> None:
        """Load the app anew; one that is being loaded is too old."""
        if self._next is not None:
            self._next.end()
        self._next, self._wants_next, self._start_at = None, True, 0.0

    def keep_up(self) -> None:
        """Begin to load what is missing."""
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
        """Return why the next could not be loaded, once; None when it was, or may yet be."""
        if self._next is None or self._next.state not in ("failed", "lost"):
            return None
        why = self._next.why
        self.go_back()
        return why

    def accept(self) -> None:
        """Go on with the next."""
        if self._next is not None:
            if self._current is not None:
                self._current.end()
            self._current, self._next = self._next, None

    def go_back(self) -> None:
        """Go on with what there was before the next."""
        if self._next is not None:
            self._next.end()
            self._next = None

    def end(self) -> None:
        """End all; what was forked goes on."""
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
                return AppProcess(self._forkserver, self._wanted)
            again.load()
            return again
        except OSError as error:
            log.warning("cannot load the app", error=str(error))
            return None

    def _note_loss(self, lost: AppProcess) -> None:
        """Have it loaded again: what was up as it was then, another as its files are by then."""
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
