"""Hosts that webhooks are sent to: a row for each that has failed, for its breaker."""

from __future__ import annotations

from ...rules.failures import breaker
from ...rules.failures.breaker import CLOSED, Host
from ...types.sending.outgoing import Admission, Response
from ..session.session import Session, Write

_FIND = """
select failures, open_until_ms, opened, probe, probe_until_ms from fp_host where name = :name
"""

_KEEP = """
insert into fp_host (name, failures, open_until_ms, opened, probe, probe_until_ms, changed_at_ms)
values (:name, :failures, :open_until_ms, :opened, :probe, :probe_until_ms, :now)
on conflict do update set
  failures = :failures, open_until_ms = :open_until_ms, opened = :opened, probe = :probe,
  probe_until_ms = :probe_until_ms, changed_at_ms = :now
"""

_FORGET = "delete from fp_host where name = :name"

_WAITING = "select ready from fp_queue where name = :queue"

# Of a host that nothing was sent to for so long, what it did last says little.
_KEEP_MS = 86_400_000

_DELETE_OLD = """
delete from fp_host
where name in (
  select name
  from fp_host
  where max(changed_at_ms, coalesce(open_until_ms, 0)) < :before
  limit :limit
)
"""


def find(session: Session, name: str) -> Host | None:
    """Return what is known of a host, waiting for no writer."""
    rows = session.read(_FIND, {"name": name})
    return Host(*rows[0]) if rows else None


def waiting(session: Session, queue: str) -> int:
    """Return how many deliveries of a queue wait."""
    return sum(ready for (ready,) in session.read(_WAITING, {"queue": queue}))


def admit(write: Write, name: str, token: str) -> Admission:
    """Admit one to a host that may be half open; a second call with its token is the same."""
    host = _here(write, name)
    if host.probe == token:
        return Admission(probe=True)
    found = breaker.admit(host, write.now_ms)
    if found.probe:
        _keep(write, name, breaker.probing(host, token, write.now_ms))
    return found


def heard(write: Write, name: str, response: Response, token: str, asked_ms: int) -> None:
    """Note what a host did with an attempt."""
    host = _here(write, name)
    found = breaker.heard(host, response, token, asked_ms, write.now_ms)
    if found == CLOSED:
        write.run(_FORGET, {"name": name})
    elif found != host:
        _keep(write, name, found)


def sweep(write: Write, limit: int) -> int:
    """Delete at most `limit` hosts that nothing was heard of for a day; return how many."""
    return write.change(_DELETE_OLD, {"before": write.now_ms - _KEEP_MS, "limit": limit})


def _here(write: Write, name: str) -> Host:
    rows = write.run(_FIND, {"name": name})
    return Host(*rows[0]) if rows else CLOSED


def _keep(write: Write, name: str, host: Host) -> None:
    write.run(_KEEP, {"name": name, "now": write.now_ms, **host._asdict()})
