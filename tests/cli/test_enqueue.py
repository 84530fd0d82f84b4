"""fencepost enqueue: a message put in a queue by hand."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fencepost import connect

from ..processes import PATIENCE_SECONDS, fencepost
from .command import Command


@pytest.fixture
def piped(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Gives the next command some bytes on its stdin."""

    def pipe(content: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))

    return pipe


# COMMAND-6
def test_what_is_piped_in_is_a_message(tmp_path: Path) -> None:
    body = bytes(range(256))

    ended = subprocess.run(
        [sys.executable, *fencepost("enqueue", "mail", "--store", "hooks.db")],
        check=False,
        cwd=tmp_path,
        input=body,
        capture_output=True,
        timeout=PATIENCE_SECONDS,
    )

    assert (ended.returncode, ended.stdout) == (0, b"accepted m1\n")
    assert ended.stderr == b"created the store hooks.db\n"
    with connect(tmp_path / "hooks.db") as store:
        (claim,) = store.queue("mail").claim()
    assert (claim.message.body, claim.message.key, claim.message.source) == (body, None, None)


# COMMAND-6
def test_a_file_is_a_message_with_all_that_is_given(
    path: Path, command: Command, tmp_path: Path
) -> None:
    connect(path).close()
    (tmp_path / "body").write_bytes(b"\xff")
    words = ["--key", "k", "--lane", "l", "--priority", "-3", "--delay", "0.001"]
    words += ["--header", "X-A: 1:2", "--header", "x-b:", "--file", str(tmp_path / "body")]

    shown = command("enqueue", "mail", *words, "--json")

    with connect(path) as store:
        delivery = store.delivery(1)
        content = store.content(1)
    assert (shown.code, shown.err) == (0, "")
    assert shown.json() == {
        "id": 1,
        "message_id": 1,
        "status": "accepted",
        "queue": "mail",
        "key": "k",
        "state": "ready",
    }
    assert delivery is not None
    assert content is not None
    assert (delivery.key, delivery.queue) == ("k", "mail")
    assert (content.body, dict(content.headers)) == (b"\xff", {"x-a": "1:2", "x-b": ""})


# COMMAND-6
def test_the_same_key_again_is_a_duplicate_and_another_body_a_conflict(
    path: Path, command: Command, piped: Any
) -> None:
    connect(path).close()
    shown = []
    for content in (b"1", b"1", b"2"):
        piped(content)
        shown.append(command("enqueue", "mail", "--key", "k", "--file", "-"))

    assert [each.out for each in shown] == ["accepted m1\n", "duplicate m1\n", "conflict m1\n"]
    assert [each.code for each in shown] == [0, 0, 1]
    assert shown[2].err.startswith("Error: key 'k' of mail belongs to m1")
    with connect(path) as store:
        assert store.stats()["mail"].ready == 1


# COMMAND-6
@pytest.mark.parametrize(
    "words",
    [
        ("a b",),
        ("mail", "--key", ""),
        ("mail", "--lane", "a\nb"),
        ("mail", "--delay", "-1"),
        ("mail", "--delay", "nan"),
        ("mail", "--priority", "high"),
        ("mail", "--header", "none"),
        ("mail", "--header", ":value"),
        ("mail", "--file", "no-such-file"),
        (),
    ],
    ids=" ".join,
)
def test_nothing_to_enqueue_is_wrong_usage(
    path: Path, command: Command, piped: Any, words: tuple[str, ...]
) -> None:
    piped(b"body")

    assert command("enqueue", *words).complains(2)
    assert not path.exists()


# COMMAND-6
def test_on_a_terminal_the_body_is_asked_for(path: Path) -> None:
    ours, theirs = pty.openpty()
    ended = subprocess.run(
        [sys.executable, *fencepost("enqueue", "mail", "--store", str(path))],
        check=False,
        stdin=theirs,
        capture_output=True,
        timeout=PATIENCE_SECONDS,
    )
    os.close(ours)
    os.close(theirs)

    assert ended.returncode == 2
    assert b"--file" in ended.stderr
    assert not path.exists()


# COMMAND-6
def test_a_full_queue_is_one_line_and_exit_1(path: Path, command: Command, piped: Any) -> None:
    with connect(path) as store:
        store.queue("mail", max_rows=1).enqueue(b"")
    piped(b"more")

    assert command("enqueue", "mail").complains(1)
