"""The HTTP answer to a request."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec


class Headers(dict[str, str]):
    """Headers of an answer: a dict whose look-ups work in any case."""

    def __init__(self, pairs: Mapping[str, str] | Iterable[tuple[str, str]] = ()) -> None:
        super().__init__({name.lower(): value for name, value in dict(pairs).items()})

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(name.lower())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and super().__contains__(name.lower())

    def get(self, name: str, default: Any = None) -> Any:
        """Return the value of a header, or `default`."""
        return super().get(name.lower(), default)


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a webhook, from `App.accept`.

    Attributes:
        status: The HTTP status.
        headers: Names are in lower case; look-ups work in any case. Content-Length is not
            included, because the server that sends the answer adds it.
        body: The body.
        reason: Why the request was refused, in more detail than the body; for the log.
    """

    status: int
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""
    reason: str = field(default="", compare=False, repr=False)


def document(status: int, value: object, **headers: str) -> Answer:
    """Return an answer with a JSON body; `retry_after="1"` becomes the header retry-after."""
    found = {name.replace("_", "-"): text for name, text in headers.items()}
    found["content-type"] = "application/json"
    return Answer(status, Headers(found), msgspec.json.encode(value))


def error(status: int, why: str, **headers: str) -> Answer:
    """Return an answer with an error message."""
    return document(status, {"error": why}, **headers)


def unavailable(why: str, retry_after: float = 1) -> Answer:
    """Return a 503, after which the sender retries."""
    return error(503, why, retry_after=str(math.ceil(retry_after)))


def wrong_method(allowed: str) -> Answer:
    """Return the answer to a method that the path does not take."""
    return error(405, "method not allowed", allow=allowed)
