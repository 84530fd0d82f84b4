"""A message.

What there is one of for each message is a msgspec.Struct: made in a tenth of the time that a
frozen dataclass takes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from ..content import payload

MAX_BODY_BYTES = 25 * 1024 * 1024  # the largest payload GitHub sends; docs.github.com/webhooks


class Message(Struct, frozen=True, gc=False):
    """One inbound webhook, or one enqueued job.

    Attributes:
        id: Printed by commands as m7.
        source: The source's name; None for a job that was enqueued without one. Of a schedule
            "schedule/" and its name.
        key: The dedupe key; None if it was enqueued without one. Of a schedule the planned time.
        event: The kind of the message as its sender names it; "" for a job, "tick" of a schedule.
        headers: Names are in lower case. If a header came twice, its values are joined by ", ".
        body: The bytes as they came. If they came compressed, they are compressed here too.
        received_at: Unix seconds on the store's clock.
        copy_of: The id of the original, if an operator replayed a finished message; else None.
    """

    id: int
    source: str | None
    key: str | None
    event: str
    headers: Mapping[str, str]
    body: bytes
    received_at: float
    copy_of: int | None = None

    def json(self) -> Any:
        """Return the body's content: its JSON, or the fields of a form.

        If a form has a field `payload` with JSON in it, that JSON is returned. Otherwise a
        form becomes a dict of str; a repeated field has a list of str. A body in gzip or
        deflate is decompressed. Text is decoded by its byte order mark or its declared
        charset. The receiver reads the key and the event in the same way.

        Raises:
            ValueError: The body is neither JSON nor a form, or cannot be decoded.
        """
        return payload.parsed(self.body, self.headers, MAX_BODY_BYTES)

    def text(self) -> str:
        """Return the body as text, decompressed and decoded as for `json`.

        Raises:
            ValueError: The body is not in its declared encoding.
        """
        return payload.text(self.body, self.headers, MAX_BODY_BYTES)
