"""A request as a scheme sees it, and what a scheme returns."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ..store.types import payload
from ..store.types.inflate import TooLong, Undecodable, UnknownCoding, inflated
from ..store.types.message import MAX_BODY_BYTES


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request: header pairs as they came (ASGI: names in lower case) and the raw body."""

    headers: Sequence[tuple[bytes, bytes]]
    body: bytes
    _cache: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def header(self, name: bytes) -> bytes | None:
        """Return the one value of a header, None when it is absent or stands twice.

        A header that stands twice has no one meaning: which copy counts is what
        request smuggling plays with.
        """
        found = [value for key, value in self.headers if key == name]
        return found[0] if len(found) == 1 else None

    def fields(self) -> dict[str, str]:
        """Return the headers as a message has them: one that stands twice is joined."""
        if "fields" not in self._cache:
            found: dict[str, str] = {}
            for name, value in self.headers:
                key, text = name.decode("latin-1"), value.decode("latin-1")
                found[key] = f"{found[key]}, {text}" if key in found else text
            self._cache["fields"] = found
        fields: dict[str, str] = self._cache["fields"]
        return fields

    def plain(self, most: int = MAX_BODY_BYTES) -> bytes:
        """Return the body without its Content-Encoding; as it came in one that is unknown.

        Raises:
            Malformed: It is damaged, or over `most` bytes.
        """
        try:
            return inflated(self.body, self.fields().get("content-encoding", ""), most)
        except UnknownCoding:
            return self.body
        except Undecodable as error:
            raise Malformed(str(error), 413 if isinstance(error, TooLong) else 400) from None

    def is_json(self) -> bool:
        """Say whether the request calls its body JSON."""
        return payload.is_json(self.fields())

    def is_form(self) -> bool:
        """Say whether the request calls its body a form."""
        return payload.is_form(self.fields())

    def json(self) -> Any:
        """Return what the message's `json()` will return to handlers.

        Raises:
            Unparsable: It would raise.
            Malformed: So it would, for a Content-Encoding that cannot be undone.
        """
        if "json" not in self._cache:
            try:
                self._cache["json"] = payload.parsed(self.body, self.fields(), MAX_BODY_BYTES)
            except Undecodable as error:
                raise Malformed(str(error)) from None
            except ValueError:
                raise Unparsable("The body is not the JSON that this source sends.") from None
        return self._cache["json"]


class Verdict(enum.Enum):
    """What a signature check found. Only GENUINE lets a request further."""

    GENUINE = "genuine"
    MISSING = "missing"  # no signature, or not in one piece
    MALFORMED = "malformed"  # there, but not in the scheme's form
    MISMATCH = "mismatch"  # well formed and wrong
    STALE = "stale"  # right, but its timestamp is outside the tolerance


@dataclass(frozen=True, slots=True)
class Event:
    """A genuine request that is a message: what makes it the same message, and its kind.

    Attributes:
        key: None when the request carries no usable key.
        event: The provider's name of the kind, "" when it gives none.
        silent: The provider wants an empty body in the answer.
    """

    key: str | None
    event: str
    silent: bool = False


@dataclass(frozen=True, slots=True)
class Handshake:
    """A genuine request that is no message: answer it, store nothing."""

    body: bytes
    content_type: bytes = b"application/json"


class Malformed(Exception):
    """A genuine request that cannot be read: answered `status` with this sentence."""

    def __init__(self, why: str, status: int = 400) -> None:
        super().__init__(why)
        self.status = status


class Unparsable(Malformed):
    """A body that is no JSON: no matter to a scheme that can do without."""
