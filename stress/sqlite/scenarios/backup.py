"""Backups under writers, each restored, compared with what had been acknowledged, and drained."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from ....store import Claim, Store, connect
from ....store.engine import Hold
from ....store.engine.leases import NameHold
from ....store.errors import LeaseLost
from ...checker import check
from ...harness.child_processes import Me
from ...harness.run import Run
from ...harness.scenario import Scenario
from ...harness.waiting import PATIENCE_SECONDS
from ...records.history import Call, now_ns, read
from ...records.percentiles import quantiles
from ...workloads.noted import enqueue, record, which
from ..census import Census

_QUEUE = "work"
_LEASE_SECONDS = 600.0
_MOST_HELD = 5
_MOST_AT_ONCE = 100
_SETTLES = ("ack", "retry", "release")


def run(run: Run) -> None:
    """Back stores up while others write to them; restore and examine each copy."""
    stores, backups = int(run.size["stores"]), int(run.size["backups"])
    took: list[float] = []
    messages = 0
    for number in range(stores):
        folder = run.folder / str(number)
        folder.mkdir(mode=0o700)
        path = folder / "store.db"
        connect(path).close()  # which moves the tables out of the WAL
        with connect(path, busy_timeout=PATIENCE_SECONDS) as store:
            lease = store.leases.acquire("operator", ttl=_LEASE_SECONDS)
            writers = [
                run.start(f"{number}-writer-{n}", _write, path)
                for n in range(int(run.size["processes"]))
            ]
            for writer in writers:
                writer.heard()
            for each in range(backups):
                run.progress((number + each / backups) / stores, f"backup {each + 1}")
                time.sleep(run.random.uniform(0.1, 0.4))
                copy = _Copy(run, store, folder / f"copy-{each}")
                copy.examine(NameHold(lease.name, lease.fence, lease.token))
                took.append(copy.milliseconds)
                messages += len(copy.known)
                run.fault("restore")
                if run.has_findings:
                    break
                shutil.rmtree(copy.folder)
        for writer in writers:
            writer.enough()
        for writer in writers:
            writer.join()
        run.add(*check(read(run.folder / "history")))
        if run.has_findings:
            break
        shutil.rmtree(run.folder / "history")
        shutil.rmtree(folder)
    waits = quantiles(took)
    run.figure("messages_restored", messages)
    run.figure("backup_p50_ms", round(waits["p50"], 1))
    run.figure("backup_max_ms", round(waits["max"], 1))
    run.says(f"{len(took)} copies of {messages} messages, {waits['p50']:.0f} ms each")


class _Copy:
    """A backup, and what the writers had been told when it was asked for.

    Attributes:
        known: Message ids by the keys that were acknowledged before.
        done: The keys whose end was acknowledged before.
        held: Claims that were not settled until it was made.
        greatest: The greatest fence that was given out until now.
    """

    def __init__(self, run: Run, store: Store, folder: Path) -> None:
        folder.mkdir(mode=0o700)
        self.folder = folder
        self._run = run
        self._path = folder / "store.db"
        began = now_ns()
        umask = os.umask(0)
        try:
            store.backup(folder / "backup.db")
        finally:
            os.umask(umask)
        ended = now_ns()
        self.milliseconds = (ended - began) / 1e6
        calls = read(run.folder / "history")
        told = [call for call in calls if call.outcome == "ok" and (call.ended or 0) < began]
        self.known = {
            call.what["key"]: call.answer["message_id"] for call in told if call.op == "enqueue"
        }
        self.done = {call.what["key"] for call in told if call.op == "ack"}
        self.held, greatest = held(calls, ended)
        # One more than the copy knows of, however fast it was made.
        later = store.leases.acquire(folder.name, ttl=_LEASE_SECONDS)
        self.greatest = max(greatest, later.fence)

    def examine(self, lease: NameHold) -> None:
        """Put it where a store may be, compare, try what was held before, and drain it."""
        (name,) = os.listdir(self.folder)
        mode = os.stat(self.folder / name).st_mode & 0o777
        self._run.check("private", mode == 0o600, f"the backup has mode {mode:o}")
        os.rename(self.folder / name, self._path)
        ids, states = self._compare()
        with connect(self._path, create=False, busy_timeout=PATIENCE_SECONDS) as restored:
            self._refuses(restored, lease)
            self._forgets_nothing(restored)
            self._drain(restored)
        with closing(Census(self._path)) as census:
            self._run.check("integrity", census.verdict() == "ok", census.verdict())
            left = [each.key for each in census.deliveries() if each.state != "done"]
            self._run.checked("nothing-lost", len(states))
            for key in left:
                self._run.broken("nothing-lost", f"{key} did not come to its end in the copy")
            self._run.check(
                "nothing-unexpected",
                len(census.rows("select id from fp_message")) == len(ids),
                "the drained copy has other messages than the copy had",
            )

    def _compare(self) -> tuple[dict[str, int], dict[str, str]]:
        """Check that all is there that was acknowledged; return ids and states by key."""
        with closing(Census(self._path)) as census:
            says = census.verdict()
            self._run.check("integrity", says == "ok", f"the copy is not whole: {says}")
            ids = dict(census.rows("select key, id from fp_message"))
            states = {each.key: each.state for each in census.deliveries()}
        self._run.checked("nothing-lost", len(self.known) + len(self.done))
        for key, id in self.known.items():
            if ids.get(key) != id:
                self._run.broken("nothing-lost", f"{key} was acknowledged as {id} before the copy")
        for key in self.done:
            if states.get(key) != "done":
                self._run.broken("nothing-lost", f"{key} was done before, and is {states.get(key)}")
        return ids, states

    def _refuses(self, restored: Store, lease: NameHold) -> None:
        """Check that nobody who held anything in the store holds it in the copy."""
        engine = restored.engine
        verbs: dict[str, Callable[[Hold], object]] = {
            "renew": lambda hold: engine.queue.renew(hold, 1000),
            "ack": lambda hold: engine.queue.ack(hold, None),
            "release": engine.queue.release,
        }
        with self._refusing(f"renewal of lease {lease.name}"):
            engine.leases.renew(lease, 1000)
        for hold in self.held:
            verb = self._run.random.choice(list(verbs))
            with self._refusing(f"{verb} of delivery {hold.id}"):
                verbs[verb](hold)

    @contextmanager
    def _refusing(self, what: str) -> Iterator[None]:
        self._run.checked("stale-refused")
        with suppress(LeaseLost):
            yield
            self._run.broken("stale-refused", f"the copy accepted the {what} from before")

    def _forgets_nothing(self, restored: Store) -> None:
        queue = restored.queue(_QUEUE)
        for key in self._run.random.sample(sorted(self.known), min(20, len(self.known))):
            receipt = queue.enqueue(key.encode(), key=key)
            self._run.check(
                "accepted-once",
                (receipt.status, receipt.message_id) == ("duplicate", self.known[key]),
                f"the copy answers {key} with {receipt.status} {receipt.message_id}",
            )

    def _drain(self, restored: Store) -> None:
        queue = restored.queue(_QUEUE)
        self._rises(restored.leases.acquire("restored").fence)
        while claims := queue.claim(limit=_MOST_AT_ONCE):
            for claim in claims:
                self._rises(claim.fence)
            queue.ack_many(claims)

    def _rises(self, fence: int) -> None:
        self._run.check(
            "fences-rise",
            fence > self.greatest,
            f"the copy gives out {fence}, its store had given out {self.greatest}",
        )


def held(calls: Sequence[Call], until: int) -> tuple[list[Hold], int]:
    """Return the claims that nobody had begun to settle, and the greatest fence."""
    given = {
        (each["id"], each["fence"]): Hold(each["id"], each["fence"], each["token"])
        for call in calls
        if call.op == "claim" and call.outcome == "ok"
        for each in call.answer["claims"]
    }
    settled = {
        (call.what["id"], call.what["fence"])
        for call in calls
        if call.op in _SETTLES and call.began < until
    }
    held = [hold for at, hold in given.items() if at not in settled]
    return held, max((fence for _, fence in given), default=0)


def _write(me: Me, path: Path) -> None:
    """Enqueue, claim, and settle or hold on to what was claimed, until it is enough."""
    held: list[Claim] = []
    number = 0
    with connect(path, create=False, busy_timeout=PATIENCE_SECONDS) as store:
        queue = store.queue(_QUEUE)
        me.ready()
        while me.going:
            key = f"{me.name}-{number}"
            number += 1
            enqueue(me.history, queue, key, key.encode())
            with me.history.begin("claim", queue=_QUEUE) as pending:
                claims = queue.claim(lease=_LEASE_SECONDS)
                pending.ok(
                    claims=[
                        record(claim, _LEASE_SECONDS) | {"token": claim.token} for claim in claims
                    ]
                )
            held += claims
            me.random.shuffle(held)
            while len(held) > me.random.randint(0, _MOST_HELD):
                _settle(me, held.pop())


def _settle(me: Me, claim: Claim) -> None:
    verb = me.random.choices(_SETTLES, (8, 1, 1))[0]
    with me.history.begin(verb, **which(claim)):
        if verb == "ack":
            claim.ack()
        elif verb == "retry":
            claim.retry(delay=0)
        else:
            claim.release()


SCENARIO = Scenario(
    "backup",
    "backups under writers are restored, compared with what was acknowledged, and drained",
    run,
    sizes={
        "canary": {"stores": 1, "backups": 1, "processes": 2},
        "ci": {"stores": 1, "backups": 3, "processes": 4},
        "nightly": {"stores": 5, "backups": 10, "processes": 4},
    },
    canaries={
        "main-file-alone": "nothing-lost",
        "fences-go-on": "fences-rise",
        "leases-go-on": "stale-refused",
        "for-all-to-read": "private",
    },
    invariants={
        "private": "what the store writes can be read by its owner only",
    },
    grows=("stores",),
)
