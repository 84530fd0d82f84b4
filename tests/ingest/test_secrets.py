"""A secret under which nothing would match is refused where it is declared."""

from __future__ import annotations

import base64
from typing import Any

import pytest
import standardwebhooks
from hypothesis import given, settings
from hypothesis import strategies as st

from fencepost import App, InvalidInput
from fencepost.schemes import SCHEMES, SchemeName, build
from fencepost.schemes.request import Verdict

from .vectors import NOW, VENDORS, WHSEC


# SECRET-1
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    "stray",
    ["{}\n", "{}\r\n", " {}", "{}\t", "\ufeff{}", "{}\u200b", "{}\u00a0", "{}\x00", "{}\x1b[0m"],
)
def test_a_secret_with_whitespace_around_it_is_refused_and_not_shown(
    scheme: SchemeName, stray: str
) -> None:
    app = App("hooks.db")

    for secrets in ([stray.format(WHSEC)], [WHSEC, stray.format(WHSEC)]):
        with pytest.raises(InvalidInput, match="whitespace, or has a control character") as refused:
            app.source("them", scheme=scheme, secrets=secrets, key="body")

        assert WHSEC not in str(refused.value)
    assert app.sources == {}


# SECRET-1
@pytest.mark.parametrize("secret", ["It's a Secret to Everybody", "päss wörd", "a\u200bb"])
def test_whitespace_within_a_secret_is_part_of_it(secret: str) -> None:
    build("github", [secret])


# SECRET-2
@pytest.mark.parametrize("options", [{}, {"secret": None}, {"secrets": []}], ids=repr)
def test_a_secret_that_was_not_given_says_where_to_look(options: Any) -> None:
    with pytest.raises(InvalidInput, match="no secret was given; is its environment variable set"):
        App("hooks.db").source("github", scheme="github", **options)


letters = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", min_size=2)


# SECRET-3
@settings(max_examples=200, deadline=None)
@given(
    text=letters.filter(lambda text: len(text) % 4 != 1),
    prefix=st.sampled_from(["whsec_", ""]),
    padding=st.integers(0, 2),
)
def test_a_standard_secret_is_read_as_the_official_library_reads_it(
    text: str, prefix: str, padding: int
) -> None:
    secret = prefix + text + "=" * min(padding, -len(text) % 4)
    vendor = VENDORS["standard"]
    body = "{}"

    verdict = build("standard", [secret]).verify(vendor.request(body=body, secret=secret), NOW)

    assert verdict is Verdict.GENUINE
    assert standardwebhooks.Webhook(secret)


# SECRET-3
@pytest.mark.parametrize("size", range(24, 65))
def test_every_length_of_the_standard_is_taken_padded_and_unpadded(size: int) -> None:
    padded = "whsec_" + base64.b64encode(bytes(range(size))).decode()
    vendor = VENDORS["standard"]

    for secret in (padded, padded.rstrip("="), "v1," + padded):
        signed = vendor.request(secret=padded)

        assert build("standard", [secret]).verify(signed, NOW) is Verdict.GENUINE
