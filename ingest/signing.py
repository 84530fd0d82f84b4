"""Requests signed as a provider signs them, with the app's secret."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..app.app import App
from ..app.route import Route
from ..app.source import Source
from ..schemes.outgoing import Outgoing, Unsignable, new_id
from ..schemes.recipe import Header, Pointer
from ..store.errors import InvalidInput
from .answer import Headers
from .headers import HeadersLike, pairs

Body = bytes | bytearray | memoryview | str | Mapping[str, Any] | Sequence[Any] | None


class Signed(NamedTuple):
    """The headers and body of a signed request."""

    headers: dict[str, str]
    body: bytes


def signed(
    source: Source,
    *,
    event: str | None = None,
    key: str | None = None,
    body: Body = None,
    headers: HeadersLike = (),
    at: float | None = None,
) -> Signed:
    """Return headers and body of a request as the source's provider would send it.

    Args:
        event: The event that the receiver will read; put where the source reads it.
        key: The dedupe key, likewise. When left out, a new one, if the provider sends keys.
        body: A dict or list becomes JSON. Bytes and text are sent as they are, unless the
            event or the key must be put into them. When left out, a small example, the same
            for the same event and key.
        headers: Further headers, which replace those that would be generated.
        at: Unix seconds of the signature; now when left out.

    Raises:
        InvalidInput: The source has no secret that can sign, or this body has no place for the
            event or the key.
    """
    for what, text in (("event", event), ("key", key)):
        if text is not None and not isinstance(text, str):
            raise InvalidInput(f"{what} must be a str, not {type(text).__name__}", operation="sign")
    now = time.time() if at is None else at
    scheme = source.scheme
    if event is None and body is None:
        event = scheme.example
    given = Headers([(n.decode("latin-1"), v.decode("latin-1")) for n, v in pairs(headers)])
    try:
        outgoing = _outgoing(given, body, scheme.sample(event or "", key or new_id()))
        recipes = scheme.recipes
        if key is None and body is None and isinstance(recipes.key, Header | Pointer):
            key = new_id()
        scheme.place(outgoing, None if recipes.key else key, None if recipes.event else event)
        recipes.place(outgoing, key, event)
        readable = outgoing.document is not None or not outgoing.body
        outgoing.default("content-type", "application/json" if readable else "text/plain")
        scheme.sign(outgoing, now)
    except Unsignable as error:
        raise InvalidInput(f"source {source.name!r}: {error}", operation="sign") from error
    return Signed(outgoing.headers, outgoing.body)


def handled_event(app: App, source: str) -> str | None:
    """Return an event of the source that some handler takes; None when any event will do."""
    return next(filter(None, (_event(route, source) for route in app.routes)), None)


def _event(route: Route, source: str) -> str | None:
    if route.source != source or route.pattern == "*" or any(c in route.pattern for c in "?["):
        return None
    return route.pattern.replace("*", "created")


def _outgoing(headers: Headers, body: Body, sample: Any) -> Outgoing:
    if body is None:
        return Outgoing(headers, None, sample)
    if isinstance(body, str):
        body = body.encode()
    if isinstance(body, bytes | bytearray | memoryview):
        return Outgoing(headers, bytes(body))
    try:
        return Outgoing(headers, None, json.loads(json.dumps(body)))
    except (TypeError, ValueError) as error:
        raise InvalidInput(
            f"a body must be bytes, str or JSON: {error}", operation="sign"
        ) from None
