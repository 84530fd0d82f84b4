"""What each kind of request is answered, and what of it is stored."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from fencepost import App, connect

from .inbox import SECRET, Inbox, github, github_app, headers_stored, nothing, stored
from .vectors import VENDORS, Headers, Vendor, hex_hmac, sign_slack


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the store of the app is."""
    return tmp_path / "hooks.db"


def test_a_new_message_is_accepted_under_its_id(path: Path) -> None:
    with Inbox(github_app(path)) as inbox:
        answer = inbox.post(b"{}", github())

    with connect(path) as store:
        (delivery,) = store.deliveries()
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["content-length"] == str(len(answer.body))
    assert answer.json() == {"id": delivery.message_id, "status": "accepted"}
    assert (delivery.source, delivery.queue, delivery.event) == ("github", "note", "push")


# QUEUE-12, TRIG-6, TRIG-11
def test_a_repeated_message_is_a_duplicate_with_the_id_of_the_first(path: Path) -> None:
    headers = github(key="d-1")

    with Inbox(github_app(path)) as inbox:
        first = inbox.post(b"{}", headers)
        second = inbox.post(b"{}", headers)

    assert second.status == 200
    assert second.json() == {"id": first.json()["id"], "status": "duplicate"}
    assert stored(path) == 1


# QUEUE-2
def test_of_two_bodies_under_one_key_the_first_is_kept(path: Path) -> None:
    with Inbox(github_app(path)) as inbox:
        first = inbox.post(b'{"n": 1}', github(b'{"n": 1}', key="d-1"))
        second = inbox.post(b'{"n": 2}', github(b'{"n": 2}', key="d-1"))

    with connect(path) as store:
        content = store.content(store.deliveries()[0].id)
    assert (second.status, second.json()) == (200, {**first.json(), "status": "conflict"})
    assert content is not None
    assert content.body == b'{"n": 1}'
    assert stored(path) == 1


# QUEUE-5
def test_one_key_of_two_sources_is_two_messages(path: Path) -> None:
    app = github_app(path)
    app.source("other", scheme="github", secret=SECRET)
    headers = github(key="d-1")

    with Inbox(app) as inbox:
        answers = [inbox.post(b"{}", headers, path=f"/in/{name}") for name in ("github", "other")]

    assert [answer.json()["status"] for answer in answers] == ["accepted", "accepted"]
    assert stored(path) == 2


@pytest.mark.parametrize(
    "signature",
    [
        None,
        "",
        "sha256=",
        "sha256=" + "0" * 64,
        "sha1=" + "0" * 40,
        hex_hmac(SECRET, b"{}"),
        "sha256=" + "\xe9" * 64,
        "sha256=" + "\u0661".encode().decode("latin-1") * 64,
        "sha256=" + hex_hmac(SECRET, b"{}") + "\x00",
    ],
)
def test_an_unproven_sender_is_answered_401_and_nothing_is_stored(
    path: Path, signature: str | None
) -> None:
    headers = github()
    del headers["x-hub-signature-256"]
    if signature is not None:
        headers["x-hub-signature-256"] = signature

    with Inbox(github_app(path)) as inbox:
        answer = inbox.post(b"{}", headers)

    assert answer.status == 401
    assert answer.json() == {"error": "signature not accepted"}
    assert stored(path) == 0


@pytest.mark.parametrize("vendor", ["stripe", "slack", "standard", "svix", "ed25519"])
def test_a_signature_that_was_good_an_hour_ago_is_answered_401(path: Path, vendor: str) -> None:
    sender = VENDORS[vendor]
    app = App(str(path))
    app.source("them", scheme=sender.scheme, secret=sender.secret)
    now = int(time.time())

    with Inbox(app) as inbox:
        stale = _sent(inbox, sender, now - 3600)
        fresh = _sent(inbox, sender, now)

    assert (stale, fresh) == (401, 200)
    assert stored(path) == 1


# LEASE-20
@pytest.mark.parametrize(
    "where", ["/in/gitlab", "/in/", "/in", "/", "/in/github/", "/in/github/x", "/IN/github", ""]
)
def test_where_no_source_is_there_is_nothing(path: Path, where: str) -> None:
    with Inbox(github_app(path)) as inbox:
        answer = inbox.post(b"{}", github(), path=where)

    assert answer.status == 404
    assert stored(path) == 0


@pytest.mark.parametrize(
    ("where", "method", "allowed"),
    [
        ("/in/github", "GET", "POST"),
        ("/in/github", "HEAD", "POST"),
        ("/in/github", "PUT", "POST"),
        ("/in/github", "OPTIONS", "POST"),
        ("/healthz", "POST", "GET, HEAD"),
        ("/readyz", "DELETE", "GET, HEAD"),
    ],
)
def test_a_wrong_method_is_answered_with_the_right_one(
    path: Path, where: str, method: str, allowed: str
) -> None:
    with Inbox(github_app(path)) as inbox:
        answer = inbox.post(b"{}", github(), path=where, method=method)

    assert (answer.status, answer.headers["allow"]) == (405, allowed)
    assert stored(path) == 0


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"{} {}", b"[" * 200_000])
def test_a_signed_body_that_is_not_json_is_answered_400(path: Path, body: bytes) -> None:
    with Inbox(github_app(path)) as inbox:
        answer = inbox.post(body, github(body))

    assert answer.status == 400
    assert stored(path) == 0


@pytest.mark.parametrize("key", [None, "x" * 513, "caf\xe9", "a\tb", "\x7f"])
def test_a_request_without_a_usable_key_is_answered_400(path: Path, key: str | None) -> None:
    with Inbox(github_app(path)) as inbox:
        answer = inbox.post(b"{}", github(key=key))

    assert answer.status == 400
    assert "key" in answer.json()["error"]
    assert stored(path) == 0


# DEDUPE-3
def test_a_source_that_needs_no_key_makes_each_request_a_message(path: Path) -> None:
    with Inbox(github_app(path, require_key=False)) as inbox:
        answers = [inbox.post(b"{}", github(key=None)) for _ in range(2)]

    assert [answer.json()["status"] for answer in answers] == ["accepted", "accepted"]
    assert answers[0].json()["id"] != answers[1].json()["id"]
    assert stored(path) == 2


def test_while_a_secret_is_rotated_the_old_and_the_new_are_accepted(path: Path) -> None:
    app = App(str(path))
    app.source("github", scheme="github", secrets=["new", "old"])

    with Inbox(app) as inbox:
        answers = [inbox.post(b"{}", github(secret=s)).status for s in ("new", "old", "n", "neww")]

    assert answers == [200, 200, 401, 401]


# TRIG-15
def test_a_message_that_no_route_matches_is_accepted_without_a_delivery(path: Path) -> None:
    app = App(str(path))
    app.source("github", scheme="github", secret=SECRET)
    app.on("github", "release")(nothing)

    with Inbox(app) as inbox:
        answer = inbox.post(b"{}", github())

    with connect(path) as store:
        assert store.deliveries() == []
    assert (answer.status, answer.json()["status"]) == (200, "accepted")
    assert stored(path) == 1


def test_the_senders_credentials_are_not_stored(path: Path) -> None:
    credentials = {
        "Authorization": "Bearer canary",
        "Cookie": "session=canary",
        "Proxy-Authorization": "Basic canary",
    }

    with Inbox(github_app(path)) as inbox:
        answer = inbox.post(b"{}", {**github(), **credentials, "X-Trace": "kept"})

    with connect(path) as store:
        headers = headers_stored(store)
    assert answer.status == 200
    assert headers["x-trace"] == "kept"
    assert "canary" not in json.dumps(headers)
    files = [part for part in path.parent.glob("hooks.db*") if part.is_file()]
    assert len(files) >= 3
    assert all(b"canary" not in part.read_bytes() for part in files)


def test_the_signing_secret_is_in_no_file_of_the_store_and_in_no_log(
    path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with Inbox(github_app(path)) as inbox:
        inbox.post(b"{}", github())
        inbox.post(b"{}", github(secret="wrong"))
        files = [
            # Not here: to close the file would drop the locks of the store.
            subprocess.run(["cat", part], check=True, capture_output=True).stdout
            for part in path.parent.glob("hooks.db*")
            if part.is_file()
        ]

    said = "".join(capfd.readouterr())
    assert len(files) >= 3
    assert not any(SECRET.encode() in content for content in files)
    assert SECRET not in said


def test_slack_is_answered_its_challenge_and_nothing_is_stored(path: Path) -> None:
    body = b'{"type": "url_verification", "challenge": "3eZbrw1a"}'

    with Inbox(_slack(path)) as inbox:
        signed = inbox.post(body, _slack_headers(body), path="/in/slack")
        unsigned = inbox.post(body, {"content-type": "application/json"}, path="/in/slack")

    assert (signed.status, signed.json()) == (200, {"challenge": "3eZbrw1a"})
    assert unsigned.status == 401
    assert stored(path) == 0


def test_slack_is_told_nothing_when_it_checks_its_certificate_or_its_rate(path: Path) -> None:
    limited = b'{"type": "app_rate_limited"}'
    form = {"content-type": "application/x-www-form-urlencoded"}

    with Inbox(_slack(path)) as inbox:
        checked = inbox.post(b"ssl_check=1&token=x", form, path="/in/slack")
        rated = inbox.post(limited, _slack_headers(limited), path="/in/slack")

    assert (checked.status, checked.body) == (200, b"")
    assert (rated.status, rated.body) == (200, b"")
    assert stored(path) == 0


def test_a_slack_command_is_stored_and_answered_silently(path: Path) -> None:
    body = urlencode({"command": "/deploy", "trigger_id": "13345224609.738474920"}).encode()
    headers = {**_slack_headers(body), "content-type": "application/x-www-form-urlencoded"}

    with Inbox(_slack(path)) as inbox:
        first = inbox.post(body, headers, path="/in/slack")
        again = inbox.post(body, headers, path="/in/slack")

    assert (first.status, first.body) == (again.status, again.body) == (200, b"")
    assert stored(path) == 1


@pytest.mark.parametrize("where", ["/healthz", "/readyz"])
def test_a_receiver_that_lives_and_has_its_store_says_so(path: Path, where: str) -> None:
    with Inbox(github_app(path)) as inbox:
        assert inbox.get(where).status == 200
        assert inbox.get(where, method="HEAD").status == 200


def test_a_receiver_whose_store_was_moved_away_is_alive_and_not_ready(path: Path) -> None:
    with Inbox(github_app(path)) as inbox:
        path.rename(path.with_name("moved.db"))

        alive, ready = inbox.get("/healthz"), inbox.get("/readyz")

    assert (alive.status, ready.status) == (200, 503)
    assert ready.headers["retry-after"] == "1"


def test_a_store_that_was_moved_away_is_answered_503_and_not_made_anew(path: Path) -> None:
    moved = path.with_name("moved.db")

    with Inbox(github_app(path)) as inbox:
        path.rename(moved)
        answer = inbox.post(b"{}", github())

    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert not path.exists()


def _sent(inbox: Inbox, sender: Vendor, at: int) -> int:
    headers = {**sender.sign(sender.secret, sender.body, at), "content-type": "application/json"}
    return inbox.post(sender.body.encode(), headers, path="/in/them").status


def _slack(path: Path) -> App:
    app = App(str(path))
    app.source("slack", scheme="slack", secret=SECRET)
    app.on("slack", name="note")(nothing)
    return app


def _slack_headers(body: bytes) -> Headers:
    signed: dict[str, Any] = sign_slack(SECRET, body.decode(), int(time.time()))
    return {**signed, "content-type": "application/json"}
