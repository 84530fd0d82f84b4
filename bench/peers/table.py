"""The figures as tables for people, in Markdown, and as JSON."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from .measure import Figures
from .queue import Queue


@dataclass(slots=True)
class Row:
    """One queue at one durability with bodies of one size: its rounds, or why it did not run."""

    queue: Queue
    durability: str
    size: int
    version: str = ""
    rounds: list[Figures] = field(default_factory=list)
    failed: str = ""
    killed: str = ""

    def median(self, of: Callable[[Figures], float | None]) -> float | None:
        """Return the median of the rounds, None where none has it."""
        values = [value for value in map(of, self.rounds) if value is not None]
        return statistics.median(values) if values else None

    def title(self) -> str:
        """Return the name with the durability, marked where it is not what the queue comes with."""
        default = self.durability == next(iter(self.queue.durabilities))
        return f"{self.queue.name} {self.durability}{'' if default else ' (set)'}"


_COLUMNS: dict[str, Callable[[Figures], float | None]] = {
    "enqueue/s": lambda each: each.enqueue,
    "drain/s": lambda each: each.drain,
    "end to end/s": lambda each: each.through,
    "in bulk/s": lambda each: each.in_bulk,
    "producer CPU ms": lambda each: each.producer_cpu,
    "worker CPU ms": lambda each: each.worker_cpu,
    "server CPU ms": lambda each: each.server_cpu,
    "least ÷ greatest": lambda each: each.share,
    "sync ms": lambda each: each.sync_ms,
}


def speeds(rows: list[Row], size: int) -> list[list[str]]:
    """Return the table of one size: medians, with the ratio to the first row's in the rates."""
    table = [["queue", *_COLUMNS, "twice"]]
    for row in rows:
        if row.size != size:
            continue
        if not row.rounds:
            reason = "not run" if not row.failed else f"not run: {row.failed}"
            table.append([row.title(), reason, *[""] * len(_COLUMNS)])
            continue
        cells = [_number(name, row.median(of)) for name, of in _COLUMNS.items()]
        twice = max(each.twice for each in row.rounds)
        table.append([row.title(), *cells, str(twice)])
    return table


def promises(rows: list[Row]) -> list[list[str]]:
    """Return what each queue promises, and what came when its workers were killed."""
    head = ["queue", "version", "fenced", "deduped after it is done", "kill -9 of a worker"]
    table = [[*head, "seen when both were killed", "power loss, default first", "source"]]
    of: dict[str, list[Row]] = {}
    for row in rows:
        of.setdefault(row.queue.name, []).append(row)
    for name, own in of.items():
        said, first = own[0].queue.promises, own[0]
        lost = [f"{at}: {what}" for at, what in first.queue.durabilities.items()]
        seen = first.killed or ("not run" if first.failed else "")
        cells = [name, first.version, said.fenced, said.deduped, said.killed, seen]
        table.append([*cells, "; ".join(lost), said.note])
    return table


def settings(rows: list[Row]) -> list[str]:
    """Return what each queue's connection said of its durability."""
    told = {row.title(): row.rounds[0].setting for row in rows if row.rounds}
    return [f"{title}: {setting}" for title, setting in told.items()]


def ratios(rows: list[Row], size: int) -> list[list[str]]:
    """Return Fencepost's rates divided by each other's: the median of the rounds, and the spread.

    At full durability beside every queue, and beside those that sync less also at "normal".
    """
    table = [["beside", "Fencepost at", "enqueue", "enqueue with keys", "drain", "end to end"]]
    of = {(row.queue.name, row.durability): row for row in rows if row.size == size}
    for (name, durability), row in of.items():
        if name.startswith("fencepost") or not row.rounds:
            continue
        for own in ("full",) if durability == "full" else ("full", "normal"):
            ours, keyed = of.get(("fencepost", own)), of.get(("fencepost, keyed", own))
            cells = [_ratio(ours, row, lambda each: each.enqueue)]
            cells.append(_ratio(keyed, row, lambda each: each.enqueue))
            cells.append(_ratio(ours, row, lambda each: each.drain))
            cells.append(_ratio(ours, row, _end_to_end))
            table.append([row.title(), own, *cells])
    return table


def _end_to_end(each: Figures) -> float | None:
    """Return the faster of the two ways."""
    return max((rate for rate in (each.through, each.in_bulk) if rate), default=None)


def _ratio(ours: Row | None, theirs: Row, of: Callable[[Figures], float | None]) -> str:
    both = zip(ours.rounds if ours else (), theirs.rounds, strict=False)
    read = [(of(left), of(right)) for left, right in both]
    values = [left / right for left, right in read if left and right]
    if not values:
        return "-"
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def turns(measured: list[dict[str, Any]]) -> list[list[str]]:
    """Return the rates by the median turn, and Fencepost's divided by each at equal durability."""
    table = [["queue", "enqueue/s", "by all turns", "Fencepost ÷ it", "with keys ÷ it"]]
    of = {each["row"]: each for each in measured}
    for row, each in of.items():
        durability = row.partition("=")[2]
        cells = [f"{each[name]:,.0f}" for name in ("per_second", "per_second_mean")]
        for own in (f"fencepost={durability}", f"fencepost, keyed={durability}"):
            ours = of.get(own)
            cells.append(f"{ours['per_second'] / each['per_second']:.2f}" if ours else "-")
        table.append([row.replace("=", " "), *cells])
    return table


def plain(table: list[list[str]]) -> str:
    """Return a table in columns."""
    widths = [max(len(row[column]) for row in table if row[column:]) for column in _span(table)]
    lines = []
    for row in table:
        if len(row) > 1 and row[1].startswith("not run"):
            lines.append(f"{row[0]:{widths[0]}}  {row[1]}")
        else:
            cells = zip(row[1:], widths[1:], strict=True)
            lines.append(f"{row[0]:{widths[0]}}  " + "  ".join(f"{c:>{w}}" for c, w in cells))
    return "\n".join(lines)


def _span(table: list[list[str]]) -> range:
    return range(len(table[0]))


def markdown(table: list[list[str]]) -> str:
    """Return a table in Markdown."""
    lines = [f"| {' | '.join(row)} |" for row in table]
    lines.insert(1, "|" + "---|" * len(table[0]))
    return "\n".join(lines)


def as_json(rows: list[Row]) -> list[dict[str, object]]:
    """Return every round."""
    return [
        {
            "queue": row.queue.name,
            "durability": row.durability,
            "default": row.durability == next(iter(row.queue.durabilities)),
            "size": row.size,
            "version": row.version,
            "rounds": [asdict(each) for each in row.rounds],
            "failed": row.failed or None,
            "killed": row.killed or None,
            "promises": asdict(row.queue.promises),
            "power_loss": row.queue.durabilities[row.durability],
        }
        for row in rows
    ]


def _number(name: str, value: float | None) -> str:
    if value is None:
        return "-"
    if name.endswith("/s"):
        return f"{value:,.0f}"
    return f"{value:.2f}"
