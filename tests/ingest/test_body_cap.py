"""How much of a body is read, whatever its sender says about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from .inbox import Inbox, github, github_app, stored

CAP = 1000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the store of the app is."""
    return tmp_path / "hooks.db"


def body_of(size: int) -> bytes:
    return b"{" + b" " * (size - 2) + b"}"


@pytest.mark.parametrize(
    ("size", "status"), [(2, 200), (CAP - 1, 200), (CAP, 200), (CAP + 1, 413), (50 * CAP, 413)]
)
@pytest.mark.parametrize("chunk", [1_000_000, 999, 7])
@pytest.mark.parametrize("declared", [True, False])
def test_a_body_up_to_the_cap_is_taken_and_no_byte_more(
    path: Path, size: int, status: int, chunk: int, declared: bool
) -> None:
    body = body_of(size)
    chunks = [body[start : start + chunk] for start in range(0, size, chunk)]
    length = {"content-length": str(size)} if declared else {}

    with Inbox(github_app(path, max_body=CAP)) as inbox:
        answer = inbox.post(chunks, {**github(body), **length})

    assert answer.status == status
    assert stored(path) == (status == 200)


def test_without_a_cap_of_its_own_a_source_takes_a_mebibyte(path: Path) -> None:
    taken, refused = body_of(1024 * 1024), body_of(1024 * 1024 + 1)

    with Inbox(github_app(path)) as inbox:
        answers = [inbox.post(body, github(body)).status for body in (taken, refused)]

    assert answers == [200, 413]


@pytest.mark.parametrize("declared", ["0", "1", "nonsense", "-1", "+5", "\u00b2", ""])
def test_a_length_that_says_too_little_does_not_let_more_in(path: Path, declared: str) -> None:
    body = body_of(CAP + 1)

    with Inbox(github_app(path, max_body=CAP)) as inbox:
        answer = inbox.post([body[:10], body[10:]], {**github(body), "content-length": declared})

    assert answer.status == 413
    assert stored(path) == 0


@pytest.mark.parametrize("declared", [str(2**40), "9" * 400])
def test_a_length_beyond_all_measure_is_refused_before_the_body_is_read(
    path: Path, declared: str
) -> None:
    with Inbox(github_app(path, max_body=CAP)) as inbox:
        answer = inbox.post(b"{}", {**github(), "content-length": declared})

    assert (answer.status, answer.headers["connection"]) == (413, "close")
    assert stored(path) == 0


def test_a_sender_that_asks_first_is_told_before_it_sends_anything(path: Path) -> None:
    asking = {**github(), "content-length": str(CAP + 1), "expect": "100-continue"}

    with Inbox(github_app(path, max_body=CAP)) as inbox:
        answer = inbox.post(b"", asking, whole=False)

    assert answer.status == 413


@pytest.mark.parametrize("chunks", [[b""], [b"{"], [b"{", b"}"]])
def test_a_sender_that_goes_away_before_the_end_leaves_nothing(
    path: Path, chunks: list[bytes]
) -> None:
    with Inbox(github_app(path)) as inbox:
        answer = inbox.post(chunks, github(b"{}"), whole=False)

    assert answer.status == 408
    assert stored(path) == 0
