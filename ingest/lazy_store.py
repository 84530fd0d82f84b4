"""A store that is opened at the first request and closed at exit."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import threading
import time
import weakref
from typing import Any

from ..app.handlers.handler import set_caps
from ..app.interfaces import ReceiverApp
from ..log import delivery_lines
from ..store import Store, connect
from ..store.errors import FencepostError
from .committer import Committer, LoopWait
from .held import Held

# The strictest sender waits 3 s for an answer (docs.slack.dev/apis/events-api), and a request
# may wait for two commits: the running one, and its own.
BUSY_SECONDS = 1.2

# A failing store is logged once in so many seconds, however many requests fail.
_LOG_AGAIN_SECONDS = 60.0

# How long a fork waits for another thread that is opening the store.
_FORK_SECONDS = 10.0

_all: weakref.WeakSet[LazyStore] = weakref.WeakSet()


class LazyStore:
    """A store that is opened at its first use, for all threads and event loops of a process.

    A forked child opens its own, because no connection may cross a fork.

    Attributes:
        held: The requests that wait for the result of a handler.
    """

    def __init__(self, app: ReceiverApp, create: bool = True, waits: bool = False) -> None:
        """`waits`: the event loops may stand still for a moment, as LoopWait says."""
        self._app = app
        self._create = create
        self._waits = waits
        self._store: Store | None = None
        self._pid = 0
        self.held = Held()
        self._lock = threading.Lock()
        self._locked = False
        self._logged_until: dict[str, float] = {}
        self._committers: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Committer] = (
            weakref.WeakKeyDictionary()
        )
        _all.add(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return LazyStore, (self._app, self._create, self._waits)

    @property
    def is_open(self) -> bool:
        """True when the store is open in this process."""
        return self._store is not None and self._pid == os.getpid()

    def open(self) -> Store:
        """Return the open store; if opening it fails, the next call tries again.

        Raises:
            FencepostError: The store cannot be opened now.
        """
        store = self._store
        if store is not None and self._pid == os.getpid():
            return store
        with self._lock:
            if self._store is None or self._pid != os.getpid():
                self._open()
            assert self._store is not None
            return self._store

    async def committer(self) -> Committer:
        """Return the committer of the running event loop.

        Raises:
            FencepostError: The store cannot be opened now.
        """
        if not self.is_open:
            await asyncio.to_thread(self.open)
        committer = self._committers.get(asyncio.get_running_loop())
        return self._new_committer() if committer is None else committer

    def open_committer(self) -> Committer | None:
        """Return the committer of the running event loop; None if the store is not open."""
        if not self.is_open:
            return None
        committer = self._committers.get(asyncio.get_running_loop())
        return self._new_committer() if committer is None else committer

    def is_news(self, failure: FencepostError) -> bool:
        """True for a failure that was not logged in the last minute."""
        now = time.monotonic()
        if now < self._logged_until.get(failure.code, 0.0):
            return False
        self._logged_until[failure.code] = now + _LOG_AGAIN_SECONDS
        return True

    async def finish(self) -> None:
        """Store what is waiting in the running event loop."""
        committer = self._committers.pop(asyncio.get_running_loop(), None)
        if committer is not None:
            await committer.close()

    def close(self) -> None:
        """Close the store; the next request opens it again."""
        with self._lock:
            store, self._store = self._store, None
            if self._pid == os.getpid():
                self._committers.clear()
                if store is not None:
                    store.close()

    def before_fork(self) -> None:
        """Wait until no other thread is opening the store."""
        self._locked = self._lock.acquire(timeout=_FORK_SECONDS)

    def after_fork(self) -> None:
        """Let other threads open the store again."""
        if self._locked:
            self._lock.release()

    def after_fork_in_child(self) -> None:
        """Forget the parent's store in a forked child."""
        self._lock = threading.Lock()
        self.held = Held()
        self._store = None
        self._committers = weakref.WeakKeyDictionary()

    def _new_committer(self) -> Committer:
        committer = Committer(self.open().engine, wait=LoopWait() if self._waits else None)
        self._committers[asyncio.get_running_loop()] = committer
        return committer

    def _open(self) -> None:
        self._committers = weakref.WeakKeyDictionary()
        options = {**self._app.store_options, "busy_timeout": BUSY_SECONDS}
        store = connect(self._app.store, create=self._create, **options)
        try:
            store.engine.queue.on_died(delivery_lines.died)
            set_caps(store, self._app.handlers.values())
        except BaseException:
            store.close()
            raise
        self._store, self._pid = store, os.getpid()


def _prepare() -> None:
    for each in list(_all):
        each.before_fork()


def _resume() -> None:
    for each in list(_all):
        each.after_fork()


def _abandon() -> None:
    for each in list(_all):
        each.after_fork_in_child()


def _close_all() -> None:
    for each in list(_all):
        with contextlib.suppress(FencepostError):
            each.close()


os.register_at_fork(before=_prepare, after_in_parent=_resume, after_in_child=_abandon)
atexit.register(_close_all)
