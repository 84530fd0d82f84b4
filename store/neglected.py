"""What an operator should know of messages that nobody handles, as steps of a probe."""

from __future__ import annotations

from .probe import ProbeStep
from .store import Store

# Now and then a sender does send a key again with another body, and that is its own affair.
MANY_CONFLICTS = 10
MANY_OF_KEYS = 0.01

_MOST_NAMED = 10


def neglected(store: Store) -> list[ProbeStep]:
    """Return a step for each kind: a warning where there is something to do."""
    return [_unserved(store), _unrouted(store), _conflicts(store)]


def _unserved(store: Store) -> ProbeStep:
    found = [f"{each.queue} ({each.waiting + each.leased})" for each in store.unserved()]
    if not found:
        return ProbeStep("unserved queues", True, "a running pool serves every queue with work")
    detail = (
        f"no running pool serves {_listed(found)}: run one that does, or `fencepost messages"
        " move --from Q --to Q`"
    )
    return ProbeStep("unserved queues", True, detail, warning=True)


def _unrouted(store: Store) -> ProbeStep:
    counts = store.unrouted_counts()
    if not counts:
        return ProbeStep("unrouted messages", True, "every message had a route")
    found = [f"{each.source}: {each.event or 'no event'} ({each.count})" for each in counts]
    detail = (
        f"no route matches {_listed(found)}: add one, then `fencepost messages replay` them;"
        " `fencepost messages list --unrouted` shows them"
    )
    return ProbeStep("unrouted messages", True, detail, warning=True)


def _conflicts(store: Store) -> ProbeStep:
    """Name the sources whose key is hardly a key."""
    many = []
    for each in store.conflicts():
        keys = store.engine.routing.keys_of(each.source)
        if each.conflicts >= MANY_CONFLICTS and each.conflicts > MANY_OF_KEYS * keys:
            many.append(f"{each.source} ({each.conflicts}, {keys} keys known, last {each.key!r})")
    if not many:
        return ProbeStep("conflicts", True, "no source sends many known keys with another body")
    detail = (
        f"known keys came with another body, and were not handled, from {_listed(many)}:"
        " what its key= names does not tell its messages apart"
    )
    return ProbeStep("conflicts", True, detail, warning=True)


def _listed(found: list[str]) -> str:
    more = f" and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
    return ", ".join(found[:_MOST_NAMED]) + more
