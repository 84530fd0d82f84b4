"""deliver and enqueue: a message and its handlers in the test's process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from ..app import App
from ..app.command.handler import Command
from ..app.handlers.handler import set_caps
from ..app.source import Source
from ..ingest.accept import draft
from ..ingest.answer import Headers
from ..ingest.headers import HeadersLike, pairs
from ..ingest.signing import signed
from ..schemes.naming import named
from ..schemes.request import Event, Handshake, Malformed, Request
from ..store import Store
from ..store.errors import InvalidInput
from .clock import Clock
from .messages import Body, as_bytes
from .process import outside_a_loop
from .result import Result
from .running import run_deliveries, run_queue
from .temporary import temporary_store


def deliver(
    app: App,
    source: str,
    event: str | None = None,
    body: Body = None,
    key: str | None = None,
    *,
    headers: HeadersLike = (),
    attempts: int | None = 1,
    store: Store | None = None,
    clock: Clock | None = None,
) -> list[Result]:
    """Store a message as the receiver would, run its handlers, and return one result for each.

    The app's routes, lanes and limits apply; its own store is not opened. The app's
    `worker_started` and `worker_stopping` functions are called before and after. The
    signature is not checked: to test that, use `signed` and `App.accept`. `timeout` and
    `soft_timeout` are not enforced.

    Args:
        app: The app.
        source: The source's name.
        event: The event. When left out, what the source reads in the body; without a body,
            an example of the provider's.
        body: Bytes and text are used as they are; a dict or list becomes JSON.
        key: The dedupe key. When left out, what the source reads, or a new one.
        headers: Headers in addition to those that the provider would send.
        attempts: The most attempts at each delivery; before each further one the clock moves
            to its time. None continues until the delivery is done or dead.
        store: The store for the message and for `ctx.store`; by default a temporary one. A
            message that is in it already is a duplicate, and no handler runs.
        clock: The store's clock; needed for several attempts in a store of your own.

    Raises:
        InvalidInput: The app has no such source, or an argument is not usable.
    """
    app.check()
    _refuse_unusable(event, key)
    declared = app.sources.get(source)
    if declared is None:
        known = ", ".join(app.sources) or "none"
        raise InvalidInput(
            f"there is no source {source!r}; the app has {known}", operation="deliver"
        )
    request, found = _read(declared, event, body, key, headers)

    def run() -> list[Result]:
        with _opened(app, store, clock) as (target, time):
            receipt = target.engine.queue.enqueue([draft(app, declared, request, found)])[0]
            return run_deliveries(app, target, time, receipt, attempts)

    return outside_a_loop(run)


def enqueue(
    app: App,
    queue: str,
    body: Body = b"",
    key: str | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    attempts: int | None = 1,
    store: Store | None = None,
    clock: Clock | None = None,
) -> Result:
    """Enqueue a message for a handler, such as one of `@app.task(queue)`, and run it.

    The arguments are those of `deliver`.

    Raises:
        InvalidInput: The app has no such handler, or an argument is not usable.
    """
    _refuse_unknown(app, queue, "enqueue")

    def run() -> list[Result]:
        with _opened(app, store, clock) as (target, time):
            receipt = target.queue(queue).enqueue(as_bytes(body), key=key, headers=headers)
            return run_deliveries(app, target, time, receipt, attempts)

    results = outside_a_loop(run)
    if not results:
        raise InvalidInput(
            f"queue {queue!r} already has a message with key {key!r}, so no handler ran",
            operation="enqueue",
        )
    return results[0]


def run_ready(
    app: App,
    queue: str,
    *,
    store: Store,
    attempts: int | None = 1,
    clock: Clock | None = None,
) -> list[Result]:
    """Run a handler for what is ready in its queue; return one result for each, oldest first.

    That is what another handler has enqueued, what is to be retried, and what has slept or
    waited, once its time has come or it was answered.

    Args:
        app: The app.
        queue: The handler's name.
        store: The store that was given to `deliver` or `enqueue`.
        attempts: As in `deliver`.
        clock: The store's clock; needed for several attempts.

    Raises:
        InvalidInput: The app has no such handler.
    """
    _refuse_unknown(app, queue, "run_ready")

    def run() -> list[Result]:
        with _opened(app, store, clock) as (target, time):
            return run_queue(app, target, time, queue, attempts)

    return outside_a_loop(run)


def _refuse_unknown(app: App, queue: str, operation: str) -> None:
    if queue not in app.handlers:
        known = ", ".join(app.handlers) or "none"
        raise InvalidInput(
            f"there is no handler {queue!r}; the app has {known}", operation=operation
        )


def _refuse_unusable(event: object, key: object) -> None:
    for what, text in (("event", event), ("key", key)):
        if text is not None and not isinstance(text, str):
            raise InvalidInput(
                f"{what} must be a str, not {type(text).__name__}", operation="deliver"
            )
    if isinstance(key, str) and named(key, None).key is None:
        raise InvalidInput(f"{key!r} cannot be a dedupe key", operation="deliver")
    if event and isinstance(event, str) and not named(None, event).event:
        raise InvalidInput(f"{event!r} cannot be an event", operation="deliver")


def _read(
    source: Source, event: str | None, body: Body, key: str | None, headers: HeadersLike
) -> tuple[Request, Event]:
    """Return the request, and its event as the receiver reads it or as given."""
    found = Event(None, "")
    request = _request(source, event, body, key, headers)
    try:
        read = source.read(request)
    except Malformed:
        read = found
    if isinstance(read, Handshake):
        raise InvalidInput(
            f"source {source.name!r} answers this request itself, so no handler would run",
            operation="deliver",
        )
    return request, Event(
        read.key if key is None else key, read.event if event is None else event, read.silent
    )


def _request(
    source: Source, event: str | None, body: Body, key: str | None, headers: HeadersLike
) -> Request:
    """Return the request that the provider would send; a given body is not changed."""
    given = None if body is None else as_bytes(body)
    try:
        sent = signed(source, event=event, key=key, body=given, headers=headers)
    except InvalidInput:
        # The body has no place for the event or the key, or there is no secret that signs.
        sent_headers = Headers(
            [(n.decode("latin-1"), v.decode("latin-1")) for n, v in pairs(headers)]
        )
        sent_headers.setdefault("content-type", "application/json")
        return Request(pairs(sent_headers), b"{}" if given is None else given)
    return Request(pairs(sent.headers), sent.body if given is None else given)


@contextmanager
def _opened(
    app: App, store: Store | None, clock: Clock | None
) -> Iterator[tuple[Store, Clock | None]]:
    try:
        with _store(app, store, clock) as found:
            yield found
    finally:
        _end_commands(app)


@contextmanager
def _store(
    app: App, store: Store | None, clock: Clock | None
) -> Iterator[tuple[Store, Clock | None]]:
    if store is not None:
        set_caps(store, app.handlers.values())
        yield store, clock
        return
    own = clock or Clock()
    with temporary_store(own) as made:
        set_caps(made, app.handlers.values())
        yield made, own


def _end_commands(app: App) -> None:
    """End the processes that ran commands; a worker ends its own when it exits."""
    for handler in app.handlers.values():
        if isinstance(handler.function, Command):
            handler.function.runner.close()
