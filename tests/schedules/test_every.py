"""App.every: what a schedule may be, and the handler that it has."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from fencepost import App, InvalidInput
from fencepost.store.types.schedule import Rule
from fencepost.testing import enqueue


@pytest.fixture
def app() -> App:
    return App("hooks.db")


def report(message: Any, ctx: Any) -> Any:
    """A handler."""
    return message.key


# CRON-8
def test_settings_are_those_of_any_handler(app: App) -> None:
    app.every(minutes=1, max_leased=1, max_attempts=3, timeout=60)(report)

    handler = app.handlers["report"]
    address = app.schedules["report"].address
    assert (handler.max_leased, handler.timeout, handler.max_attempts) == (1, 60, 3)
    assert (address.queue, address.max_attempts) == ("report", 3)


def test_a_rule_is_the_handlers_name_its_times_and_its_policy(app: App) -> None:
    app.every("0 9 * * mon-fri", timezone="Europe/Berlin", missed="each")(report)
    app.every(cron="@daily", name="nightly")(report)
    app.every(hours=1, minutes=30, name="often", missed="skip")(report)

    assert [each.rule for each in app.schedules.values()] == [
        Rule("report", "0 9 * * MON-FRI", "Europe/Berlin", "each"),
        Rule("nightly", "0 0 * * *", "UTC", "once"),
        Rule("often", "every 5400 s", "UTC", "skip"),
    ]


# CRON-2
@pytest.mark.parametrize(
    ("cron", "others"),
    [
        (None, {}),
        ("0 9 * *", {}),
        ("0 0 9 * * *", {}),
        ("0 9 30 2 *", {}),
        ("0 9 * * *", {"minutes": 5}),
        ("0 9 * * *", {"timezone": "Mars/Olympus"}),
        ("0 9 * * *", {"missed": "twice"}),
        (None, {"minutes": 5, "timezone": "Europe/Berlin"}),
        (None, {"seconds": 0}),
        (None, {"seconds": 1.5}),
        (None, {"minutes": -1}),
        (None, {"hours": 24 * 367}),
        (None, {"minutes": "5"}),
        (None, {"minutes": 5, "name": "a/b"}),
        (None, {"minutes": 5, "max_attempts": 0}),
    ],
)
def test_what_cannot_be_a_schedule_is_refused_when_it_is_declared(
    app: App, cron: str | None, others: dict[str, Any]
) -> None:
    with pytest.raises(InvalidInput) as refused:
        app.every(cron, **others)(report)

    assert (refused.value.operation, refused.value.path) == ("every", "hooks.db")
    assert app.schedules == {}


# CRON-2
@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        ({"minutes": 1 / 3}, 20),
        ({"hours": 1 / 3}, 1200),
        ({"hours": 1, "minutes": 30}, 5400),
        ({"seconds": timedelta(minutes=5)}, 300),
        ({"minutes": timedelta(minutes=5)}, 300),  # it says its unit itself
        ({"hours": timedelta(minutes=5)}, 300),
    ],
)
def test_a_period_is_what_its_parts_say(app: App, given: dict[str, Any], seconds: int) -> None:
    app.every(**given)(report)

    assert app.schedules["report"].rule.spec == f"every {seconds} s"


def test_a_handler_has_one_schedule(app: App) -> None:
    app.every(minutes=5)(report)

    with pytest.raises(InvalidInput, match="two schedules"):
        app.every(minutes=6)(report)


def test_a_handler_may_have_a_route_and_a_schedule(app: App) -> None:
    app.source("github", scheme="github", secret="s")
    app.on("github", "push")(report)
    app.every("@daily")(report)

    assert list(app.handlers) == ["report"]
    assert list(app.schedules) == ["report"]


def test_a_scheduled_handler_is_tested_by_enqueueing_its_planned_time(app: App) -> None:
    app.every("@daily")(report)

    assert enqueue(app, "report", key="2027-03-01T00:00:00Z").result == "2027-03-01T00:00:00Z"
