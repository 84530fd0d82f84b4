"""`signed` makes what `app.accept` takes for genuine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fencepost import App, InvalidInput
from fencepost.testing import signed


@pytest.fixture
def app(tmp_path: Path) -> App:
    """An app with a source of each kind."""
    app = App(tmp_path / "hooks.db")
    app.source("github", scheme="github", secret="s")
    app.source("stripe", scheme="stripe", secret="whsec_x")
    app.source("slack", scheme="slack", secret="s")
    app.source("standard", scheme="standard", secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    app.source("shop", scheme="hmac", secret="s", key="json:/id", header="X-Shop")
    return app


# TESTING-10
@pytest.mark.parametrize("source", ["github", "stripe", "slack", "standard", "shop"])
def test_what_is_signed_is_accepted_once(app: App, source: str) -> None:
    headers, body = signed(app, source)
    other = signed(app, source, body={"n": 1})

    statuses = [
        json.loads(app.accept(source, *each).body)["status"]
        for each in ((headers, body), (headers, body), (other.headers, other.body))
    ]
    forged = app.accept(source, headers, body + b" ")
    app.close()

    assert statuses == ["accepted", "duplicate", "accepted"]
    assert forged.status == 401


# TESTING-10
def test_every_form_says_the_same(app: App) -> None:
    found = [
        signed(app, "stripe", "invoice.paid", {"n": 1}, "evt_1", at=1.0),
        signed(app, source="stripe", event="invoice.paid", body={"n": 1}, key="evt_1", at=1.0),
        signed(app.sources["stripe"], "invoice.paid", {"n": 1}, "evt_1", at=1.0),
        signed("stripe", "invoice.paid", {"n": 1}, "evt_1", at=1.0, secret="whsec_x"),
        signed("stripe", body={"n": 1}, event="invoice.paid", key="evt_1", at=1, secret="whsec_x"),
    ]

    assert len({(tuple(each.headers.items()), each.body) for each in found}) == 1


# TESTING-10
def test_a_scheme_takes_the_options_of_a_source(app: App) -> None:
    given = signed("hmac", key="7", secret="s", options={"key": "json:/id", "header": "X-Shop"})

    answer = app.accept("shop", given.headers, given.body)
    app.close()

    assert answer.status == 200
    assert json.loads(given.body)["id"] == "7"


# TESTING-10
@pytest.mark.parametrize(
    ("arguments", "named", "says"),
    [
        (("gitlab",), {}, "no source 'gitlab'; the app has github"),
        ((), {}, "no source None"),
        (("github", "push", {}, "k", "more"), {}, "signed takes source, event, body, key"),
        (("github", "push"), {"event": "push"}, "signed takes source, event, body, key"),
        (("github",), {"evnt": "push"}, "signed takes source, event, body, key"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    app: App, arguments: tuple[Any, ...], named: dict[str, Any], says: str
) -> None:
    with pytest.raises(InvalidInput, match=says):
        signed(app, *arguments, **named)


# TESTING-10
def test_a_scheme_needs_its_secret() -> None:
    with pytest.raises(InvalidInput, match="scheme 'github' needs secret="):
        signed("github")
