"""Storing new messages by set."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import apsw

from ....types.messages.receipt import Receipt
from ...session.session import Write
from ..payload import Prepared
from .arrivals import Arrivals
from .odd import OddSet

A = TypeVar("A")

_KNOWN = "select key from fp_message where scope = :scope and key in carray(:keys)"


def enqueue(write: Write, batch: Sequence[Prepared]) -> list[Receipt]:
    """Store messages, each new and with room in its queues; receipts in their order.

    Raises:
        OddSet: One of them is not.
    """
    rows = Arrivals(write.now_ms, batch)
    if rows.odd:
        raise OddSet
    receipts = rows.store(write)
    rows.count_within_caps(write)
    return receipts


def enqueue_runs(
    write: Write,
    batch: Sequence[Prepared],
    one: Callable[[Prepared], A],
    off: Collection[str] = (),
) -> list[A | Receipt]:
    """Store messages in their order: those that are ordinary by set, the others with `one`.

    What a source sends to a queue in `off` is not ordinary.
    """
    answers: list[A | Receipt] = []
    for run, odd in _runs(batch, _known(write, batch), off):
        rows = Arrivals(write.now_ms, run)
        if rows.have_room(write):
            try:
                answers += rows.store(write)
                rows.count(write)
            except OddSet:
                raise write.corrupt("a key is in its index, and its message is not") from None
        else:
            answers += map(one, run)
        if odd is not None:
            answers.append(one(odd))
    return answers


def _is_odd(each: Prepared, off: Collection[str]) -> bool:
    draft = each.draft
    if off and draft.source is not None and any(to.queue in off for to in draft.addresses):
        return True
    return any(address.refused is not None for address in draft.addresses)


def _known(write: Write, batch: Iterable[Prepared]) -> set[tuple[str, str]]:
    """Return which scopes and keys are stored, also those that could be forgotten."""
    keys: dict[str, list[str]] = {}
    for each in batch:
        if each.draft.key is not None:
            keys.setdefault(each.draft.scope, []).append(each.draft.key)
    return {
        (scope, key)
        for scope, asked in keys.items()
        for (key,) in write.run(_KNOWN, {"scope": scope, "keys": _texts(asked)})
    }


def _texts(values: Sequence[str]) -> Any:
    """Return texts as one binding, for `in carray(?)`."""
    return apsw.carray(tuple(values), flags=apsw.SQLITE_CARRAY_TEXT)


def _runs(
    batch: Sequence[Prepared], known: set[tuple[str, str]], off: Collection[str]
) -> Iterator[tuple[list[Prepared], Prepared | None]]:
    """Yield runs of ordinary messages, each with the odd one behind it, if there is one."""
    run: list[Prepared] = []
    for each in batch:
        key = each.draft.key
        odd = _is_odd(each, off)
        if key is not None:
            odd |= (each.draft.scope, key) in known
            known.add((each.draft.scope, key))
        if odd:
            yield run, each
            run = []
        else:
            run.append(each)
    if run:
        yield run, None
