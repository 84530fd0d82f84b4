"""A reload: new code is tried beside the old, and replaces it once its processes are up."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...linux.sd_notify import Notifier
from ...log.log import log
from .app.app_code import AppCode
from .role_group import RoleGroup


class Reload:
    """Replaces all processes of a pool by ones with the new code, or keeps the old ones.

    Args:
        took_over: Called when the new code has replaced the old.
    """

    def __init__(
        self,
        code: AppCode,
        groups: Sequence[RoleGroup],
        notifier: Notifier,
        took_over: Callable[[], None],
    ) -> None:
        self._code = code
        self._groups = groups
        self._notifier = notifier
        self._took_over = took_over
        self._trying = False
        self._again = False

    def begin(self) -> None:
        """Load the app again; the old processes continue until the new ones are up."""
        if self._code.on_trial:
            self._again = True
            return
        log.info("reloading")
        self._notifier.reloading()
        self._code.reload()

    def step(self) -> None:
        """Replace each process once the new code is loaded; keep the old when that fails."""
        self._code.keep_up()
        if (why := self._code.verdict()) is not None:
            self._go_back()
            self._end(why)
        elif self._code.on_trial and not self._trying:
            self._trying = True
            for group in self._groups:
                group.reload()
        elif self._trying and any(group.gave_up for group in self._groups):
            self._code.go_back()
            self._go_back()
            self._end("the new processes do not start")
        elif self._trying and self._is_complete:
            self._code.accept()
            self._took_over()
            self._end()

    def _go_back(self) -> None:
        if self._trying:
            for group in self._groups:
                group.go_back()

    @property
    def _is_complete(self) -> bool:
        return all(group.settled and not group.renews for group in self._groups)

    def _end(self, failure: str | None = None) -> None:
        self._trying = False
        if failure is None:
            log.info("reloaded")
        else:
            log.error("not reloaded: the old code stays in use", error=failure)
        self._notifier.tell("READY=1")
        if self._again:
            self._again = False
            self.begin()
