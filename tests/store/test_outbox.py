"""Outgoing webhooks: stored with where they go, and sent only to hosts that can take them."""

from __future__ import annotations

import pytest

from fencepost import InvalidInput, Store
from fencepost.store.engine.queue.outbox import OutboxVerbs

from ..clock import FakeClock

URL = "https://example.com/hooks"
HOST = "https://example.com:443"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture
def outbox(store: Store) -> OutboxVerbs:
    """The verbs of the contract for webhooks."""
    return store.engine.queue.outbox


def _fail(outbox: OutboxVerbs, times: int, token: str = "t") -> None:
    for _ in range(times):
        outbox.heard(HOST, "failed", token)


# OUTBOX-11
def test_a_webhook_is_a_message_of_the_outbox_and_knows_where_it_goes(
    store: Store, outbox: OutboxVerbs
) -> None:
    receipt = store.outbox(URL, {"b": 1, "a": [2]}, secret=[SECRET, "acme"], lane="x")

    (claim,) = store.queue("outbox").claim()
    assert receipt.status == "accepted"
    assert (claim.message.id, claim.message.body) == (receipt.message_id, b'{"a":[2],"b":1}')
    assert claim.message.headers == {"content-type": "application/json"}
    found = outbox.outgoing(receipt.message_id)
    assert found is not None
    assert (found.url, tuple(found.secrets)) == (URL, (SECRET, "acme"))
    assert found.until_ms == round(store.now() * 1000) + 3 * 86_400_000


# AWAIT-1
def test_the_end_of_a_webhook_can_be_waited_for(store: Store) -> None:
    receipt = store.outbox(URL, b"{}", key="k")
    with pytest.raises(TimeoutError):
        receipt.wait(0)

    store.queue("outbox").claim()[0].ack({"status": 204})

    assert receipt.wait(5) == store.outbox(URL, b"{}", key="k").wait(5)
    assert (receipt.wait().state, receipt.wait().result) == ("done", {"status": 204})


# OUTBOX-11
def test_a_webhook_in_a_transaction_is_stored_with_it_or_not_at_all(store: Store) -> None:
    with pytest.raises(ZeroDivisionError), store.transaction():
        store.outbox(URL, b"undone")
        _ = 1 / 0
    with store.transaction():
        store.outbox(URL, b"kept")

    assert [claim.message.body for claim in store.queue("outbox").claim(limit=9)] == [b"kept"]


# OUTBOX-12
def test_the_same_key_is_sent_once_and_another_url_or_body_is_a_conflict(store: Store) -> None:
    first = store.outbox(URL, b"{}", key="k")

    assert store.outbox(URL, b"{}", key="k").status == "duplicate"
    assert store.outbox(URL, b"[]", key="k").status == "conflict"
    assert store.outbox(URL + "/other", b"{}", key="k").status == "conflict"
    assert store.outbox(URL, b"{}", key="k").message_id == first.message_id
    assert store.outbox(URL, b"{}").status == store.outbox(URL, b"{}").status == "accepted"


# OUTBOX-13
def test_where_a_webhook_goes_is_kept_as_long_as_its_body_and_copied_with_it(
    store: Store, outbox: OutboxVerbs
) -> None:
    queue = store.queue("outbox", keep_body_for=60)
    kept = store.outbox(URL, b"1", secret=SECRET).message_id
    queue.claim()[0].ack()
    (done,) = store.deliveries(state="done")
    outcome = store.replay(done.id)

    assert outcome.message is not None
    copy = outbox.outgoing(outcome.message)
    assert copy is not None
    assert (copy.url, tuple(copy.secrets)) == (URL, (SECRET,))
    queue.set_caps(keep_body_for=0)
    queue.claim()[0].ack()
    assert outbox.outgoing(outcome.message) is None
    assert outbox.outgoing(kept) is not None


def test_a_message_that_was_not_sent_goes_nowhere(store: Store, outbox: OutboxVerbs) -> None:
    receipt = store.queue("outbox").enqueue(b"by hand")

    assert outbox.outgoing(receipt.message_id) is None
    assert outbox.outgoing(999) is None


# OUTBOX-19
@pytest.mark.parametrize(
    "url",
    [
        "example.com",
        "ftp://example.com/",
        "https://",
        "https:///path",
        "https://user:secret@example.com/",
        "https://user@example.com/",
        "https://@example.com/",
        "https://example.com:port/",
        "https://example.com:0/",
        "https://example.com:70000/",
        "https://exa mple.com/",
        "https://example.com\\@evil.example/",
        "https://example.com/\n",
        "https://[::1%25lo]/",
        "https://[::1",
        "https://127.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0177.0.0.1/",
        "https://1.2.3.4./",
        "https://256.1.1.1/",
        "https://0/",
        "https://-.example/",
        "https://" + "a" * 2048,
        "https://\ud83d/",
        7,
    ],
)
def test_an_address_that_cannot_be_sent_to_is_refused_before_it_is_stored(
    store: Store, url: str
) -> None:
    with pytest.raises(InvalidInput, match=r"url|host"):
        store.outbox(url, b"")

    assert store.queue("outbox").claim() == []


# OUTBOX-13
@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_!", "not a name", 7, [], [SECRET] * 6])
def test_what_cannot_sign_is_refused_and_never_shown(store: Store, secret: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        store.outbox(URL, b"", secret=secret)

    assert "not a name" not in str(raised.value)


@pytest.mark.parametrize("body", [float("nan"), {1, 2}, "\ud83d", object()])
def test_a_body_that_is_no_json_is_refused(store: Store, body: object) -> None:
    with pytest.raises(InvalidInput, match="body"):
        store.outbox(URL, body)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"{}", "application/json"),
        (b"\xff", "application/octet-stream"),
        ("[]", "application/json"),
        ("words", "text/plain; charset=utf-8"),
    ],
)
def test_bytes_and_text_go_out_as_they_are(store: Store, body: str | bytes, kind: str) -> None:
    store.outbox(URL, body)

    (claim,) = store.queue("outbox").claim()
    assert claim.message.body == (body.encode() if isinstance(body, str) else body)
    assert claim.message.headers == {"content-type": kind}


# OUTBOX-16
def test_five_failures_in_a_row_open_the_breaker_of_a_host(
    outbox: OutboxVerbs, clock: FakeClock
) -> None:
    _fail(outbox, 4)
    outbox.heard(HOST, "answered", "t")
    _fail(outbox, 4)
    assert outbox.admit(HOST, "t").wait_ms == 0

    _fail(outbox, 1)

    assert outbox.admit(HOST, "t").wait_ms == 30_000
    assert outbox.admit("https://other.example:443", "t").wait_ms == 0
    clock.advance(29)
    assert outbox.admit(HOST, "t").wait_ms == 1000


# OUTBOX-16
def test_one_probe_is_sent_to_a_host_that_is_half_open(
    outbox: OutboxVerbs, clock: FakeClock
) -> None:
    _fail(outbox, 5)
    clock.advance(30)

    assert outbox.admit(HOST, "probe").probe
    assert outbox.admit(HOST, "other").wait_ms == 5000
    assert outbox.admit(HOST, "probe").probe  # asked again after an unknown outcome

    outbox.heard(HOST, "answered", "begun before")
    assert outbox.admit(HOST, "other").wait_ms == 5000
    clock.advance(58)
    assert outbox.admit(HOST, "other").wait_ms == 2000
    outbox.heard(HOST, "answered", "probe")
    assert outbox.admit(HOST, "other").wait_ms == 0


# OUTBOX-16
def test_each_failed_probe_doubles_the_time_up_to_ten_minutes(
    outbox: OutboxVerbs, clock: FakeClock
) -> None:
    _fail(outbox, 5)
    waits = []
    for _ in range(7):
        wait = outbox.admit(HOST, "x").wait_ms
        waits.append(wait // 1000)
        _fail(outbox, 3, "begun before")  # counts nothing
        clock.advance(wait / 1000)
        assert outbox.admit(HOST, "probe").probe
        _fail(outbox, 1, "probe")

    assert waits == [30, 60, 120, 240, 480, 600, 600]


# OUTBOX-16
def test_a_probe_that_died_is_followed_by_another(outbox: OutboxVerbs, clock: FakeClock) -> None:
    _fail(outbox, 5)
    clock.advance(30)
    assert outbox.admit(HOST, "dies").probe

    clock.advance(60)

    assert outbox.admit(HOST, "next").probe
    _fail(outbox, 1, "dies")  # late, and no longer the probe
    outbox.heard(HOST, "answered", "next")
    assert outbox.admit(HOST, "x").wait_ms == 0


# OUTBOX-15
def test_a_host_that_asks_to_wait_is_left_alone_by_all(
    outbox: OutboxVerbs, clock: FakeClock
) -> None:
    outbox.heard(HOST, "asked to wait", "t", 90_000)
    outbox.heard(HOST, "asked to wait", "u", 10_000)  # the longest counts
    outbox.heard(HOST, "answered", "v")  # begun before

    assert outbox.admit(HOST, "x").wait_ms == 90_000
    clock.advance(90)
    assert outbox.admit(HOST, "x").probe
    outbox.heard(HOST, "asked to wait", "x", 10**12)
    assert outbox.admit(HOST, "y").wait_ms == 86_400_000


# OUTBOX-16
def test_a_host_that_nothing_is_heard_of_for_a_day_is_forgotten(
    store: Store, outbox: OutboxVerbs, clock: FakeClock
) -> None:
    _fail(outbox, 4)
    outbox.heard("https://held.example:443", "asked to wait", "t", 86_400_000)
    clock.advance(86_401)

    assert store.sweep_all()["hosts"] == 1

    _fail(outbox, 4)
    assert outbox.admit(HOST, "t").wait_ms == 0
    assert outbox.admit("https://held.example:443", "t").probe


# OUTBOX-16
def test_what_is_postponed_waits_and_counts_no_attempt(store: Store, clock: FakeClock) -> None:
    queue = store.queue("outbox")
    store.outbox(URL, b"1")
    (claim,) = queue.claim()

    store.engine.queue.claim([], limit=1, lease_ms=1000, postponed=[(claim.hold, 5000)])

    assert queue.claim() == []
    assert (queue.stats().scheduled, queue.stats().leased) == (1, 0)
    clock.advance(5)
    (again,) = queue.claim()
    assert (again.attempt, again.fence > claim.fence) == (1, True)
    # Late, and lost: the newer claim is not touched.
    store.engine.queue.claim([], limit=1, lease_ms=1000, postponed=[(claim.hold, 5000)])
    again.ack()


# OUTBOX-21
def test_a_head_that_is_postponed_holds_its_lane(store: Store, clock: FakeClock) -> None:
    queue = store.queue("outbox")
    store.outbox(URL, b"1", lane="l")
    store.outbox(URL, b"2", lane="l")
    (claim,) = queue.claim(limit=9)

    store.engine.queue.claim([], limit=1, lease_ms=1000, postponed=[(claim.hold, 5000)])

    assert queue.claim(limit=9) == []
    clock.advance(5)
    assert [claim.message.body for claim in queue.claim(limit=9)] == [b"1"]
