"""What a handler can be set to, and what is refused where it is written."""

from __future__ import annotations

import ast
import inspect
import re
from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from fencepost import App, Context, InvalidInput, Message
from fencepost.app.handlers.handler import Handler
from fencepost.app.settings import CheckedSettings, Settings
from fencepost.cli.check.description import queues
from fencepost.store.types.messages.limits import Limits


def work(message: Message, ctx: Context) -> None:
    """A plain handler."""


async def later(message: Message, ctx: Context) -> None:
    """A handler that awaits."""


def made(function: Any = work, app: App | None = None, **settings: Any) -> Handler:
    app = app or App("unused.db")
    app.task("work", **settings)(function)
    return app.handlers["work"]


def test_a_handler_without_settings_has_the_defaults() -> None:
    found = made()

    assert found.limits == Limits(max_attempts=None, retry_for_ms=259_200_000, max_crashes=3)
    assert (found.timeout, found.soft_timeout, found.backoff) == (None, None, None)
    assert (found.at_most_once, found.concurrency, dict(found.rules)) == (False, 1, {})
    assert made(later).concurrency == 10


def test_a_route_takes_what_a_task_takes() -> None:
    app = App("unused.db")
    settings: dict[str, Any] = {
        "max_attempts": 5,
        "retry_for": timedelta(days=1),
        "backoff": 30,
        "retry_on": {OSError: 5},
        "discard_on": (ValueError,),
        "timeout": 20,
        "soft_timeout": 10,
        "max_crashes": 2,
        "prefetch": 10,
        "max_leased": 4,
        "max_rows": 100,
        "max_bytes": 1000,
        "keep_body_for": timedelta(days=7),
    }
    app.on("github", "push", **settings)(work)
    app.on("github", "push", name="later", concurrency=50)(later)

    assert app.handlers["work"] == made(app=App("unused.db"), **settings)
    assert app.handlers["later"].concurrency == 50


@pytest.mark.parametrize(
    "settings",
    [
        {"timeout": 5, "soft_timeout": 5},
        {"timeout": 5, "soft_timeout": 6},
        {"soft_timeout": 0},
        {"soft_timeout": -1},
        {"backoff": -1},
        {"backoff": "5"},
        {"backoff": 3601},
        {"backoff": float("nan")},
        {"discard_on": ValueError},
        {"discard_on": ["ValueError"]},
        {"discard_on": [int]},
        {"discard_on": 5},
        {"retry_on": {ValueError: -1}},
        {"retry_on": {ValueError: None}},
        {"retry_on": {"ValueError": 1}},
        {"retry_on": [ValueError]},
        {"retry_on": {ValueError: 1}, "discard_on": [ValueError]},
        {"max_attempts": 0},
        {"retry_for": -1},
        {"retry_for": "3 days"},
        {"max_crashes": 0},
        {"max_crashes": "3"},
        {"max_leased": 0},
        {"max_leased": 1.5},
        {"concurrency": 2},
        {"concurrency": 1},
        {"prefetch": 0},
        {"prefetch": -1},
        {"prefetch": 1.5},
        {"prefetch": True},
        {"prefetch": "1"},
        {"at_most_once": True, "max_attempts": 2},
        {"at_most_once": True, "retry_for": 5},
        {"at_most_once": True, "backoff": 5},
        {"at_most_once": True, "retry_on": {ValueError: 1}},
        {"at_most_once": True, "max_crashes": 3},
    ],
    ids=str,
)
def test_settings_that_make_no_sense_are_refused_where_they_are_written(
    settings: dict[str, Any],
) -> None:
    with pytest.raises(InvalidInput):
        made(**settings)


@pytest.mark.parametrize("concurrency", [0, -1, 1001, 1.5, True])
def test_concurrency_is_a_sensible_number(concurrency: Any) -> None:
    with pytest.raises(InvalidInput):
        made(later, concurrency=concurrency)


def test_a_coroutine_function_has_concurrency_in_place_of_prefetch() -> None:
    with pytest.raises(InvalidInput, match="concurrency"):
        made(later, prefetch=2)

    assert made(later, prefetch=None).prefetch is None


def test_a_setting_that_there_is_not_is_an_error_that_names_it() -> None:
    with pytest.raises(TypeError, match="max_attemps"):
        made(max_attemps=5)


def test_at_most_once_is_one_attempt() -> None:
    found = made(at_most_once=True, timeout=5, discard_on=[ValueError], max_attempts=1)

    assert found.at_most_once
    assert found.limits == Limits(max_attempts=1, max_crashes=1, at_most_once=True)


def test_at_most_once_needs_a_store_that_keeps_its_claims_over_a_power_loss() -> None:
    with pytest.raises(InvalidInput, match="durability"):
        made(app=App("unused.db", durability="normal"), at_most_once=True)


def test_each_setting_is_checked_and_shown_and_has_its_meaning_beside_it() -> None:
    app = App("unused.db")
    made(app=app)
    (shown,) = queues(app)
    (declared,) = ast.parse(inspect.getsource(Settings)).body
    assert isinstance(declared, ast.ClassDef)
    explained = {
        ast.unparse(setting.target)
        for setting, meaning in zip(declared.body, declared.body[1:], strict=False)
        if isinstance(setting, ast.AnnAssign) and isinstance(meaning, ast.Expr)
    }

    names = set(Settings.__annotations__)
    assert {each.name for each in fields(CheckedSettings)} == names
    assert explained == names
    assert names < set(shown)


def test_the_page_on_handlers_has_each_setting_with_its_default() -> None:
    page = (Path(__file__).parent.parent.parent / "docs/handlers.md").read_text()
    (table,) = re.findall(r"^\| setting \| default \|.*?\n\n", page, re.MULTILINE | re.DOTALL)
    default = {
        name: cells[2].strip()
        for cells in (line.split("|") for line in table.splitlines()[2:] if line)
        for name in re.findall(r"`(\w+)`", cells[1])
    }
    plain, with_loop = made(), made(later)

    of_routes = {"name", "priority", "lane", "lane_policy"}
    assert set(default) == set(Settings.__annotations__) | of_routes
    assert default["retry_for"] == f"{plain.retry_for / 86_400:.0f} days"
    assert default["max_crashes"] == str(plain.max_crashes)
    assert default["concurrency"] == str(with_loop.concurrency)
    assert default["at_most_once"] == f"`{plain.at_most_once}`"
