"""Holds what is in the file against the reference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...store.reference.rows import LIVE, DeliveryRow
from ...store.reference.tables import Tables
from ..sqlite.look import Row, Seen
from .reference import Reference

Difference = tuple[str, str]

_DAY_MS = 86_400_000


def forget_swept(model: Reference, seen: Seen, now: int) -> None:
    """Let go of what may have been swept, and is gone."""
    tables = model.tables
    for id, message in list(tables.messages.items()):
        over = message.expires_ms is not None and message.expires_ms <= now
        if over and id not in seen.deliveries:
            del tables.messages[id]
            if message.key is not None:
                del tables.keys[message.scope, message.key]
            for row in tables.of_message(id):
                del tables.deliveries[row.id]
    for name, lease in list(tables.leases.items()):
        if name not in seen.leases and lease.until_ms <= now - _DAY_MS:
            del tables.leases[name]
    for at, key in list(tables.once.items()):
        over = key.until_ms <= (now if key.state == "done" else now - _DAY_MS)
        if over and at[1] not in seen.once:
            del tables.once[at]
    for at, rows in list(tables.entries.items()):
        tables.entries[at] = {
            key: row
            for key, row in rows.items()
            if row.is_live(now) or (at[1], key) in seen.entries
        }


def differences(model: Reference, seen: Seen) -> list[Difference]:
    """Return where the file is not as it has to be."""
    tables = model.tables
    found = [*_deliveries(tables, seen), *_caps(tables, seen), *_names(tables, seen)]
    found += _entries(tables, seen)
    wanted = {name: count for name, count in model.effects.items() if not _gone(tables, name)}
    kept = {name: count for name, count in seen.effects.items() if not _gone(tables, name)}
    if kept != wanted:
        found.append(("effects-once", f"the handlers' writes are {_unlike(kept, wanted)}"))
    return found


def _gone(tables: Tables, effect: str) -> bool:
    """True of what was written for a message that is forgotten."""
    kind, _, number = effect.partition(" ")
    return kind == "message" and int(number) not in tables.messages


def _deliveries(tables: Tables, seen: Seen) -> list[Difference]:
    found = []
    wanted = {row.message: row for row in tables.deliveries.values()}
    for message, row in wanted.items():
        if message not in seen.deliveries:
            found.append(("nothing-lost", f"message {message} is not there"))
            continue
        has, should = _in_file(seen.deliveries[message]), _in_tables(tables, row)
        if has != should:
            found.append(("nothing-lost", f"message {message} is {has}, not {should}"))
    for message in seen.deliveries.keys() - wanted.keys():
        found.append(("nothing-unexpected", f"there is {seen.deliveries[message]}"))
    return found


def _in_file(row: Row) -> tuple[object, ...]:
    return (
        row.state,
        row.attempt,
        row.fence,
        row.token,
        row.settled,
        row.until if row.state == "leased" else None,
        row.due,
        row.forgotten_at,
    )


def _in_tables(tables: Tables, row: DeliveryRow) -> tuple[object, ...]:
    return (
        row.state,
        row.attempt,
        row.fence,
        row.token,
        row.settled,
        row.until_ms if row.state == "leased" else None,
        row.due_ms,
        tables.messages[row.message].expires_ms,
    )


def _caps(tables: Tables, seen: Seen) -> list[Difference]:
    found = []
    for queue, known in tables.queues.items():
        rows = sum(r.queue == queue and r.state in LIVE for r in seen.deliveries.values())
        cap = known.caps.max_rows
        # What an operator replays comes on top.
        if cap is not None and rows > max(cap, len(tables.live(queue))):
            found.append(("caps-hold", f"queue {queue} has {rows} rows, its cap is {cap}"))
    for (_, name), space in tables.spaces.items():
        rows = sum(at[0] == name for at in seen.entries)
        if rows > (space.max_entries or rows):
            said = f"namespace {name} has {rows} rows, its cap is {space.max_entries}"
            found.append(("caps-hold", said))
    return found


def _names(tables: Tables, seen: Seen) -> list[Difference]:
    leases = {
        name: (row.owner, row.fence, row.token, row.settled, row.until_ms)
        for name, row in tables.leases.items()
    }
    once = {
        key: (row.state, row.fence, row.token, row.settled, row.until_ms, row.result)
        for (_, key), row in tables.once.items()
    }
    found = []
    if leases != seen.leases:
        found.append(("nothing-lost", f"the leases are {_unlike(seen.leases, leases)}"))
    if once != seen.once:
        found.append(("nothing-lost", f"the keys are {_unlike(seen.once, once)}"))
    return found


def _entries(tables: Tables, seen: Seen) -> list[Difference]:
    wanted = {
        (at[1], key): (row.value, row.expires_ms)
        for at, rows in tables.entries.items()
        for key, row in rows.items()
    }
    if wanted == seen.entries:
        return []
    return [("nothing-lost", f"the entries are {_unlike(seen.entries, wanted)}")]


def _unlike(has: Mapping[Any, Any], wanted: Mapping[Any, Any]) -> str:
    keys = {key for key in has.keys() | wanted.keys() if has.get(key) != wanted.get(key)}
    return "; ".join(
        f"{key}: {has.get(key)}, not {wanted.get(key)}" for key in sorted(keys, key=str)
    )
