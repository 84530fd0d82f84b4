"""A request as a scheme sees it, and what a scheme returns."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ..store.types.content import payload
from ..store.types.content.inflate import TooLong, Undecodable, UnknownCoding, inflated
from ..store.types.messages.message import MAX_BODY_BYTES


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request: header pairs with names in lower case, and the raw body."""

    headers: Sequence[tuple[bytes, bytes]]
    body: bytes
    _cache: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def header(self, name: bytes) -> bytes | None:
        """Return the value of a header; None when it is missing or repeated.

        Servers differ in which copy of a repeated header counts, and request smuggling
        exploits that.
        """
        singles: dict[bytes, bytes | None] | None = self._cache.get("singles")
        if singles is None:
            singles = self._cache["singles"] = dict(self.headers)
            if len(singles) < len(self.headers):
                names = Counter([name for name, _ in self.headers])
                singles.update((name, None) for name, count in names.items() if count > 1)
        return singles.get(name)

    def fields(self) -> dict[str, str]:
        """Return the headers as a message has them: repeated ones are joined with a comma."""
        fields: dict[str, str] | None = self._cache.get("fields")
        if fields is None:
            fields = {
                name.decode("latin-1"): value.decode("latin-1") for name, value in self.headers
            }
            if len(fields) < len(self.headers):
                fields = _joined(self.headers)
            self._cache["fields"] = fields
        return fields

    def plain(self, most: int = MAX_BODY_BYTES) -> bytes:
        """Return the decompressed body; unchanged if its Content-Encoding is unknown.

        Raises:
            Malformed: It is damaged, or larger than `most` bytes.
        """
        try:
            encoding = self.fields().get("content-encoding")
            return inflated(self.body, encoding, most) if encoding else self.body
        except UnknownCoding:
            return self.body
        except Undecodable as error:
            raise Malformed(str(error), 413 if isinstance(error, TooLong) else 400) from None

    def is_json(self) -> bool:
        """True if the Content-Type is JSON."""
        return payload.is_json(self.fields())

    def is_form(self) -> bool:
        """True if the Content-Type is a form."""
        return payload.is_form(self.fields())

    def json(self) -> Any:
        """Return what `Message.json` will return to handlers.

        Raises:
            Unparsable: The body is not JSON.
            Malformed: The body cannot be decompressed.
        """
        if "json" not in self._cache:
            try:
                self._cache["json"] = payload.parsed(self.body, self.fields(), MAX_BODY_BYTES)
            except Undecodable as error:
                raise Malformed(str(error)) from None
            except ValueError:
                raise Unparsable("The body is not the JSON that this source sends.") from None
        return self._cache["json"]


def _joined(headers: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    fields: dict[str, str] = {}
    for name, value in headers:
        key, text = name.decode("latin-1"), value.decode("latin-1")
        fields[key] = f"{fields[key]}, {text}" if key in fields else text
    return fields


class Verdict(enum.Enum):
    """The result of a signature check. Only a GENUINE request is accepted."""

    GENUINE = "genuine"
    MISSING = "missing"  # no signature, or an incomplete one
    MALFORMED = "malformed"  # not in the form of the scheme
    MISMATCH = "mismatch"  # well formed, but wrong
    STALE = "stale"  # right, but its timestamp is outside the tolerance


@dataclass(frozen=True, slots=True)
class Event:
    """What a request says about its message: the dedupe key and the event.

    Attributes:
        key: None when the request carries no usable key.
        event: The provider's name for it, or "".
        silent: The provider wants an empty body in the answer.
    """

    key: str | None
    event: str
    silent: bool = False


@dataclass(frozen=True, slots=True)
class Handshake:
    """The answer to a request that is not a message: nothing is stored."""

    body: bytes
    content_type: bytes = b"application/json"


class Malformed(Exception):
    """The request cannot be read: it is answered with this status and text."""

    def __init__(self, why: str, status: int = 400) -> None:
        super().__init__(why)
        self.status = status


class Unparsable(Malformed):
    """The body is not JSON; some schemes do not need it to be."""
