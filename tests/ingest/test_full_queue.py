"""A queue at its cap: the sender is told to come again, and nobody else notices."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from fencepost import App, connect

from .inbox import SECRET, Inbox, github, nothing, stored


@pytest.fixture
def app(tmp_path: Path) -> App:
    """One source, a queue with room for two and one without a bound."""
    app = App(str(tmp_path / "hooks.db"))
    app.source("github", scheme="github", secret=SECRET)
    app.on("github", "push", name="small", max_rows=2)(nothing)
    app.on("github", "*", name="large", lane_policy="park", retry_for=60)(nothing)
    return app


# FP-2, INPUT-9
def test_at_the_cap_a_message_is_refused_whole_until_there_is_room(app: App) -> None:
    with Inbox(app) as inbox:
        codes = [inbox.post(b"{}", github()).status for _ in range(2)]
        refused = inbox.post(b"{}", github(key="again"))
        other = inbox.post(b"{}", github(event="ping"))
        with connect(app.store) as store:
            (claim,) = store.queue("small").claim()
            claim.ack()
        accepted = inbox.post(b"{}", github(key="again"))

    assert codes == [200, 200]
    assert refused.status == 503
    assert int(refused.headers["retry-after"]) >= 1
    assert "full" in refused.json()["error"]
    assert other.status == 200
    assert accepted.json()["status"] == "accepted"
    with connect(app.store) as store:
        assert store.stats()["small"].ready == 2
        assert store.stats()["large"].ready == 4


def test_of_many_at_once_as_many_are_accepted_as_fit(app: App) -> None:
    with Inbox(app) as inbox:

        async def at_once() -> list[int]:
            answers = await asyncio.gather(*(inbox.request(b"{}", github()) for _ in range(10)))
            return sorted(answer.status for answer in answers)

        codes = inbox.run(at_once())

    assert codes == [200] * 2 + [503] * 8
    assert stored(Path(app.store)) == 2


def test_a_message_too_large_for_its_queue_is_413(tmp_path: Path) -> None:
    app = App(str(tmp_path / "hooks.db"))
    app.source("github", scheme="github", secret=SECRET)
    app.on("github", name="tiny", max_bytes=10)(nothing)
    body = b'{"much": "too large"}'

    with Inbox(app) as inbox:
        answer = inbox.post(body, github(body))

    assert answer.status == 413
    assert stored(Path(app.store)) == 0
