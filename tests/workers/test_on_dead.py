"""An app's on_dead: called for each delivery that becomes a dead letter, however it came about."""

from __future__ import annotations

import hashlib
import hmac
import json
import signal
from pathlib import Path

import pytest

from fencepost import App, InvalidInput, Store, connect

from ..processes import PATIENCE_SECONDS, fencepost, line_of, running, wait_until

APP = """
import os, signal
from pathlib import Path
from fencepost import App, Discard

here = Path(__file__).parent
app = App(str(here / "store.db"))
app.source("hooks", scheme="hmac", secret="s", key="body")


@app.on("hooks", lane=lambda message: 1 / 0)
def laned(message, ctx):
    pass


@app.task("failing", max_attempts=1)
def failing(message, ctx):
    raise ValueError("boom")


@app.task("discarding")
def discarding(message, ctx):
    raise Discard("not for us")


@app.task("crashing", max_crashes=1)
def crashing(message, ctx):
    os.kill(os.getpid(), signal.SIGSEGV)


@app.on_dead
def told(message, ctx):
    first = here / f"tried-{message.id}"
    if message.body == b"on_dead dies" and not first.exists():
        first.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if message.body == b"on_dead raises" and not first.exists():
        first.touch()
        raise OSError("no pager today")


@app.on_dead
async def noted(message, ctx):
    assert ctx.store.delivery(ctx.delivery).state == "dead"
    with (here / "dead").open("a") as file:
        file.write(f"{message.body.decode()}|{message.key}|{ctx.queue}|{ctx.attempt}|{ctx.error}\\n")
"""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """The store of an app that is told of its dead, in a pool of one worker."""
    (tmp_path / "hooks.py").write_text(APP)
    return connect(tmp_path / "store.db")


def _dead(folder: Path) -> list[list[str]]:
    path = folder / "dead"
    return [line.split("|") for line in path.read_text().splitlines()] if path.exists() else []


def _with_a_pool(folder: Path, told: int) -> None:
    """Run a pool until deaths in so many queues were told."""
    with running(fencepost("work", "hooks.py", "--workers", "1"), cwd=folder) as pool:
        assert line_of(pool).startswith("1 worker is processing queues ")
        wait_until(lambda: len({line[2] for line in _dead(folder)}) >= told, "the deaths")
        pool.send_signal(signal.SIGTERM)
        assert pool.wait(PATIENCE_SECONDS) == 0


# HOOK-5
def test_each_death_is_told_however_it_came_about(tmp_path: Path, store: Store) -> None:
    for queue in ("failing", "discarding", "crashing"):
        store.queue(queue).enqueue(b"x", key=f"key of {queue}")
    _with_a_pool(tmp_path, 3)

    # Dead before a worker has seen it; the receiver alone is there by then.
    namespace: dict[str, object] = {"__file__": str(tmp_path / "hooks.py")}
    exec(compile(APP, "hooks.py", "exec"), namespace)  # noqa: S102 - the app above
    app = namespace["app"]
    assert isinstance(app, App)
    signature = hmac.new(b"s", b"{}", hashlib.sha256).hexdigest()
    answer = app.accept("hooks", {"x-signature": signature}, b"{}")
    app.close()
    assert answer.status == 200, answer
    _with_a_pool(tmp_path, 4)

    found = {line[2]: line for line in _dead(tmp_path)}
    assert found["failing"][:4] == ["x", "key of failing", "failing", "1"]
    assert "ValueError: boom (hooks.py:" in found["failing"][4]
    assert found["discarding"][4] == "not for us"
    assert "SIGSEGV" in found["crashing"][4]
    assert found["laned"][3] == "0"
    assert "ZeroDivisionError" in found["laned"][4]


# HOOK-6
@pytest.mark.parametrize("how", ["raises", "dies"])
def test_on_dead_that_fails_is_called_again(tmp_path: Path, store: Store, how: str) -> None:
    store.queue("failing").enqueue(f"on_dead {how}".encode())
    _with_a_pool(tmp_path, 1)

    assert len(_dead(tmp_path)) == 1
    assert store.queue("fencepost.on_dead").stats().dead == 0


# HOOK-6
def test_a_replay_that_dies_again_is_told_again(tmp_path: Path, store: Store) -> None:
    receipt = store.queue("failing").enqueue(b"x")
    _with_a_pool(tmp_path, 1)
    with running(fencepost("work", "hooks.py", "--workers", "1"), cwd=tmp_path) as pool:
        line_of(pool)
        assert store.replay(receipt.message_id).kind == "replayed"
        wait_until(lambda: len(_dead(tmp_path)) == 2, "the second death")
        pool.send_signal(signal.SIGTERM)
        assert pool.wait(PATIENCE_SECONDS) == 0


# HOOK-7
def test_deaths_from_before_there_was_an_on_dead_are_not_told(tmp_path: Path, store: Store) -> None:
    store.queue("failing").enqueue(b"early")
    (claim,) = store.queue("failing").claim(lease=30)
    claim.bury("by hand")
    store.queue("failing").enqueue(b"late")
    _with_a_pool(tmp_path, 1)

    assert [line[0] for line in _dead(tmp_path)] == ["late"]


# HOOK-8
def test_an_on_dead_that_always_fails_ends_in_a_dead_letter_of_its_own(store: Store) -> None:
    store.engine.queue.tell_deaths({"q": True})
    store.queue("q").enqueue(b"x")
    (claim,) = store.queue("q").claim(lease=30)
    claim.bury("no")
    (told,) = store.queue("fencepost.on_dead").claim(lease=30)
    assert json.loads(told.message.body) == {
        "delivery": claim.id,
        "error": "no",
        "attempt": 1,
        "queue": "q",
    }
    told.bury("on_dead always fails")

    assert store.queue("fencepost.on_dead").claim(lease=30) == []
    store.engine.queue.tell_deaths({"q": False})
    store.queue("q").enqueue(b"y")
    (claim,) = store.queue("q").claim(lease=30)
    claim.bury("no")
    assert store.queue("fencepost.on_dead").claim(lease=30) == []


# HOOK-8
def test_an_on_dead_that_takes_something_else_is_refused() -> None:
    app = App("store.db")
    with pytest.raises(InvalidInput):
        app.on_dead(lambda message: None)
    with pytest.raises(InvalidInput):
        app.on_dead(None)  # type: ignore[type-var]
