"""Port: how an idle worker learns that there may be work."""

from __future__ import annotations

from typing import Protocol


class Wakeup(Protocol):
    """Wake-ups are hints: one may be missed or come for nothing, so a worker polls as well."""

    @property
    def poll_seconds(self) -> float:
        """How long an idle worker waits at most before it looks for work unasked."""
        ...

    def fileno(self) -> int | None:
        """Return a descriptor that is readable once work may have come, until `clear`.

        It may be another one each time, so ask before each wait. None: there is none now,
        and only polling finds work.

        Raises: nothing while the engine is open.
        """
        ...

    def clear(self) -> None:
        """Forget the wake-ups so far; look for work after it, never before.

        Raises: nothing while the engine is open.
        """
        ...
