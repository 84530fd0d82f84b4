"""Measure every queue in turn, round after round, and print the tables."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from fencepost.stress.machine.trials import machine
from fencepost.stress.records.report import Machine

from . import environment, table
from .killed import kill
from .measure import measure
from .place import Place
from .processes import Failed, call
from .queues import QUEUES
from .services import Service, Unavailable, start
from .turns import TURNS

SIZES = (1024, 7884)
OWN = ("fencepost", "fencepost, keyed")


def main() -> None:
    """Run what the arguments ask for."""
    chosen = _arguments()
    names = chosen.only or list(QUEUES)
    if not set(names) <= set(OWN) and sys.prefix != str(environment.PLACE):
        python = str(environment.python())
        os.execv(python, [python, "-m", "bench.peers", *sys.argv[1:]])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # servers and workers end too
    where = machine(Path(tempfile.gettempdir()))
    rows = [
        table.Row(QUEUES[name], durability, size)
        for size in chosen.sizes
        for name in names
        for durability in QUEUES[name].durabilities
    ]
    run = _Run(rows, chosen.scale, chosen.quiet)
    try:
        run.look_up()
        if chosen.kill:
            run.kill()
        for number in range(chosen.rounds):
            run.round(number)
        run.take_turns(chosen.sizes)
    finally:
        run.stop()
    if chosen.json:
        report = {
            "date": time.strftime("%Y-%m-%d"),
            "machine": where,
            "rows": table.as_json(rows),
            "turns": run.turns,
        }
        text = msgspec.json.format(msgspec.json.encode(report), indent=1).decode()
        if chosen.json == "-":
            print(text)
            return
        Path(chosen.json).write_text(text + "\n")
    _print(rows, run, chosen, where)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=list(QUEUES), metavar="QUEUE")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="bytes of a body")
    parser.add_argument("--scale", type=float, default=1.0, help="of the numbers of messages")
    parser.add_argument(
        "--quiet",
        type=float,
        default=float("inf"),
        metavar="MS",
        help="wait before each measurement until a sync takes no longer, for ten seconds at most",
    )
    parser.add_argument("--no-kill", dest="kill", action="store_false", help="kill no workers")
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument(
        "--json",
        nargs="?",
        const="-",
        metavar="FILE",
        help="print every round as JSON, or write it to a file beside the tables",
    )
    return parser.parse_args()


class _Run:
    """The rows, and the servers that they share."""

    def __init__(self, rows: list[table.Row], scale: float, quiet_ms: float) -> None:
        self.rows = rows
        self.able = rows
        self.turns: dict[int, list[dict[str, Any]]] = {}
        self.how = scale, quiet_ms
        self.services: dict[tuple[str, str], Service] = {}

    def look_up(self) -> None:
        """Find the versions, and what cannot run here."""
        failures = environment.failures()
        for row in self.rows:
            place = Place(environment.ROOT, row.durability)
            try:
                row.version = call(place, "version", row.queue)["version"]
                if row.queue.service:
                    self._service(row)
            except (Failed, Unavailable) as error:
                row.failed = failures.get(row.queue.package, str(error))
        self.able = [row for row in self.rows if not row.failed]

    def kill(self) -> None:
        """Kill the workers of each queue once, at its default durability."""
        seen: dict[str, str] = {}
        for row in self.able:
            if row.durability != next(iter(row.queue.durabilities)):
                continue
            if row.queue.name not in seen:
                _say(f"kill -9: {row.title()}")
                seen[row.queue.name] = self._killed(row)
            row.killed = seen[row.queue.name]

    def _killed(self, row: table.Row) -> str:
        try:
            return kill(row.queue, row.durability, self._service(row))
        except (Failed, subprocess.TimeoutExpired) as error:
            return f"not tried: {error}"

    def round(self, number: int) -> None:
        """Measure once every row that can run here; one that fails is tried again in the next."""
        for row in self.able:
            _say(f"round {number + 1}: {row.title()}, {row.size} bytes")
            try:
                of = row.queue, row.durability, row.size
                row.rounds.append(measure(*of, self._service(row), *self.how))
            except (Failed, Unavailable, subprocess.TimeoutExpired) as error:
                row.failed = str(error)
                _say(row.failed)

    def take_turns(self, sizes: Sequence[int]) -> None:
        """Enqueue in turns into those that keep a file."""
        for size in sizes:
            files = [row for row in self.able if row.size == size and not row.queue.service]
            if not files:
                continue
            names = [f"{row.queue.name}={row.durability}" for row in files]
            _say(f"in turns, {size} bytes: {', '.join(names)}")
            with tempfile.TemporaryDirectory(prefix="peers-") as folder:
                place = Place(Path(folder), "")
                turns = max(3, round(TURNS * self.how[0]))
                self.turns[size] = call(place, "turns", files[0].queue, size, turns, *names)

    def stop(self) -> None:
        """End the servers."""
        for service in self.services.values():
            service.stop()

    def _service(self, row: table.Row) -> Service | None:
        if row.queue.service is None:
            return None
        which = row.queue.service, row.durability
        if which not in self.services:
            self.services[which] = start(*which)
        return self.services[which]


def _print(rows: list[table.Row], run: _Run, chosen: argparse.Namespace, where: Machine) -> None:
    form = table.markdown if chosen.markdown else table.plain
    facts = msgspec.structs.asdict(where).items()
    print(", ".join(f"{name.replace('_', ' ')} {value}" for name, value in facts))
    for size in chosen.sizes:
        print(f"\nBodies of {size:,} bytes; medians of {chosen.rounds} rounds\n")
        print(form(table.speeds(rows, size)))
        print("\nFencepost's rate ÷ the other's\n")
        print(form(table.ratios(rows, size)))
        print("\nEnqueued one by one in turns, in one process\n")
        print(form(table.turns(run.turns.get(size, []))))
    print("\nWhat each promises\n")
    print(form(table.promises(rows)))
    print("\nRead back from the connections\n")
    print("\n".join(table.settings(rows)))


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
