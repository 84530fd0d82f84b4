"""What is kept of what a handler returns."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from fencepost.app.handlers.results import storable

from .conftest import Site


@dataclass
class Order:
    id: int
    at: datetime


class Colour(Enum):
    RED = "red"


class Text:
    def __str__(self) -> str:
        return "its text"


class Mute:
    def __str__(self) -> str:
        raise SystemExit(1)


class Loop(dict[str, Any]):
    def __init__(self) -> None:
        super().__init__(me=self)


def _numbers() -> Iterator[int]:
    yield 1


MOMENT = datetime(2026, 11, 30, tzinfo=UTC)


# GROUP-3
@pytest.mark.parametrize(
    ("result", "kept"),
    [
        ({"n": 1}, {"n": 1}),
        ((1, 2), [1, 2]),
        ({3}, [3]),
        (b"ab", "YWI="),
        (MOMENT, "2026-11-30T00:00:00Z"),
        (Decimal("1.10"), "1.10"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Colour.RED, "red"),
        ({1: {"at": MOMENT}}, {"1": {"at": "2026-11-30T00:00:00Z"}}),
        (Order(7, MOMENT), {"id": 7, "at": "2026-11-30T00:00:00Z"}),
        (float("nan"), None),
        ([1.0, float("inf")], [1.0, None]),
    ],
)
def test_what_json_has_something_for_is_kept(result: object, kept: object) -> None:
    encoded, wrong = storable(result)

    assert encoded is not None
    assert json.loads(encoded) == kept
    assert wrong == ""


# GROUP-3
def test_an_object_is_kept_as_its_text_and_that_is_said() -> None:
    assert storable({"page": Text()}) == (
        '{"page": "its text"}',
        "the result of a handler is not JSON: Text is stored as text",
    )
    assert json.loads(storable([Path("/srv")])[0] or "") == ["/srv"]


# GROUP-3
@pytest.mark.parametrize(
    "result", [Mute(), Loop(), {(1, 2): 3}, "x" * 65_537, [b"x" * 60_000]], ids=str.__class__
)
def test_what_cannot_be_kept_is_dropped_and_that_is_said(result: object) -> None:
    encoded, wrong = storable(result)

    assert encoded is None
    assert "not stored" in wrong


# GROUP-3
def test_a_result_that_is_not_json_leaves_the_work_done_and_is_logged_once(site: Site) -> None:
    with (site.folder / "app.py").open("a") as file:
        file.write(
            "\n\n@app.task('odd', max_attempts=1)\n"
            "def odd(message, ctx):\n"
            "    return {'loop': app} if message.key != 'date' else {'at': __import__('datetime').date.min}\n"
        )
    queue = site.store.queue("odd")
    queue.enqueue_many([{"body": b"", "key": key} for key in ("a", "b", "date")])

    said = site.drain()

    assert queue.stats().done == 3
    assert queue.enqueue(b"", key="date").result == {"at": "0001-01-01"}
    assert said.count("the result of a handler is not JSON") == 1
