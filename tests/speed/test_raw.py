"""The baseline keeps the rows that it is said to keep."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from fencepost.speed.raw import Raw
from fencepost.stress.sqlite.disk.disk import disk

from ..sqlite.inside import ask


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "raw.db"


@pytest.fixture
def raw(path: Path) -> Iterator[Raw]:
    with closing(Raw(path)) as raw:
        yield raw


def test_a_key_is_kept_after_the_work_and_its_body_is_not(raw: Raw, path: Path) -> None:
    raw.enqueue(["a", "b", "a"], b"body")
    claims = raw.claim(10)
    raw.ack(claims)
    raw.enqueue(["a"], b"body")

    assert [row[1:3] for row in claims.rows] == [("a", b"body"), ("b", b"body")]
    assert ask(path, "select key, body, state, fence from raw_message") == [
        ("a", None, 2, 1),
        ("b", None, 2, 1),
    ]


def test_an_ack_of_a_lease_that_went_to_another_is_refused(raw: Raw, path: Path) -> None:
    raw.enqueue(["a"], b"body")
    claims = raw.claim(1)
    stranger = apsw.Connection(str(path))
    stranger.execute("update raw_message set fence = fence + 1")
    stranger.close()

    with pytest.raises(AssertionError):
        raw.ack(claims)


def test_an_effect_and_its_ack_are_one_transaction_for_each_message(raw: Raw, path: Path) -> None:
    raw.enqueue(["a", "b"], b"body")
    raw.complete(raw.claim(2))

    assert ask(path, "select key, fence from raw_effect") == [("a", 1), ("b", 1)]
    assert ask(path, "select distinct state from raw_message") == [(2,)]


@pytest.mark.parametrize("stable_plans", [False, True])
def test_each_commit_is_synced(path: Path, stable_plans: bool) -> None:
    with disk() as here, closing(Raw(path, stable_plans=stable_plans)) as raw:
        raw.enqueue(["first"], b"body")
        here.done.clear()

        raw.enqueue(["a", "b"], b"body")
        raw.ack(raw.claim(3))

        assert here.done["sync"] == 3
