"""Waiting for a message, which may come before or after the wait begins."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fencepost import App, Context, InvalidInput, Message, Store, WaitTimeout, connect
from fencepost.store.types.messages.draft import Draft
from fencepost.testing import Clock, Result
from fencepost.testing.running import run_deliveries

from ..ingest.inbox import SECRET, github

SOURCE, EVENT = "github", "check_run.completed"


class Site:
    """An app whose handler waits for events, and its store."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store = store
        self.clock = clock
        self.app = App("unused.db")
        self.app.source(SOURCE, scheme="github", secret="s", keep_body_for=86_400)
        self.app.source("bare", scheme="github", secret="s")
        self.number = 0

    def start(self, handler: Any) -> Result:
        """Enqueue a message, and run the handler once."""
        self.app.task("work")(handler)
        self.receipt = self.store.queue("work").enqueue(b"", key="k")
        return self.go_on()

    def go_on(self) -> Result:
        """Run the handler once more."""
        (result,) = run_deliveries(self.app, self.store, self.clock, self.receipt, 1)
        return result

    def event(self, body: bytes = b"{}", event: str = EVENT, wait_key: str | None = None) -> int:
        """Store an event as the receiver does; return its message's id."""
        self.number += 1
        key = f"e{self.number}"
        draft = Draft(SOURCE, SOURCE, key, event, {}, body, (), wait_key=wait_key)
        (receipt,) = self.store.engine.queue.enqueue([draft])
        return receipt.message_id

    @property
    def can_go_on(self) -> bool:
        """True when a worker would claim the delivery now."""
        return self.store.engine.queue.next_at_ms(["work"]) == 0


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    clock = Clock()
    with connect(tmp_path / "hooks.db", clock=clock) as store:
        yield Site(store, clock)


def work(message: Message, ctx: Context) -> Any:
    """Wait for the first event."""
    found = ctx.wait_for(SOURCE, "check_run")
    return [found.id, found.event, found.body.decode(), found.source]


# WAIT-9
def test_an_event_wakes_the_handler_that_waits_for_it(site: Site) -> None:
    assert site.start(work).state == "sleeping"
    site.event(event="push")
    assert not site.can_go_on

    id = site.event(b'{"ok": 1}')

    assert site.can_go_on
    result = site.go_on()
    assert (result.state, result.result) == ("done", [id, EVENT, '{"ok": 1}', SOURCE])
    assert site.store.read("select name from fp_wait") == []
    assert site.store.read("select name from fp_step") == []


# WAIT-10
def test_an_event_from_before_the_wait_counts_and_one_from_before_the_message_does_not(
    site: Site,
) -> None:
    site.event(b"before the message")
    site.app.task("work")(work)
    site.receipt = site.store.queue("work").enqueue(b"", key="k")
    after = site.event(b"before the wait")

    result = site.go_on()

    assert result.result == [after, EVENT, "before the wait", SOURCE]


# WAIT-10
def test_an_event_between_the_look_and_the_suspension_is_not_missed(site: Site) -> None:
    steps: Any = site.store.engine.durable.steps
    suspend = steps.suspend

    def late(hold: Any, sleep: Any) -> None:
        steps.suspend = suspend
        site.event(b"in between")
        suspend(hold, sleep)

    steps.suspend = late
    assert site.start(work).state == "sleeping"

    assert site.store.engine.queue.claim(["none"], limit=1, lease_ms=1) is not None
    assert site.go_on().result[2] == "in between"


# WAIT-9
def test_match_chooses_and_each_occurrence_begins_after_the_one_before(site: Site) -> None:
    def two(message: Message, ctx: Context) -> Any:
        found = [ctx.wait_for(SOURCE, EVENT, match=lambda m: m.json()["n"] % 2) for _ in range(2)]
        return [each.json()["n"] for each in found]

    site.start(two)
    for n in (0, 1, 2, 3, 5):
        site.event(b'{"n": %d}' % n)

    assert site.go_on().result == [1, 3]


# WAIT-9
def test_with_a_key_only_its_messages_wake(site: Site) -> None:
    def keyed(message: Message, ctx: Context) -> Any:
        return ctx.wait_for(SOURCE, EVENT, key="sha-1").id

    site.start(keyed)
    site.event(wait_key="sha-2")
    site.event()
    assert not site.can_go_on

    id = site.event(wait_key="sha-1")

    assert site.can_go_on
    assert site.go_on().result == id


# WAIT-10
def test_a_timeout_is_raised_unless_an_event_came_before_the_deadline(site: Site) -> None:
    def patient(message: Message, ctx: Context) -> Any:
        try:
            return ctx.wait_for(SOURCE, EVENT, timeout=60).body.decode()
        except WaitTimeout:
            return "none"

    site.start(patient)
    site.clock.advance(61)
    site.event(b"late")

    assert site.go_on().result == "none"


# WAIT-10
def test_what_was_taken_is_the_same_in_every_attempt(site: Site) -> None:
    attempts: list[int] = []

    def failing(message: Message, ctx: Context) -> Any:
        found = ctx.wait_for(SOURCE, EVENT)
        attempts.append(found.id)
        if len(attempts) < 3:
            raise RuntimeError("again")
        return found.headers

    site.start(failing)
    site.event(b"first")
    assert site.go_on().state == "ready"
    site.event(b"second")
    site.clock.advance(100)
    assert site.go_on().state == "ready"
    site.clock.advance(100)
    assert site.go_on().state == "done"

    assert len(set(attempts)) == 1


# WAIT-11
def test_a_wait_that_could_miss_is_refused(site: Site) -> None:
    def wrong(message: Message, ctx: Context) -> None:
        with pytest.raises(InvalidInput, match="keep_body_for"):
            ctx.wait_for("bare", EVENT)
        with pytest.raises(InvalidInput, match="no source"):
            ctx.wait_for("elsewhere", EVENT)
        for arguments in ({"match": 7}, {"key": 7}, {"timeout": -1}):
            with pytest.raises(InvalidInput):
                ctx.wait_for(SOURCE, EVENT, **arguments)  # type: ignore[arg-type]

    assert site.start(wrong).state == "done"


# WAIT-11
def test_several_handlers_may_get_one_message(site: Site) -> None:
    site.app.task("work")(work)
    site.app.task("other")(work)
    site.receipt = site.store.queue("work").enqueue(b"", key="k")
    assert site.go_on().state == "sleeping"
    receipt = site.store.queue("other").enqueue(b"", key="k")
    (result,) = run_deliveries(site.app, site.store, site.clock, receipt, 1)
    assert result.state == "sleeping"

    id = site.event()

    assert site.go_on().result[0] == id
    (result,) = run_deliveries(site.app, site.store, site.clock, receipt, 1)
    assert result.result[0] == id


# WAIT-9
def test_the_receiver_keeps_what_wait_key_gives(tmp_path: Path) -> None:
    app = App(tmp_path / "hooks.db")
    app.source("github", scheme="github", secret=SECRET, wait_key=lambda m: m.json()["sha"] or None)

    for n, sha in enumerate((b'"a"', b"null", b"7", b"true", b"[]")):
        body = b'{"sha": %s}' % sha
        assert app.accept("github", github(body, key=f"k{n}"), body).status == 200
    body = b"{}"
    assert app.accept("github", github(body, key="raises"), body).status == 200
    app.close()

    with connect(tmp_path / "hooks.db") as store:
        assert store.read("select source, key from fp_wait_key order by message_id") == [
            ("github", "a"),
            ("github", "7"),
        ]
        assert len(store.unrouted()) == 6


# WAIT-9
def test_a_coroutine_is_no_function_of_a_message(site: Site) -> None:
    async def later(message: Message) -> bool:
        return True

    def by_match(message: Message, ctx: Context) -> Any:
        return ctx.wait_for(SOURCE, match=later)

    with pytest.raises(InvalidInput, match="wait_key must be a plain function"):
        site.app.source("other", scheme="github", secret="s", wait_key=later)  # type: ignore[arg-type] # it is tested
    with pytest.raises(InvalidInput, match="lane must be a plain function"):
        site.app.on(SOURCE, lane=later)  # type: ignore[arg-type] # it is tested
    with pytest.raises(InvalidInput, match="coalesce must be a plain function"):
        site.app.on(SOURCE, coalesce=later)  # type: ignore[arg-type] # it is tested
    assert "match must be a plain function" in str(site.start(by_match).error)
