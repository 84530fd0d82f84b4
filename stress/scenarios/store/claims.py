"""Races for the same keys and the same lanes, by processes that are killed and come back."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress

from ....store import Claim, Keyed, Queue, connect
from ....store.errors import LeaseLost
from ...checker import check
from ...harness.child_processes import Child, Me
from ...harness.run import Run
from ...harness.scenario import Scenario
from ...harness.waiting import PATIENCE_SECONDS
from ...records.census import census, note_end
from ...records.history import Recorder, read

LANES = 20
LEASE_SECONDS = 0.5

_QUEUE = "jobs"
_NAMESPACE = "won"
_CONSUMERS = 2
_REGISTERED_EACH = 4
_MOST_AT_ONCE = 8
_KILL_EVERY_SECONDS = (0.2, 0.6)
_PAUSE_SECONDS = 0.02


def run(run: Run) -> None:
    """Run rounds, on a new store each, and judge each by its own history."""
    rounds = int(run.size["rounds"])
    calls = keys = kills = 0
    for number in range(rounds):
        run.progress(number / rounds, f"round {number + 1} of {rounds}")
        kills += _Round(run, number).run()
        history = read(run.folder / "history")
        calls += len(history)
        keys += sum(call.op == "final" for call in history)
        run.add(*check(history))
        if run.has_findings:
            break
        shutil.rmtree(run.folder / "history")
    run.figure("keys", keys)
    run.figure("calls", calls)
    run.says(f"{keys} keys in {calls} calls, {kills} kills")


class _Round:
    """Producers that all want the same keys, and consumers of what they enqueue."""

    def __init__(self, run: Run, number: int) -> None:
        self._run = run
        self._number = number
        self._path = str(run.folder / f"{number}.db")
        self._nemesis = Recorder(run.folder / "history", f"{number}-nemesis")

    def run(self) -> int:
        """Let all run to the end; return how many were killed."""
        with connect(self._path, busy_timeout=PATIENCE_SECONDS) as store:
            with store.transaction() as tx:
                tx.execute("create table effects (key text, fence integer)")
            count = int(self._run.size["processes"])
            producers = [self._start(_produce, f"producer-{n}", 0) for n in range(count)]
            consumers = [self._start(_consume, f"consumer-{n}", 0) for n in range(_CONSUMERS)]
            for child in producers:
                child.heard()
            for child in producers:
                child.go()
            killed = self._kill(producers, consumers)
            for child in producers:
                child.join(PATIENCE_SECONDS + self._run.size["keys"])
            self._drain(store.queue(_QUEUE))
        for child in consumers:
            child.enough()
        for child in consumers:
            child.join()
        for child in (*producers, *consumers):
            code = child.exit_code
            self._run.check("typed-errors", code == 0, f"{child.name} ended with {code}")
        self._look()
        self._nemesis.close()
        return killed

    def _start(self, entry: Callable[..., None], name: str, life: int) -> Child:
        whole = f"{self._number}-{name}.{life}"
        size = self._run.size
        if entry is _consume:
            return self._run.start(whole, entry, self._path, int(size["late_each"]))
        # Half of them in the same order, so that they meet at one key.
        shared = int(name.split("-")[1]) % 2 == 0
        order = f"{self._run.seed}/{self._number if shared else whole}"
        return self._run.start(whole, entry, self._path, int(size["keys"]), order)

    def _kill(self, producers: list[Child], consumers: list[Child]) -> int:
        """Kill some at random, and start another in the place of each."""
        killed = 0
        for life in range(1, int(self._run.size["kills"]) + 1):
            time.sleep(self._run.random.uniform(*_KILL_EVERY_SECONDS))
            fleet = self._run.random.choice((producers, producers, consumers))
            place = self._run.random.randrange(len(fleet))
            if not fleet[place].alive:
                continue
            victim = fleet[place]
            self._nemesis.seen("killed", process=victim.name)
            victim.kill()
            killed += 1
            self._run.fault("kill -9")
            entry = _produce if fleet is producers else _consume
            fleet[place] = self._start(entry, victim.name.split("-", 1)[1].split(".")[0], life)
            if fleet is producers:
                fleet[place].go()
        return killed

    def _drain(self, queue: Queue) -> None:
        """Wait until nothing is left to do, unless nothing is done any more."""
        done, since = -1, time.monotonic()
        while True:
            stats = queue.stats()
            left = stats.ready + stats.scheduled + stats.leased
            if not left:
                break
            if stats.done != done:
                done, since = stats.done, time.monotonic()
            if time.monotonic() - since > PATIENCE_SECONDS:
                self._run.broken("never-stuck", f"{left} deliveries are not handled: {stats}")
                break
            time.sleep(_PAUSE_SECONDS)
        self._run.checked("never-stuck")

    def _look(self) -> None:
        with census(self._path) as seen:
            note_end(self._nemesis, seen)


def _produce(me: Me, path: str, count: int, order: str) -> None:
    keys = [f"key-{n}" for n in range(count)]
    random.Random(order).shuffle(keys)
    with connect(path, busy_timeout=PATIENCE_SECONDS) as store:
        queue, won = store.queue(_QUEUE), store.keyed("stress", _NAMESPACE)
        me.ready()
        me.wait()
        while keys:
            some = [keys.pop() for _ in range(min(len(keys), me.random.choice((1, 1, 1, 2, 5))))]
            _enqueue(me, queue, some)
            for key in some:
                if _number(key) % _REGISTERED_EACH == 0:
                    _register(me, won, key)


def _enqueue(me: Me, queue: Queue, keys: Sequence[str]) -> None:
    with ExitStack() as stack:
        calls = [
            stack.enter_context(
                me.history.begin("enqueue", queue=queue.name, key=key, lane=_lane(key))
            )
            for key in keys
        ]
        receipts = queue.enqueue_many(
            {"body": key.encode(), "key": key, "lane": _lane(key), "max_attempts": 1000}
            for key in keys
        )
        for call, receipt in zip(calls, receipts, strict=True):
            call.ok(status=receipt.status, message_id=receipt.message_id)


def _register(me: Me, won: Keyed, key: str) -> None:
    with me.history.begin("register", namespace=_NAMESPACE, key=key) as call:
        call.ok(won=won.register_if_absent(key, me.name))


def _consume(me: Me, path: str, late_each: int) -> None:
    with connect(path, busy_timeout=PATIENCE_SECONDS) as store:
        queue = store.queue(_QUEUE)
        while claims := _claim(me, queue) or me.going:
            if claims is True:
                time.sleep(_PAUSE_SECONDS)
                continue
            for claim in claims:
                with suppress(LeaseLost):
                    _work(me, claim, late_each)


def _claim(me: Me, queue: Queue) -> list[Claim]:
    lease_ms = int(LEASE_SECONDS * 1000)
    with me.history.begin("claim", queue=queue.name) as call:
        claims = queue.claim(limit=me.random.randint(1, _MOST_AT_ONCE), lease=LEASE_SECONDS)
        call.ok(
            claims=[
                {
                    "id": claim.id,
                    "key": claim.message.key,
                    "fence": claim.fence,
                    "lane": _lane(str(claim.message.key)),
                    "lease_ms": lease_ms,
                }
                for claim in claims
            ]
        )
    return claims


def _work(me: Me, claim: Claim, late_each: int) -> None:
    key = str(claim.message.key)
    what = {"id": claim.id, "fence": claim.fence, "key": key}
    if claim.attempt == 1 and _number(key) % late_each == 0:
        time.sleep(LEASE_SECONDS * 2)
    match me.random.choices(_WAYS, _WEIGHTS)[0]:
        case "retry":
            with me.history.begin("retry", **what):
                claim.retry(delay=me.random.choice((0, 0.05)))
            return
        case "release":
            with me.history.begin("release", **what):
                claim.release()
            return
        case "forget":
            return
        case "renew":
            with me.history.begin("renew", lease_ms=int(LEASE_SECONDS * 1000), **what):
                claim.renew(LEASE_SECONDS)
    with me.history.begin("complete", **what), claim.transaction() as tx:
        tx.execute("insert into effects values (?, ?)", (key, claim.fence))


_WAYS = ("complete", "retry", "release", "renew", "forget")
_WEIGHTS = (900, 30, 30, 30, 5)


def _lane(key: str) -> str | None:
    """Return the lane of a key: every fourth has none."""
    number = _number(key)
    return f"lane-{number % LANES}" if number % 4 else None


def _number(key: str) -> int:
    return int(key.removeprefix("key-"))


SCENARIO = Scenario(
    "claims",
    "all processes enqueue the same keys and handle them in lanes, under kill -9",
    run,
    sizes={
        "canary": {"processes": 3, "keys": 100, "kills": 1, "late_each": 40, "rounds": 1},
        "ci": {"processes": 8, "keys": 2_000, "kills": 8, "late_each": 300, "rounds": 1},
        "nightly": {"processes": 8, "keys": 10_000, "kills": 60, "late_each": 300, "rounds": 10},
    },
    canaries={
        "dedupe-before": "accepted-once",
        "register-overwrites": "won-once",
        "lanes-by-snapshot": "lane-order",
        "effect-before-ack": "effects-once",
        "done-by-nobody": "nothing-lost",
    },
    grows=("rounds",),
)
