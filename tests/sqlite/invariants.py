"""What is true of the tables after every transaction, whatever was done."""

from __future__ import annotations

from pathlib import Path

from .inside import ask

# Each finds the rows that break a rule.
RULES = {
    "a queue's numbers are those of its deliveries": """
        select q.name, d.*
        from fp_queue as q
        left join (
          select
            queue, sum(state = 'ready') as ready, sum(state = 'leased') as leased,
            sum(state = 'sleeping') as sleeping,
            sum(state = 'ready' and due_at_ms is not null) as scheduled,
            sum(state = 'done') as done, sum(state = 'dead') as dead,
            sum(state = 'cancelled') as cancelled,
            sum(bytes * (state in ('ready', 'leased'))) as bytes
          from fp_delivery
          group by queue
        ) as d on d.queue = q.name
        where (q.ready, q.scheduled, q.leased, q.sleeping, q.done, q.dead, q.cancelled, q.bytes) <> (
          coalesce(d.ready, 0), coalesce(d.scheduled, 0), coalesce(d.leased, 0),
          coalesce(d.sleeping, 0), coalesce(d.done, 0),
          coalesce(d.dead, 0), coalesce(d.cancelled, 0), coalesce(d.bytes, 0)
        )
    """,
    "each delivery is counted": """
        select queue from fp_delivery where queue not in (select name from fp_queue)
    """,
    "a lane with something that can run has a head": """
        select queue, lane
        from fp_delivery
        where lane is not null and state in ('ready', 'leased', 'sleeping')
          and (due_at_ms is null or lane_policy <> 'skip')
        except
        select queue, lane
        from fp_delivery
        where behind = 0 and (state in ('ready', 'leased', 'sleeping') or parked = 1)
    """,
    "what is leased is behind no other, but for one that it was claimed with": """
        select id
        from fp_delivery as d
        where state = 'leased' and behind = 1 and not exists (
          select 1
          from fp_delivery as head
          where head.queue = d.queue and head.lane = d.lane and head.behind = 0
            and head.state = 'leased' and head.fence = d.fence and head.token = d.token
        )
    """,
    "a key's retention begins when its message has ended": """
        select id
        from fp_message
        where (coalesce(expires_at_ms, (
          select max(expires_at_ms) from fp_delivery where message_id = fp_message.id
        )) is null) <> exists (
          select 1
          from fp_delivery
          where message_id = fp_message.id and (state in ('ready', 'leased', 'sleeping') or parked = 1)
        ) and unrouted not in (2, -1)
    """,
    "only what is done, and alone, says when its message is forgotten": """
        select d.id
        from fp_delivery as d
        join fp_message as m on m.id = message_id
        where d.expires_at_ms is not null and (
          state <> 'done' or m.expires_at_ms is not null or exists (
            select 1 from fp_delivery as other where other.message_id = m.id and other.id <> d.id
          )
        )
    """,
    "steps are recorded of what may run again": """
        select id
        from fp_step
        where id / 65536 not in (
          select id from fp_delivery where state in ('ready', 'leased', 'sleeping', 'dead')
        )
    """,
    "what is waited for is of what may run again": """
        select delivery_id
        from fp_wait
        where delivery_id not in (
          select id from fp_delivery where state in ('ready', 'leased', 'sleeping', 'dead')
        )
    """,
    "who waits is told of what has not ended, by an ear that is known": """
        select message_id
        from fp_told
        where ear not in (select id from fp_ear) or message_id not in (
          select message_id from fp_delivery where state in ('ready', 'leased', 'sleeping')
        )
    """,
    "an unrouted message has a body and no delivery": """
        select id
        from fp_message
        where unrouted > 0 and (
          id in (select message_id from fp_delivery)
          or id not in (select message_id from fp_body)
          or (unrouted = 2 and expires_at_ms is not null)
        )
    """,
    "a body is kept as long as a delivery may need it": """
        select id
        from fp_message
        where id not in (select message_id from fp_body) and exists (
          select 1 from fp_delivery where message_id = fp_message.id and state <> 'done'
        )
    """,
    "a body is kept beyond the end for a time that is set, and its message is not gone before": """
        select id
        from fp_message
        where body_until_ms > coalesce(expires_at_ms, 0) or body_until_ms is not null and exists (
          select 1 from fp_delivery where message_id = fp_message.id and state <> 'done'
        )
    """,
    "a message that is done has no body, unless it is kept": """
        select id
        from fp_message
        where body_until_ms is null and id in (select message_id from fp_body) and exists (
          select 1 from fp_delivery where message_id = fp_message.id
        ) and not exists (
          select 1 from fp_delivery where message_id = fp_message.id and state <> 'done'
        ) and unrouted = 0
    """,
    "what is kept for a route that is off has a body and no end": """
        select id
        from fp_message
        where (unrouted = -1) <> (id in (select message_id from fp_unrouted)) or unrouted = -1 and (
          expires_at_ms is not null or body_until_ms is not null
          or id not in (select message_id from fp_body)
          or id in (select message_id from fp_delivery where expires_at_ms is not null)
        )
    """,
    "messages are kept for routes that are off": """
        select queue from fp_unrouted where queue not in (select queue from fp_route)
    """,
}


def check(path: str | Path) -> None:
    """Fail when a rule is broken."""
    broken = {rule: rows for rule, sql in RULES.items() if (rows := ask(path, sql))}
    assert not broken, broken
