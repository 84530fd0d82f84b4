"""Where a message goes: a delivery for each handler with a route that matches."""

from __future__ import annotations

import fnmatch
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from fencepost import App, Context, InvalidInput, Message, connect
from fencepost.schemes import SCHEMES, Options, SchemeName

from .inbox import SECRET, Inbox, github, nothing


def first(message: Message, ctx: Context) -> None:
    """One handler."""


def second(message: Message, ctx: Context) -> None:
    """Another one."""


@pytest.fixture
def app(tmp_path: Path) -> App:
    """An app with a source and no handler."""
    app = App(str(tmp_path / "hooks.db"))
    app.source("github", scheme="github", secret=SECRET)
    return app


def deliveries(app: App, event: str = "push", **payload: Any) -> list[tuple[str, str]]:
    """Send one event; return the queue and state of each of its deliveries."""
    body = json.dumps(payload).encode()
    with Inbox(app) as inbox:
        answer = inbox.post(body, github(body, event=event))
    assert answer.status == 200
    with connect(app.store) as store:
        return sorted((found.queue, found.state) for found in store.deliveries())


# TRIG-8
def test_two_handlers_are_two_deliveries(app: App) -> None:
    app.on("github", "push")(first)
    app.on("github")(second)

    assert deliveries(app) == [("first", "ready"), ("second", "ready")]


# TRIG-8
def test_a_function_on_two_matching_routes_is_one_delivery(app: App) -> None:
    app.on("github", "push")(first)
    app.on("github", "*")(first)

    assert deliveries(app) == [("first", "ready")]


def test_of_two_matching_routes_of_a_function_the_first_decides_its_lane(app: App) -> None:
    app.on("github", "push", lane=lambda message: "first")(first)
    app.on("github", "*", lane=lambda message: "second")(first)

    deliveries(app)

    with connect(app.store) as store:
        assert [found.lane for found in store.deliveries()] == ["first"]


def test_a_function_under_two_names_is_two_deliveries(app: App) -> None:
    app.on("github", name="one")(nothing)
    app.on("github", name="two")(nothing)

    assert deliveries(app) == [("one", "ready"), ("two", "ready")]


# TRIG-1
@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ("*", True),
        ("pull_request", True),
        ("pull_request.*", True),
        ("pull_request.opened", True),
        ("pull_*.opened", True),
        ("*.opened", True),
        ("pull_request.[no]*", True),
        ("pull_request.opene?", True),
        ("pull", False),
        ("pull_request.open", False),
        ("PULL_REQUEST", False),
        ("opened", False),
        ("", False),
        ("push", False),
    ],
)
def test_an_event_pattern_is_a_shell_pattern_and_stands_for_what_is_below_it(
    app: App, pattern: str, matches: bool
) -> None:
    app.on("github", pattern)(first)

    assert deliveries(app, "pull_request", action="opened") == [("first", "ready")] * matches


def test_routes_of_another_source_are_not_asked(app: App) -> None:
    app.source("other", scheme="github", secret=SECRET)
    app.on("other")(first)

    assert deliveries(app) == []


# INGRESS-5
def test_a_lane_keeps_messages_in_line(app: App) -> None:
    app.on("github", lane=lambda message: message.json()["repository"])(first)

    assert deliveries(app, repository="octo/cat") == [("first", "ready")]
    with connect(app.store) as store:
        assert [found.lane for found in store.deliveries()] == ["octo/cat"]


# TRIG-10, INGRESS-5
@pytest.mark.parametrize(
    "lane",
    [
        lambda message: message.json()["repository"]["full_name"],
        lambda message: 1 / 0,
        lambda message: " \n",
        lambda message: "x" * 513,
        lambda message: "a\nb",
        lambda message: "\ud800",
        lambda message: message.headers["half \ud83d of a character"],
        lambda message: sys.exit("no lane"),
    ],
)
def test_a_lane_that_cannot_be_had_makes_a_dead_delivery_and_a_good_answer(
    app: App, lane: Any
) -> None:
    app.on("github", lane=lane)(first)
    app.on("github")(second)

    assert deliveries(app) == [("first", "dead"), ("second", "ready")]
    with connect(app.store) as store:
        (dead,) = store.deliveries(state="dead")
    assert dead.error is not None
    assert dead.error.startswith("no lane: ")


# GROUP-4
@pytest.mark.parametrize("lane", [lambda message: None, lambda message: "", "", None])
def test_a_lane_of_none_is_no_lane(app: App, lane: Any) -> None:
    app.on("github", lane=lane)(first)

    assert deliveries(app) == [("first", "ready")]
    with connect(app.store) as store:
        (found,) = store.deliveries()
    assert found.lane is None


def test_the_greater_priority_is_claimed_first(app: App) -> None:
    app.on("github", "push", name="work", priority=-5)(first)
    app.on("github", "release", name="work", priority=2**31)(first)

    deliveries(app, "push")
    deliveries(app, "release")

    with connect(app.store) as store:
        claims = store.queue("work").claim(limit=2)
    assert [claim.message.event for claim in claims] == ["release", "push"]


# DEDUPE-10, DEDUPE-13
@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_key_is_kept_longer_than_its_sender_redelivers(
    scheme: SchemeName, tmp_path: Path
) -> None:
    days = {"github": 30, "stripe": 30, "slack": 1 / 24, "standard": 76 / 24, "hmac": 30}
    app = App(tmp_path / "hooks.db")
    options = Options(header="x-signature", key="body") if scheme == "hmac" else Options()
    app.source("plain", scheme=scheme, secret="c2VjcmV0c2VjcmV0c2VjcmV0c2Vj", **options)
    app.source("given", scheme=scheme, secret="c2VjcmV0c2VjcmV0c2VjcmV0c2Vj", keep_for=5, **options)

    assert app.sources["plain"].keep_ms > days[scheme] * 86_400_000
    assert app.sources["given"].keep_ms == 5_000


# PROC-2
@pytest.mark.parametrize("source", [[], None, 5])
def test_a_source_that_is_no_name_is_refused_where_it_is_written(app: App, source: Any) -> None:
    with pytest.raises(InvalidInput, match="source"):
        app.on(source)(first)

    assert app.routes == []


# PROC-2
@pytest.mark.parametrize(
    "options",
    [
        {"priority": "high"},
        {"priority": 1.5},
        {"priority": 2**63},
        {"lane": "repository"},
        {"event": None},
        {"event": 5},
        {"event": nothing},
        {"max_attempts": 0},
        {"retry_for": -1},
        {"lane_policy": "fifo"},
        {"max_rows": 0},
        {"max_bytes": "1 MB"},
        {"timeout": 0},
        {"name": "a/b"},
    ],
    ids=", ".join,
)
def test_a_route_that_could_not_work_is_refused_where_it_is_written(
    app: App, options: dict[str, Any]
) -> None:
    with pytest.raises(InvalidInput):
        app.on("github", **options)(first)

    assert app.routes == []


@pytest.mark.parametrize(
    "options",
    [
        {"scheme": "gitlab", "secret": "x"},
        {"scheme": "github"},
        {"scheme": "github", "secret": None},
        {"scheme": "github", "secret": ""},
        {"scheme": "github", "secrets": []},
        {"scheme": "github", "secrets": None},
        {"scheme": "github", "secrets": "one-secret-and-no-list"},
        {"scheme": "github", "secrets": b"bytes"},
        {"scheme": "github", "secrets": {"a": "set"}},
        {"scheme": "github", "secrets": 5},
        {"scheme": "github", "secret": "x", "secrets": ["y"]},
        {"scheme": "github", "secret": "x", "max_body": 0},
        {"scheme": "github", "secret": "x", "max_body": 2**40},
        {"scheme": "github", "secret": "x", "keep_for": -1},
        {"scheme": "github", "secret": "x", "tolerance": 5},
    ],
    ids=str,
)
def test_a_source_that_could_not_work_is_refused_where_it_is_written(
    app: App, options: dict[str, Any]
) -> None:
    with pytest.raises(InvalidInput):
        app.source("other", **options)

    assert list(app.sources) == ["github"]


# TRIG-7
@pytest.mark.parametrize("name", ["", "a/b", "..", "-x", "a b", "é", "x" * 129, None, 5])
def test_a_source_has_a_name_that_fits_an_address(app: App, name: Any) -> None:
    with pytest.raises(InvalidInput):
        app.source(name, scheme="github", secret="x")


@pytest.mark.parametrize("address", [None, 5, b"store.db"])
def test_an_app_needs_the_address_of_a_store(address: Any) -> None:
    with pytest.raises(InvalidInput):
        App(address)


def test_a_source_or_a_handler_cannot_stand_twice(app: App) -> None:
    app.on("github", name="work")(first)

    with pytest.raises(InvalidInput, match="twice"):
        app.source("github", scheme="github", secret="x")
    with pytest.raises(InvalidInput, match="two handlers"):
        app.on("github", name="work")(second)
    with pytest.raises(InvalidInput, match="two handlers"):
        app.task("work")(second)


async def later(message: Message, ctx: Context) -> None:
    """A handler that awaits."""


async def streaming(message: Message, ctx: Context) -> AsyncIterator[None]:
    """A handler that would never run."""
    yield


class Later:
    """Called like a coroutine function, and none."""

    async def __call__(self, message: Message, ctx: Context) -> None:
        pass


@pytest.mark.parametrize("handler", [later, Later()])
def test_a_coroutine_function_is_a_handler(app: App, handler: Any) -> None:
    app.task("work")(handler)

    assert app.handlers["work"].is_async
    assert app.handlers["work"].concurrency == 10


# PROC-2
@pytest.mark.parametrize("handler", [streaming, lambda: None, lambda message: None, 5, None])
def test_what_cannot_be_called_with_a_message_is_no_handler(app: App, handler: Any) -> None:
    with pytest.raises(InvalidInput):
        app.on("github", name="work")(handler)
    with pytest.raises(InvalidInput):
        app.task("work")(handler)


def test_patterns_are_compared_once_for_each_event(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[str] = []
    fnmatchcase = fnmatch.fnmatchcase

    def compare(event: str, pattern: str) -> bool:
        compared.append(event)
        return fnmatchcase(event, pattern)

    monkeypatch.setattr("fencepost.app.route.fnmatch.fnmatchcase", compare)
    app.on("github", "push")(first)

    addresses = [app.common_addresses("github", f"push.{n % 3}") for n in range(30)]

    assert [address.queue for (address,) in filter(None, addresses)] == ["first"] * 30
    assert sorted(set(compared)) == ["push.0", "push.1", "push.2"]
    assert len(compared) <= 6


def test_a_route_that_is_declared_later_gets_the_next_messages(app: App) -> None:
    app.on("github", "push")(first)
    before = app.common_addresses("github", "push")
    app.on("github", "push")(second)
    after = app.common_addresses("github", "push")

    assert [address.queue for address in before or ()] == ["first"]
    assert [address.queue for address in after or ()] == ["first", "second"]


def test_more_events_than_are_remembered_are_routed_all_the_same(app: App) -> None:
    app.on("github", "push")(first)

    found = [app.common_addresses("github", f"push.{n}") for n in (*range(2500), *range(2500))]

    assert all(addresses and addresses[0].queue == "first" for addresses in found)


def test_a_lane_function_is_called_for_each_message(app: App) -> None:
    seen: list[str | None] = []
    app.on("github", "push", lane=lambda message: seen.append(message.key))(first)
    app.on("github", "*")(second)

    with Inbox(app) as inbox:
        statuses = [inbox.post(b"{}", github(key=f"d-{n}")).status for n in range(3)]

    assert statuses == [200] * 3
    assert seen == ["d-0", "d-1", "d-2"]
    assert app.common_addresses("github", "push") is None
