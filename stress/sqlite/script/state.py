"""What is in a store, read between two steps, and how two such states differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ....store.store import Store

# What is in a store, by a name for each thing. Of a delivery: (state, attempt, fence).
State = Mapping[str, Any]


def look(store: Store) -> State:
    """Return what a store has, as of one moment."""
    state: dict[str, Any] = {}
    with store.transaction() as tx:
        for key, *facts in tx.execute(
            "select key, state, attempt, fence from fp_delivery "
            "join fp_message on fp_message.id = message_id"
        ):
            state[f"message {key}"] = tuple(facts)
        for key, value in tx.execute("select key, value from fp_entry"):
            state[f"entry {key}"] = value
        for key, *facts in tx.execute("select key, state, result from fp_once"):
            state[f"once {key}"] = tuple(facts)
        for name, *facts in tx.execute("select name, owner, token is null from fp_lease"):
            state[f"lease {name}"] = tuple(facts)
        if tx.execute("select 1 from sqlite_schema where name = 'effects'"):
            state["effects"] = "table"
            for key, count in tx.execute("select key, count(*) from effects group by key"):
                state[f"effect {key}"] = count
    return state


def differences(seen: State, before: State, after: State) -> Iterator[tuple[str, str]]:
    """Say, by invariant, why a state is neither of the two that it may be."""
    mixed = []
    for name in sorted({*seen, *before, *after}):
        is_, was, to_be = (state.get(name) for state in (seen, before, after))
        if is_ in (was, to_be):
            if was != to_be:
                mixed.append((name, is_ == to_be))
        elif was is None and to_be is None:
            yield "nothing-unexpected", f"{name} is there: {is_}"
        elif name.startswith("effect ") and is_ is not None:
            yield "effects-once", f"{name} is there {is_} times"
        else:
            yield "nothing-lost", f"{name} is {is_}, and was {was}, to be {to_be}"
    if len({done for _, done in mixed}) > 1:
        done, undone = ([name for name, is_ in mixed if is_ == way] for way in (True, False))
        both = f"of one transaction {', '.join(done)} is there, {', '.join(undone)} is not"
        yield "effects-once", both
