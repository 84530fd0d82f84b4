"""Group commit: what shares a transaction, and whom the fault of one concerns."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

from fencepost import Receipt, connect
from fencepost.ingest.committer import Committer, LoopWait, Outcome
from fencepost.store.types.messages.draft import Draft

from ..processes import wait_until
from .inbox import counted_commits


def _draft(key: str, event: str = "") -> Draft:
    return Draft(scope="s", source="s", key=key, event=event, headers={}, body=b"", addresses=[])


def test_a_draft_that_cannot_be_stored_fails_alone(tmp_path: Path) -> None:
    drafts = [_draft("1"), _draft("2", event="\ud800"), _draft("3")]

    async def commit() -> list[object]:
        committer = Committer(store.engine)
        answers = await asyncio.gather(*map(committer.commit, drafts), return_exceptions=True)
        again = await committer.commit(_draft("4"))
        await committer.close()
        return [*answers, again]

    with connect(tmp_path / "store.db") as store:
        one, two, three, four = asyncio.run(commit())

    assert isinstance(two, UnicodeEncodeError)
    assert [getattr(receipt, "status", None) for receipt in (one, three, four)] == ["accepted"] * 3


# ACCEPT-11
def test_what_arrives_during_a_commit_shares_the_next_one(tmp_path: Path) -> None:
    outcomes: list[Outcome] = []

    async def commit() -> int:
        committer = Committer(store.engine)
        commits.clear()
        with connect(tmp_path / "store.db") as other, other.transaction():
            for n in range(32):
                committer.add(_draft(str(n)), outcomes.append)
                for _ in range(3):  # the first is in the thread now, and waits for the lock
                    await asyncio.sleep(0)
        await committer.close()
        return len(commits)

    with counted_commits() as commits, connect(tmp_path / "store.db") as store:
        shared = asyncio.run(commit())

    assert [getattr(outcome, "status", None) for outcome in outcomes] == ["accepted"] * 32
    assert shared - 1 == 2  # one is of the other connection


# ACCEPT-11
def test_a_large_commit_runs_while_the_requests_of_the_last_are_answered(tmp_path: Path) -> None:
    seen: list[int] = []

    def answer(outcome: Outcome) -> None:
        """Answer so slowly that the next batch is on disk before."""
        wait_until(lambda: len(commits) >= 3, "the second commit")
        seen.append(len(commits))

    async def commit() -> None:
        committer = Committer(store.engine)
        commits.clear()
        with connect(tmp_path / "store.db") as other, other.transaction():
            committer.add(_draft("1"), answer)
            for _ in range(3):
                await asyncio.sleep(0)
            for n in range(64):
                committer.add(_draft(f"next-{n}"), lambda _: None)
        await committer.close()

    with counted_commits() as commits, connect(tmp_path / "store.db") as store:
        asyncio.run(commit())

    assert seen == [3]  # one is of the other connection


# ACCEPT-11
def test_a_small_commit_waits_for_those_who_have_just_been_answered(tmp_path: Path) -> None:
    outcomes: list[Outcome] = []

    def send_again(outcome: Outcome) -> None:
        outcomes.append(outcome)
        for n in range(30):
            committer.add(_draft(f"again-{n}"), outcomes.append)

    async def commit() -> int:
        commits.clear()
        with connect(tmp_path / "store.db") as other, other.transaction():
            committer.add(_draft("1"), send_again)
            for _ in range(3):
                await asyncio.sleep(0)
            committer.add(_draft("2"), outcomes.append)
        await committer.close()
        return len(commits)

    with counted_commits() as commits, connect(tmp_path / "store.db") as store:
        committer = Committer(store.engine)
        shared = asyncio.run(commit())

    assert [getattr(outcome, "status", None) for outcome in outcomes] == ["accepted"] * 32
    assert shared - 1 == 2  # one is of the other connection


def test_an_answer_that_fails_leaves_the_others_of_its_commit_alone(tmp_path: Path) -> None:
    outcomes: list[Outcome] = []
    problems: list[object] = []

    def fail(outcome: Outcome) -> None:
        raise OSError("the connection is gone")

    async def commit() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, problem: problems.append(problem["exception"]))
        committer = Committer(store.engine)
        for n, answer in enumerate([outcomes.append, fail, outcomes.append]):
            committer.add(_draft(str(n)), answer)
        await committer.close()

    with connect(tmp_path / "store.db") as store:
        asyncio.run(commit())

    assert [type(outcome) for outcome in outcomes] == [Receipt, Receipt]
    assert [str(problem) for problem in problems] == ["the connection is gone"]


def test_what_waits_when_the_thread_has_ended_is_told_so(tmp_path: Path) -> None:
    outcomes: list[Outcome] = []

    async def commit() -> None:
        committer = Committer(store.engine)
        await committer.close()
        for n in range(600):
            committer.add(_draft(str(n)), outcomes.append)
        await committer.close()

    with connect(tmp_path / "store.db") as store:
        asyncio.run(commit())

    assert [type(outcome) for outcome in outcomes] == [RuntimeError] * 600


# ACCEPT-12
def test_a_loop_that_waits_for_its_commits_goes_on_when_the_disk_is_slow(tmp_path: Path) -> None:
    outcomes: list[Outcome] = []
    synced = threading.Event()

    async def commit() -> bool:
        committer = Committer(store.engine, wait=LoopWait())
        committer.add(_draft("1"), outcomes.append)
        while not commits:
            await asyncio.sleep(0)
        early = bool(outcomes)
        synced.set()  # which the loop never came to if it waited for it
        await committer.close()
        return early

    with connect(tmp_path / "store.db"):  # its own commits are no part of this
        pass
    slow = counted_commits(lambda: synced.wait(30))
    with slow as commits, connect(tmp_path / "store.db") as store:
        early = asyncio.run(commit())

    assert not early
    assert [getattr(outcome, "status", None) for outcome in outcomes] == ["accepted"]


# ACCEPT-12
def test_a_loop_that_waits_for_its_commits_goes_on_when_another_writes(tmp_path: Path) -> None:
    outcomes: list[Outcome] = []

    async def commit() -> bool:
        committer = Committer(store.engine, wait=LoopWait())
        with connect(tmp_path / "store.db") as other, other.transaction():
            committer.add(_draft("1"), outcomes.append)
            for _ in range(9):
                await asyncio.sleep(0)
            early = bool(outcomes)
        await committer.close()
        return early

    with connect(tmp_path / "store.db") as store:
        early = asyncio.run(commit())

    assert not early
    assert [getattr(outcome, "status", None) for outcome in outcomes] == ["accepted"]


# ACCEPT-12
def test_slow_commits_are_waited_for_ever_more_rarely() -> None:
    wait = LoopWait()

    def commits(count: int, *, in_time: bool) -> int:
        """Return how many of them were waited for."""
        waited = 0
        for _ in range(count):
            if wait.begins():
                waited += 1
                wait.ended(in_time=in_time)
        return waited

    assert commits(1, in_time=False) == 1
    assert commits(20, in_time=True) == 20  # one alone changes nothing
    assert commits(2550, in_time=False) == 17
    assert 2300 <= commits(2550, in_time=True) < 2550
    assert commits(100, in_time=True) == 100
