"""The end of an attempt whose handler sleeps or waits."""

from __future__ import annotations

from ...engine import Hold
from ...rules.lanes import stands_aside
from ...types.durable.sleep import Sleep
from ..queue.holding import HOLDING, holding, lost, settled_already
from ..queue.transitions import moved
from ..session.session import Write
from ..waits.messages import has_come
from ..waits.shell_pattern import glob
from .records import record

# One that was answered in the meantime stays so.
_WAIT = """
insert into fp_wait (
  delivery_id, name, occurrence, deadline_ms, source, event, key, after_message
)
values (:delivery, :name, :occurrence, :deadline, :source, :event, :key, :after)
on conflict do update
set deadline_ms = coalesce(deadline_ms, excluded.deadline_ms),
    after_message = excluded.after_message
returning answer is not null
"""

_SUSPEND = f"""
update fp_delivery
set state = 'sleeping', asleep = :at, due_at_ms = :until, behind = :behind, error = null,
    attempt = case when :anew then 0 else attempt - 1 end,
    crashes = case when :anew then 0 else crashes end,
    token = null, settled_token = :token, lease_until_ms = null, changed_at_ms = :now
where {HOLDING}
"""


def suspend(write: Write, hold: Hold, sleep: Sleep) -> None:
    """Let a delivery sleep; a repeat by the same lease changes nothing more."""
    was = holding(write, hold)
    if was is None:
        if any(settled_already(write, hold, state) for state in ("sleeping", "ready")):
            return
        raise lost(write, hold, "suspend")
    for each in sleep.records:
        if refused := record(write, hold, each):
            raise refused
    until_ms = sleep.until_ms
    for place, deadline_ms, subject in sleep.waits:
        wait = {
            "delivery": place.delivery,
            "name": place.name,
            "occurrence": place.occurrence,
            "deadline": deadline_ms,
            "source": subject and subject.source,
            "event": subject and glob(subject.event),
            "key": subject and subject.key,
            "after": subject and subject.after,
        }
        (answered,) = write.one(_WAIT, wait)
        if answered if subject is None else has_come(write, subject):
            until_ms = write.now_ms
    aside = stands_aside(was.lane, was.lane_policy, until_ms)
    facts = {
        "id": hold.id,
        "fence": hold.fence,
        "token": hold.token,
        "at": sleep.at,
        "until": until_ms,
        "behind": int(aside),
        "anew": int(sleep.anew),
        "now": write.now_ms,
    }
    write.must(_SUSPEND, facts)
    moved(write, was, "sleeping", stands_aside=aside)
    write.wakes = True  # whoever sleeps meanwhile looks when it is due
