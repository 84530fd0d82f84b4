"""The queue OUTBOX among the queues that a pool serves."""

from __future__ import annotations

from ...store.types.sending.outgoing import OUTBOX
from ..handlers.handler import Handler, make_handler
from ..interfaces import WorkerApp
from .extra import can_send
from .sender import CONCURRENCY, Sender

# The handler is our own, so a worker that died with a webhook did not die of it.
_MAX_CRASHES = 1_000_000


def only_sends(app: WorkerApp) -> bool:
    """True for an app without handlers that says how webhooks are sent."""
    return not app.handlers and app.sending is not None and app.sending.is_given


def handlers_of(app: WorkerApp) -> dict[str, Handler]:
    """Return the handlers of an app, and the one that sends its webhooks, if that is possible."""
    if app.sending is None or not can_send():
        return dict(app.handlers)
    sender = make_handler(
        Sender(app.sending),
        queue=OUTBOX,
        durable=True,
        concurrency=CONCURRENCY,
        max_crashes=_MAX_CRASHES,
    )
    return {**app.handlers, OUTBOX: sender}
