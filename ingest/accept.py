"""Accepting a request: checks in a fixed order, then a message to store, or an answer.

The receiver, `App.accept`, `App.asgi` and `App.wsgi` all call this.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import msgspec

from ..app.interfaces import ReceiverApp
from ..app.route import Answering
from ..app.source import Source
from ..log.log import log
from ..schemes import key_rule
from ..schemes.request import Event, Handshake, Malformed, Request, Verdict
from ..store import Message
from ..store.errors import FencepostError, LimitExceeded, QueueFull, StoreBusy
from ..store.types.messages.draft import Draft
from ..store.types.messages.receipt import Receipt
from ..store.types.validate import key
from .answer import Answer, Headers, error, unavailable
from .held import HeldRequest, hold, hold_async
from .lazy_store import LazyStore
from .message_lines import Facts, log_stored
from .refusals import refusals

# Never stored: they are the sender's credentials, not the message.
_SECRET_HEADERS = {"authorization", "cookie", "proxy-authorization"}


class Incoming(NamedTuple):
    """A request that is a message: as it will be stored, and what its answer needs of it."""

    draft: Draft
    facts: Facts


def accept(app: ReceiverApp, lazy_store: LazyStore, source: Source, request: Request) -> Answer:
    """Answer a request; a message is stored in a transaction of its own."""
    found = read(app, source, request)
    if isinstance(found, Incoming):
        if answering := _answering(app, found.facts):
            usual = partial(answer_to, lazy_store, found.facts)
            held = hold(lazy_store, found.draft, usual, answering, found.facts.began)
            return refusals.note(source.name, held)
        outcome: Receipt | FencepostError
        try:
            (outcome,) = lazy_store.open().engine.queue.enqueue_each([found.draft])
        except FencepostError as error:
            outcome = error
        found = answer_to(lazy_store, found.facts, outcome)
    return refusals.note(source.name, found)


async def accept_async(
    app: ReceiverApp, lazy_store: LazyStore, source: Source, request: Request
) -> Answer:
    """Answer a request; messages that arrive together share a transaction."""
    found = await begin_async(app, lazy_store, source, request)
    return found if isinstance(found, Answer) else await found.answer()


async def begin_async(
    app: ReceiverApp, lazy_store: LazyStore, source: Source, request: Request
) -> Answer | HeldRequest:
    """Store a message; return the answer, or the request if that waits for a handler."""
    found = read(app, source, request)
    if isinstance(found, Incoming):
        if answering := _answering(app, found.facts):
            usual = partial(answer_to, lazy_store, found.facts)
            held = await hold_async(lazy_store, found.draft, usual, answering, found.facts.began)
            return refusals.note(source.name, held) if isinstance(held, Answer) else held
        outcome: Receipt | FencepostError
        try:
            committer = await lazy_store.committer()
            outcome = await committer.commit(found.draft)
        except FencepostError as error:
            outcome = error
        found = answer_to(lazy_store, found.facts, outcome)
    return refusals.note(source.name, found)


def no_source() -> Answer:
    """Return the answer to a request for an unknown source."""
    return error(404, "no such source")


def too_large(source: Source) -> Answer:
    """Return the answer to a body over the source's cap."""
    return error(413, f"the body is over {source.max_body} bytes")


def read(app: ReceiverApp, source: Source, request: Request) -> Incoming | Answer:
    """Return the message in a request, or the answer to a request that is not stored."""
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
        return error(400, f"the request has no usable dedupe key; this source reads it at {where}")
    found = draft(app, source, request, event)
    about = (found.source, found.key, found.event, found.addresses)
    return Incoming(found, Facts(*about, event.silent, time.monotonic()))


def answer_to(lazy_store: LazyStore, facts: Facts, outcome: Receipt | FencepostError) -> Answer:
    """Return the answer to a message, by what the store said."""
    if isinstance(outcome, StoreBusy):
        return unavailable("the store is busy")
    if isinstance(outcome, QueueFull):
        return unavailable(f"queue {outcome.queue} is full", outcome.retry_after)
    if isinstance(outcome, LimitExceeded):
        return error(413, str(outcome))
    if isinstance(outcome, FencepostError):
        # Also when it may have been stored: the sender retries with the same key.
        if lazy_store.is_news(outcome):
            log.error(
                "not stored",
                source=facts.source,
                key=facts.key,
                code=outcome.code,
                error=str(outcome),
            )
        return unavailable("the store cannot be used")
    body = stored(facts, outcome)
    return Answer(200, Headers({"content-type": "application/json"} if body else {}), body)


def stored(facts: Facts, receipt: Receipt) -> bytes:
    """Log a stored message; return the body of its answer, which is JSON or empty."""
    log_stored(facts, receipt)
    if facts.silent:
        return b""
    return msgspec.json.encode({"id": receipt.message_id, "status": receipt.status})


def _answering(app: ReceiverApp, facts: Facts) -> Answering | None:
    if facts.source is None or not app.matchings.responds(facts.source):
        return None
    return app.matchings.of(facts.source, facts.event).answering


def _handshake(handshake: Handshake) -> Answer:
    kind = handshake.content_type.decode("latin-1") if handshake.body else None
    return Answer(200, Headers({"content-type": kind} if kind else {}), handshake.body)


def draft(app: ReceiverApp, source: Source, request: Request, event: Event) -> Draft:
    """Return a message as the store takes it, with the addresses of its handlers."""
    headers = request.fields()
    if not _SECRET_HEADERS.isdisjoint(headers):
        headers = {name: text for name, text in headers.items() if name not in _SECRET_HEADERS}
    addresses = app.common_addresses(source.name, event.event)
    if addresses is None:
        addresses = app.addresses(_message(source, event, headers, request.body))
    return Draft(
        scope=source.name,
        source=source.name,
        key=event.key,
        event=event.event,
        headers=headers,
        body=request.body,
        addresses=addresses,
        keep_ms=source.keep_ms,
        keep_body_ms=source.keep_body_ms,
        redelivery=source.redelivery,
        plain=_plain(source, request),
        wait_key=None if source.wait_key is None else _wait_key(source, event, headers, request),
    )


def _message(source: Source, event: Event, headers: Mapping[str, str], body: bytes) -> Message:
    return Message(0, source.name, event.key, event.event, headers, body, time.time())


def _wait_key(
    source: Source, event: Event, headers: Mapping[str, str], request: Request
) -> str | None:
    assert source.wait_key is not None
    try:
        found = source.wait_key(_message(source, event, headers, request.body))
        if type(found) is int:  # as ids of many providers are
            found = str(found)
        return None if found is None else key(found, "what wait_key returns")
    except Exception as error:  # noqa: BLE001 - the app's own code; the message is stored all the same
        log.warning("wait_key failed", source=source.name, key=event.key, exc_info=error)
        return None


def _plain(source: Source, request: Request) -> bytes | None:
    """Return the decompressed body; None when it did not come compressed.

    The store compares it, because compressing the same body twice may give different bytes.
    """
    if "content-encoding" not in request.fields():
        return None
    try:
        plain = request.plain(source.max_body)
    except Malformed:  # no scheme had to read it
        return None
    return None if plain == request.body else plain
