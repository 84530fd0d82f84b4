"""The figures as tables for people, in Markdown, and as JSON."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field

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
    "together/s": lambda each: each.together,
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
    head = ["queue", "version", "fenced", "deduped", "kill -9 of its workers", "seen", "loses"]
    table = [[*head, "setting read back", "source"]]
    for row in _once(rows):
        said = row.queue.promises
        survives = row.queue.durabilities[row.durability]
        setting = row.rounds[0].setting if row.rounds else ""
        cells = [row.title(), row.version, said.fenced, said.deduped, said.killed, row.killed]
        table.append([*cells, survives, setting, said.note])
    return table


def _once(rows: list[Row]) -> Iterable[Row]:
    seen = set()
    for row in rows:
        if row.title() not in seen:
            seen.add(row.title())
            yield row


def ratios(rows: list[Row], size: int) -> list[str]:
    """Return how Fencepost compares with those that the targets name: medians of ratios by round."""
    of = {row.title(): row for row in rows if row.size == size and row.rounds}
    lines = []
    for own, other, name in _COMPARED:
        if own in of and other in of:
            pairs = zip(of[own].rounds, of[other].rounds, strict=False)
            values = [_rate(name, left) / _rate(name, right) for left, right in pairs]
            spread = f"{min(values):.2f} to {max(values):.2f}"
            lines.append(f"{name}: {own} ÷ {other} = {statistics.median(values):.2f} ({spread})")
    return lines


_FULL = ("fencepost full", "fencepost, keyed full")
_COMPARED = [
    *((own, "huey full", "enqueue/s") for own in _FULL),
    *((own, "litequeue full (set)", "enqueue/s") for own in _FULL),
    ("fencepost, keyed full", "litequeue, keyed full", "enqueue/s"),
    ("fencepost normal (set)", "litequeue normal", "enqueue/s"),
    *(
        ("fencepost full", other, name)
        for name in ("drain/s", "together/s")
        for other in ("huey full", "litequeue full (set)", "litequeue normal")
    ),
    ("fencepost normal (set)", "litequeue normal", "drain/s"),
    ("fencepost normal (set)", "litequeue normal", "together/s"),
]


def _rate(name: str, figures: Figures) -> float:
    return _COLUMNS[name](figures) or 0.0


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
            "survives": row.queue.durabilities[row.durability],
        }
        for row in rows
    ]


def _number(name: str, value: float | None) -> str:
    if value is None:
        return "-"
    if name.endswith("/s"):
        return f"{value:,.0f}"
    return f"{value:.2f}"
