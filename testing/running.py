"""Attempts at the deliveries of a message, as many as asked for."""

from __future__ import annotations

from ..app import App
from ..app.handlers.hooks import Hooks
from ..app.joins.group import SomeFailed
from ..app.steps.facts import app_facts
from ..store import Claim, Receipt, Store
from ..store.errors import InvalidInput
from ..store.types.delivery import Delivery
from ..store.types.durable.wait import NEVER_MS
from ..store.types.messages.death import DEATHS
from .attempt import attempt
from .clock import Clock
from .kept_lease import LEASE_SECONDS
from .process import Run, process
from .result import Result

_MOST_ATTEMPTS = 10_000
_MOST_DELIVERIES = 10_000


def run_deliveries(
    app: App, store: Store, clock: Clock | None, receipt: Receipt, attempts: int | None
) -> list[Result]:
    """Run the ready deliveries of a message; return their results, none for a duplicate.

    Args:
        clock: The store's clock; None when it cannot be moved.
        attempts: The most attempts at each; None continues until its end.
    """
    if receipt.status != "accepted":
        return []
    newest = store.deliveries(limit=_MOST_DELIVERIES)
    ids = [each.id for each in newest if each.message_id == receipt.message_id]
    return _run(app, store, clock, ids, attempts)


def run_queue(
    app: App, store: Store, clock: Clock | None, queue: str, attempts: int | None
) -> list[Result]:
    """Run what can be claimed of a queue now; see `run_deliveries`."""
    now = store.now()
    found = [
        each
        for state in ("ready", "sleeping")
        for each in store.deliveries(queue=queue, state=state, limit=_MOST_DELIVERIES)
    ]
    ids = [each.id for each in found if each.due_at is None or each.due_at <= now]
    return _run(app, store, clock, ids, attempts)


def _run(
    app: App, store: Store, clock: Clock | None, ids: list[int], attempts: int | None
) -> list[Result]:
    """Make attempts at deliveries, oldest first."""
    most = _MOST_ATTEMPTS if attempts is None else attempts
    with process(store, app.hooks if ids else Hooks()) as run:
        results = [_results(app, store, clock, id, most, run) for id in sorted(ids)]
        _call_on_dead(app, store, run)
        return results


def _call_on_dead(app: App, store: Store, run: Run) -> None:
    """Call the app's `on_dead` for deliveries that died, as a worker does.

    Raises:
        BaseException: The function raised it; a worker would log it.
    """
    if DEATHS not in app.handlers:
        return
    leases, _ = store.engine.queue.claim([DEATHS], limit=10_000, lease_ms=LEASE_SECONDS * 1000)
    for claim in (Claim(store.engine, leased) for leased in leases):
        raised = attempt(store, app.handlers[DEATHS], claim, run, app_facts(app))
        if raised is not None:
            raise raised


def _results(app: App, store: Store, clock: Clock | None, id: int, most: int, run: Run) -> Result:
    raised: BaseException | None = None
    for turn in range(most):
        delivery = _delivery(store, id)
        if clock is not None and app.handlers[delivery.queue].join is not None:
            _wait_for_window(store, clock, delivery.queue)
        if delivery.state not in ("ready", "sleeping") or (
            turn and not _wait(store, clock, delivery)
        ):
            break
        claim = _claim(app, store, delivery)
        if claim is None:
            break
        raised = attempt(store, app.handlers[delivery.queue], claim, run, app_facts(app))
        if isinstance(raised, SomeFailed):
            raised = raised.errors.get(id)
    return _result(store, _delivery(store, id), raised)


def _delivery(store: Store, id: int) -> Delivery:
    found = store.delivery(id)
    assert found is not None
    return found


def _wait(store: Store, clock: Clock | None, delivery: Delivery) -> bool:
    """Move the clock to when it can be claimed; False if no time ever comes."""
    if clock is None:
        raise InvalidInput(
            "several attempts need the store's clock, which is moved: give clock=",
            operation="deliver",
        )
    if delivery.due_at == NEVER_MS / 1000:
        return False  # it waits for an answer, and has no deadline
    if delivery.due_at is not None:
        clock.advance(max(0.0, delivery.due_at - store.engine.clock.now_ms() / 1000))
    return True


def _wait_for_window(store: Store, clock: Clock, queue: str) -> None:
    """Let the time pass for which the first message of a key waits for others."""
    if at_ms := store.engine.queue.next_at_ms([queue]):
        clock.advance(max(0, at_ms - store.engine.clock.now_ms()) / 1000)


def _claim(app: App, store: Store, delivery: Delivery) -> Claim | None:
    """Claim this delivery, and what is handed over with it; None while its lane, a pause or a cap prevents it."""
    limits = {name: handler.limits for name, handler in app.handlers.items()}
    joins = {name: handler.most for name, handler in app.handlers.items() if handler.coalesce}
    leases, _ = store.engine.queue.claim(
        [delivery.queue], limit=10_000, lease_ms=LEASE_SECONDS * 1000, limits=limits, joins=joins
    )
    found = None
    for claim in (Claim(store.engine, leased) for leased in leases):
        if delivery.id in (claim.id, *claim.hold.joined):
            found = claim
        else:
            claim.release()
    return found


def _result(store: Store, delivery: Delivery, raised: BaseException | None) -> Result:
    content = store.content(delivery.id)
    waits = delivery.state == "ready"
    due = delivery.due_at
    now = store.engine.clock.now_ms() / 1000
    return Result(
        queue=delivery.queue,
        state=delivery.state,
        attempt=delivery.attempt,
        error=delivery.error,
        result=None if content is None else content.result,
        exception=raised,
        retry_after=None if not waits else 0.0 if due is None else max(0.0, due - now),
    )
