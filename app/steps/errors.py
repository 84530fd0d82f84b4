"""What a step may raise beside what its function does, and what a sleep raises."""

from __future__ import annotations

from ...store.errors import FencepostError


class StepChanged(FencepostError):
    """A step was recorded with other arguments, or as something else than a call.

    The code has changed under a delivery in progress. The delivery is a dead letter at once,
    because another attempt would meet the same.

    Attributes:
        name: The step's name.
        occurrence: 1 for the first step of that name.
        recorded: What was recorded, at most 500 characters.
        given: What was asked for now, at most 500 characters.
        code_then: The version of the app that recorded it, None if it had none.
        code_now: The version of the app now.
    """

    code = "step_changed"

    def __init__(
        self,
        name: str,
        occurrence: int,
        *,
        recorded: str,
        given: str,
        code_then: str | None = None,
        code_now: str | None = None,
        operation: str = "step",
        path: str = "",
    ) -> None:
        which = f"{name!r}" if occurrence == 1 else f"{name!r} ({occurrence})"
        then = "" if code_then is None else f" by version {code_then}"
        now = "" if code_now is None else f" by version {code_now}"
        super().__init__(
            f"step {which} was recorded{then} with {recorded}, and is asked for{now} with {given};"
            " give a step with another meaning another name",
            operation=operation,
            path=path,
        )
        self.name = name
        self.occurrence = occurrence
        self.recorded = recorded
        self.given = given
        self.code_then = code_then
        self.code_now = code_now


class Suspended(BaseException):
    """Ends the attempt of a handler that sleeps or waits; it goes on in a later attempt.

    Do not catch it. The delivery sleeps all the same, whatever the handler returns or raises
    then, and every later call of `ctx` raises it again.
    """


class WaitTimeout(Exception):
    """Raised by `ctx.wait` when no answer came in time; it is raised again in later attempts.

    Attributes:
        name: The wait's name.
    """

    def __init__(self, name: str) -> None:
        super().__init__(f"nothing came for {name!r} in time")
        self.name = name
