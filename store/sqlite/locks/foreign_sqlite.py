"""Refusing other SQLite libraries and open() on an open store's files.

POSIX locks belong to a process and a file: when any descriptor of the file is closed, the
kernel drops all locks that the process holds on it (fcntl(2)). Python's `sqlite3` module is
a second SQLite library beside ours. It knows nothing of our locks, and at its close() they
are gone, those of an open transaction too. Source: sqlite.org/howtocorrupt.html 2.2.

An audit hook is told of `sqlite3.connect` and `open` before anything is opened, whoever
calls them: aiosqlite, SQLAlchemy and Django do. A library that is not Python's own raises
no such event. What such a one does to the locks is found out later (lost_locks.py).
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import unquote_to_bytes

from ...errors import StoreInUse
from ..file import paths
from .lost_locks import LockSentinel

_CONNECT = "sqlite3.connect"
_EVENTS = frozenset({"open", _CONNECT})

# What SQLite would take for a part of the database.
_DATABASES = ("", "-wal", "-shm", "-journal")
# Those that SQLite has locks on: closing another of them drops none.
_LOCKED = ("", "-shm")

# An open that fails when the file exists, and a descriptor that is not the file's.
_HARMLESS = (os.O_CREAT | os.O_EXCL, getattr(os, "O_PATH", os.O_CREAT | os.O_EXCL))


class OpenStore:
    """A store that this process has open, shared by everything that has it open here.

    Attributes:
        tickets: Of the connections that are open.
        lost: Locks are gone that those connections take for theirs.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.tickets: weakref.WeakSet[Ticket] = weakref.WeakSet()
        self.lost = False
        self.watch: LockSentinel | None = None
        self._identities: dict[tuple[int, int], str] = {}

    def __del__(self) -> None:
        if self.watch is not None:
            self.watch.close()

    def has_locks(self) -> bool:
        """True while the connections of this process have the locks that they took."""
        self.lost = self.lost or self.watch is None or not self.watch.has_all()
        return not self.lost

    def look(self) -> None:
        """Take for the store's the files that are at its path now, for one more connection."""
        found = {suffix: paths.identity(self.path + suffix) for suffix in _DATABASES}
        self._identities = {identity: suffix for suffix, identity in found.items() if identity}
        if self.tickets:
            self.has_locks()
            return
        if self.watch is not None:
            self.watch.close()
        self.watch, self.lost = LockSentinel(self.path), False

    def has_locks_on(self, identity: tuple[int, int]) -> bool:
        """True for a file that SQLite holds locks on."""
        return self._identities.get(identity) in _LOCKED

    def is_at(self, path: bytes) -> bool:
        """True when a path leads to a file of the store, or to one that would become one."""
        identity = _identity(path)
        if identity is not None:
            return identity in self._identities
        real = os.fsdecode(os.path.realpath(path))
        return real in (self.path + suffix for suffix in _DATABASES)


class Ticket:
    """One connection to a store, from after its opening until before its closing.

    It is kept until the connection is closed: with the last one go the guard and the locks.
    """

    def __init__(self, store: OpenStore, let_go: Callable[[], object]) -> None:
        """`let_go` is a method that closes the connection, unless it is in use."""
        self.store = store
        self._let_go = weakref.WeakMethod(let_go)

    def let_go(self) -> None:
        """Have the connection closed, unless it is in use."""
        if (let_go := self._let_go()) is not None:
            let_go()

    def end(self) -> None:
        """Say that the connection is closed next."""
        with _sharing:
            self.store.tickets.discard(self)


_stores: weakref.WeakValueDictionary[str, OpenStore] = weakref.WeakValueDictionary()
_sharing = threading.RLock()
_hooked: list[bool] = []
_ours = threading.local()


def share(path: str, let_go: Callable[[], object]) -> Ticket:
    """Return a ticket for a connection that is open by now and has read something."""
    with _sharing:
        if not _hooked:
            sys.addaudithook(_hook)
            _hooked.append(True)
        store = _stores.get(path) or OpenStore(path)
        with ours():
            store.look()
        ticket = Ticket(store, let_go)
        store.tickets.add(ticket)
        _stores[path] = store
        return ticket


@contextlib.contextmanager
def ours() -> Iterator[None]:
    """Let this thread open the files: it knows that no lock will be lost by it."""
    _ours.opens = True
    try:
        yield
    finally:
        _ours.opens = False


def clear_lost(path: str) -> bool:
    """Have all connections closed that have lost their locks; False when one is in use.

    SQLite takes new locks on a file when none of the process's old ones are on its list.
    """
    store = _stores.get(path)
    if store is None or not store.tickets or store.has_locks():
        return True
    for ticket in list(store.tickets):
        ticket.let_go()
    return not store.tickets


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if event not in _EVENTS or not _stores or getattr(_ours, "opens", False):
        return
    try:
        at_risk = [store.path for store in list(_stores.values()) if _touches(store, event, args)]
    except Exception:  # noqa: BLE001 - wrong arguments are for the function called to complain of
        return
    if at_risk:
        raise StoreInUse(at_risk[0], event)


def _touches(store: OpenStore, event: str, args: tuple[Any, ...]) -> bool:
    if event == _CONNECT:
        return any(store.is_at(path) for path in _paths(args[0]))
    path, _, flags = args
    if isinstance(path, int) or any(flags & safe == safe for safe in _HARMLESS):
        return False
    identity = _identity(path)
    return identity is not None and store.has_locks_on(identity)


def _paths(database: Any) -> list[bytes]:
    """Return what a database's name may mean: whether it is read as a URI is not told."""
    name = os.fsencode(database)
    if name in (b"", b":memory:"):
        return []
    if not name.startswith(b"file:"):
        return [name]
    path = name.removeprefix(b"file:").partition(b"#")[0].partition(b"?")[0]
    if path.startswith(b"//"):  # an authority, which is empty or localhost
        path = b"/" + path[2:].partition(b"/")[2]
    return [name, unquote_to_bytes(path)]


def _identity(path: Any) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _forget() -> None:
    global _sharing
    _sharing = threading.RLock()  # a thread of the parent's may have had it
    _stores.clear()


os.register_at_fork(after_in_child=_forget)
