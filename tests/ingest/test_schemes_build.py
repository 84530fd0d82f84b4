"""A mistake in a source's configuration is a ValueError that says what is allowed."""

from __future__ import annotations

import inspect
import re
import sys
from datetime import timedelta
from typing import Any

import pytest

from fencepost import App
from fencepost.schemes import SCHEMES, Options, build
from fencepost.schemes.registry import OF_EVERY_SOURCE
from fencepost.schemes.request import Verdict
from fencepost.store.rules.retention import DAY_MS

from ..root import ROOT
from .vectors import NOW, OTHER_WHPK, VENDORS, WHPK, WHSEC

UNFIT = "Zürich-\ud800-secret"


def test_each_module_of_a_provider_is_a_scheme_and_each_scheme_a_module() -> None:
    modules = {path.stem for path in (ROOT / "schemes/providers").glob("[!_]*.py")}

    assert modules == set(SCHEMES)
    assert [build(name, [WHSEC]).name for name in SCHEMES] == list(SCHEMES)


def test_app_source_takes_every_option_of_every_scheme() -> None:
    modules = [f"fencepost.schemes.providers.{name}" for name in SCHEMES]
    taken = {
        option.name
        for module in modules
        for option in inspect.signature(sys.modules[module].build).parameters.values()
        if option.kind is option.KEYWORD_ONLY
    }
    of_all = set(inspect.signature(App.source).parameters) - {"self", "source", "scheme", "options"}

    assert taken == set(Options.__annotations__)
    assert of_all == OF_EVERY_SOURCE


def test_the_page_on_sources_has_each_scheme_and_how_long_it_keeps_keys() -> None:
    page = (ROOT / "docs/sources.md").read_text()
    (keep_for,) = re.findall(r"^\| `keep_for` .*$", page, re.MULTILINE)
    said = {
        name: int(days)
        for days, names in re.findall(r"(\d+)(?: days)? for ((?:`\w+`(?: and )?)+)", keep_for)
        for name in re.findall(r"\w+", names.replace(" and ", " "))
    }

    assert said == {name: build(name, [WHSEC]).keep_ms / DAY_MS for name in SCHEMES}
    assert all(re.search(rf"^\| `{name}` \|", page, re.MULTILINE) for name in SCHEMES)


def test_an_unknown_scheme_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(ValueError, match="'gitlab'; there are github, hmac, slack, standard, str"):
        build("gitlab", ["secret"])


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    "secrets", [[], (), "secret", None, 5, [""], ["good", "  "], [None], [b"x"], [UNFIT]], ids=repr
)
def test_without_usable_secrets_there_is_no_scheme(scheme: str, secrets: Any) -> None:
    with pytest.raises(ValueError, match=r"(?i)secret") as caught:
        build(scheme, secrets)

    assert "good" not in str(caught.value)
    assert "Zürich" not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("secrets", "says"),
    [([""], "^the secret is empty$"), (["good", "  "], "^one secret is empty$")],
)
def test_an_empty_secret_is_told(secrets: list[str], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        build("hmac", secrets)


@pytest.mark.parametrize(
    ("scheme", "option", "takes"),
    [
        ("github", "tolerance", "event, key"),
        ("stripe", "header", "event, key, tolerance"),
        ("slack", "algorithm", "event, key, tolerance"),
        ("standard", "secrets_", "event, key, tolerance"),
        ("hmac", "tolerance", "algorithm, encoding, event, header, key, prefix"),
    ],
)
def test_an_unknown_option_is_refused_with_the_options_there_are(
    scheme: str, option: str, takes: str
) -> None:
    with pytest.raises(ValueError, match=f"no option {option}; it takes {takes}"):
        build(scheme, [WHSEC], **{option: 1})


@pytest.mark.parametrize("scheme", ["stripe", "slack", "standard"])
@pytest.mark.parametrize(
    "tolerance", [0, -1, True, "300", None, float("nan"), float("inf"), timedelta(0)], ids=repr
)
def test_a_tolerance_is_seconds_above_zero(scheme: str, tolerance: Any) -> None:
    with pytest.raises(ValueError, match="tolerance is a number of seconds above 0"):
        build(scheme, [WHSEC], tolerance=tolerance)


@pytest.mark.parametrize("name", ["stripe", "slack", "standard"])
@pytest.mark.parametrize("tolerance", [10, 10.0, timedelta(seconds=10)], ids=repr)
def test_the_tolerance_decides_when_a_request_is_stale(name: str, tolerance: Any) -> None:
    vendor = VENDORS[name]
    scheme = build(vendor.scheme, [vendor.secret], tolerance=tolerance)
    future = Verdict.GENUINE if name == "stripe" else Verdict.STALE

    assert scheme.verify(vendor.request(), NOW + 10) is Verdict.GENUINE
    assert scheme.verify(vendor.request(), NOW + 10.5) is Verdict.STALE
    assert scheme.verify(vendor.request(), NOW - 10) is Verdict.GENUINE
    assert scheme.verify(vendor.request(), NOW - 10.5) is future


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("algorithm", "md5", "sha1, sha256, sha384, sha512"),
        ("algorithm", ["sha256"], "sha1, sha256, sha384, sha512"),
        ("encoding", "base32", "base64, hex"),
        ("header", "", "header name"),
        ("header", "X Signature", "header name"),
        ("header", b"X-Signature", "header name"),
        ("header", "X-Signature\n", "header name"),
        ("prefix", "é", "printable ASCII"),
        ("prefix", "v1=\n", "printable ASCII"),
        ("prefix", None, "printable ASCII"),
        ("key", "", 'key=\'\' is not usable; give "header:NAME", "json:/json/pointer" or "body"$'),
        ("key", "id", "key='id' is not usable; give \"header:NAME\""),
        ("key", "json:", "key='json:' is not usable; give \"header:NAME\""),
        ("key", "json:id", "key='json:id' is not usable; give \"header:NAME\""),
        ("key", "json:/a~2b", "key='json:/a~2b' is not usable; give \"header:NAME\""),
        ("key", "body:x", "key='body:x' is not usable; give \"header:NAME\""),
        ("key", "header:", "header name"),
        ("key", "header:X Id", "header name"),
        ("key", 5, 'key=5 is not usable; give "header:NAME"'),
        (
            "event",
            "body",
            'event=\'body\' is not usable; give "header:NAME" or "json:/json/pointer"$',
        ),
    ],
)
def test_an_option_with_a_wrong_value_is_refused(option: str, value: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        build("hmac", ["secret"], **{option: value})


@pytest.mark.parametrize(
    "secret",
    [
        "whsec_",
        "whsec_!!!!",
        "whsec_AAAAA",
        "whsec_AAAA=AAA",
        "whsec_AAAA===",
        "whsec_AA-_",
        "not base64 at all",
        "whsec_é",
        "whpk_",
        "whpk_AAAA",
        "whpk_" + "A" * 44,
        "whsk_" + "A" * 43,
    ],
)
def test_a_standard_secret_that_cannot_be_decoded_is_refused(secret: str) -> None:
    with pytest.raises(ValueError, match="base64") as caught:
        build("standard", [WHSEC, secret])

    assert secret in {"whsec_", "whpk_"} or secret not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize("secret", [WHSEC.removeprefix("whsec_"), "AAE=", "AAE", "whsec_AAE"])
def test_a_standard_secret_needs_neither_prefix_nor_padding(secret: str) -> None:
    request = VENDORS["standard"].request(secret=secret)

    verdict = build("standard", [secret]).verify(request, NOW)

    assert verdict is Verdict.GENUINE


def test_shared_and_public_keys_stand_side_by_side() -> None:
    scheme = build("standard", [WHSEC, OTHER_WHPK, WHPK])

    assert scheme.verify(VENDORS["standard"].request(), NOW) is Verdict.GENUINE
    assert scheme.verify(VENDORS["ed25519"].request(), NOW) is Verdict.GENUINE


def test_a_public_key_without_cryptography_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric.ed25519", None)

    with pytest.raises(ValueError, match=r"fencepost\[ed25519\]"):
        build("standard", [WHPK])

    build("standard", [WHSEC])
