"""Pools that enqueue for schedules, on clocks that step, while they are killed and stopped.

The clocks of the machine are the scenario's: it lets them pass from one time to the next, over
both changes of DST. Nothing is claimed: what is looked at is which messages there are.
"""

from __future__ import annotations

import mmap
import os
import struct
import time
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from ....app.schedules.schedule import Schedule, key_of
from ....store import Store, connect
from ....store.clock import SystemClock
from ....store.types.messages.draft import Address
from ....store.types.schedule import Rule
from ....workers.supervisor.damage import Damage
from ....workers.supervisor.schedules.ticker import Ticker
from ...harness.child_processes import Child, Me
from ...harness.run import Run
from ...harness.scenario import Scenario, sizes
from ...harness.waiting import until

_BERLIN = ZoneInfo("Europe/Berlin")
# Seven hours before the hour that is skipped, and before the one that is repeated.
_STARTS = ("2026-03-28T18:00:00+00:00", "2026-10-24T18:00:00+00:00")

_QUARTER, _HOUR = 15 * 60_000, 3_600_000
_LONGEST_STEP_MS = 2 * _HOUR
_LOOK_SECONDS = 0.001
_KILL_SECONDS = 0.004

_CLOCKS = struct.Struct("qq")
# Two places for them, behind a byte that counts how often they were set.
_PLACES = (8, 8 + _CLOCKS.size)
_PAGE_BYTES = 8 + 2 * _CLOCKS.size

_SCHEDULES = (
    Schedule(Rule("often", "every 900 s", "UTC", "each"), Address("often")),
    Schedule(Rule("nightly", "30 2 * * *", "Europe/Berlin", "each"), Address("nightly")),
)


class _Clocks(SystemClock):
    """The clocks of a machine, in a file that its processes share."""

    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self._page = mmap.mmap(file.fileno(), 0)

    def boot_ms(self) -> int:
        return self._read()[0]

    def wall_ms(self) -> int:
        return self._read()[1]

    def set(self, boot_ms: int, wall_ms: int) -> None:
        """Let it be this time. Others may read meanwhile: both clocks as they were, or as they are."""
        times = (self._page[0] + 1) % 256
        at = _PLACES[times % 2]
        self._page[at : at + _CLOCKS.size] = _CLOCKS.pack(boot_ms, wall_ms)
        self._page[0] = times

    def _read(self) -> tuple[int, int]:
        while True:
            times = self._page[0]
            boot_ms, wall_ms = _CLOCKS.unpack_from(self._page, _PLACES[times % 2])
            if self._page[0] == times:
                return boot_ms, wall_ms


def run(run: Run) -> None:
    """Pass both changes of DST, each with a store and pools of its own."""
    made = 0
    for number, start in enumerate(_STARTS):
        folder = run.folder / f"{number}"
        folder.mkdir()
        machine = _Machine(run, folder, datetime.fromisoformat(start))
        machine.run(number)
        made += machine.judge()
        if run.canary and run.has_findings:
            break
    run.figure("messages", made)
    run.says(f"{made} messages of {len(_SCHEDULES)} schedules by {int(run.size['pools'])} pools")


class _Machine:
    """A machine with a store and its pools."""

    def __init__(self, run: Run, folder: Path, start: datetime) -> None:
        self._run = run
        self._folder = folder
        self._start_ms = self._wall_ms = self._latest_ms = round(start.timestamp() * 1000)
        self._boot_ms = 1_000_000
        (folder / "clocks").write_bytes(bytes(_PAGE_BYTES))
        self._clocks = _Clocks(folder / "clocks")
        self._clocks.set(self._boot_ms, self._wall_ms)
        self._started = 0
        self._pools = [self._start() for _ in range(int(run.size["pools"]))]
        for pool in self._pools:
            pool.heard()

    def run(self, number: int) -> None:
        """Let time pass in quarters of an hour, and something go wrong in each."""
        quarters = int(self._run.size["quarters"])
        with connect(self._folder / "store.db", clock=self._clocks) as store:
            for quarter in range(quarters):
                self._run.progress((number + quarter / quarters) / len(_STARTS))
                self._pass(_QUARTER, self._step())
                self._harm()
                until(lambda: self._is_up_to_date(store), "the schedules are up to date")
        for pool in self._pools:
            pool.enough()
            pool.join()
            code = pool.exit_code
            self._run.check("runs-through", code == 0, f"{pool.name} ended: {pool.complaint()}")

    def judge(self) -> int:
        """Compare the messages with the planned times; return how many there are."""
        made = 0
        with connect(self._folder / "store.db", clock=self._clocks) as store:
            for name, planned in self._planned().items():
                keys = Counter(each.key for each in store.deliveries(queue=name, limit=100_000))
                made += keys.total()
                for key in planned | keys.keys():
                    what = (
                        f"{name}: {key} is {keys[key]} messages, and was to be {key in planned:d}"
                    )
                    self._run.check("ticks-once", keys[key] == (key in planned), what)
        return made

    def _start(self) -> Child:
        self._started += 1
        name = f"{self._folder.name}-{self._started}"
        return self._run.start(name, _pool, str(self._folder))

    def _step(self) -> int:
        """Return what the wall clock is set by, in most quarters nothing."""
        if self._run.random.random() > 0.2:
            return 0
        self._run.fault("step of the wall clock")
        return self._run.random.randrange(-_LONGEST_STEP_MS, _LONGEST_STEP_MS, 1000)

    def _pass(self, ms: int, step_ms: int) -> None:
        self._boot_ms += ms
        self._wall_ms += ms + step_ms
        self._latest_ms = max(self._latest_ms, self._wall_ms)
        self._clocks.set(self._boot_ms, self._wall_ms)

    def _harm(self) -> None:
        """Kill or stop a pool in the middle of what has just become due."""
        chance = self._run.random
        place = chance.randrange(len(self._pools))
        kind = chance.choice(("none", "SIGKILL", "SIGKILL", "SIGSTOP"))
        if kind == "none":
            return
        time.sleep(chance.uniform(0, _KILL_SECONDS))
        self._run.fault(kind)
        pool = self._pools[place]
        if kind == "SIGSTOP":
            pool.stop()
            time.sleep(_KILL_SECONDS)
            pool.cont()
        else:
            pool.kill()
            self._pools[place] = self._start()
            self._pools[place].heard()

    def _is_up_to_date(self, store: Store) -> bool:
        known = {each.name: each.last_at for each in store.schedules()}
        return all(
            next(each.times(round(known[each.rule.name] * 1000))) > self._wall_ms
            for each in _SCHEDULES
        )

    def _planned(self) -> dict[str, set[str]]:
        """Return the keys that there are to be, from the calendar alone."""
        first = self._start_ms // _QUARTER * _QUARTER + _QUARTER
        often = {key_of(at) for at in range(first, self._latest_ms + 1, _QUARTER)}
        day, nightly = datetime.fromtimestamp(self._start_ms / 1000, UTC).date(), set[str]()
        while (at := _half_past_two(day)) <= self._latest_ms:
            if at > self._start_ms:
                nightly.add(key_of(at))
            day += timedelta(days=1)
        return {"often": often, "nightly": nightly}


def _half_past_two(day: date) -> int:
    """Return half past two in Berlin the first time, or three where the clock skips it."""
    moment = datetime(day.year, day.month, day.day, 2, 30, tzinfo=_BERLIN)
    is_skipped = moment.astimezone(UTC).astimezone(_BERLIN).hour != 2
    if is_skipped:
        moment = datetime(day.year, day.month, day.day, 3, 0, tzinfo=_BERLIN)
    return round(moment.timestamp() * 1000)


def _pool(me: Me, folder: str) -> None:
    """Follow the schedules until it is enough, as a supervisor does."""
    clocks = _Clocks(Path(folder) / "clocks")
    with connect(os.path.join(folder, "store.db"), clock=clocks, busy_timeout=1.0) as store:
        pool = store.engine.pools.begin(None, 1, patience=60)
        ticker = Ticker(store.engine, pool, Damage(), _SCHEDULES)
        ticker.look()
        me.ready()
        while me.going:
            ticker.look()
            time.sleep(_LOOK_SECONDS)


SCENARIO = Scenario(
    "schedules",
    "pools enqueue for schedules over both changes of DST; they are killed, the clock steps",
    run,
    sizes=sizes(
        "pools quarters",
        canary=(3, 12),
        ci=(4, 120),
        nightly=(4, 600),
    ),
    canaries={"double-tick": "ticks-once"},
    invariants={
        "ticks-once": "each planned time of a schedule is one message, whatever pools and clocks do",
    },
    grows=("quarters",),
)
