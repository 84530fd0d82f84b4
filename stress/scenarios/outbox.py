"""Webhooks from one store to another, whose receiver misbehaves, while both sides are killed.

Some go to names that are one address when they are judged and another when they are looked up
again, or to an address that is not allowed: nothing of them may arrive.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections import Counter

from ...store import Store, connect
from ..harness.child_processes import Child
from ..harness.run import Run
from ..harness.scenario import Scenario, sizes
from ..harness.waiting import until
from ..machine.processes import kill, workers_of
from ..pools.command import LEASE_SECONDS, complaints, is_up, work
from ..records.census import integrity
from ..sending import front, inbox, sender

_PAUSE_SECONDS = 0.15
_HOSTS = 4
_LANES = 5
_REFUSED = 20


def run(run: Run) -> None:
    """Send, kill both sides, wait until all is at its end, and judge."""
    site = _Site(run)
    site.enqueue()
    kills = int(run.size["kills"])
    for number in range(kills):
        run.progress(number / kills / 2, f"{number} killed")
        time.sleep(run.random.uniform(0, 2 * _PAUSE_SECONDS))
        site.strike()
    site.drain()
    site.end()
    site.judge()


class _Site:
    """The two stores, with a pool for each, and the receiver between them."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._folders = {name: run.folder / name for name in ("sending", "receiving")}
        for folder in self._folders.values():
            folder.mkdir(mode=0o700)
        self._from = connect(self._folders["sending"] / "store.db")
        self._to = connect(self._folders["receiving"] / "inbox.db")
        with self._to.transaction() as tx:
            tx.execute(front.EFFECTS)
        self._children: dict[str, Child] = {}
        self._generation = 0
        self._ports = _free_ports(_HOSTS)
        trap = run.start("trap", front.trap, run.folder, sender.FORBIDDEN)
        self._trap = int(trap.heard()["port"])
        self._keys: list[str] = []
        self._gone: list[str] = []
        for name in ("receiver", "sending", "receiving"):
            self._start(name)

    def enqueue(self) -> None:
        """Have the sender's handlers send to hosts that answer now or later, and to others."""
        sends, chance = int(self._run.size["sends"]), self._run.random
        messages = []
        for number in range(sends):
            key = f"gone-{number}" if number % 50 == 49 else f"told-{number}"
            (self._gone if key.startswith("gone") else self._keys).append(key)
            port = self._ports[number % _HOSTS]
            lane = f"lane-{chance.randrange(_LANES)}" if number % 20 == 0 else None
            messages.append((key, f"http://{sender.ALLOWED}:{port}/hook", lane))
        for number in range(_REFUSED):
            messages.append((f"refused-{number}", self._refused_url(number), None))
        self._from.queue(sender.QUEUE).enqueue_many(
            {"key": key, "body": _order(url, lane, chance.random() < 0.5)}
            for key, url, lane in messages
        )

    def _refused_url(self, number: int) -> str:
        """Return where nothing may arrive: by its address, or by a name that changes."""
        host = sender.FORBIDDEN
        if number % 2:
            host = f"{number}.{sender.REBINDING}"
        return f"http://{host}:{self._trap}/hook"

    def strike(self) -> None:
        """Kill something on either side, and start again what does not come back by itself."""
        chance = self._run.random
        kind = chance.choice(("receiver", "sending", "sending worker", "receiving worker"))
        pool, _, is_worker = kind.partition(" ")
        child = self._children[pool]
        if is_worker:
            if workers := workers_of(child.pid):
                kill(chance.choice(workers), parent=child.pid)
        else:
            child.kill()
            self._start(pool)
        self._run.fault(f"{kind} killed")

    def drain(self) -> None:
        """Wait until nothing is on its way."""
        run, began = self._run, time.monotonic()
        deadline = began + run.size["patience"]
        whole = len(self._keys) or 1
        while (left := self._left()) and time.monotonic() < deadline:
            if run.canary and any(self._caught()):
                return
            run.progress(0.5 + 0.5 * (1 - min(left, whole) / whole), f"{left} left")
            time.sleep(0.05)
        run.figure("drained_s", round(time.monotonic() - began, 1))
        run.check("never-stuck", not left, f"{left} messages are not at their end")

    def end(self) -> None:
        """Stop both pools."""
        for name in ("sending", "receiving"):
            child = self._children[name]
            os.kill(child.pid, signal.SIGTERM)
            child.join()
            code = child.exit_code
            self._run.check("typed-errors", code == 0, f"{name}: it exited with {code}")
            for line in complaints(self._folders[name]):
                self._run.broken("typed-errors", f"a pool said: {line}")
        for store in ("sending/store.db", "receiving/inbox.db"):
            says = integrity(self._run.folder / store)
            self._run.check("integrity", says == "ok", says)
        self._children["receiver"].kill()

    def judge(self) -> None:
        """Hold what the receiver's handlers did against what was sent."""
        run = self._run
        effects = Counter(key for (key,) in self._to.read("select key from effects"))
        missing = [key for key in self._keys if key not in effects]
        run.check("nothing-lost", not missing, f"{len(missing)} did not arrive: {missing[:3]}")
        twice = [key for key, count in effects.items() if count > 1]
        run.check("effects-once", not twice, f"{len(twice)} were handled twice: {twice[:3]}")
        strange = effects.keys() - set(self._keys)
        run.check("nothing-unexpected", not strange, f"{sorted(strange)[:3]} were handled")
        trapped, refused = self._caught()
        run.checked("refused-not-reached", _REFUSED)
        if trapped:
            run.broken("refused-not-reached", "there was a connection to it")
        run.check("signed-anew", not refused, "the receiver refused a signature")
        dead = self._from.stats()["outbox"].dead
        most = len(self._gone) + _REFUSED
        run.check(
            "nothing-lost",
            len(self._gone) + _REFUSED // 2 <= dead <= most,
            f"{dead} are dead letters, and {len(self._gone)} are gone",
        )
        attempts = self._attempts()
        run.figure("attempts", attempts)
        run.says(f"{len(self._keys)} arrived once each in {attempts} attempts")

    def _caught(self) -> tuple[bool, bool]:
        """Return whether something came where nothing may, and whether a signature was refused."""
        trapped = (self._run.folder / "trapped").exists()
        return trapped, (self._folders["receiving"] / "refused").exists()

    def _attempts(self) -> int:
        ((attempts,),) = self._from.read(
            "select total(attempt) from fp_delivery where queue = 'outbox'"
        )
        return int(attempts)

    def _start(self, name: str) -> None:
        self._generation += 1
        own, run = f"{name}-{self._generation}", self._run
        if name == "receiver":
            folder, ports = self._folders["receiving"], self._ports
            child = run.start(own, front.serve, folder, sender.ALLOWED, ports)
            child.heard()
        else:
            module = (sender if name == "sending" else inbox).__name__
            workers, folder = int(run.size["workers"]), self._folders[name]
            child = run.start(own, work, folder, module, workers, LEASE_SECONDS, run.canary)
            until(lambda: is_up(folder, own), "the pool is up")
        self._children[name] = child

    def _left(self) -> int:
        return sum(map(_waiting, (self._from, self._to)))


def _waiting(store: Store) -> int:
    return sum(each.ready + each.scheduled + each.leased for each in store.stats().values())


def _order(url: str, lane: str | None, in_transaction: bool) -> bytes:
    return json.dumps({"url": url, "lane": lane, "transaction": in_transaction}).encode()


def _free_ports(count: int) -> list[int]:
    """Return ports of the receiver's address; each is one host to the sender."""
    found = [socket.create_server((sender.ALLOWED, 0)) for _ in range(count)]
    ports = [int(each.getsockname()[1]) for each in found]
    for each in found:
        each.close()
    return ports


SCENARIO = Scenario(
    "outbox",
    "webhooks to a receiver that misbehaves, while both sides are killed",
    run,
    sizes=sizes(
        "sends kills workers patience",
        canary=(60, 2, 1, 40),
        ci=(200, 8, 2, 180),
        nightly=(10_000, 200, 2, 1800),
    ),
    canaries={
        "stale-signature": "signed-anew",
        "double-lookup": "refused-not-reached",
    },
    invariants={
        "signed-anew": "no attempt is refused by the receiver because its signature is too old",
        "refused-not-reached": "nothing connects to an address that is refused, whatever leads there",
    },
    grows=("sends", "kills"),
)
