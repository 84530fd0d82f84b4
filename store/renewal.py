"""Renewing a lease in the background."""

from __future__ import annotations

import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import TypeVar

from .engine import Engine
from .engine.ports.clock import Term
from .errors import PASSING, FencepostError, LeaseLost, OutcomeUnknown
from .local_lease import LocalLease
from .rules.lease_timing import holder_renews_seconds

_INSIST_SECONDS = 2.0
_RETRY_SECONDS = 0.1

_T = TypeVar("_T")


class RenewedLease(LocalLease):
    """A lease that its holder renews itself.

    Attributes:
        ttl_ms: What renewals ask for.
    """

    def __init__(
        self,
        engine: Engine,
        ask: Callable[[Engine, int], Term],
        *,
        ends_ms: int,
        ttl_ms: int,
    ) -> None:
        """`ask` is called with an engine and milliseconds, and renews the lease."""
        super().__init__(engine, ends_ms=ends_ms)
        self._ask = ask
        self.ttl_ms = ttl_ms

    def renew(self, engine: Engine, ttl_ms: int) -> None:
        """Ask the store for `ttl_ms` more from now."""
        asked_ms = self._stopwatch_ms()
        try:
            term = self._ask(engine, ttl_ms)
        except LeaseLost:
            self.refused = True
            raise
        # Neither the store nor this ever shortens it, so threads may renew in any order.
        self.extend(asked_ms + term.lasts_ms)


@contextmanager
def renewing(engine: Engine, lease: RenewedLease) -> Iterator[None]:
    """Renew a lease until the block ends, in a thread with a connection of its own.

    Each third of its length, and while the store cannot be asked, until the time is up.
    """
    pause = holder_renews_seconds(lease.ttl_ms)
    stopped = threading.Event()

    def renew_each(pause: float) -> None:
        # Short work ends before the second connection is opened.
        if stopped.wait(pause):
            return
        with closing(_Twin(engine)) as twin:
            wait = 0.0
            while not stopped.wait(wait) and not lease.lost:
                try:
                    lease.renew(twin.open(), lease.ttl_ms)
                except (FencepostError, OSError):
                    wait = _RETRY_SECONDS  # a LeaseLost among them was noted: it is lost
                else:
                    wait = pause

    thread = threading.Thread(target=renew_each, args=(pause,), name="renewal", daemon=True)
    pid = os.getpid()
    thread.start()
    try:
        yield
    finally:
        if os.getpid() == pid:
            stopped.set()
            thread.join()


def insist(call: Callable[[], _T]) -> _T:
    """Ask again for up to 2 s while the store cannot answer, then raise what it said."""
    deadline = time.monotonic() + _INSIST_SECONDS
    while True:
        try:
            return call()
        except PASSING:
            if time.monotonic() >= deadline:
                raise
            time.sleep(_RETRY_SECONDS)


def certain(call: Callable[[], _T]) -> _T:
    """Ask once more when the outcome was unknown: with the same token that is certain."""
    try:
        return call()
    except OutcomeUnknown as unknown:
        try:
            return call()
        except PASSING:
            raise unknown from None  # "nothing was changed" would be too much


def new_owner() -> str:
    """Return a name for one holder: where it runs, and what tells it from its neighbours."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(8)}"


def new_token() -> str:
    """Return 128 random bits."""
    return secrets.token_hex(16)


class _Twin:
    """A second opening of a store, made when it is first needed and can be."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._twin: Engine | None = None

    def open(self) -> Engine:
        self._twin = self._twin or self._engine.transactions.twin()
        return self._twin

    def close(self) -> None:
        if self._twin is not None:
            self._twin.close()
