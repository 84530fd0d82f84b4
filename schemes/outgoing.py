"""Building a request as a sender would send it, and signing it."""

from __future__ import annotations

import hashlib
import json
import uuid
from typing import Any
from urllib.parse import urlencode

from ..store.types.content import payload
from ..store.types.messages.message import MAX_BODY_BYTES
from .request import Request

FORM = "application/x-www-form-urlencoded"


class Unsignable(ValueError):
    """The request cannot be built or signed as asked."""


class Outgoing:
    """Headers and a body that can still be changed.

    Attributes:
        headers: Names in lower case; headers that are there are not replaced.
        is_new: The body was generated here, so missing members may be added.
    """

    def __init__(self, headers: dict[str, str], body: bytes | None, document: Any = None) -> None:
        self.headers = headers
        self.is_new = body is None
        self._raw = body
        self._document = document

    @property
    def body(self) -> bytes:
        """Return the bytes to send."""
        if self._raw is None:
            self._raw = self._encoded()
        return self._raw

    @property
    def document(self) -> Any:
        """Return the parsed body; None when it cannot be parsed."""
        if self._document is None:
            try:
                self._document = payload.parsed(self.body, self.headers, MAX_BODY_BYTES)
            except ValueError:
                return None
        return self._document

    def request(self) -> Request:
        """Return the request as the receiver will see it."""
        names = (name.encode("latin-1") for name in self.headers)
        return Request([(name, self.header(name.decode("latin-1"))) for name in names], self.body)

    def header(self, name: str) -> bytes:
        """Return the bytes of a header's value."""
        return self.headers[name].encode("latin-1")

    def set(self, name: str, text: str) -> None:
        """Set a header to a text, in UTF-8.

        Raises:
            Unsignable: A header cannot have this value.
        """
        try:
            value = text.encode().decode("latin-1")
        except UnicodeEncodeError as error:
            raise Unsignable(f"{text!r} is not valid Unicode: {error.reason}") from None
        if text != text.strip() or any(letter in text for letter in "\r\n\0"):
            raise Unsignable(f"{text!r} cannot be the value of header {name}")
        self.headers[name] = value

    def default(self, name: str, value: str) -> None:
        """Set a header that is not there yet."""
        self.headers.setdefault(name, value)

    def put(self, path: tuple[str, ...], value: str) -> None:
        """Set a value at a path of the body, unless it is there already.

        Raises:
            Unsignable: This body has no such path.
        """
        where = f"the body has no place for {value!r} at /{'/'.join(path)}"
        document = inner = self.document
        for name in path[:-1]:
            inner = _entered(inner, name, where)
        if not isinstance(inner, dict):
            raise Unsignable(where)
        if str(inner.get(path[-1])) == value:
            return
        if self.headers.get("content-encoding"):
            raise Unsignable(f"{where}, because it is compressed")
        inner[path[-1]] = value
        self._document, self._raw = document, None

    def fill(self, name: str, value: str) -> None:
        """Add a member to a body that was generated here, if it is missing."""
        document = self.document
        if self.is_new and isinstance(document, dict) and document.get(name) is None:
            self.put((name,), value)

    def as_form(self, *, fields: bool) -> None:
        """Send the document as a form: its members as fields, or the whole as `payload`."""
        if not self.is_new:
            return
        self.default("content-type", FORM)
        document = {} if self._document is None else self._document
        self._document = payload.FormFields(document) if fields else document
        self._raw = None

    def _encoded(self) -> bytes:
        document = self._document
        if not payload.is_form(self.headers):
            return json.dumps(document).encode()
        if not isinstance(document, payload.FormFields):
            document = {"payload": json.dumps(document)}
        return urlencode(document, doseq=True).encode()


# The time in sample bodies: the same key has the same body.
SAMPLE_AT = 1_735_689_600


def derived_id(seed: str, prefix: str = "") -> str:
    """Return an id that is derived from a seed."""
    return prefix + hashlib.sha256(seed.encode(errors="surrogatepass")).hexdigest()[:32]


def new_id(prefix: str = "") -> str:
    """Return a new unique id."""
    return f"{prefix}{uuid.uuid4().hex}"


def _entered(value: Any, name: str, where: str) -> Any:
    if isinstance(value, dict):
        return value.setdefault(name, {})
    if isinstance(value, list) and name.isdigit() and int(name) < len(value):
        return value[int(name)]
    raise Unsignable(where)
