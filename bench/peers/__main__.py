"""Measure every queue in turn, round after round, and print the tables."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

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
    run = _Run(rows, chosen.scale)
    try:
        run.look_up()
        if chosen.kill:
            run.kill()
        for number in range(chosen.rounds):
            run.round(number)
    finally:
        run.stop()
    if chosen.json:
        report = {"date": time.strftime("%Y-%m-%d"), "machine": where, "rows": table.as_json(rows)}
        print(msgspec.json.format(msgspec.json.encode(report), indent=1).decode())
    else:
        _print(rows, chosen, where)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=list(QUEUES), metavar="QUEUE")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="bytes of a body")
    parser.add_argument("--scale", type=float, default=1.0, help="of the numbers of messages")
    parser.add_argument("--no-kill", dest="kill", action="store_false", help="kill no workers")
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


class _Run:
    """The rows, and the servers that they share."""

    def __init__(self, rows: list[table.Row], scale: float) -> None:
        self.rows = rows
        self.scale = scale
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

    def kill(self) -> None:
        """Kill the workers of each queue once, at its default durability."""
        seen: dict[str, str] = {}
        for row in self.rows:
            if row.failed or row.durability != next(iter(row.queue.durabilities)):
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
        """Measure every row once."""
        for row in self.rows:
            if row.failed:
                continue
            _say(f"round {number + 1}: {row.title()}, {row.size} bytes")
            try:
                args = row.queue, row.durability, row.size, self._service(row), self.scale
                row.rounds.append(measure(*args))
            except (Failed, Unavailable, subprocess.TimeoutExpired) as error:
                row.failed = str(error)
                _say(row.failed)

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


def _print(rows: list[table.Row], chosen: argparse.Namespace, where: Machine) -> None:
    form = table.markdown if chosen.markdown else table.plain
    facts = msgspec.structs.asdict(where).items()
    print(", ".join(f"{name.replace('_', ' ')} {value}" for name, value in facts))
    for size in chosen.sizes:
        print(f"\nBodies of {size:,} bytes; medians of {chosen.rounds} rounds\n")
        print(form(table.speeds(rows, size)))
        print("\nFencepost's rate ÷ the other's\n")
        print(form(table.ratios(rows, size)))
    print("\nWhat each promises\n")
    print(form(table.promises(rows)))
    print("\nRead back from the connections\n")
    print("\n".join(table.settings(rows)))


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
