"""How a call of several messages ends when some of them, or all, have failed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ...log import delivery_lines
from ...log.delivery_lines import place
from ...log.log import log
from ...store import Claim, Store
from ...store.engine.durable.joins import Apart
from ...store.types.validate import error_text
from ..handlers.failures import Verdict, backoff, verdict
from ..handlers.handler import Handler
from ..handlers.results import storable
from .group import Failed, SomeFailed


def some_failed(
    store: Store, handler: Handler, claim: Claim, error: SomeFailed
) -> Callable[[], None]:
    """Return what tells the store that some messages of a call have failed, and log each."""
    of = {claim.id: (claim.message, claim.attempt)}
    of |= {each.id: (each.message, each.attempt) for each in claim.joined}
    apart = []
    for id, why in error.errors.items():
        message, attempt = of[id]
        if isinstance(why, Failed):
            found = Verdict(backoff(handler, attempt), str(why))
        else:
            found = verdict(handler, why, attempt)
        wait, said = found.retry_after, error_text(found.error)
        apart.append(Apart(id, None if wait is None else round(wait * 1000), said))
        delivery_lines.places[id] = place(why)
        log.warning(
            "message failed",
            source=message.source,
            key=message.key,
            message=f"m{message.id}",
            delivery=f"d{id}",
            queue=claim.queue,
            attempt=attempt,
            error=said,
        )
    result, _ = storable(error.result)
    return partial(store.engine.durable.joins.settle, claim.hold, apart, result)


def all_failed(
    handler: Handler, claim: Claim, wait: float | None, error: str
) -> Callable[[], object]:
    """Return what tells the store that a call of several messages has failed.

    Which of them it was, nobody knows: none is dead before it has failed alone.
    """
    return partial(claim.retry, backoff(handler, claim.attempt) if wait is None else wait, error)
