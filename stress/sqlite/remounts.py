"""The file system of a live store becomes read-only in the midst of a call, and writable again.

So a kernel does with a file system whose disk fails it (errors=remount-ro), and an operator in
an emergency; `mount -o remount,ro` is refused as long as a store is open, by the files that are
open for writing. What is opened by its name meets the kernel's own EROFS, of a read-only mount
over the folder, where this account may mount one. What was open before meets what SQLite makes
of EROFS, in the layer below it: a mount does not reach so far.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from ...store import Claim, Store, connect
from ...store.errors import FencepostError
from ..harness.child_processes import Me
from ..machine.namespaces import call
from ..records.history import Recorder
from ..workloads.drain import drain, note_final
from ..workloads.noted import ack, claim, enqueue
from . import census
from .disk.disk import Disk, disk
from .disk.errors import CHANGES
from .disk.small_disk import may_mount

# sys/mount.h
_MS_RDONLY = 1
_MS_REMOUNT = 32
_MS_BIND = 4096
_MNT_DETACH = 2

# So many are done before; an enqueue takes about two, the end of a store some more.
_MOST_CHANGES = 8


def remount(me: Me, work: str, times: int) -> None:
    """Do so to one store after the other, and look what its users are told."""
    for number in range(times):
        path = Path(work, f"remounted-{number}", "store.db")
        path.parent.mkdir(mode=0o700)
        history = Recorder(Path(work, f"history-remounted-{number}"), me.name)
        with disk() as here:
            verdicts = _Round(me, path, history, here).run()
        with connect(path) as store:
            drain(store, history, "mail")
            note_final(store, history)
        history.seen("integrity", says=census.integrity(path))
        history.close()
        kind = "remounted read-only" if may_mount() else "read-only for what is open"
        me.ready(fault=f"file system {kind}", verdicts=verdicts)
    me.ready(done=True)


class _Round:
    """A store that one or two have open, its file system, and what they are told."""

    def __init__(self, me: Me, path: Path, history: Recorder, here: Disk) -> None:
        self._random = me.random
        self._path = path
        self._history = history
        self._disk = here
        self._keys = 0
        self._verdicts: list[tuple[str, bool, str]] = []

    def run(self) -> list[tuple[str, bool, str]]:
        """Return what held, and what did not."""
        users = [self._open() for _ in range(self._random.randint(1, 2))]
        closes = self._random.random() < 0.5
        self._enqueue(users[0])
        self._enqueue(users[0])
        claims = [] if closes else self._claim(users[0])
        with self._read_only():
            while not self._disk.met:
                self._ask("the call that met it", partial(self._enqueue, users[0]))
            for user in (*users, users[0]):
                self._refuse("enqueue", partial(self._enqueue, user))
                self._refuse("claim", partial(self._claim, user))
                self._refuse("transaction", partial(_write, user))
                self._refuse("lease", partial(user.leases.acquire, "name"))
                self._refuse("register", partial(user.keyed("a", "b").register, "key", 1))
                self._ask("stats", user.stats)
            for each in claims:
                self._refuse("ack", partial(ack, self._history, each))
            (self._refuse if may_mount() else self._ask)("opening", self._open)
            if closes:
                self._ask("close", users.pop(0).close)
        users.append(self._open())
        verbs = [partial(self._enqueue, user) for user in users]
        verbs += [partial(ack, self._history, each) for each in claims]
        for verb in verbs:
            answer = self._ask("enqueue or ack, no longer", verb)
            self._verdicts.append(("never-stuck", answer == "", f"writable again: {answer}"))
        for user in users:
            user.close()
        return self._verdicts

    @contextmanager
    def _read_only(self) -> Iterator[None]:
        """Let the file system become read-only at a change of the next calls, until the end."""
        folder = os.fsencode(self._path.parent)

        def begin() -> None:
            self._disk.inject(CHANGES, 1, "EIO", for_ever=True)
            if may_mount():
                call("mount", folder, folder, None, _MS_BIND, None)
                call("mount", None, folder, None, _MS_BIND | _MS_REMOUNT | _MS_RDONLY, None)

        self._disk.inject(CHANGES, self._random.randint(1, _MOST_CHANGES), begin)
        yield
        self._disk.heal()
        if may_mount():
            call("umount2", folder, _MNT_DETACH)

    def _refuse(self, what: str, verb: Callable[[], object]) -> None:
        """Look that what cannot be done is not told as done."""
        answer = self._ask(what, verb)
        self._verdicts.append(("nothing-lost", answer != "", f"{what} was done while read-only"))

    def _ask(self, what: str, verb: Callable[[], object]) -> str:
        """Return the code of the error that it raised, "" when it raised none."""
        try:
            verb()
        except FencepostError as error:
            return error.code
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
            self._verdicts.append(("typed-errors", False, f"{what} read-only: {error!r}"))
            return "untyped"
        return ""

    def _open(self) -> Store:
        return connect(self._path)

    def _enqueue(self, store: Store) -> None:
        self._keys += 1
        enqueue(self._history, store.queue("mail"), f"{self._keys}")

    def _claim(self, store: Store) -> list[Claim]:
        return claim(self._history, store.queue("mail"))


def _write(store: Store) -> None:
    with store.transaction() as tx:
        tx.execute("create table if not exists notes (what text)")
