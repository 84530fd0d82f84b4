"""Waiting: a handler goes on with the answer that somebody gives."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fencepost import App, Context, InvalidInput, Store, WaitTimeout, connect
from fencepost.testing import Clock, Result
from fencepost.testing.running import run_deliveries

from .attempts import run


class Site:
    """An app with a handler, and a store in which it is run step by step."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store = store
        self.clock = clock
        self.app = App("unused.db", url="https://hooks.example.com/mount/")
        self.urls: list[str] = []

    def start(self, handler: Any) -> Result:
        """Enqueue a message, and run the handler once."""
        self.app.task("work")(handler)
        receipt = self.store.queue("work").enqueue(b"", key="k")
        self._receipt = receipt
        return self.go_on()

    def go_on(self) -> Result:
        """Run the handler once more."""
        (result,) = run_deliveries(self.app, self.store, self.clock, self._receipt, 1)
        return result

    @property
    def token(self) -> str:
        """The last part of the newest URL."""
        return self.urls[-1].rpartition("/")[2]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    clock = Clock()
    with connect(tmp_path / "hooks.db", clock=clock) as store:
        yield Site(store, clock)


# WAIT-1, WAIT-4, WAIT-5
def test_a_handler_goes_on_with_the_answer(site: Site) -> None:
    def work(message: Any, ctx: Context) -> Any:
        site.urls.append(ctx.wait_url("approval"))
        return ctx.wait("approval")

    assert site.start(work).state == "sleeping"
    assert site.urls[0].startswith("https://hooks.example.com/mount/resume/")
    assert site.store.queue("work").claim() == []

    assert site.store.resume(site.token, {"approved": True}) == "accepted"

    result = site.go_on()
    assert (result.state, result.result) == ("done", {"approved": True})
    assert site.urls[0] == site.urls[1]
    assert site.store.resume(site.token, {"approved": True}) == "gone"
    assert site.store.read("select name from fp_wait") == []


# WAIT-8
def test_an_answer_may_come_before_the_wait(site: Site) -> None:
    def work(message: Any, ctx: Context) -> Any:
        url = ctx.wait_url("approval")
        assert ctx.store.resume(url.rpartition("/")[2], "early") == "accepted"
        return ctx.wait("approval")

    assert site.start(work).result == "early"
    assert site.store.read("select name from fp_wait") == []


# WAIT-6
def test_a_timeout_is_raised_in_every_attempt(site: Site) -> None:
    seen: list[str] = []

    def work(message: Any, ctx: Context) -> Any:
        site.urls.append(ctx.wait_url("approval"))
        try:
            ctx.wait("approval", timeout=60)
        except WaitTimeout as error:
            seen.append(error.name)
            if len(seen) == 1:
                raise RuntimeError("and once more") from None
            return "nobody came"

    assert site.start(work).state == "sleeping"
    site.clock.advance(60)
    assert site.store.resume(site.token, "late") == "gone"
    assert site.go_on().state == "ready"
    site.clock.advance(60)

    assert site.go_on().result == "nobody came"
    assert seen == ["approval"] * 2


# WAIT-6
def test_the_deadline_stands_from_the_first_wait(site: Site) -> None:
    def work(message: Any, ctx: Context) -> Any:
        ctx.wait("approval", timeout=60)

    site.start(work)
    (first,) = site.store.deliveries(state="sleeping")
    site.clock.advance(30)
    assert site.store.cancel(first.id).kind == "cancelled"
    assert first.due_at == pytest.approx(site.clock.time() + 30)


# WAIT-1
def test_each_occurrence_has_an_answer_of_its_own(site: Site) -> None:
    def work(message: Any, ctx: Context) -> Any:
        found = []
        for _ in range(2):
            site.urls.append(ctx.wait_url("approval"))
            found.append(ctx.wait("approval"))
        return found

    site.start(work)
    site.store.resume(site.token, 1)
    assert site.go_on().state == "sleeping"
    site.store.resume(site.token, 2)

    assert site.go_on().result == [1, 2]


# WAIT-7
def test_a_coroutine_may_wait_for_several_at_once(site: Site) -> None:
    async def work(message: Any, ctx: Context) -> Any:
        site.urls = [ctx.wait_url("a"), ctx.wait_url("b")]
        return await ctx.gather(ctx.wait("a"), ctx.wait("b", timeout=3600))

    assert site.start(work).state == "sleeping"
    a, b = (url.rpartition("/")[2] for url in site.urls)
    assert site.store.resume(b, "second") == "accepted"
    assert site.go_on().state == "sleeping"
    assert site.store.resume(a, "first") == "accepted"

    assert site.go_on().result == ["first", "second"]


# WAIT-4
def test_without_an_address_there_is_no_url() -> None:
    def work(message: Any, ctx: Context) -> None:
        with pytest.raises(InvalidInput, match="url="):
            ctx.wait_url("approval")

    assert run(work).state == "done"
    hosts = ("", "a?b", "u@a", "[a", "a:99999", "a:b", "a:0", "a b", "a\n")
    for wrong in ("hooks.example.com", "ftp://a", 7, *(f"https://{host}" for host in hosts)):
        with pytest.raises(InvalidInput):
            App("unused.db", url=wrong)  # type: ignore[arg-type]


# STEP-24
def test_a_handler_that_must_not_begin_again_cannot_wait() -> None:
    def work(message: Any, ctx: Context) -> None:
        with pytest.raises(InvalidInput, match="at_most_once"):
            ctx.wait("approval")

    assert run(work, at_most_once=True, max_attempts=None).state == "done"


# WAIT-2
def test_a_new_secret_changes_no_step_of_a_handler_in_progress(site: Site) -> None:
    def work(message: Any, ctx: Context) -> Any:
        ctx.step("mail", site.urls.append, ctx.wait_url("approval"))
        return ctx.wait("approval")

    site.start(work)
    site.store.engine.durable.waits.rotate()
    assert site.store.resume(site.token, "yes") == "accepted"

    assert site.go_on().result == "yes"


# WAIT-2
def test_a_new_secret_signs_for_what_comes_from_then_on(site: Site) -> None:
    def work(message: Any, ctx: Context) -> Any:
        site.urls.append(ctx.wait_url("approval"))
        return ctx.wait("approval")

    waits = site.store.engine.durable.waits
    site.start(work)
    old = site.token
    site.clock.advance(1)
    second = waits.rotate()
    site.clock.advance(1)
    (row,) = site.store.deliveries()
    site.store.cancel(row.id)
    site.store.replay(row.id)
    site.go_on()
    assert site.token == old
    later = site.store.queue("work").enqueue(b"", key="later")
    (newer,) = run_deliveries(site.app, site.store, site.clock, later, 1)

    assert newer.state == "sleeping"
    assert b64decode(site.token[:4])[0] == second.id
    assert waits.retire(1)
    assert site.store.resume(old, "yes") == "unknown"


# STEP-31
def test_a_cancelled_delivery_that_is_replayed_is_the_same_and_remembers_nothing(
    site: Site,
) -> None:
    keys: list[str] = []

    def work(message: Any, ctx: Context) -> Any:
        ctx.step("mail", lambda: keys.append(ctx.step_key))
        ctx.sleep("cool-down", 60)
        site.urls.append(ctx.wait_url("approval"))
        return ctx.wait("approval", timeout=60)

    site.start(work)
    site.clock.advance(60)
    site.go_on()
    assert site.store.resume(site.token, "yes") == "accepted"
    (row,) = site.store.deliveries()
    assert site.store.cancel(row.id)
    assert site.store.resume(site.token, "yes") == "gone"
    assert site.store.replay(row.id)

    assert site.go_on().state == "sleeping"  # for 60 s anew
    assert not site.store.queue("work").claim()
    site.clock.advance(60)
    assert site.go_on().state == "sleeping"  # the answer was forgotten

    assert keys == [keys[0]] * 2  # the other side knows what it has done already
    assert site.urls == [site.urls[0]] * 2  # and this URL may be in a mail
    assert site.store.resume(site.token, "no") == "accepted"
    assert site.go_on().result == "no"


# STEP-31
def test_a_cancelled_delivery_that_is_replayed_from_its_start_is_another(site: Site) -> None:
    keys: list[str] = []

    def work(message: Any, ctx: Context) -> Any:
        ctx.step("mail", lambda: keys.append(ctx.step_key))
        site.urls.append(ctx.wait_url("approval"))
        return ctx.wait("approval")

    site.start(work)
    old = site.token
    (row,) = site.store.deliveries()
    site.store.cancel(row.id)
    assert site.store.replay(row.id, from_start=True)
    site.go_on()

    assert len(set(keys)) == len(set(site.urls)) == 2
    assert site.store.resume(old, "yes") == "gone"
