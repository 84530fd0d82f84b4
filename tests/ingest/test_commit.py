"""The ack comes after the commit, and requests that come together share one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from fencepost import Store, StoreBusy, connect

from .inbox import Answer, Inbox, counted_commits, github, github_app, stored


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the store of the app is."""
    return tmp_path / "hooks.db"


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Hold the store's one write lock, as another process would."""
    with connect(str(path)) as other, other.transaction():
        yield


async def committing(inbox: Inbox, count: int) -> list[asyncio.Task[Answer]]:
    """Begin requests, and return once all of them wait for their commit."""
    tasks = [asyncio.create_task(inbox.request(b"{}", github())) for _ in range(count)]
    done, _ = await asyncio.wait(tasks, timeout=0.2, return_when=asyncio.FIRST_COMPLETED)
    assert not done, [task.result() for task in done]
    return tasks


async def turns() -> None:
    """Let the loop do all that it can do at once."""
    for _ in range(20):
        await asyncio.sleep(0)


# INPUT-9, TRIG-9
def test_when_the_answer_begins_the_message_is_there_for_every_other_connection(
    path: Path,
) -> None:
    seen: list[int] = []

    with Inbox(github_app(path)) as inbox:
        inbox.run(inbox.request(b"{}", github(), at_answer=lambda: seen.append(stored(path))))

    assert seen == [1]


# INPUT-9
def test_no_answer_comes_while_the_commit_is_held_up(path: Path) -> None:
    async def held_up() -> Answer:
        with writing(path):
            (task,) = await committing(inbox, 1)
        return await task

    with Inbox(github_app(path)) as inbox:
        answer = inbox.run(held_up())

    assert (answer.status, answer.json()["status"]) == (200, "accepted")
    assert stored(path) == 1


# DEDUPE-4
def test_a_busy_store_is_answered_503_in_time_and_nothing_is_stored(path: Path) -> None:
    headers = github(key="d-1")

    async def busy() -> tuple[Answer, float]:
        loop = asyncio.get_running_loop()
        started = loop.time()
        with writing(path):
            return await inbox.request(b"{}", headers), loop.time() - started

    with Inbox(github_app(path)) as inbox:
        refused, seconds = inbox.run(busy())
        before = stored(path)
        again = inbox.post(b"{}", headers)

    assert (refused.status, refused.headers["retry-after"]) == (503, "1")
    assert seconds < 3
    assert before == 0
    assert again.json()["status"] == "accepted"


@pytest.mark.parametrize("where", ["/healthz", "/in/github"])
def test_while_the_store_is_busy_a_look_at_it_holds_nobody_else_up(path: Path, where: str) -> None:
    async def busy() -> None:
        with writing(path):
            (waiting,) = await committing(inbox, 1)
            looking = asyncio.create_task(inbox.request(b"", {}, path="/readyz", method="GET"))
            await turns()
            other = await inbox.request(b"", {}, path=where, method="GET")
            await turns()
            in_time = not waiting.done()
        assert other.status in (200, 405)
        assert in_time
        assert (await waiting).status == 200
        assert (await looking).status in (200, 503)

    with Inbox(github_app(path)) as inbox:
        inbox.run(busy())


def test_requests_of_one_moment_share_a_commit_and_single_ones_have_their_own(path: Path) -> None:
    async def together() -> list[Answer]:
        requests = [inbox.request(b"{}", github()) for _ in range(100)]
        return await asyncio.gather(*requests)

    with counted_commits() as commits, Inbox(github_app(path)) as inbox:
        commits.clear()
        answers = inbox.run(together())
        shared = len(commits)
        for _ in range(5):
            inbox.post(b"{}", github())
        single = len(commits) - shared

    assert len({answer.json()["id"] for answer in answers}) == 100
    assert (shared, single) == (1, 5)


@pytest.mark.parametrize(("count", "size", "commits_"), [(501, 2, 2), (9, 1024 * 1024, 2)])
def test_what_would_hold_the_lock_for_long_is_shared_out(
    path: Path, count: int, size: int, commits_: int
) -> None:
    body = b"{" + b" " * (size - 2) + b"}"

    async def together() -> list[Answer]:
        return await asyncio.gather(*(inbox.request(body, github(body)) for _ in range(count)))

    with counted_commits() as commits, Inbox(github_app(path)) as inbox:
        commits.clear()
        answers = inbox.run(together())
        seen = len(commits)

    assert {answer.status for answer in answers} == {200}
    assert seen == commits_


def test_a_receiver_waits_for_a_store_that_it_cannot_use_yet_and_says_so(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    failures = [StoreBusy(path=str(path), operation="open", waited=5.0)] * 2

    def refuse_at_first(*arguments: Any, **options: Any) -> Store:
        if failures:
            raise failures.pop()
        return connect(*arguments, **options)

    monkeypatch.setattr("fencepost.ingest.lazy_store.connect", refuse_at_first)
    options = {name: partial(said.append, name) for name in ("on_waiting", "on_ready")}
    with Inbox(github_app(path), **options) as inbox:
        assert inbox.post(b"{}", github()).status == 200

    assert said == ["on_waiting", "on_ready"]


# TRIG-5
def test_one_key_many_times_in_a_moment_is_accepted_once(path: Path) -> None:
    headers = github(key="d-1")

    async def together() -> list[Answer]:
        return await asyncio.gather(*(inbox.request(b"{}", headers) for _ in range(20)))

    with Inbox(github_app(path)) as inbox:
        answers = inbox.run(together())

    statuses = sorted(answer.json()["status"] for answer in answers)
    assert statuses == ["accepted"] + ["duplicate"] * 19
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert stored(path) == 1


def test_a_cancelled_request_leaves_the_others_of_its_commit_alone(path: Path) -> None:
    async def one_cancelled() -> list[Answer | BaseException]:
        with writing(path):
            tasks = await committing(inbox, 5)
            tasks[2].cancel()
            await asyncio.wait([tasks[2]])
        return await asyncio.gather(*tasks, return_exceptions=True)

    with Inbox(github_app(path)) as inbox:
        answers = inbox.run(one_cancelled())
        later = inbox.post(b"{}", github())

    assert isinstance(answers.pop(2), asyncio.CancelledError)
    assert [answer.status for answer in answers if isinstance(answer, Answer)] == [200] * 4
    assert later.status == 200


def test_a_commit_that_fails_is_told_to_all_that_shared_it_and_the_next_goes_well(
    path: Path,
) -> None:
    async def all_busy() -> list[Answer]:
        with writing(path):
            return await asyncio.gather(*(inbox.request(b"{}", github()) for _ in range(3)))

    with Inbox(github_app(path)) as inbox:
        refused = inbox.run(all_busy())
        later = inbox.post(b"{}", github())

    assert [answer.status for answer in refused] == [503] * 3
    assert later.status == 200
    assert stored(path) == 1


def test_a_request_that_waits_at_shutdown_is_stored_and_answered(path: Path) -> None:
    inbox = Inbox(github_app(path))
    tasks: list[asyncio.Task[Answer]] = []

    async def begin() -> None:
        with writing(path):
            tasks.extend(await committing(inbox, 2))

    with inbox:
        inbox.run(begin())

    assert [task.result().status for task in tasks] == [200, 200]
    assert stored(path) == 2
