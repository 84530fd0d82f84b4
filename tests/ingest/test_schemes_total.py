"""Whatever a stranger sends gets a verdict; whatever a sender sends is read or Malformed."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fencepost.schemes import Scheme, build
from fencepost.schemes.request import Event, Handshake, Malformed, Request, Verdict

from .vectors import NOW, VENDORS, Vendor, replaced

vendors = pytest.mark.parametrize("vendor", VENDORS.values(), ids=VENDORS.keys())

HOSTILE = [
    b"",
    b" ",
    "é".encode(),
    b"\xe9\xff",
    "١٧٩٥٠٠٠٠٠٠".encode(),
    b"1_795_000_000",
    b" 1795000000",
    b"1795000000 ",
    b"1795000000\n",
    b"+1795000000",
    b"-1795000000",
    b"1795000000.9",
    b"1e9",
    b"0x6afd5ac0",
    b"nan",
    b"9" * 13,
    b"9" * 100_000,
    b"\x00",
    b"1795000000\x00",
    b"A" * 100_000,
    b"," * 100_000,
    b" " * 100_000,
    b"t=,v1=",
    b"t=\xc3\xa9,v1=\xc3\xa9",
    b"t=1795000000,t=1795000000,v1=" + b"a" * 64,
    b"sha256=",
    b"sha256=" + "é".encode() * 32,
    b"v0=" + b"g" * 64,
    b"v1,",
    b"v1,===",
    b"v1a," + b"A" * 86 + b"==",
    b"v1a," + b"A" * 87 + b"=" + b" v1a," * 9_000,
]
BODIES = [
    b"",
    b"\xff",
    b"null",
    b"[]",
    b'"text"',
    b"{",
    b"[" * 200_000,
    b'{"type":' * 200_000,
    b'{"id": 5, "type": [], "action": {}, "event": 1, "event_id": null, "trigger_id": 1.5}',
    b'{"id": "\\ud800", "type": "\\u0000", "event_id": "", "action": "\\ud83d"}',
    b'{"id": ' + b"9" * 6_000 + b"}",
    b'{"type": "url_verification", "challenge": 5}',
    b"payload=%FF&payload",
    b"payload=%7B",
    b"payload=[]",
    b"&" * 5_000,
    b"command=%00&trigger_id=",
    b"ssl_check=1",
]
NAMES = [
    *(name.encode() for vendor in VENDORS.values() for name in vendor.signed),
    b"x-github-event",
    b"x-github-delivery",
    b"x-event-id",
    b"x-event-type",
]
TYPES = [b"application/json", b"application/x-www-form-urlencoded", b"a/b+json; c", b"\xff"]

values = st.sampled_from(HOSTILE) | st.binary(max_size=60)
headers = st.lists(
    st.tuples(st.sampled_from(NAMES) | st.binary(max_size=12), values)
    | st.tuples(st.just(b"content-type"), st.sampled_from(TYPES)),
    max_size=8,
)
bodies = st.sampled_from(BODIES) | st.binary(max_size=200)
clocks = st.sampled_from([NOW, 0.0, -1.0, math.inf, -math.inf, math.nan])


def read_or_malformed(scheme: Scheme, request: Request) -> None:
    try:
        event = scheme.read(request)
    except Malformed:
        return
    assert isinstance(event, Event | Handshake)
    if isinstance(event, Event):
        assert event.key is None or 1 <= len(event.key.encode()) <= 512
        assert len(event.event.encode()) <= 128


@vendors
@settings(max_examples=120, deadline=None)
@given(pairs=headers, body=bodies, now=clocks)
def test_arbitrary_requests_get_a_verdict_and_are_read_or_malformed(
    vendor: Vendor, pairs: list[tuple[bytes, bytes]], body: bytes, now: float
) -> None:
    scheme = build(vendor.scheme, [vendor.secret])
    request = Request(pairs, body)

    verdict = scheme.verify(request, now)

    assert verdict in set(Verdict) - {Verdict.GENUINE}
    assert scheme.early(request) is None or b"ssl_check=1" in body
    read_or_malformed(scheme, request)


@vendors
@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: repr(value[:24]))
def test_one_hostile_header_in_a_genuine_request_is_refused(vendor: Vendor, value: bytes) -> None:
    scheme = build(vendor.scheme, [vendor.secret])

    for name in vendor.signed:
        verdict = scheme.verify(replaced(vendor.request(), name, value), NOW)

        assert verdict in {Verdict.MISSING, Verdict.MALFORMED, Verdict.MISMATCH}


@vendors
@pytest.mark.parametrize("body", BODIES, ids=lambda body: repr(body[:24]))
@pytest.mark.parametrize("media_type", TYPES, ids=repr)
def test_every_hostile_body_is_read_or_malformed(
    vendor: Vendor, body: bytes, media_type: bytes
) -> None:
    scheme = build(vendor.scheme, [vendor.secret])
    request = vendor.request()

    read_or_malformed(scheme, Request([*request.headers, (b"content-type", media_type)], body))


@vendors
@pytest.mark.parametrize("body", [b"[" * 200_000, b'{"x":' * 200_000, b"\xff", b"{", b'{"a": 1} x'])
def test_json_that_does_not_parse_is_malformed(vendor: Vendor, body: bytes) -> None:
    scheme = build(vendor.scheme, [vendor.secret])
    request = vendor.request()
    request = Request([*request.headers, (b"content-type", b"application/json")], body)

    with pytest.raises(Malformed):
        scheme.read(request)


@vendors
@pytest.mark.parametrize("now", [math.nan, math.inf])
def test_a_clock_without_a_time_finds_nothing_fresh(vendor: Vendor, now: float) -> None:
    scheme = build(vendor.scheme, [vendor.secret])
    untimed = {"github", "hmac"}

    verdict = scheme.verify(vendor.request(), now)

    assert verdict is (Verdict.GENUINE if vendor.scheme in untimed else Verdict.STALE)
