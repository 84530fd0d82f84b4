"""A source: one sender of webhooks, and how its requests are read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..schemes import Scheme, SchemeName, build, key_rule
from ..schemes.request import Event, Handshake, Request
from ..store import Message
from ..store.errors import InvalidInput
from ..store.types.messages.draft import Redelivery
from ..store.types.messages.message import MAX_BODY_BYTES
from ..store.types.validate import Duration, count, milliseconds, name
from ..store.types.validate import redelivery as checked_redelivery
from .functions import of_message

DEFAULT_MAX_BODY = 1024 * 1024

_NO_KEY = (
    "scheme {scheme!r} has no dedupe key of its own, so choose one: "
    'key="header:NAME" if a header has an id that stays the same when the sender retries, '
    'key="json:/pointer" if the body has such an id, key="body" if the sender repeats the same '
    "bytes; or require_key=False, and each request is a new message"
)


WaitKey = Callable[[Message], str | int | None]


@dataclass(frozen=True, slots=True)
class Source:
    """One sender of webhooks."""

    name: str
    scheme: Scheme
    max_body: int
    require_key: bool
    keep_ms: int
    keep_body_ms: int = 0
    redelivery: Redelivery = "revive"
    wait_key: WaitKey | None = None

    def read(self, request: Request) -> Event | Handshake:
        """Return the key and the event of a request whose signature is GENUINE.

        Raises:
            Malformed: It cannot be read, or its decompressed body is over the cap.
        """
        request.plain(self.max_body)
        return self.scheme.read(request)


def make_source(
    source: str,
    scheme: SchemeName,
    secret: str | None,
    secrets: Sequence[str],
    *,
    max_body: int,
    require_key: bool,
    keep_for: Duration | None,
    keep_body_for: Duration,
    redelivery: Redelivery,
    wait_key: WaitKey | None,
    options: Any,
) -> Source:
    """Return a source; `App.source` says what the arguments mean.

    Raises:
        InvalidInput: An argument is not usable, or nothing says where the key is.
    """
    name(source, "a source's name")
    if wait_key is not None:
        of_message(wait_key, "wait_key")
    if secret is not None and secrets:
        raise InvalidInput("give secret= or secrets=, not both")
    given = secrets if secret is None else [secret]
    if secret is None and isinstance(secrets, list | tuple) and not secrets:
        raise InvalidInput(
            f"source {source!r}: no secret was given; is its environment variable set?"
        )
    try:
        built = build(scheme, given, **options)
    except ValueError as error:
        raise InvalidInput(f"source {source!r}: {error}") from error
    if require_key and key_rule(built) is None:
        raise InvalidInput(f"source {source!r}: {_NO_KEY.format(scheme=scheme)}")
    return Source(
        name=source,
        scheme=built,
        max_body=count(max_body, "max_body", most=MAX_BODY_BYTES),
        require_key=require_key,
        keep_ms=built.keep_ms if keep_for is None else milliseconds(keep_for, "keep_for"),
        keep_body_ms=milliseconds(keep_body_for, "keep_body_for"),
        redelivery=checked_redelivery(redelivery),
        wait_key=wait_key,
    )
