"""The whole: receiver and pool by one command, while everything in it is killed."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import os
import random
import re
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import pytest

from fencepost import connect

from .processes import children_of, fencepost, is_gone, line_of, running, wait_until

SECRET = "s3cret"
_VICTIMS = (
    "receiver",
    "worker",
    "app",
    "supervisor",
    "receiver",
    "worker",
    "forkserver",
    "supervisor",
)

APP = """
import os
from pathlib import Path

import fencepost

app = fencepost.App(str(Path(__file__).with_name("store.db")))
app.source("github", scheme="github", secret="s3cret")


@app.on("github", "push")
def effect(message, ctx):
    with ctx.transaction() as tx:
        tx.execute("insert into effects values (?, ?)", (message.key, os.getpid()))
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APP)
    with connect(tmp_path / "store.db") as store, store.transaction() as tx:
        tx.execute("create table effects (key text, pid integer)")
    return tmp_path


def test_whatever_is_killed_what_was_acknowledged_is_handled_exactly_once(site: Path) -> None:
    dice = random.Random(7)
    port = _free_port()
    up = fencepost("up", "app.py", "--workers", "2", "--port", str(port))
    acknowledged: set[str] = set()
    stop = threading.Event()
    senders = [
        threading.Thread(target=_send, args=(port, f"{n}", stop, acknowledged)) for n in range(4)
    ]
    for sender in senders:
        sender.start()

    try:
        for victim in _VICTIMS:
            with running(up, cwd=site) as supervisor:
                line_of(supervisor)
                children = children_of(supervisor.pid)
                enough = len(acknowledged) + dice.randint(20, 60)
                wait_until(partial(_has, acknowledged, enough), "messages to come in")
                if victim == "supervisor":
                    supervisor.kill()
                    wait_until(partial(_all_gone, children), "children to die")
                    continue
                pids = [pid for pid, name in children.items() if name == f"fp-{victim}"]
                os.kill(dice.choice(pids), signal.SIGKILL)
                enough = len(acknowledged) + 40
                wait_until(partial(_has, acknowledged, enough), "it to go on")
                supervisor.send_signal(signal.SIGTERM)
                assert supervisor.wait(timeout=60) == 0
    finally:
        stop.set()
        for sender in senders:
            sender.join()

    with running(fencepost("work", "app.py", "--drain"), cwd=site) as pool:
        assert pool.wait(timeout=90) == 0
    with connect(site / "store.db") as store, store.transaction() as tx:
        handled = Counter(key for (key,) in tx.execute("select key from effects"))
        assert set(handled.values()) == {1}
        assert acknowledged <= set(handled)
        assert store.stats()["effect"].done == len(handled)


def test_up_says_where_it_listens_and_ends_in_good_order(site: Path) -> None:
    with running(fencepost("up", "app.py", "--workers", "1", "--port", "0"), cwd=site) as up:
        said = re.match(r"receiving on http://127\.0\.0\.1:(\d+) ", line_of(up))
        assert said is not None
        children = children_of(up.pid)
        assert _post(int(said[1]), "one") == (200, "accepted")
        assert _post(int(said[1]), "one") == (200, "duplicate")

        up.send_signal(signal.SIGTERM)

        assert up.wait(timeout=60) == 0
        assert all(map(is_gone, children))


def _has(found: set[str], enough: int) -> bool:
    return len(found) >= enough


def _all_gone(pids: Iterable[int]) -> bool:
    return all(map(is_gone, pids))


def _send(port: int, name: str, stop: threading.Event, acknowledged: set[str]) -> None:
    """Deliver message after message, each until it is acknowledged, as a sender does."""
    for n in range(1_000_000):
        key = f"{name}-{n}"
        while True:
            if stop.is_set():
                return
            try:
                status, _ = _post(port, key)
            except (OSError, http.client.HTTPException):
                time.sleep(0.02)  # as long as nobody listens
                continue
            if status == 200:
                break
            assert status == 503
        acknowledged.add(key)


def _post(port: int, key: str) -> tuple[int, str]:
    body = json.dumps({"ref": "refs/heads/main", "key": key}).encode()
    signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    headers = {
        "X-GitHub-Event": "push",
        "X-GitHub-Delivery": key,
        "X-Hub-Signature-256": f"sha256={signature}",
    }
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("POST", "/in/github", body, headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read()).get("status", "")
    finally:
        connection.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
