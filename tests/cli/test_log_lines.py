"""What the long-running commands write to their log."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import http.client
import json
import os
import pty
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fencepost import connect

from ..processes import PATIENCE_SECONDS, fencepost, line_of, running, wait_until
from .command import run

APP = """
import ctypes, json, logging, threading, warnings
from fencepost import App, Discard, Retry

app = App("hooks.db")
app.source("hooks", scheme="hmac", secret="s", key="header:x-id")


@app.on("hooks")
def note(message, ctx):
    warnings.warn("old")
    logging.getLogger("theirs").warning("said by %s", "logging")
    thread = threading.Thread(target=lambda: 1 / 0)
    thread.start()
    thread.join()


@app.task("failing", max_attempts=2, backoff=0.01)
def failing(message, ctx):
    if ctx.attempt == 1:
        raise Retry(after=0.01, reason="not yet")
    json.loads("{")


@app.task("done")
def done(message, ctx):
    with ctx.transaction():
        pass


class Unraisable:
    def __del__(self):
        raise RuntimeError("in a destructor")


@app.task("unraisable")
def unraisable(message, ctx):
    Unraisable()
"""

ABOUT = {"source", "key", "message", "delivery", "queue", "attempt"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the app."""
    (tmp_path / "hooks.py").write_text(APP)
    return tmp_path


def _lines(folder: Path) -> list[dict[str, Any]]:
    """All that is in the log, which is JSON line by line."""
    lines = (folder / "stderr").read_text().splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]


def _about(folder: Path, event: str) -> list[dict[str, Any]]:
    return [line for line in _lines(folder) if line["event"] == event]


def _wait(folder: Path, event: str, count: int = 1) -> list[dict[str, Any]]:
    wait_until(lambda: len(_about(folder, event)) >= count, event)
    return _about(folder, event)


@contextlib.contextmanager
def _up(folder: Path, *words: str) -> Iterator[int]:
    """Run the app; yield its port."""
    arguments = fencepost("up", "hooks.py", "--workers", "1", "--port", "0", *words)
    with running(arguments, cwd=folder) as process:
        yield int(line_of(process).split()[2].rpartition(":")[2])
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_SECONDS) == 0


def _post(port: int, key: str | None, *, body: bytes = b"{}", path: str = "/in/hooks") -> int:
    signature = hmac.new(b"s", b"{}", hashlib.sha256).hexdigest()
    headers = {"x-signature": signature, **({} if key is None else {"x-id": key})}
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port)) as sender:
        sender.request("POST", path, body, headers)
        return sender.getresponse().status


# LOG-1
def test_a_message_leaves_one_line_at_each_stage(folder: Path) -> None:
    with _up(folder) as port:
        assert [_post(port, "k"), _post(port, "k")] == [200, 200]
        (accepted,) = _wait(folder, "accepted")
        (duplicate,) = _wait(folder, "duplicate")
        (handled,) = _wait(folder, "handled")

    assert accepted["level"] == duplicate["level"] == handled["level"] == "info"
    assert (accepted["source"], accepted["key"], accepted["message"]) == ("hooks", "k", "m1")
    assert accepted["queues"] == "note"
    assert accepted["duration_ms"] >= 0
    assert duplicate["message"] == "m1"
    assert {name: handled[name] for name in ABOUT} == {
        "source": "hooks",
        "key": "k",
        "message": "m1",
        "delivery": "d1",
        "queue": "note",
        "attempt": 1,
    }
    assert handled["duration_ms"] >= 0
    assert handled["since_received_ms"] >= 0


# LOG-2
def test_a_death_is_told_with_its_place_in_the_users_file(folder: Path) -> None:
    with connect(folder / "hooks.db") as store:
        store.queue("failing").enqueue(b"", key="k")
        store.queue("done").enqueue(b"")
    words = fencepost("work", "hooks.py", "--workers", "1", "--drain")
    with running(words, cwd=folder) as pool:
        assert pool.wait(PATIENCE_SECONDS) == 0

    (again,) = _about(folder, "handler asked for a retry")
    (failed,) = _about(folder, "handler failed")
    (dead,) = _about(folder, "dead letter")
    (handled,) = _about(folder, "handled")
    for line in (again, failed, dead, handled):
        assert set(line) >= ABOUT
    assert (again["attempt"], again["retry_after_seconds"]) == (1, 0.01)
    place = f"hooks.py:{APP[: APP.index('json.loads')].count(chr(10)) + 1} in failing"
    assert dead["level"] == "error"
    assert dead["at"] == failed["at"] == place
    assert place in dead["error"]
    assert (dead["queue"], dead["key"], dead["attempt"]) == ("failing", "k", 2)
    assert failed["exception"].startswith("Traceback")
    assert "retry_after_seconds" not in failed  # it was the last attempt
    assert handled["queue"] == "done"


# LOG-3
def test_refusals_are_told_once_a_minute_of_each_kind(folder: Path) -> None:
    with _up(folder) as port:
        for _ in range(3):
            assert _post(port, "k", body=b"[]") == 401
            assert _post(port, None) == 400
            assert _post(port, "k", path="/in/nobody") == 404
            assert _post(port, "k", path="/in/somebody") == 404
        wait_until(lambda: len(_about(folder, "refused")) == 3, "three kinds")

    told = {(line["source"], line["status"]): line for line in _about(folder, "refused")}
    assert set(told) == {("hooks", 401), ("hooks", 400), (None, 404)}
    assert all(line["reason"] and line["level"] == "warning" for line in told.values())


# LOG-4
def test_lines_of_others_are_lines_of_the_log(folder: Path) -> None:
    with connect(folder / "hooks.db") as store:
        store.queue("unraisable").enqueue(b"")
    with _up(folder) as port:
        assert _post(port, "k") == 200
        with socket.create_connection(("127.0.0.1", port)) as rude:
            rude.sendall(b"not HTTP at all\r\n\r\n")
            rude.recv(100)
        _wait(folder, "handled", 2)
        (server,) = wait_until(
            lambda: [line for line in _lines(folder) if line.get("logger") == "uvicorn.error"],
            "the server's line",
        )

    assert server["level"] == "warning"
    (warning,) = _about(folder, "Python warning")
    assert (warning["category"], warning["text"]) == ("UserWarning", "old")
    assert "hooks.py:" in warning["at"]
    (said,) = _about(folder, "said by logging")
    assert said["logger"] == "theirs"
    (thread,) = _about(folder, "uncaught exception in a thread")
    assert "ZeroDivisionError" in thread["exception"]
    assert any("in a destructor" in line.get("exception", "") for line in _lines(folder))


# LOG-5
def test_the_level_and_the_format_are_options_and_variables(folder: Path) -> None:
    def drained(*options: str, **environment: str) -> str:
        with connect(folder / "hooks.db") as store:
            store.queue("done").enqueue(b"")
            store.queue("failing").enqueue(b"")
        words = ("work", "hooks.py", "--workers", "1", "--drain", *options)
        ended = run(*words, cwd=folder, **environment)
        assert ended.code == 0, ended
        return ended.err

    levels = [json.loads(line)["level"] for line in drained("--log-level", "error").splitlines()]
    assert set(levels) == {"error"}
    everything = drained(FENCEPOST_LOG_LEVEL="DEBUG")
    assert {json.loads(line)["level"] for line in everything.splitlines()} >= {"info", "error"}
    console = drained("--log-format", "console", FENCEPOST_LOG_FORMAT="json")
    assert "dead letter" in console
    assert "Traceback (most recent call last)" in console
    assert not console.startswith("{")
    assert not set(console) & set("\x1b╭│╰─")
    assert len(console.splitlines()) < 50
    assert run("work", "hooks.py", "--log-level", "loud", cwd=folder).complains(2)


ONE_LINE = "from fencepost.log.log import configure, log; configure(); log.info('hello')"


# LOG-6
@pytest.mark.parametrize(
    ("environment", "colored", "json_line"),
    [
        ({}, True, False),
        ({"NO_COLOR": "1"}, False, False),
        ({"TERM": "dumb"}, False, False),
        ({"FENCEPOST_LOG_FORMAT": "json"}, False, True),
    ],
)
def test_a_terminal_has_colors_unless_they_are_not_wanted(
    environment: dict[str, str], colored: bool, json_line: bool
) -> None:
    ours, theirs = pty.openpty()
    plain = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    subprocess.run(
        [sys.executable, "-c", ONE_LINE],
        stderr=theirs,
        env={**plain, "TERM": "xterm", **environment},
        check=True,
    )
    os.close(theirs)
    said = os.read(ours, 4096)
    os.close(ours)
    assert b"hello" in said
    assert (b"\x1b" in said) is colored
    assert said.startswith(b"{") is json_line
