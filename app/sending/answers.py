"""What the answer of the other side means for a webhook: done, dead, or another attempt."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from msgspec import Struct

from ...store.types.sending.outgoing import Response

_SECONDS = re.compile(r"[0-9]{1,9}")

# The others say something of one address, and many of those may be on one host.
_OF_THE_HOST = {429, 502, 503, 504}
# How long a host may ask to be left alone.
_MOST_MS = 86_400_000


class Answer(Struct, frozen=True):
    """What came back of one attempt.

    Attributes:
        status: 0 without an answer.
        body: The first 4 KiB, as they came.
        ms: How long it took.
        retry_after: The header of this name.
        wrong: Why there is no answer, or why it does not count; "" otherwise.
    """

    status: int = 0
    body: bytes = b""
    ms: int = 0
    retry_after: str | None = None
    wrong: str = ""

    @property
    def is_delivered(self) -> bool:
        """The other side has taken it."""
        return 200 <= self.status < 300 and not self.wrong

    @property
    def is_gone(self) -> bool:
        """The other side wants nothing of the kind any more."""
        return self.status == 410

    def response(self, now: float) -> tuple[Response, int]:
        """Return what it says of the host, and how many milliseconds that asks for."""
        if self.status and self.status not in _OF_THE_HOST:
            return "answered", 0
        asked = self.asked_ms(now)
        return ("asked to wait", asked) if asked else ("failed", 0)

    def asked_ms(self, now: float) -> int:
        """Return how long a 429 or 503 asks to wait; 0 when it does not say, or not clearly."""
        if self.status not in (429, 503) or self.retry_after is None:
            return 0
        said = self.retry_after.strip()
        if _SECONDS.fullmatch(said):
            return min(_MOST_MS, int(said) * 1000)
        try:
            at = parsedate_to_datetime(said)
        except ValueError:
            return 0
        if at.tzinfo is None:
            at = at.replace(tzinfo=UTC)
        ms = (at - datetime.fromtimestamp(now, UTC)).total_seconds() * 1000
        return min(_MOST_MS, max(0, int(ms)))

    def result(self) -> dict[str, Any]:
        """Return what is kept of a delivered one."""
        return {"status": self.status, "ms": self.ms, "body": self._text()}

    def error(self) -> str:
        """Return what is kept of a failed one."""
        said = self.wrong or f"answered {self.status}"
        text = self._text()
        return f"{said} after {self.ms} ms" + (f": {text}" if text else "")

    def _text(self) -> str:
        return self.body.decode(errors="replace").replace("\0", "\ufffd")
