"""Log lines about messages that were stored."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ..log.log import json_text, log
from ..store.types.messages.draft import Address
from ..store.types.messages.receipt import Receipt

# Senders choose the event names, so there may be any number of them.
_MOST_NAMES = 1_000
_MOST_LETTERS = 200

_unrouted: set[tuple[str | None, str]] = set()


class Facts(NamedTuple):
    """What the log and the answer say of a message; its body need not be kept for that.

    Attributes:
        silent: The provider wants an empty body in the answer.
        began: When the request had been checked, on time.monotonic().
    """

    source: str | None
    key: str | None
    event: str
    addresses: Sequence[Address]
    silent: bool
    began: float


def log_stored(facts: Facts, receipt: Receipt) -> None:
    """Log a stored message; for an event without a route only the first."""
    if receipt.status == "conflict":
        log.warning("same key, other body: the first is kept", **_who(facts, receipt))
        return
    if receipt.helped == "revived":
        log.info("delivered again: what was dead of it is ready again", **_who(facts, receipt))
        return
    if receipt.helped == "routed":
        log.info("delivered again: it is routed now", **_who(facts, receipt))
        return
    if receipt.state is None:
        if not facts.addresses:
            _note_unrouted(facts, _who(facts, receipt))
        elif receipt.status == "accepted":
            log.info("its routes are off: it is kept", **_who(facts, receipt))
    if log.writes("info"):
        _log_usual(facts, receipt, round((time.monotonic() - facts.began) * 1000, 1))


def _log_usual(facts: Facts, receipt: Receipt, duration_ms: float) -> None:
    queues = ", ".join([address.queue for address in facts.addresses])
    if not log.renders_json:
        more = {"event_name": facts.event, "queues": queues, "duration_ms": duration_ms}
        log.info(receipt.status, **_who(facts, receipt), **more)
        return
    # The same, in a third of the time.
    log.info_json(
        receipt.status,
        f'"source": {json_text(facts.source)}, "key": {json_text(facts.key)}, '
        f'"message": "m{receipt.message_id}", "event_name": {json_text(facts.event)}, '
        f'"queues": {json_text(queues)}, "duration_ms": {duration_ms}',
    )


def _who(facts: Facts, receipt: Receipt) -> dict[str, object]:
    return {"source": facts.source, "key": facts.key, "message": f"m{receipt.message_id}"}


def _note_unrouted(facts: Facts, who: Mapping[str, object]) -> None:
    event = facts.event[:_MOST_LETTERS]
    name = (facts.source, event)
    if name not in _unrouted and len(_unrouted) < _MOST_NAMES:
        _unrouted.add(name)
        log.warning("no route matches this event: its messages are kept", event_name=event, **who)
