"""Log lines about messages that were stored."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ..log.log import log
from ..store.types.message import Address, Receipt

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
    who = {"source": facts.source, "key": facts.key, "message": f"m{receipt.message_id}"}
    if receipt.status == "conflict":
        log.warning("same key, other body: the first is kept", **who)
    elif receipt.helped == "revived":
        log.info("delivered again: what was dead of it is ready again", **who)
    elif receipt.helped == "routed":
        log.info("delivered again: it is routed now", **who)
    elif not facts.addresses and receipt.state is None:
        _note_unrouted(facts, who)
    if receipt.status != "conflict" and receipt.helped is None and log.writes("info"):
        log.info(
            receipt.status,
            **who,
            event_name=facts.event,
            queues=", ".join([address.queue for address in facts.addresses]),
            duration_ms=round((time.monotonic() - facts.began) * 1000, 1),
        )


def _note_unrouted(facts: Facts, who: Mapping[str, object]) -> None:
    event = facts.event[:_MOST_LETTERS]
    name = (facts.source, event)
    if name not in _unrouted and len(_unrouted) < _MOST_NAMES:
        _unrouted.add(name)
        log.warning("no route matches this event: its messages are kept", event_name=event, **who)
