"""fencepost work --exec: a command for each message."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from fencepost import Store, connect

from ..processes import PATIENCE_SECONDS, fencepost, is_gone, line_of, running, wait_until
from .command import Command, run


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """The store that the commands are told of."""
    return connect(tmp_path / "hooks.db")


def script(folder: Path, text: str) -> None:
    (folder / "handle.sh").write_text(f"#!/bin/sh\n{text}\n")
    (folder / "handle.sh").chmod(0o755)


def test_a_command_handles_each_message_of_its_queues(tmp_path: Path, store: Store) -> None:
    script(tmp_path, 'echo "$FENCEPOST_QUEUE $FENCEPOST_KEY $(cat) $1" >> handled; echo noise')
    store.queue("mail").enqueue_many([{"body": b"%d" % n, "key": f"k{n}"} for n in range(5)])
    store.queue("fax").enqueue(b"paper", key="f")
    store.queue("other").enqueue(b"")
    words = ["work", "--exec", "./handle.sh 'a b'", "--queue", "mail", "--queue", "fax", "--drain"]

    ended = run(*words, "--workers", "2", "--store", "hooks.db", cwd=tmp_path)

    assert (ended.code, ended.out) == (0, "2 workers are processing queues mail, fax\n"), ended.err
    assert sorted((tmp_path / "handled").read_text().splitlines()) == [
        "fax f paper a b",
        *(f"mail k{n} {n} a b" for n in range(5)),
    ]
    assert store.queue("mail").stats().done == 5
    assert store.queue("other").stats().ready == 1
    assert ended.err.count('"event": "noise"') == 6


def test_a_command_that_fails_is_tried_again_until_it_is_dead(tmp_path: Path, store: Store) -> None:
    script(tmp_path, "echo attempt $FENCEPOST_ATTEMPT >&2; exit $(cat)")
    store.queue("mail").enqueue(b"100", key="hopeless")
    store.queue("mail").enqueue(b"75", key="unlucky")

    words = ["work", "--exec", "./handle.sh", "--queue", "mail", "--max-attempts", "2", "--drain"]
    ended = run(*words, cwd=tmp_path, FENCEPOST_STORE="hooks.db")

    assert ended.code == 0, ended.err
    assert {(dead.key, dead.attempt, dead.error) for dead in store.deliveries(state="dead")} == {
        ("hopeless", 1, "exit code 100: attempt 1"),
        ("unlucky", 2, "exit code 75: attempt 2"),
    }


def test_a_command_dies_with_its_worker(tmp_path: Path, store: Store) -> None:
    script(tmp_path, "sleep 1000 & echo $! $$ > pids.part; mv pids.part pids; wait")
    store.queue("mail").enqueue(b"", key="k")
    words = ["work", "--exec", "./handle.sh", "--queue", "mail", "--store", "hooks.db"]

    with running(fencepost(*words, "--workers", "1"), cwd=tmp_path) as pool:
        line_of(pool)
        pids = wait_until(lambda: _read(tmp_path / "pids"), "the command to begin")
        (worker,) = [worker for worker in store.workers() if worker.state != "lost"]
        os.kill(worker.pid, signal.SIGKILL)
        wait_until(lambda: all(map(is_gone, pids)), "what it had started to be gone")


def test_a_command_ends_with_the_grace_time(tmp_path: Path, store: Store) -> None:
    script(tmp_path, "sleep 1000 & echo $! $$ > pids.part; mv pids.part pids; wait")
    store.queue("mail").enqueue(b"", key="k")
    words = ["work", "--exec", "./handle.sh", "--queue", "mail", "--store", "hooks.db"]

    with running(fencepost(*words, "--workers", "1", "--grace", "0.2"), cwd=tmp_path) as pool:
        line_of(pool)
        pids = wait_until(lambda: _read(tmp_path / "pids"), "the command to begin")
        pool.send_signal(signal.SIGTERM)
        code = pool.wait(PATIENCE_SECONDS)
        wait_until(lambda: all(map(is_gone, pids)), "what it had started to be gone")

    assert code == 0
    (given_back,) = store.deliveries()
    assert (given_back.state, given_back.attempt) == ("ready", 0)


@pytest.mark.parametrize(
    "words",
    [
        ("--exec", "./no-such-file", "--queue", "mail"),
        ("--exec", "no-such-command-anywhere", "--queue", "mail"),
        ("--exec", "/etc/passwd", "--queue", "mail"),
        ("--exec", "/", "--queue", "mail"),
        ("--exec", "", "--queue", "mail"),
        ("--exec", "'half", "--queue", "mail"),
        ("--exec", "true"),
        ("--exec", "true", "--queue", "a b"),
        ("--exec", "true", "--queue", "mail", "--timeout", "0"),
        ("--exec", "true", "--queue", "mail", "--max-attempts", "0"),
        ("--exec", "true", "--queue", "mail", "--workers", "0"),
        ("app.py", "--exec", "true", "--queue", "mail"),
        ("app.py", "--store", "hooks.db"),
        ("app.py", "--timeout", "5"),
        ("app.py", "--max-attempts", "5"),
    ],
    ids=" ".join,
)
def test_what_cannot_work_is_one_line_and_exit_2(command: Command, words: tuple[str, ...]) -> None:
    assert command("work", *words).complains(2)


def test_a_command_needs_a_store(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FENCEPOST_STORE")

    refused = command("work", "--exec", "true", "--queue", "mail")

    assert refused.complains(2)
    assert refused.err.endswith("--exec needs --store\n")


def _read(file: Path) -> list[int]:
    return [int(pid) for pid in file.read_text().split()] if file.exists() else []
