"""What holds for the scheme of every provider."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fencepost.schemes import build
from fencepost.schemes.request import Event, Request, Verdict

from .vectors import NOW, VENDORS, Vendor, flips, replaced

vendors = pytest.mark.parametrize("vendor", VENDORS.values(), ids=VENDORS.keys())


@vendors
def test_what_the_provider_signs_is_genuine_and_names_its_message(vendor: Vendor) -> None:
    scheme = build(vendor.scheme, [vendor.secret], **vendor.options)
    request = vendor.request()

    verdict = scheme.verify(request, NOW)
    event = scheme.read(request)

    assert verdict is Verdict.GENUINE
    assert event == Event(vendor.key, vendor.event)
    assert scheme.early(request) is None


@vendors
def test_no_bit_of_a_signed_header_can_be_flipped(vendor: Vendor) -> None:
    scheme = build(vendor.scheme, [vendor.secret])
    genuine = vendor.request()

    for name in vendor.signed:
        value = genuine.header(name.encode())
        assert value is not None
        for changed in flips(value):
            request = replaced(genuine, name, changed)

            assert scheme.verify(request, NOW) is not Verdict.GENUINE, (name, changed)


@vendors
def test_no_bit_of_the_body_can_be_flipped(vendor: Vendor) -> None:
    scheme = build(vendor.scheme, [vendor.secret])
    genuine = vendor.request()

    for changed in flips(genuine.body):
        request = Request(genuine.headers, changed)

        assert scheme.verify(request, NOW) is Verdict.MISMATCH


@vendors
@settings(max_examples=30, deadline=None)
@given(body=st.text(st.characters(codec="utf-8"), max_size=2000), data=st.data())
def test_no_bit_of_a_long_body_can_be_flipped(
    vendor: Vendor, body: str, data: st.DataObject
) -> None:
    scheme = build(vendor.scheme, [vendor.secret])
    genuine = vendor.request(body=body + "x")
    bit = data.draw(st.integers(0, 8 * len(genuine.body) - 1))
    changed = bytearray(genuine.body)
    changed[bit // 8] ^= 1 << bit % 8

    assert scheme.verify(genuine, NOW) is Verdict.GENUINE
    assert scheme.verify(Request(genuine.headers, bytes(changed)), NOW) is Verdict.MISMATCH


@vendors
def test_no_bit_of_the_secret_can_be_flipped(vendor: Vendor) -> None:
    request = vendor.request()
    secrets = [changed for changed in flips(vendor.secret.encode()) if changed.isascii()]

    for secret in secrets:
        try:
            scheme = build(vendor.scheme, [secret.decode()])
        except ValueError:
            assert vendor.scheme == "standard" or not secret.decode().isprintable()
        else:
            assert scheme.verify(request, NOW) is not Verdict.GENUINE, secret


@vendors
def test_while_rotating_the_old_and_the_new_secret_are_genuine(vendor: Vendor) -> None:
    new, old = vendor.other_secret, vendor.secret
    rotating = build(vendor.scheme, [new, old])
    rotated = build(vendor.scheme, [new])

    assert rotating.verify(vendor.request(secret=new), NOW) is Verdict.GENUINE
    assert rotating.verify(vendor.request(secret=old), NOW) is Verdict.GENUINE
    assert rotated.verify(vendor.request(secret=old), NOW) is Verdict.MISMATCH


@vendors
def test_a_signed_header_that_is_absent_or_stands_twice_is_missing(vendor: Vendor) -> None:
    scheme = build(vendor.scheme, [vendor.secret])
    genuine = vendor.request()

    for name in vendor.signed:
        copies = [pair for pair in genuine.headers if pair[0] == name.encode()]
        absent = [pair for pair in genuine.headers if pair not in copies]
        twice = [*genuine.headers, *copies]

        assert scheme.verify(Request(absent, genuine.body), NOW) is Verdict.MISSING
        assert scheme.verify(Request(twice, genuine.body), NOW) is Verdict.MISSING


@vendors
def test_a_scheme_never_shows_its_secret(vendor: Vendor) -> None:
    scheme = build(vendor.scheme, [vendor.other_secret, vendor.secret])
    bare = vendor.secret.removeprefix("whsec_").removeprefix("whpk_")

    assert bare not in repr(scheme)
    assert bare not in str(scheme)


@vendors
@pytest.mark.parametrize("key", ["header:X-Trace", "json:/data/id", "body"])
def test_recipes_replace_what_the_scheme_reads(vendor: Vendor, key: str) -> None:
    scheme = build(vendor.scheme, [vendor.secret], key=key, event="json:/data/kind")
    request = vendor.request(body='{"data": {"id": 5, "kind": "paid"}}')
    request = Request([*request.headers, (b"x-trace", b"5")], request.body)

    event = scheme.read(request)

    assert isinstance(event, Event)
    assert event.key == "5" or (key == "body" and event.key and len(event.key) == 64)
    assert event.event == "paid"


@vendors
def test_a_recipe_that_finds_nothing_leaves_no_key_and_no_event(vendor: Vendor) -> None:
    scheme = build(vendor.scheme, [vendor.secret], key="header:X-None", event="json:/none")

    event = scheme.read(vendor.request())

    assert event == Event(None, "")
