"""What a scheme sees of a request, and what it may answer."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request: header pairs as they came (ASGI: names in lower case) and the raw body."""

    headers: Sequence[tuple[bytes, bytes]]
    body: bytes

    def header(self, name: bytes) -> bytes | None:
        """Return the one value of a header, None when it is absent or stands twice.

        A header that stands twice has no one meaning: which copy counts is what
        request smuggling plays with.
        """
        found = [value for key, value in self.headers if key == name]
        return found[0] if len(found) == 1 else None


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
    """A genuine request that cannot be read: answered 400 with this sentence."""
