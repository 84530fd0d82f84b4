"""When a lease is renewed, when its handler is stopped, and when its worker is killed.

All of it follows from the length of the lease, counted from before the store was asked:

  1/3    The lease is renewed, and with it all that are due within another tenth: one
         transaction instead of many. A store that does not answer is asked again each
         twelfth: six times before the handler is stopped.
  5/6    A lease that could not be renewed counts as lost, and its handler is interrupted. It
         has a sixth to clean up in before another worker may claim the delivery.
  19/20  A worker whose handler cannot be interrupted is killed: 50 ms before the end at
         least, because a kill takes time too.
  1      The lease has expired.

Whoever watches a lease looks every twelfth of it, or sooner, so that it misses none of these
by more. A supervisor that wakes up a quarter of a lease too late was stopped, or suspended
with the machine. Its workers were too; each gets half a lease, and 5 s at least, to see for
itself that its lease is lost, before it is killed for it.

A named lease is renewed in the same way by its holder. Shorter ones than 1 s would expire
between two renewals on a busy machine, so they are not renewed at all.
"""

from __future__ import annotations

from dataclasses import dataclass

LEAST_RENEWED_MS = 1_000

_RENEWALS = 3  # the lease is renewed after a third
_SUPERVISOR_LOOKS_SECONDS = 0.25
_WORKER_LOOKS_SECONDS = 1.0
_HOLDER_RENEWS_SECONDS = (0.25, 30.0)
_KILL_LEAST_MS = 50
_SLEPT_MOST_SECONDS = 2.0
_WAKING_LEAST_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class LeaseTiming:
    """The moments of a lease, as what is left of it, and the pauses between two looks.

    Attributes:
        seconds: Its length.
    """

    seconds: float

    @property
    def ms(self) -> int:
        """Its length in milliseconds."""
        return round(self.seconds * 1000)

    @property
    def renew_left_ms(self) -> int:
        """Renew it when this much is left."""
        return self.ms * (_RENEWALS - 1) // _RENEWALS

    @property
    def renew_together_left_ms(self) -> float:
        """Renew it together with another one when this much is left."""
        return self.renew_left_ms + self.ms / 10

    @property
    def stop_left_ms(self) -> int:
        """Interrupt its handler when this much is left."""
        return self.ms // 6

    @property
    def kill_left_ms(self) -> int:
        """Kill its worker when this much is left."""
        return max(_KILL_LEAST_MS, round(self.ms / 20))

    @property
    def supervisor_looks_seconds(self) -> float:
        """The supervisor's pause between two looks at all leases."""
        return min(_SUPERVISOR_LOOKS_SECONDS, self.seconds / 12)

    @property
    def worker_looks_seconds(self) -> float:
        """The longest pause of a worker between two looks at its own leases.

        It knows when the next one is due, but a wait stands still while the machine is suspended.
        """
        return min(_WORKER_LOOKS_SECONDS, self.seconds / 12)

    @property
    def slept_seconds(self) -> float:
        """A supervisor that wakes up this much too late was stopped, or the machine suspended."""
        return min(_SLEPT_MOST_SECONDS, self.seconds / 4)

    @property
    def waking_seconds(self) -> float:
        """After that a worker gets this long to notice that it has lost its leases."""
        return max(_WAKING_LEAST_SECONDS, self.seconds / 2)


def holder_renews_seconds(ttl_ms: int) -> float:
    """Return how long the holder of a named lease waits between two renewals."""
    least, most = _HOLDER_RENEWS_SECONDS
    return min(max(ttl_ms / _RENEWALS / 1000, least), most)
