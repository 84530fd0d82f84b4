"""Holders that are stopped for so long that others take over, and go on as if nothing were.

Each stop is many trials: of every verb, on things that were taken over in several ways, or
were not. A verb of one who was superseded has to be refused, and change nothing; one who
was the last to claim a thing must not be refused.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from ....store import Store, connect
from ....store.errors import LeaseLost, StoreBusy
from ...checker import check
from ...harness.child_processes import Child, Me
from ...harness.run import Run
from ...harness.scenario import Scenario
from ...harness.waiting import PATIENCE_SECONDS
from ...records.census import census
from ...records.history import Recorder, read
from ...workloads import grants
from ...workloads.grants import VERBS, Holding

TTL_SECONDS = 0.25
LONG_SECONDS = 600.0

# What becomes of a thing while its holder is stopped. Another takes it; takes and ends it;
# takes it, gives it back, and takes it again as the first one did, under its name. It
# expires, and nobody comes. It does not expire.
TAKEN = ("taken", "ended", "again")
FATES = (*TAKEN, "expired", "live")

_OWNER = "the holder"
_BUSY_SECONDS = 0.1  # who waits longer waits for the holder, which is stopped
_BETWEEN_RENEWALS_SECONDS = 0.005
_BEFORE_STOP_SECONDS = 0.06
_AFTER_EXPIRY_SECONDS = 0.05

_T = TypeVar("_T")


def run(run: Run) -> None:
    """Stop a holder in the middle of its renewals, again and again."""
    stops = int(run.size["stops"])
    path = str(run.folder / "store.db")
    with connect(path, busy_timeout=_BUSY_SECONDS) as store:
        with store.transaction() as tx:
            tx.execute(grants.LEDGER)
        holder = run.start("holder", _hold, path, stops)
        holder.heard()  # it has opened the store, and keeps nobody out
        rival = _Rival(run, store, holder)
        for stop in range(stops):
            run.progress(stop / stops, f"stop {stop + 1} of {stops}")
            rival.meet(stop)
        rival.part(path)
    run.add(*check(read(run.folder / "history")))
    run.figure("stops", stops)
    run.figure("trials", rival.trials)
    run.figure("refused_as_stale", rival.refused)
    run.says(f"{rival.trials} trials in {stops} stops, {rival.refused} refused")


class _Rival:
    """Takes over from a stopped holder, and judges what that one does when it wakes up."""

    def __init__(self, run: Run, store: Store, holder: Child) -> None:
        self.trials = self.refused = 0
        self._run = run
        self._store = store
        self._holder = holder
        self._history = Recorder(run.folder / "history", "rival")
        self._writes: dict[str, int] = {}

    def meet(self, stop: int) -> None:
        """Stop the holder once, and have everything tried."""
        for fate in FATES:
            grants.prepare(self._store, _place(fate, stop))
        self._holder.go()
        self._holder.heard()
        time.sleep(self._run.random.uniform(0, _BEFORE_STOP_SECONDS))
        self._stop()
        time.sleep(TTL_SECONDS + _AFTER_EXPIRY_SECONDS)
        mine = [each for fate in TAKEN for each in self._take_over(fate, stop)]
        self._holder.go()
        self._continue()
        for kind, verb, fate, refused in self._holder.heard()["answers"]:
            self._judge(kind, verb, fate, stop, refused)
        for each in mine:
            self._keep(each)

    def part(self, path: str) -> None:
        """Let the holder end; look at what it has written."""
        self._holder.join()
        with census(path) as seen:
            rows = dict(seen.rows("select what, count(*) from ledger group by what"))
        for name, expected in self._writes.items():
            invariant = "effects-once" if expected else "stale-refused"
            there = rows.get(name, 0)
            self._run.check(invariant, there == expected, f"{there} rows written by {name}")
        self._history.close()

    def _stop(self) -> None:
        self._history.seen("stopped", process=self._holder.name)
        self._holder.stop()
        self._run.fault("SIGSTOP")

    def _continue(self) -> None:
        self._holder.cont()
        self._history.seen("continued", process=self._holder.name)

    def _take_over(self, fate: str, stop: int) -> list[Holding]:
        """Return what there is to be lost by the rival."""
        held = self._take(fate, stop)
        if fate == "taken":
            return held
        for each in held:
            self._past(lambda each=each: self._end(each, fate))  # type: ignore[misc]
        return self._take(fate, stop) if fate == "again" else []

    def _take(self, fate: str, stop: int) -> list[Holding]:
        place, owner = _place(fate, stop), _OWNER if fate == "again" else "the rival"
        found: list[Holding] = []
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(found) < len(VERBS["claim"]) and time.monotonic() < deadline:
            found += self._past(
                lambda: grants.claim(self._history, self._store, place, LONG_SECONDS)
            )
        found += self._past(
            lambda: grants.acquire(self._history, self._store, place, LONG_SECONDS, owner)
        )
        found += self._past(lambda: grants.claim_keys(self._store, place, LONG_SECONDS))
        missing = sum(map(len, VERBS.values())) - len(found)
        self._run.check(
            "handled-again-in-time", not missing, f"{missing} of {place} are not to be had"
        )
        return found

    def _end(self, mine: Holding, fate: str) -> None:
        last = {"claim": "ack", "lease": "release", "once": "complete"}[mine.kind]
        verb = "release" if fate == "again" else last
        grants.use(self._history, self._store, mine, LONG_SECONDS, verb)

    def _past(self, call: Callable[[], _T]) -> _T:
        """Call; when the holder was stopped in a write, let it go a little further."""
        while True:
            try:
                return call()
            except StoreBusy:
                self._continue()
                time.sleep(_BETWEEN_RENEWALS_SECONDS / 2)
                self._stop()

    def _judge(self, kind: str, verb: str, fate: str, stop: int, refused: str) -> None:
        self.trials += 1
        self.refused += bool(refused)
        if _lawful(kind, verb, fate):
            what = f"{verb} of a {kind} that is {fate} was refused: {refused}"
            self._run.check("holder-not-refused", not refused, what)
        else:
            what = f"{verb} of a {kind} that is {fate} was accepted"
            self._run.check("stale-refused", bool(refused), what)
        if verb == "transaction":
            name = Holding(kind, verb, _place(fate, stop), None).name
            self._writes[name] = int(_lawful(kind, verb, fate))

    def _keep(self, mine: Holding) -> None:
        verb = "ack" if mine.kind == "claim" else "renew"
        refused = _refused(self._history, self._store, mine, verb)
        what = f"{verb} of a {mine.kind} was refused to who had taken it over: {refused}"
        self._run.check("holder-not-refused", not refused, what)


def _hold(me: Me, path: str, stops: int) -> None:
    with connect(path, busy_timeout=PATIENCE_SECONDS) as store:
        me.ready()
        for stop in range(stops):
            me.wait()
            held = [each for fate in FATES for each in _take_first(me, store, fate, stop)]
            me.ready()
            while me.going:
                each = me.random.choice(held)
                if each.kind == "claim" and not each.place.startswith("live"):
                    _refused(me.history, store, each, "renew")
                    time.sleep(me.random.uniform(0, _BETWEEN_RENEWALS_SECONDS))
            me.wait()
            me.random.shuffle(held)
            answers = [
                (each.kind, each.verb, each.place.split("-")[0], _refused(me.history, store, each))
                for each in held
            ]
            me.ready(answers=answers)


def _take_first(me: Me, store: Store, fate: str, stop: int) -> list[Holding]:
    place, seconds = _place(fate, stop), LONG_SECONDS if fate == "live" else TTL_SECONDS
    return [
        *grants.claim(me.history, store, place, seconds),
        *grants.acquire(me.history, store, place, seconds, _OWNER),
        *grants.claim_keys(store, place, seconds),
    ]


def _refused(recorder: Recorder, store: Store, holding: Holding, verb: str | None = None) -> str:
    """Return why a verb was refused, "" when it was not."""
    try:
        grants.use(recorder, store, holding, TTL_SECONDS, verb)
    except LeaseLost as error:
        return error.cause
    return ""


def _lawful(kind: str, verb: str, fate: str) -> bool:
    """True when the verb is its holder's right.

    A named lease is over when its time is, and so is the renewal of a key's claim.
    """
    if fate == "expired":
        return kind == "claim" or (kind == "once" and verb != "renew")
    return fate == "live"


def _place(fate: str, stop: int) -> str:
    return f"{fate}-{stop}"


SCENARIO = Scenario(
    "zombie",
    "holders are stopped until their leases expire, and continued",
    run,
    sizes={
        "canary": {"stops": 1},
        "ci": {"stops": 6},
        "nightly": {"stops": 120},
    },
    canaries={
        "held-by-id-and-state": "stale-refused",
        "lease-by-owner": "stale-refused",
        "expired-refused": "holder-not-refused",
    },
    grows=("stops",),
)
