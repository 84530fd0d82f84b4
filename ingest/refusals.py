"""Log lines about refused requests: one per kind and minute, with a count."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass

from ..log.log import log
from .answer import Answer

_SECONDS = 60.0
# Senders must not be able to fill the memory.
_MOST_KINDS = 1000

Kind = tuple[str | None, int, str]


@dataclass(slots=True)
class _Seen:
    since: float
    suppressed: int = 0


class Refusals:
    """Logs refused requests, by source, status and reason."""

    def __init__(self) -> None:
        self._seen: dict[Kind, _Seen] = {}
        self._lock = threading.Lock()

    def note(self, source: str | None, answer: Answer) -> Answer:
        """Log an answer that is an error, at most once a minute for its kind; return it."""
        if answer.status >= 400:
            kind = (source, answer.status, answer.reason or _reason(answer))
            with self._lock:
                self._note(kind, time.monotonic())
        return answer

    def _note(self, kind: Kind, now: float) -> None:
        self._sweep(now)
        if len(self._seen) >= _MOST_KINDS and kind not in self._seen:
            kind = (None, kind[1], "others")
        if (seen := self._seen.get(kind)) is not None:
            seen.suppressed += 1
        else:
            self._seen[kind] = _Seen(now)
            _write(kind, 0)

    def _sweep(self, now: float) -> None:
        """Forget the kinds whose minute is over; log how many requests were not logged."""
        for kind, seen in list(self._seen.items()):
            if now - seen.since >= _SECONDS:
                del self._seen[kind]
                if seen.suppressed:
                    _write(kind, seen.suppressed)


def _write(kind: Kind, suppressed: int) -> None:
    source, status, reason = kind
    more = {"suppressed": suppressed} if suppressed else {}
    log.warning("refused", source=source, status=status, reason=reason, **more)


def _reason(answer: Answer) -> str:
    try:
        return str(json.loads(answer.body)["error"])
    except (ValueError, KeyError, TypeError):
        return ""


refusals = Refusals()
