"""Probe steps about unrouted messages, unserved queues and conflicts."""

from __future__ import annotations

from ...store.errors import FencepostError
from ...store.store import Store
from ...store.types.probe import ProbeStep

# Now and then a sender does send a key again with another body, and that is its own affair.
MANY_CONFLICTS = 10
MANY_OF_KEYS = 0.01

_MOST_NAMED = 10
_MOST_LETTERS = 60  # of an event's name, which may be any text


def neglected(store: Store) -> list[ProbeStep]:
    """Return a step for each kind: a warning where there is something to do."""
    steps = []
    for name, look in _LOOKS.items():
        try:
            detail, warning = look(store)
        except FencepostError as error:
            steps.append(ProbeStep(name, False, str(error)))
        else:
            steps.append(ProbeStep(name, True, detail, warning))
    return steps


def _unserved(store: Store) -> tuple[str, bool]:
    found = [f"{each.queue} ({each.waiting + each.leased})" for each in store.unserved()]
    if not found:
        return "running pools serve all queues that hold work", False
    return (
        f"no running pool serves {_listed(found)}: run one that does, or `fencepost messages"
        " move --from Q --to Q`"
    ), True


def _unrouted(store: Store) -> tuple[str, bool]:
    counts = store.unrouted_counts()
    if not counts:
        return "every message had a route", False
    found = [
        f"{each.source}: {each.event[:_MOST_LETTERS] or 'no event'} ({each.count})"
        for each in counts
    ]
    return (
        f"no route matches {_listed(found)}: add one, then `fencepost messages replay` them;"
        " `fencepost messages list --unrouted` shows them"
    ), True


def _conflicts(store: Store) -> tuple[str, bool]:
    """Name the sources whose key is hardly a key."""
    many = []
    for each in store.conflicts():
        keys = store.keys_of(each.source)
        if each.conflicts >= MANY_CONFLICTS and each.conflicts > MANY_OF_KEYS * keys:
            many.append(f"{each.source} ({each.conflicts}, {keys} keys known, last {each.key!r})")
    if not many:
        return "no source sends many known keys with another body", False
    return (
        f"known keys came with another body, and were not handled, from {_listed(many)}:"
        " what its key= names does not tell its messages apart"
    ), True


_LOOKS = {
    "unserved queues": _unserved,
    "unrouted messages": _unrouted,
    "conflicts": _conflicts,
}


def _listed(found: list[str]) -> str:
    more = f" and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
    return ", ".join(found[:_MOST_NAMED]) + more
