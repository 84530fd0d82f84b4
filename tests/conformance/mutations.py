"""Faults to plant in the plain engine, each with the tests that have to notice it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

from msgspec.structs import replace

from fencepost.store.engine.pools.schedules import Advanced
from fencepost.store.errors import LeaseLost
from fencepost.store.reference import keyed, leases, namespaces, once
from fencepost.store.reference.durable import steps
from fencepost.store.reference.durable.ends import PlainEnds
from fencepost.store.reference.durable.steps import PlainSteps
from fencepost.store.reference.durable.waits import PlainWaits
from fencepost.store.reference.keyed import PlainKeyed
from fencepost.store.reference.memory import Numbers, Session, Write
from fencepost.store.reference.operators import operate
from fencepost.store.reference.pools import schedules
from fencepost.store.reference.pools.schedules import PlainSchedules
from fencepost.store.reference.queues import changes, claim, lanes, reap, settle
from fencepost.store.reference.queues.arrival import arrivals, enqueue, kept
from fencepost.store.reference.queues.joins import halving, latest
from fencepost.store.reference.queues.joins import verbs as joins
from fencepost.store.reference.queues.outbox import PlainOutbox
from fencepost.store.reference.rows import LIVE
from fencepost.store.types.delivery import Outcome
from fencepost.store.types.sending.outgoing import Admission

from . import durable

Patch = tuple[Any, str, Any]


@dataclass(frozen=True)
class Mutation:
    """One fault.

    Attributes:
        tests: The files of tests/store that are run under it.
        patches: What stands in the place of what.
    """

    name: str
    tests: tuple[str, ...]
    patches: tuple[Patch, ...]

    @contextlib.contextmanager
    def planted(self) -> Iterator[None]:
        """Have the fault until the block ends."""
        was = [(at, name, getattr(at, name)) for at, name, _ in self.patches]
        for at, name, wrong in self.patches:
            setattr(at, name, wrong)
        try:
            yield
        finally:
            for at, name, right in was:
                setattr(at, name, right)


def _without_lock(self: Session, operation: str, patience: float) -> Any:
    return contextlib.nullcontext()


def _any_holder(write: Write, hold: Any, operation: str, *, done: bool = False) -> Any:
    return write.tables.deliveries[hold.id]


def _holder_by_fence(write: Write, hold: Any, operation: str, *, done: bool = False) -> Any:
    row = write.tables.deliveries.get(hold.id)
    if row is None or row.fence != hold.fence or row.token is None:
        raise write.lost(hold.what, "superseded", operation)
    return row


def _late_is_lost(write: Write, hold: Any, operation: str, *, done: bool = False) -> Any:
    row = _require(write, hold, operation, done=done)
    if row.until_ms is None or row.until_ms <= write.now:
        raise write.lost(hold.what, "expired", operation)
    return row


def _same_fence(self: Numbers, tables: Any, what: str) -> int:
    return 1


def _uncounted(write: Write, was: Any, **others: Any) -> None:
    _give_back(write, was, **{**others, "attempt": was.attempt - 1})


def _forget_key(write: Write, draft: Any) -> Any:
    return _enqueue(write, replace(draft, key=None))


def _by_age(tables: Any, queue: str) -> Any:
    return sorted(_claimable(tables, queue), key=lambda row: row.id)


def _evict_newest(write: Write, at: Any) -> None:
    space, rows = write.tables.spaces[at], write.tables.entries[at]
    if space.overflow == "evict" and space.max_entries == len(rows):
        newest = max(rows, key=lambda key: (rows[key].created_ms, key))
        del write.entries(at)[newest]
    else:
        _make_room(write, at)


def _update_apart(self: PlainKeyed, space: Any, key: str, change: Callable[..., Any]) -> None:
    (found,) = self.find(space, [key])
    item = change(found)
    if item is not None:
        self.register(space, [item])


def _replay_leased(write: Write, id: int) -> Outcome:
    row = write.tables.deliveries.get(id)
    if row is not None and row.state == "leased":
        changes.give_back(write, row, token=None)
        return Outcome("replayed")
    return _replay(write, id)


def _cancel_leased(write: Write, id: int) -> Outcome:
    row = write.tables.deliveries.get(id)
    if row is not None and row.state == "leased":
        write.tables.deliveries[id] = row._replace(until_ms=write.now)
    return _cancel(write, id)


def _forget_at_once(write: Write, id: int) -> None:
    _end_message(write, id)
    row = write.tables.messages[id]
    if row.expires_ms is not None:
        write.tables.messages[id] = row._replace(expires_ms=write.now)


@contextlib.contextmanager
def _keeps_all(self: Session, *given: Any, **options: Any) -> Iterator[Write]:
    failed: list[BaseException] = []
    with _write(self, *given, **options) as write:
        try:
            yield write
        except Exception as error:  # noqa: BLE001 - it is raised below
            failed.append(error)
    if failed:
        raise failed[0]


def _acquire_anyway(write: Write, name: str, **given: Any) -> Any:
    write.tables.leases.pop(name, None)
    return _acquire(write, name, **given)


def _double_tick(self: PlainSchedules, seen: Any, drafts: Any, last_ms: int) -> Advanced:
    """Enqueue whatever the row says, under the time of the attempt."""
    late = [replace(draft, key=f"{draft.key} at {next(_MOMENTS)}") for draft in drafts]
    return _advance(self, self.declare(1, [seen.rule], seen.last_ms)[0], late, last_ms)


def _declare_beside(write: Write, pool: int, rule: Any, now_ms: int) -> Any:
    known = write.tables.schedules.get(rule.name)
    if known is not None:
        write.tables.schedules[rule.name] = known._replace(pools=known.pools | {pool})
        return known.standing
    return _declare(write, pool, rule, now_ms)


def _all_of_the_lane(write: Write, hold: Any, *given: Any, **options: Any) -> Any:
    """Name the lane in place of the deliveries that were handed over."""
    lane = write.tables.deliveries[hold.id].in_lane
    rows = [row for row in write.tables.deliveries.values() if row.in_lane == lane]
    return [
        replace(hold, id=row.id, fence=row.fence, token=row.token, joined=())
        for row in rows
        if row.state in LIVE
    ]


def _counted_halving(write: Write, rows: Any, **given: Any) -> None:
    _halve(write, [row._replace(attempt=row.attempt + 1) for row in rows], **given)


def _older_too(write: Write, head: Any, most: int, room: int | None) -> Any:
    return _behind(write, head._replace(id=0), most, room)


def _full_head(write: Write, address: Any) -> None:
    before = dict(write.tables.deliveries)
    _arrived(write, address)
    heads = write.tables.heads.values()
    for id, row in before.items():
        if id not in heads:
            write.tables.deliveries[id] = row


_arrived, _behind = joins.arrived, joins.behind
_halve = halving.halve
_declare = schedules._declare
_MOMENTS = count()
_advance = PlainSchedules.advance


def _count_before_ack(write: Write, hold: Any, result: str | None) -> None:
    settle.count(write, hold.counts or {})
    _ack(write, replace(hold, counts=None), result)


def _overtake(write: Write, addresses: Any) -> Any:
    off = {queue for queue, route in write.tables.routes.items() if route.state == "off"}
    held = [address for address in addresses if address.queue in off]
    return [address for address in addresses if address not in held], [to.queue for to in held]


def _all_probe(self: PlainOutbox, host: str, token: str) -> Admission:
    found = _admit(self, host, token)
    with self._session.write("admit") as write:
        row = write.tables.hosts.get(host)
        if row is not None and row.until_ms is not None and write.now >= row.until_ms:
            return Admission(probe=True)
    return found


def _heard_of_any(self: PlainOutbox, host: str, *given: Any) -> None:
    row = self._session.read().hosts.get(host)
    response, token, *more = given
    _heard(self, host, response, row.probe if row and row.probe else token, *more)


def _postpone_counted(write: Write, postponed: Any) -> None:
    for hold, delay_ms in postponed:
        with contextlib.suppress(LeaseLost):
            settle.retry(write, hold, delay_ms, None)


_admit, _heard = PlainOutbox.admit, PlainOutbox.heard
_ack = settle.ack
_require = settle.require
_give_back = changes.give_back
_enqueue = enqueue.enqueue
_claimable = claim.claimable
_make_room = namespaces._make_room
_replay = operate.replay
_cancel = operate.cancel
_end_message = changes.end_message
_write = Session.write
_acquire = leases._acquire

NEVER = False

MUTATIONS = (
    Mutation(
        "two threads write at once, and the last to commit undoes the other",
        ("test_thread_races.py",),
        ((Session, "_alone", _without_lock),),
    ),
    Mutation(
        "an update reads and writes in two transactions",
        ("test_thread_races.py",),
        ((PlainKeyed, "update", _update_apart),),
    ),
    Mutation(
        "a transaction that fails is committed",
        ("test_completion.py",),
        ((Session, "write", _keeps_all),),
    ),
    Mutation(
        "a claim is held by whoever knows its id",
        ("test_lease.py",),
        ((settle, "require", _any_holder),),
    ),
    Mutation(
        "a claim is proven by its fence alone",
        ("test_lease.py",),
        ((settle, "require", _holder_by_fence),),
    ),
    Mutation(
        "a claim is refused past its expiry, though nobody else has begun",
        ("test_lease.py",),
        ((settle, "require", _late_is_lost),),
    ),
    Mutation(
        "a fence is given twice",
        ("test_lease.py",),
        ((Numbers, "fence", _same_fence),),
    ),
    Mutation(
        "a stale lease of a name is accepted",
        ("test_leases_fencing.py",),
        ((leases, "_cause", lambda row, hold, now: None),),
    ),
    Mutation(
        "a name is leased to two",
        ("test_leases.py",),
        ((leases, "_acquire", _acquire_anyway),),
    ),
    Mutation(
        "a cap is passed",
        ("test_caps.py",),
        ((arrivals, "require_room_in", lambda write, queue, size: None),),
    ),
    Mutation(
        "max_leased is ignored",
        ("test_caps.py", "test_limits.py"),
        ((claim, "room", lambda tables, queue: None),),
    ),
    Mutation(
        "a queue that is paused goes on",
        ("test_limits.py",),
        ((operate, "pause", lambda write, queue, paused: True),),
    ),
    Mutation(
        "a lane is overtaken",
        ("test_lanes.py",),
        ((lanes, "can_be_claimed", lambda heads, row: True),),
    ),
    Mutation(
        "priority is ignored",
        ("test_claim.py",),
        ((claim, "claimable", _by_age),),
    ),
    Mutation(
        "a duplicate is accepted",
        ("test_enqueue.py",),
        ((enqueue, "enqueue", _forget_key),),
    ),
    Mutation(
        "a key is forgotten as soon as its work is done",
        ("test_retention.py",),
        ((changes, "end_message", _forget_at_once),),
    ),
    Mutation(
        "an attempt that failed does not count",
        ("test_settle.py",),
        ((changes, "give_back", _uncounted),),
    ),
    Mutation(
        "nothing becomes a dead letter for its attempts",
        ("test_settle.py",),
        tuple((at, "is_exhausted", lambda row, now: NEVER) for at in (settle, reap)),
    ),
    Mutation(
        "what a dead worker had not begun counts as an attempt",
        ("test_prefetch.py",),
        ((reap, "_stage", lambda progress, fence: "running"),),
    ),
    Mutation(
        "of a queue with few leases one caller takes all",
        ("test_prefetch.py",),
        ((claim, "_ahead", lambda tables, queues, most: claim.claimable(tables, queues[0])),),
    ),
    Mutation(
        "an ack that is refused or repeated counts",
        ("test_counts.py",),
        ((settle, "ack", _count_before_ack),),
    ),
    Mutation(
        "a route that is off is taken",
        ("test_routes.py",),
        ((kept, "parted", lambda write, addresses: (addresses, [])),),
    ),
    Mutation(
        "what is new goes before what was kept",
        ("test_routes.py",),
        ((kept, "parted", _overtake),),
    ),
    Mutation(
        "what is leased is replayed",
        ("test_operators.py",),
        ((operate, "replay", _replay_leased),),
    ),
    Mutation(
        "what is leased is cancelled",
        ("test_operators.py",),
        ((operate, "cancel", _cancel_leased),),
    ),
    Mutation(
        "a key that is done may be claimed again",
        ("test_once.py",),
        ((once, "_standing", lambda *given: None),),
    ),
    Mutation(
        "the newest entry is evicted",
        ("test_keyed_caps.py",),
        ((namespaces, "_make_room", _evict_newest),),
    ),
    Mutation(
        "what has expired is read",
        ("test_keyed_entries.py",),
        ((keyed, "_live", lambda tables, at, now: tables.entries.get(at, {})),),
    ),
    Mutation(
        "the ack of a group ends what it was not handed",
        ("test_joining.py",),
        ((settle, "parts", _all_of_the_lane),),
    ),
    Mutation(
        "a group that fails counts as an attempt of each",
        ("test_joining.py",),
        tuple((at, "halve", _counted_halving) for at in (settle, reap)),
    ),
    Mutation(
        "a group that was taken back is taken back again by its late holder",
        ("test_late_groups.py",),
        ((settle, "_resume", lambda write, rows: None),),
    ),
    Mutation(
        "what is older than the head of a lane goes along after it",
        ("test_odd_joins.py",),
        ((claim, "behind", _older_too),),
    ),
    Mutation(
        "the window of the head alone ends once enough have come",
        ("test_odd_joins.py",),
        ((joins, "arrived", _full_head),),
    ),
    Mutation(
        "what was superseded goes on",
        ("test_latest_only.py",),
        ((latest, "supersede", lambda write, rows, newest, token: None),),
    ),
    Mutation(
        "what has failed alone is handed over with others again",
        ("test_joining.py",),
        tuple((at, "goes_alone", lambda row, **given: row) for at in (settle, reap)),
    ),
    Mutation(
        "a tick is made by each pool, with the time at which it does so as its key",
        ("test_schedules.py",),
        ((PlainSchedules, "advance", _double_tick),),
    ),
    Mutation(
        "an old pool goes on with a rule that was replaced",
        ("test_schedules.py",),
        ((schedules, "_declare", _declare_beside),),
    ),
    Mutation(
        "whoever asks is the probe of a host that is half open",
        ("test_outbox.py",),
        ((PlainOutbox, "admit", _all_probe),),
    ),
    Mutation(
        "an answer to what was begun before closes a breaker",
        ("test_outbox.py",),
        ((PlainOutbox, "heard", _heard_of_any),),
    ),
    Mutation(
        "what is postponed counts as an attempt",
        ("test_outbox.py",),
        ((settle, "postpone_each", _postpone_counted),),
    ),
    Mutation(
        "a step is recorded, whoever has claimed its delivery by now",
        ("test_steps.py",),
        ((steps, "record", durable.record_of_anyone),),
    ),
    Mutation(
        "a step is not recorded once the lease has expired",
        ("test_steps.py",),
        ((steps, "record", durable.record_of_the_living),),
    ),
    Mutation(
        "a refused record refuses the others of its commit",
        ("test_steps.py",),
        ((PlainSteps, "record", durable.refuse_all),),
    ),
    Mutation(
        "a step in a transaction is recorded whatever becomes of its writes",
        ("test_steps.py",),
        ((PlainSteps, "transaction", durable.split_transaction),),
    ),
    Mutation(
        "records are kept of what has ended",
        ("test_steps.py", "test_waits.py"),
        ((changes, "forget_steps", durable.forget_nothing),),
    ),
    Mutation(
        "a sleep counts as an attempt",
        ("test_sleeping.py",),
        ((PlainSteps, "suspend", durable.counted_sleep),),
    ),
    Mutation(
        "a worker that has lost a delivery lets it sleep",
        ("test_sleeping.py",),
        ((PlainSteps, "suspend", durable.held_sleep),),
    ),
    Mutation(
        "a message has ended with its first delivery",
        ("test_ends.py",),
        ((PlainEnds, "look", durable.look_at_the_first),),
    ),
    Mutation(
        "an answer between the look and the sleep wakes nobody",
        ("test_waits.py",),
        ((steps, "begin", durable.second_look),),
    ),
    Mutation(
        "an answer is accepted after the deadline",
        ("test_waits.py",),
        ((PlainWaits, "answer", durable.late_answer),),
    ),
    Mutation(
        "the last answer counts",
        ("test_waits.py",),
        ((PlainWaits, "answer", durable.last_answer),),
    ),
    Mutation(
        "an answer wakes nobody",
        ("test_waits.py",),
        ((PlainWaits, "answer", durable.silent_answer),),
    ),
    Mutation(
        "a token is good after a replay from the start",
        ("test_steps.py", "test_waits.py"),
        ((PlainWaits, "answer", durable.answer_to_any_generation),),
    ),
)
