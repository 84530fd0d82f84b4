"""Log lines about messages that were stored."""

from __future__ import annotations

import time
from collections.abc import Mapping

from ..log.log import log
from ..store.types.message import Draft, Receipt

# Senders choose the event names, so there may be any number of them.
_MOST_NAMES = 1_000
_MOST_LETTERS = 200

_unrouted: set[tuple[str | None, str]] = set()


def log_stored(draft: Draft, receipt: Receipt, began: float) -> None:
    """Log a stored message; for an event without a route only the first.

    Args:
        began: When the request had been checked, on time.monotonic().
    """
    who = {"source": draft.source, "key": draft.key, "message": f"m{receipt.message_id}"}
    if receipt.status == "conflict":
        log.warning("same key, other body: the first is kept", **who)
    elif receipt.helped == "revived":
        log.info("delivered again: what was dead of it is ready again", **who)
    elif receipt.helped == "routed":
        log.info("delivered again: it is routed now", **who)
    elif not draft.addresses and receipt.state is None:
        _note_unrouted(draft, who)
    if receipt.status != "conflict" and receipt.helped is None and log.writes("info"):
        log.info(
            receipt.status,
            **who,
            event_name=draft.event,
            queues=", ".join([address.queue for address in draft.addresses]),
            duration_ms=round((time.monotonic() - began) * 1000, 1),
        )


def _note_unrouted(draft: Draft, who: Mapping[str, object]) -> None:
    event = draft.event[:_MOST_LETTERS]
    name = (draft.source, event)
    if name not in _unrouted and len(_unrouted) < _MOST_NAMES:
        _unrouted.add(name)
        log.warning("no route matches this event: its messages are kept", event_name=event, **who)
