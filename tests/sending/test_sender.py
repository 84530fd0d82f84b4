"""One attempt at a webhook, from the claim to what follows from the answer."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import time
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

import pytest
from standardwebhooks import Webhook

from fencepost import Claim, Context, Discard, Retry, Store, StoreFailed
from fencepost.app.sending.options import SendingOptions
from fencepost.app.sending.sender import Postponed, Sender
from fencepost.store.types.sending.outgoing import Admission, Response
from fencepost.testing.kept_lease import kept

from ..clock import FakeClock
from .other_side import Behaviour, answer, other_side, reset

OLD, NEW = ("whsec_" + base64.b64encode(letter * 24).decode() for letter in (b"o", b"n"))


def _attempt(store: Store, sender: Sender | None = None, *, end: bool = True) -> tuple[Claim, Any]:
    """Claim a webhook and send it; end the claim by what came of it, as a worker does."""
    own = sender or Sender(SendingOptions(private=True))
    (claim,) = store.queue("outbox").claim(lease=600)
    try:
        found: Any = asyncio.run(own(claim.message, Context(claim, store, kept(store.engine))))
    except (Discard, Retry, Postponed) as error:
        found = error
    if isinstance(found, Discard):
        claim.bury(str(found))
    elif isinstance(found, Retry):
        claim.retry(found.after, str(found))
    elif isinstance(found, Postponed):
        store.engine.queue.claim([], limit=1, lease_ms=1, postponed=[(claim.hold, found.delay_ms)])
    elif end:
        claim.ack(found)
    return claim, found


def _seconds(retry: Retry) -> float:
    assert isinstance(retry.after, int | float)
    return float(retry.after)


# OUTBOX-13
def test_a_webhook_is_signed_by_standard_webhooks_with_every_secret(store: Store) -> None:
    sender = Sender(SendingOptions(private=True, secrets={"acme": (NEW, OLD)}))
    with other_side() as side:
        store.outbox(side.url, {"type": "x"}, secret="acme")
        _, found = _attempt(store, sender)
        store.outbox(side.url, {"type": "y"}, secret=OLD)
        _attempt(store, sender)
        store.outbox(side.url, b"unsigned")
        _attempt(store, sender)

    assert (found["status"], found["body"]) == (200, "thanks")
    signed, one, unsigned = side.requests
    assert len(signed.headers["webhook-signature"].split()) == 2
    for secret in (NEW, OLD):
        Webhook(secret).verify(signed.body, signed.headers)
    Webhook(OLD).verify(one.body, one.headers)
    assert "webhook-signature" not in unsigned.headers
    assert len({each.headers["webhook-id"] for each in side.requests}) == 3


# OUTBOX-13
def test_id_is_the_same_at_each_attempt_and_the_signature_is_made_anew(
    store: Store, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    wall = iter(range(1_800_000_000, 1_900_000_000, 1000))
    with other_side(answer(500)) as side:
        store.outbox(side.url, b"{}", secret=OLD)
        for _ in range(2):
            now = next(wall)
            monkeypatch.setattr(time, "time", lambda now=now: float(now))
            _attempt(store)
            clock.advance(3600)

    first, second = side.requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.headers["webhook-timestamp"] == "1800000000"
    assert second.headers["webhook-timestamp"] == "1800001000"
    for each in (first, second):
        parts = (each.headers["webhook-id"], each.headers["webhook-timestamp"], "{}")
        mac = hmac.digest(b"o" * 24, ".".join(parts).encode(), hashlib.sha256)
        assert each.headers["webhook-signature"] == f"v1,{base64.b64encode(mac).decode()}"


# OUTBOX-13
def test_a_copy_that_an_operator_makes_is_another_webhook(store: Store) -> None:
    store.queue("outbox", keep_body_for=600)
    with other_side() as side:
        store.outbox(side.url, b"{}", key="k")
        claim, _ = _attempt(store)
        store.replay(claim.id)
        _attempt(store)

    first, second = side.requests
    assert first.body == second.body
    assert first.headers["webhook-id"] != second.headers["webhook-id"]


# OUTBOX-14
def test_410_is_the_end_and_everything_else_is_tried_again(store: Store, clock: FakeClock) -> None:
    with other_side() as side:
        for status in (400, 401, 404, 500, 302, 199 + 200):
            side.behave = answer(status, b"why")
            store.outbox(side.url, b"%d" % status)
            _, found = _attempt(store)
            assert isinstance(found, Retry), status
            assert f"answered {status} after" in str(found)
            assert str(found).endswith(": why")
        clock.advance(-0.0)
        side.behave = answer(410, b"gone")
        store.outbox(side.url, b"410", lane="410")
        claim, found = _attempt(store)

    assert isinstance(found, Discard)
    (dead,) = store.deliveries(state="dead")
    assert (dead.id, str(dead.error).startswith("answered 410 after")) == (claim.id, True)


# OUTBOX-15
@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("120", 120),
        (" 120 ", 120),
        (lambda: formatdate(time.time() + 300, usegmt=True), 300),
        ("99999999", 86_400),
        (lambda: formatdate(time.time() - 300, usegmt=True), 0),
        ("soon", 0),
        ("-5", 0),
        ("1e9", 0),
        ("120, 130", 0),
        ("", 0),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_the_host_says_when_to_come_back(
    store: Store, said: str | Callable[[], str], seconds: int, status: int
) -> None:
    text = said if isinstance(said, str) else said()
    with other_side(answer(status, retry_after=text)) as side:
        store.outbox(side.url, b"1")
        store.outbox(side.url, b"2")
        _, found = _attempt(store)
        _, other = _attempt(store)

    assert isinstance(found, Retry)
    if seconds:
        assert seconds - 10 <= _seconds(found) <= seconds
        assert isinstance(other, Postponed)  # it holds for the host
        assert (seconds - 10) * 1000 <= other.delay_ms <= seconds * 1000 + 60_000
        assert side.connections == 1
    else:
        assert _seconds(found) <= 1
        assert side.connections == 2


# OUTBOX-15
def test_no_wait_goes_past_the_end_of_the_time_for_retries(store: Store, clock: FakeClock) -> None:
    with other_side(answer(429, retry_after="86400")) as side:
        store.outbox(side.url, b"1")
        (claim,) = store.queue("outbox").claim(lease=1)
        clock.advance(3 * 86_400 - 100)
        _, found = _attempt(store)
        clock.advance(100)
        _attempt(store)

    assert claim.attempt == 1
    assert isinstance(found, Retry)
    assert _seconds(found) == pytest.approx(100, abs=1)
    assert store.stats()["outbox"].dead == 1


# OUTBOX-16
@pytest.mark.parametrize("behave", [reset, answer(502), answer(503), answer(504), answer(429)])
def test_a_host_that_fails_five_times_is_left_alone(
    store: Store, clock: FakeClock, behave: Behaviour
) -> None:
    with other_side(behave) as side:
        for n in range(7):
            store.outbox(side.url, b"%d" % n)
        found = [_attempt(store)[1] for _ in range(7)]
        assert [type(each) for each in found] == [Retry] * 5 + [Postponed] * 2
        assert side.connections == 5
        side.behave = answer(200)
        clock.advance(40)
        probe = _attempt(store)[1]
        after = [_attempt(store)[1] for _ in range(6)]

    assert probe["status"] == 200
    assert [each["status"] for each in after] == [200] * 6
    assert side.connections == 12


# OUTBOX-16
def test_what_waits_for_an_open_breaker_has_no_attempt_counted(
    store: Store, clock: FakeClock
) -> None:
    with other_side(reset) as side:
        for n in range(6):
            store.outbox(side.url, b"%d" % n)
        attempts = [_attempt(store)[0].attempt for _ in range(6)]
        clock.advance(40)
        side.behave = answer(200)
        counts = sorted(_attempt(store)[0].attempt for _ in range(6))

    assert attempts == [1] * 6
    assert counts == [1, 2, 2, 2, 2, 2]


# OUTBOX-16
def test_errors_of_one_address_say_nothing_of_its_host(store: Store) -> None:
    with other_side(answer(500)) as side:
        for n in range(8):
            store.outbox(side.url, b"%d" % n)
        found = [_attempt(store)[1] for _ in range(8)]

    assert [type(each) for each in found] == [Retry] * 8


# OUTBOX-18, OUTBOX-19
@pytest.mark.parametrize(
    ("url", "private", "why"),
    [
        ("https://127.0.0.1/", False, "not a public one"),
        ("http://example.com/", False, "only https"),
        ("https://169.254.169.254/", True, "not a public one"),
    ],
)
def test_what_may_not_be_sent_is_dead_at_once_with_the_reason(
    store: Store, url: str, private: bool, why: str
) -> None:
    store.outbox(url, b"")

    _, found = _attempt(store, Sender(SendingOptions(private=private)))

    assert isinstance(found, Discard)
    assert why in str(found)


# OUTBOX-13
def test_a_name_without_a_secret_is_tried_again_until_the_app_has_it(store: Store) -> None:
    with other_side() as side:
        store.outbox(side.url, b"", secret="acme")
        (claim,) = store.queue("outbox").claim()
        context = Context(claim, store, kept(store.engine))
        with pytest.raises(ValueError, match="no secret 'acme'"):
            asyncio.run(Sender(SendingOptions(private=True))(claim.message, context))

    assert side.connections == 0


# OUTBOX-16
def test_a_store_that_does_not_answer_costs_no_attempt(store: Store) -> None:
    with other_side() as side:
        store.outbox(side.url, b"1")
        outbox = store.engine.queue.outbox
        failing = StoreFailed("the disk", operation="admit", path=store.address)

        def admit(host: str, token: str) -> Admission:
            raise failing

        outbox.admit = admit  # type: ignore[method-assign]
        _, found = _attempt(store)

    assert isinstance(found, Postponed)
    assert (store.stats()["outbox"].scheduled, side.connections) == (1, 0)


# OUTBOX-16
def test_what_a_host_did_may_be_forgotten_but_not_that_it_answered(store: Store) -> None:
    with other_side() as side:
        store.outbox(side.url, b"1")

        def heard(host: str, response: Response, token: str, asked_ms: int = 0) -> None:
            raise StoreFailed("the disk", operation="heard", path=store.address)

        store.engine.queue.outbox.heard = heard  # type: ignore[method-assign]
        _, found = _attempt(store)

    assert found["status"] == 200
    assert store.stats()["outbox"].done == 1


# OUTBOX-11
def test_a_message_that_was_put_in_the_queue_by_hand_is_dead(store: Store) -> None:
    store.queue("outbox").enqueue(b"by hand")

    _, found = _attempt(store)

    assert isinstance(found, Discard)


# OUTBOX-17
def test_a_certificate_that_is_not_trusted_is_a_failure(store: Store, tmp_path: Any) -> None:
    with other_side(tls=_self_signed(tmp_path)) as side:
        store.outbox(side.url, b"")
        _, found = _attempt(store)

    assert isinstance(found, Retry)
    assert "certificate" in str(found).lower()
    assert side.requests == []


def _self_signed(folder: Any) -> Any:
    import datetime
    import ipaddress
    import ssl

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    (folder / "pem").write_bytes(pem + key.private_bytes(serialization.Encoding.PEM, *form))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "pem")
    return context
