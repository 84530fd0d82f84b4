"""A pool that is given messages which end or hang their workers, and others beside them.

Handlers that segfault, abort, kill themselves, take much memory before they are killed, and
loop in C without ever letting go of the interpreter; one that holds the interpreter for
several leases and may; handlers that are innocent of the kills that hit their workers. And
what others get done beside a message that hangs is held against what they get done beside
one that sleeps, while as much is burnt by another process: their handlers sleep, so it is
not the lost core that counts, but what a death costs the rest of the pool.
"""

from __future__ import annotations

import os
import signal
import statistics
import time
from collections import Counter
from itertools import pairwise

from ....store import connect
from ....store.types.delivery import Delivery
from ...harness.child_processes import Me
from ...harness.run import Run
from ...harness.scenario import Scenario, sizes
from ...harness.waiting import until
from ...machine.processes import kill
from ...pools.apps import poisons
from ...pools.apps.poisons import begun
from ...pools.command import complaints, is_up, work
from ...records.census import integrity

_CRASHES = 3  # the product's default
_SHORT_SECONDS = 0.05
# So long a message that hangs lives at least.
_WINDOW_SECONDS = poisons.TIMEOUT_SECONDS * poisons.MAX_ATTEMPTS * 0.87
_ENDS = ("done", "dead")


def run(run: Run) -> None:
    """Count what others get done, bury the poisons, spare the innocents."""
    site = _Site(run)
    for step in (site.compare, site.bury, site.strike, site.end):
        if not run.has_findings:
            step()


def share(beside: float, without: float) -> float:
    """Return how much of a rate is kept; one of nothing in a window is taken for one of one."""
    return beside / max(without, 1 / _WINDOW_SECONDS)


class _Site:
    """The store, and the one pool that works on it."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._store = connect(run.folder / "store.db")
        self._ids: dict[str, int] = {}
        self._lease = run.size["lease"]
        self._kept = 0.0
        workers = int(run.size["workers"])
        self._pool = run.start(
            "pool", work, run.folder, poisons.__name__, workers, self._lease, run.canary
        )
        until(lambda: is_up(run.folder, "pool"), "the pool is up")

    def compare(self) -> None:
        """Hold what others get done beside a message that hangs against what they do without.

        What falls short is measured again, up to three times as often; see sqlite/scenarios/busy.py.
        """
        run = self._run
        burner = run.start("burner", _burn)
        burner.heard()
        ratios: list[float] = []
        pairs, enough = int(run.size["pairs"]), run.size["kept"]
        for number in range(pairs if run.canary else 3 * pairs):
            if number >= pairs and statistics.median(ratios) >= enough:
                break
            run.progress(min(1.0, number / pairs) / 4, "with and without")
            rates: dict[bool, float] = {}
            for hangs in (True, False) if number % 2 else (False, True):
                if hangs:
                    burner.stop()
                    rates[hangs] = self._rate("hangs", f"hangs-beside-{number}")
                else:
                    burner.cont()
                    rates[hangs] = self._rate("waits", f"waits-beside-{number}")
            ratios.append(share(rates[True], rates[False]))
        burner.kill()
        kept = statistics.median(ratios)
        self._kept = kept
        run.figure("others_rate", round(kept, 3))
        run.figure("others_rates", [round(ratio, 3) for ratio in ratios])
        run.check(
            "others-go-on",
            kept >= enough,
            f"others got {kept:.2f} of what they get without a message that hangs",
        )

    def bury(self) -> None:
        """Let each kind of poison be tried until it is dead, beside one that only takes long."""
        for number in range(int(self._run.size["burials"])):
            self._run.progress(0.25 + number / self._run.size["burials"] / 2, "poisons")
            self._bury(number)
            if self._run.has_findings:
                return

    def strike(self) -> None:
        """Kill workers that hold messages which have no part in it, now one and then another."""
        run = self._run
        keys = [f"gated-{number}" for number in range(int(run.size["workers"]) - 1)]
        for key in keys:
            self._enqueue("gated", key)
        until(lambda: begun(self._run.folder).keys() >= {*keys}, "the innocents are begun")
        victim = ""
        for number in range(int(run.size["kills"])):
            run.progress(0.75 + number / run.size["kills"] / 4, f"{number} killed from outside")
            victim = run.random.choice([key for key in keys if key != victim])
            self._kill_worker_of(victim)
            if not self._spared(victim):
                return
        (run.folder / "go").touch()
        self._is_over(*keys)
        for key in keys:
            self._spared(key)

    def end(self) -> None:
        """Stop the pool, and look that each of the others was handled, and once."""
        run = self._run
        self._is_over(*self._ids)
        os.kill(self._pool.pid, signal.SIGTERM)
        self._pool.join()
        run.check("typed-errors", self._pool.exit_code == 0, f"it exited {self._pool.exit_code}")
        for line in complaints(run.folder):
            run.broken("typed-errors", f"the pool said: {line}")
        handled = Counter((run.folder / "handled").read_text().split())
        for key in self._ids:
            if key.startswith(("short", "gated")):
                run.check("nothing-lost", handled[key] > 0, f"{key} was not handled")
                run.check("not-handled-twice", handled[key] < 2, f"{key}: {handled[key]} times")
        says = integrity(run.folder / "store.db")
        run.check("integrity", says == "ok", says)
        run.figure("others", len(handled))
        run.says(
            f"{run.size['burials']:g} of each poison, {run.size['kills']:g} workers of innocents"
            f" killed; others kept {self._kept:.2f} of their rate"
        )

    def _bury(self, number: int) -> None:
        long, hangs = f"long-{number}", f"hangs-{number}"
        self._enqueue("long", long, self._lease * self._run.size["leases"])
        self._enqueue("hangs", hangs)
        # Two that are killed from outside, as it seems, would each speak for the other.
        last = f"eats-{number}"
        fatal = {f"{queue}-{number}": queue for queue in poisons.FATAL}
        for key, queue in fatal.items():
            if key != last:
                self._enqueue(queue, key)
        self._is_over(*(fatal.keys() - {last}))
        self._enqueue("eats", last)
        self._is_over(last, hangs, long)
        for key, queue in fatal.items():
            self._judge_fatal(key, poisons.FATAL[queue])
        self._judge_hanging(hangs)
        self._judge_once("long", long)

    def _rate(self, queue: str, key: str) -> float:
        """Return how many others are handled a second beside a message of a queue."""
        self._enqueue(queue, key, _WINDOW_SECONDS)
        until(lambda: key in begun(self._run.folder), "it is begun")
        self._feed()
        before, began = self._handled(), time.monotonic()
        time.sleep(_WINDOW_SECONDS)
        rate = (self._handled() - before) / (time.monotonic() - began)
        self._is_over(key)
        if queue == "hangs":
            self._judge_hanging(key)
        return rate

    def _kill_worker_of(self, key: str) -> None:
        tries = begun(self._run.folder)[key]
        assert kill(tries[-1].pid, parent=self._pool.pid)
        self._run.fault("innocent's worker killed")
        until(
            lambda: (
                len(begun(self._run.folder)[key]) > len(tries)
                or self._delivery(key).state == "dead"
            ),
            "it is begun again",
        )

    def _feed(self) -> None:
        """Enqueue as many others as can be handled within the window."""
        most = int(self._run.size["workers"] * _WINDOW_SECONDS / _SHORT_SECONDS)
        keys = [f"short-{len(self._ids) + number}" for number in range(most)]
        body = str(_SHORT_SECONDS).encode()
        receipts = self._store.queue("short").enqueue_many(
            [{"body": body, "key": key} for key in keys]
        )
        self._ids |= {key: each.message_id for key, each in zip(keys, receipts, strict=True)}

    def _judge_fatal(self, key: str, names: str) -> None:
        found, tries = self._delivery(key), len(begun(self._run.folder)[key])
        error = found.error or ""
        memory = error.partition("(at most ")[2].partition(" MiB of memory)")[0]
        least = poisons.EATEN_MIB if key.startswith("eats") else 1
        as_it_should = (
            (found.state, found.crashes, tries) == ("dead", _CRASHES, _CRASHES)
            and names in error
            and int(memory or 0) >= least
        )
        self._run.fault(key.rpartition("-")[0], tries)
        self._run.check("poison-is-buried", as_it_should, f"{key} {_state(found, tries)}")

    def _judge_hanging(self, key: str) -> None:
        found, tries = self._delivery(key), begun(self._run.folder)[key]
        times = [after.at - before.at for before, after in pairwise(tries)]
        as_it_should = (
            (found.state, found.crashes, len(tries)) == ("dead", 0, poisons.MAX_ATTEMPTS)
            and "over its timeout" in (found.error or "")
            and all(seconds > poisons.TIMEOUT_SECONDS * 0.9 for seconds in times)
        )
        self._run.fault("hangs", len(tries))
        self._run.check("poison-is-buried", as_it_should, f"{key} {_state(found, len(tries))}")

    def _judge_once(self, queue: str, key: str) -> None:
        found, tries = self._delivery(key), len(begun(self._run.folder)[key])
        self._run.fault(queue)
        self._run.check(
            "not-handled-twice",
            (found.state, tries) == ("done", 1),
            f"{key} {_state(found, tries)}",
        )

    def _spared(self, key: str) -> bool:
        found = self._delivery(key)
        spared = found.state != "dead"
        self._run.check("innocents-spared", spared, f"{key} {_state(found, 0)}")
        return spared

    def _enqueue(self, queue: str, key: str, seconds: float = 0.0) -> None:
        receipt = self._store.queue(queue).enqueue(str(seconds).encode(), key=key)
        self._ids[key] = receipt.message_id

    def _is_over(self, *keys: str) -> bool:
        """Wait until all have come to their end; False when they do not."""
        deadline = time.monotonic() + self._run.size["patience"]
        left = set(keys)
        while left and time.monotonic() < deadline:
            left = {key for key in left if self._delivery(key).state not in _ENDS}
            time.sleep(0.02)
        return not left

    def _delivery(self, key: str) -> Delivery:
        found = self._store.delivery(self._ids[key])
        assert found is not None
        return found

    def _handled(self) -> int:
        path = self._run.folder / "handled"
        return path.read_bytes().count(b"\n") if path.exists() else 0


def _state(found: Delivery, tries: int) -> str:
    return f"is {found.state}: {tries} tries, {found.crashes} crashes, error: {found.error}"


def _burn(me: Me) -> None:
    """Take a core, as a handler that hangs does."""
    me.ready()
    while me.going:
        sum(range(1_000_000))


SCENARIO = Scenario(
    "poison",
    "messages that crash or hang their workers, beside harmless ones",
    run,
    sizes=sizes(
        "burials workers lease leases kills pairs kept patience",
        canary=(1, 4, 1.5, 2.4, 12, 1, 0.6, 8),
        ci=(1, 4, 1.5, 3.4, 8, 2, 0.6, 60),
        nightly=(30, 8, 3, 4, 300, 30, 0.95, 60),
    ),
    canaries={
        "crashes-never-counted": "poison-is-buried",
        "timeouts-ignored": "poison-is-buried",
        "nobody-renews": "not-handled-twice",
        "every-death-counts": "innocents-spared",
        "takes-all-down": "others-go-on",
    },
    invariants={
        "poison-is-buried": "a message that crashes or hangs its workers soon becomes a dead letter that says how",
        "innocents-spared": "a message whose workers were killed from outside does not become a dead letter",
        "others-go-on": "a message that crashes or hangs its worker hardly slows other messages down",
    },
    grows=("burials", "kills", "pairs"),
)
