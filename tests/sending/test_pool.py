"""A pool sends what its handlers, and others, have put in the outbox."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from standardwebhooks import Webhook

from ..processes import line_of, wait_until
from .other_side import answer, other_side
from .site import SECRET, Site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site with an empty store."""
    return Site(tmp_path)


# OUTBOX-11
def test_what_a_handler_sends_arrives_signed_and_the_answer_is_kept(site: Site) -> None:
    with other_side(answer(202, b"thanks")) as side:
        for n in range(5):
            site.store.queue("mail").enqueue(side.url.encode(), key=f"k{n}")
        site.store.outbox(side.url, b"from elsewhere")
        log = site.drain()

    assert site.states() == {"done": 6}
    assert len({each.headers["webhook-id"] for each in side.requests}) == 6
    for request in side.requests:
        if request.body != b"from elsewhere":
            Webhook(SECRET).verify(request.body, request.headers)
    results = [site.store.content(each.id) for each in site.store.deliveries(queue="outbox")]
    assert {(r.result["status"], r.result["body"]) for r in results if r} == {(202, "thanks")}
    assert SECRET not in log


# OUTBOX-11
def test_an_app_may_do_nothing_but_send(site: Site) -> None:
    app = "from fencepost import App\napp = App('store.db', send_to_private=True)\n"
    (site.folder / "app.py").write_text(app)
    with other_side() as side, site.pool():
        site.store.outbox(side.url, b"{}")
        wait_until(lambda: site.states() == {"done": 1}, "the webhook's end")
        (pool,) = site.store.pools()
        assert pool.queues == ("outbox",)


# OUTBOX-20
def test_a_webhook_is_sent_while_a_plain_handler_has_the_worker(site: Site) -> None:
    with other_side() as side:
        with site.store.transaction():
            site.store.queue("blocking").enqueue(b"")
            site.store.outbox(side.url, b"{}")
        with site.pool():
            wait_until(lambda: side.requests, "the request")
            wait_until(lambda: (site.folder / "blocked").exists(), "the handler")
            assert site.store.stats()["blocking"].leased == 1
            (site.folder / "go").touch()
            wait_until(lambda: site.states() == {"done": 1}, "the ack")


# OUTBOX-14
def test_a_failure_is_tried_again_and_410_is_not(site: Site) -> None:
    with other_side() as side:
        side.behave = lambda c, r: answer(500 if len(side.requests) < 3 else 410)(c, r)
        site.store.outbox(side.url, b"{}")
        site.drain()

    (dead,) = site.store.deliveries(state="dead")
    assert (dead.attempt, len(side.requests)) == (3, 3)
    assert str(dead.error).startswith("answered 410 after ")
    assert len({each.headers["webhook-id"] for each in side.requests}) == 1


# OUTBOX-11
def test_a_pool_of_other_queues_sends_nothing(site: Site) -> None:
    with other_side() as side:
        site.store.outbox(side.url, b"{}")
        site.store.queue("mail").enqueue(side.url.encode())
        with site.pool("--queue", "mail", "--drain") as pool:
            assert pool.wait(timeout=90) == 0
        assert site.states() == {"ready": 2}
        assert [each.queue for each in site.store.unserved()] == ["outbox"]
        with site.pool("--queue", "outbox", "--drain") as pool:
            assert pool.wait(timeout=90) == 0

    assert site.states() == {"done": 2}


# OUTBOX-20
def test_a_pool_that_ends_waits_for_the_answer(site: Site) -> None:
    with other_side() as side, site.pool() as pool:
        line_of(pool)

        def stopping(connection, request):  # type: ignore[no-untyped-def]
            pool.send_signal(signal.SIGTERM)
            wait_until(lambda: "stopping" in (site.folder / "stderr").read_text(), "the end")
            answer(200)(connection, request)

        side.behave = stopping
        site.store.outbox(side.url, b"{}")
        assert pool.wait(timeout=90) == 0

    assert (site.states(), len(side.requests)) == ({"done": 1}, 1)


# OUTBOX-16
def test_an_open_breaker_costs_no_attempts_of_those_that_wait(site: Site) -> None:
    with other_side() as side:
        url = side.url
    for n in range(300):
        site.store.outbox(url, b"%d" % n)
    with site.pool() as pool:
        line_of(pool)
        wait_until(
            lambda: site.store.stats()["outbox"].scheduled == 300, "all of them to be put off"
        )
        attempts = [each.attempt for each in site.store.deliveries(queue="outbox", limit=300)]

    # A hundred, and a few more, may have been on their way when it opened.
    assert 5 <= sum(attempts) <= 150
    assert max(attempts) == 1


# OUTBOX-14
def test_on_dead_is_called_for_webhooks_too(site: Site) -> None:
    with (site.folder / "app.py").open("a") as file:
        file.write(ON_DEAD)
    with other_side(answer(410)) as side:
        site.store.outbox(side.url, b"{}")
        site.drain()

    assert (site.folder / "dead").read_text().startswith("outbox answered 410 ")


ON_DEAD = """

@app.on_dead
def note(message, ctx):
    (here / "dead").write_text(f"{ctx.queue} {ctx.error}")
"""
