"""Checking a request in a fixed order; the result is a draft to store, or an answer.

Every way in goes through here: the receiver, `App.accept`, `App.asgi` and `App.wsgi`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

from ..app.interfaces import ReceiverApp
from ..app.source import Source
from ..log.log import log
from ..schemes import key_rule
from ..schemes.request import Event, Handshake, Malformed, Request, Verdict
from ..store import Message
from ..store.errors import FencepostError, LimitExceeded, QueueFull, StoreBusy
from ..store.types.message import Draft, Receipt
from .answer import Answer, Headers, document, error, unavailable
from .lazy_store import LazyStore
from .message_lines import log_stored
from .refusals import refusals

# Never kept: they are the sender's credentials, not the message.
_SECRET_HEADERS = {"authorization", "cookie", "proxy-authorization"}


@dataclass(frozen=True, slots=True)
class Incoming:
    """A request that is a message: what to store of it."""

    source: str
    draft: Draft
    silent: bool
    began: float = field(default_factory=time.monotonic)


def accept(app: ReceiverApp, lazy_store: LazyStore, source: Source, request: Request) -> Answer:
    """Answer a request; a message is stored in a transaction of its own."""
    found = read(app, source, request)
    if isinstance(found, Incoming):
        outcome: Receipt | FencepostError
        try:
            (outcome,) = lazy_store.open().engine.queue.enqueue_each([found.draft])
        except FencepostError as error:
            outcome = error
        found = settle(lazy_store, found, outcome)
    return refusals.note(source.name, found)


async def accept_async(
    app: ReceiverApp, lazy_store: LazyStore, source: Source, request: Request
) -> Answer:
    """Answer a request; messages that arrive together share a transaction."""
    found = read(app, source, request)
    if isinstance(found, Incoming):
        outcome: Receipt | FencepostError
        try:
            committer = await lazy_store.committer()
            outcome = await committer.commit(found.draft)
        except FencepostError as error:
            outcome = error
        found = settle(lazy_store, found, outcome)
    return refusals.note(source.name, found)


def no_source() -> Answer:
    """Return the answer to a request for a source that the app does not have."""
    return error(404, "no such source")


def too_large(source: Source) -> Answer:
    """Return the answer to a body over the source's cap."""
    return error(413, f"the body is over {source.max_body} bytes")


def read(app: ReceiverApp, source: Source, request: Request) -> Incoming | Answer:
    """Return what to store of a request, or the answer to one that is not stored."""
    if len(request.body) > source.max_body:
        return too_large(source)
    if (early := source.scheme.early(request)) is not None:
        return _handshake(early)
    verdict = source.scheme.verify(request, time.time())
    if verdict is not Verdict.GENUINE:
        return replace(error(401, "signature not accepted"), reason=verdict.value)
    try:
        event = source.read(request)
    except Malformed as malformed:
        return error(malformed.status, str(malformed))
    if isinstance(event, Handshake):
        return _handshake(event)
    if event.key is None and source.require_key:
        where = key_rule(source.scheme)
        return error(
            400, f"no usable key that tells this message from others; it is read at {where}"
        )
    return Incoming(source.name, draft(app, source, request, event), event.silent)


def settle(lazy_store: LazyStore, incoming: Incoming, outcome: Receipt | FencepostError) -> Answer:
    """Return the answer to a message that was stored, or could not be."""
    if isinstance(outcome, StoreBusy):
        return unavailable("the store is busy")
    if isinstance(outcome, QueueFull):
        return unavailable(f"queue {outcome.queue} is full", outcome.retry_after)
    if isinstance(outcome, LimitExceeded):
        return error(413, str(outcome))
    if isinstance(outcome, FencepostError):
        # With an unknown outcome too: the sender tries again, under the same key.
        if lazy_store.is_news(outcome):
            log.error(
                "not stored",
                source=incoming.source,
                key=incoming.draft.key,
                code=outcome.code,
                error=str(outcome),
            )
        return unavailable("the store cannot take it")
    log_stored(incoming.draft, outcome, incoming.began)
    if incoming.silent:
        return Answer(200)
    return document(200, {"id": outcome.message_id, "status": outcome.status})


def _handshake(handshake: Handshake) -> Answer:
    kind = handshake.content_type.decode("latin-1") if handshake.body else None
    return Answer(200, Headers({"content-type": kind} if kind else {}), handshake.body)


def draft(app: ReceiverApp, source: Source, request: Request, event: Event) -> Draft:
    """Return what to store of a message, with where it goes."""
    headers = {
        name: value for name, value in request.fields().items() if name not in _SECRET_HEADERS
    }
    message = Message(0, source.name, event.key, event.event, headers, request.body, time.time())
    return Draft(
        scope=source.name,
        source=source.name,
        key=event.key,
        event=event.event,
        headers=headers,
        body=request.body,
        addresses=app.addresses(message),
        keep_ms=source.keep_ms,
        keep_body_ms=source.keep_body_ms,
        redelivery=source.redelivery,
        plain=_plain(source, request),
    )


def _plain(source: Source, request: Request) -> bytes | None:
    """Return the body decompressed, should it have come compressed.

    A sender may compress a body anew each time that it sends it, with the time in it.
    """
    if "content-encoding" not in request.fields():
        return None
    try:
        plain = request.plain(source.max_body)
    except Malformed:  # nothing had to be read of it
        return None
    return None if plain == request.body else plain
