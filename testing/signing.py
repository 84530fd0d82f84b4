"""Signed requests for tests."""

from __future__ import annotations

from typing import overload

from ..app import App
from ..app.source import Source
from ..ingest.headers import HeadersLike
from ..ingest.signing import Body, Signed
from ..ingest.signing import signed as signed_by
from ..schemes import Options, SchemeName
from ..store.errors import InvalidInput

__all__ = ["Signed", "signed"]


@overload
def signed(
    by: App,
    source: str,
    event: str | None = None,
    body: Body = None,
    key: str | None = None,
    *,
    headers: HeadersLike = (),
    at: float | None = None,
) -> Signed: ...


@overload
def signed(
    by: SchemeName | Source,
    event: str | None = None,
    body: Body = None,
    key: str | None = None,
    *,
    headers: HeadersLike = (),
    at: float | None = None,
    secret: str | None = None,
    options: Options | None = None,
) -> Signed: ...


def signed(  # the first argument says which of the two it is
    by: App | Source | str,
    *given: object,
    headers: HeadersLike = (),
    at: float | None = None,
    secret: str | None = None,
    options: Options | None = None,
    **named: object,
) -> Signed:
    """Return the headers and body of a request, signed as its provider would sign it.

        headers, body = signed(app, "github", "push", key="d-1")
        headers, body = signed("stripe", "invoice.paid", secret="whsec_...")

    Args:
        by: An app, followed by the name of its source; or a scheme, with `secret` and the
            `options` of a source; or a source from `app.sources`.
        event: The event that the receiver will read. When left out, an example of the
            provider's.
        body: A dict or list becomes JSON. Bytes and text are sent as they are, unless the
            event or the key must be put into them. When left out, a small example.
        key: The dedupe key; when left out, a new one.
        headers: Further headers, which replace those that would be generated.
        at: The time of the signature in Unix seconds; when left out, now.
        secret: The secret, if `by` is a scheme.
        options: The options of the scheme.

    Raises:
        InvalidInput: The request cannot be signed, or an argument is not usable.
    """
    names = ["event", "body", "key"]
    if isinstance(by, App):
        names.insert(0, "source")
    if len(given) > len(names) or named.keys() - set(names[len(given) :]):
        raise InvalidInput(f"signed takes {', '.join(names)} after its first argument")
    arguments: dict[str, object] = {**dict(zip(names, given, strict=False)), **named}
    source = _source(by, arguments.pop("source", None), secret, options)
    return signed_by(source, headers=headers, at=at, **arguments)  # type: ignore[arg-type]


def _source(
    by: App | Source | str, name: object, secret: str | None, options: Options | None
) -> Source:
    if isinstance(by, Source):
        return by
    if isinstance(by, App):
        if not isinstance(name, str) or name not in by.sources:
            known = ", ".join(by.sources) or "none"
            raise InvalidInput(f"there is no source {name!r}; the app has {known}")
        return by.sources[name]
    if secret is None:
        raise InvalidInput(f"scheme {by!r} needs secret=")
    app = App("unused.db")
    found: Options = {} if options is None else options
    app.source("test", scheme=by, secret=secret, require_key=False, **found)  # type: ignore[arg-type]
    return app.sources["test"]
