"""The circuit breaker of a host: when it is open, nothing is sent there.

closed     Everything is sent. Five failures in a row, over all processes, open it.
open       Nothing is sent for 30 s. What fails while it is open was begun before, and counts
           nothing. A host that asks for a pause opens it for that long.
half open  After that one is sent, the probe. Its failure opens the breaker again, for twice as
           long, up to 10 minutes; any answer closes it. A probe that is not heard of for a minute
           is lost with its process, and the next one is the probe.
"""

from __future__ import annotations

from typing import NamedTuple

from ...types.sending.outgoing import Admission, Response
from .jitter import jitter

_FAILURES = 5
_FIRST_MS = 30_000
_MOST_MS = 600_000
_MOST_ASKED_MS = 86_400_000

# Longer than an attempt can take: 20 s and a little.
_PROBE_MS = 60_000
# Most probes are over sooner.
_LOOK_MS = 5_000

# Those that wait come back one by one, so that a host that recovers is not hit by all of them.
_APART_MS = 50
_SPREAD_MS = 60_000


class Host(NamedTuple):
    """What is known of a host; a host of which nothing is known is closed.

    Attributes:
        failures: In a row.
        open_until_ms: When the next may be sent; None while it is closed.
        opened: How often it has opened in a row.
        probe: The token of the probe; None without one.
        probe_until_ms: When the probe counts as lost.
    """

    failures: int = 0
    open_until_ms: int | None = None
    opened: int = 0
    probe: str | None = None
    probe_until_ms: int | None = None


CLOSED = Host()


def admit(host: Host, now_ms: int) -> Admission:
    """Decide whether one may be sent; whoever is the probe has to say so with `probing`."""
    if host.open_until_ms is None:
        return Admission()
    if now_ms < host.open_until_ms:
        return Admission(host.open_until_ms - now_ms)
    if host.probe is not None and host.probe_until_ms is not None and now_ms < host.probe_until_ms:
        return Admission(min(_LOOK_MS, host.probe_until_ms - now_ms))
    return Admission(probe=True)


def probing(host: Host, token: str, now_ms: int) -> Host:
    """Return the host with a probe on its way."""
    return host._replace(probe=token, probe_until_ms=now_ms + _PROBE_MS)


def heard(host: Host, response: Response, token: str, asked_ms: int, now_ms: int) -> Host:
    """Return the host after an attempt.

    Args:
        token: Of the attempt; the probe's counts for more than another's.
        asked_ms: How long the host wants to be left alone, 0 when it did not say.
    """
    is_open = host.open_until_ms is not None
    if response == "answered":
        return host if is_open and host.probe != token else CLOSED
    if response == "asked to wait" and asked_ms:
        asked_until = now_ms + min(asked_ms, _MOST_ASKED_MS)
        until = max(host.open_until_ms or 0, asked_until)
        return Host(host.failures + 1, until, max(1, host.opened))
    if not is_open:
        failures = host.failures + 1
        return _open(failures, 1, now_ms) if failures >= _FAILURES else Host(failures)
    if host.probe != token:
        return host
    return _open(host.failures + 1, host.opened + 1, now_ms)


def share_ms(waiting: int) -> int:
    """Return how much longer one of so many waits than until its host may be tried again."""
    return jitter.randint(0, min(_SPREAD_MS, _APART_MS * waiting))


def _open(failures: int, opened: int, now_ms: int) -> Host:
    ms = min(_MOST_MS, _FIRST_MS << min(opened - 1, 10))
    return Host(failures, now_ms + ms, opened)
