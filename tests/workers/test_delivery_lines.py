"""The line of a handled message, and how the supervisor passes it on."""

from __future__ import annotations

import json
import os
import select
import sys
import threading
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fencepost import Claim, Message
from fencepost.log import delivery_lines, stderr_lines
from fencepost.log.log import Log, render_json
from fencepost.store.engine import Hold, Leased
from fencepost.store.engine.ports.clock import Term

from ..processes import PATIENCE_SECONDS, wait_until

TEXT = st.text(st.characters(), max_size=20)


class Caught(Log):
    """A log whose lines stay here."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[bytes] = []
        self._stream = cast("Any", self)

    def write(self, line: bytes) -> None:
        """Take a line."""
        self.lines.append(line)


# LOG-7
@given(st.none() | TEXT, st.none() | TEXT | st.just("k" * 40_000), TEXT, st.floats(0, 1e6))
def test_the_line_of_a_handled_message_is_what_any_other_would_be(
    source: str | None, key: str | None, queue: str, seconds: float
) -> None:
    message = Message(7, source, key, "push", {}, b"", 1_000.25)
    leased = Leased(Hold(8, 9, "t"), queue, message, 3, Term(1, 1))
    claim, caught = Claim(cast("Any", None), leased), Caught()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delivery_lines, "log", caught)
        delivery_lines.handled(claim, 1.0, 1.0 + seconds, 1_002_000.6)

    fields = json.loads(caught.lines[0])
    as_any = {
        "timestamp": fields["timestamp"],
        "level": "info",
        "event": "handled",
        **delivery_lines.took(claim, 1.0, 1.0 + seconds, 1_002_000.6),
    }
    assert caught.lines == [render_json(as_any).encode()]
    assert fields["since_received_ms"] == 1751


# PROCESS-14
@pytest.mark.parametrize(
    ("line", "passes"),
    [
        (b'{"a": "\\ud800"}', True),
        (b'{"a": 1e999}', True),
        (b'{"a": 123456789012345678901234567890}', True),
        (b'{"a": NaN}', False),
        (b'{"a": "\xff"}', False),
        (b'{"a": "\x01"}', False),
        (b'{"a": 1} {"b": 2}', False),
        (b'{"a": 1,}', False),
        (b"[" * 100_000, False),
        (b'{"a": ' + b"[" * 100_000, False),
    ],
)
def test_a_line_passes_if_it_is_a_json_object_for_any_reader(
    monkeypatch: pytest.MonkeyPatch, line: bytes, passes: bool
) -> None:
    caught = Caught()
    monkeypatch.setattr(stderr_lines, "log", caught)

    stderr_lines._write(line)

    assert (caught.lines == [line]) == passes
    assert all(isinstance(json.loads(each), dict) for each in caught.lines)


# PROCESS-14
def test_lines_that_are_read_together_are_passed_on_with_few_calls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    write = os.write

    def counted(fd: int, data: bytes) -> int:
        sizes.append(len(data))
        return write(fd, data)

    lines = [b'{"n": %d, "text": "%s"}' % (n, b"x" * 50) for n in range(300)]
    pipes = stderr_lines._Pipes()
    writing = pipes.open()
    os.write(writing, b"\n".join(lines) + b"\nunfinished")
    os.close(writing)
    pipes.stop()
    with (tmp_path / "stderr").open("w") as errors:
        monkeypatch.setattr(sys, "stderr", errors)
        log = Log()
        log.configure()
        monkeypatch.setattr(stderr_lines, "log", log)
        monkeypatch.setattr("fencepost.log.stream.os.write", counted)
        pipes.pass_on()

    said = (tmp_path / "stderr").read_bytes().splitlines()
    assert said[:-1] == lines
    assert json.loads(said[-1])["event"] == "unfinished"
    assert max(sizes) <= select.PIPE_BUF
    assert len(sizes) <= sum(sizes) // (select.PIPE_BUF - 100) + 2


# PROCESS-14
def test_lines_that_come_one_by_one_are_read_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stderr_lines, "_REST_SECONDS", PATIENCE_SECONDS)
    said: list[bytes] = []
    read = os.read
    pipes = stderr_lines._Pipes()
    writing = pipes.open()

    def noted(fd: int, count: int) -> bytes:
        data = read(fd, count)
        if data.startswith(b"{"):
            said.append(data)
        return data

    monkeypatch.setattr("fencepost.log.stderr_lines.os.read", noted)
    with (tmp_path / "stderr").open("w") as errors:
        monkeypatch.setattr(sys, "stderr", errors)
        log = Log()
        log.configure()
        monkeypatch.setattr(stderr_lines, "log", log)
        thread = threading.Thread(target=pipes.pass_on)
        thread.start()
        os.write(writing, b"{}\n")
        wait_until(lambda: (tmp_path / "stderr").read_bytes() == b"{}\n", "it is passed on at once")
        for n in range(100):
            os.write(writing, b"{}\n" * (n % 2 + 1))
        pipes.stop()
        os.close(writing)
        thread.join(PATIENCE_SECONDS)

    assert (tmp_path / "stderr").read_bytes() == b"{}\n" * 151
    assert said == [b"{}\n", b"{}\n" * 150]


# PROCESS-14
def test_what_two_processes_write_at_once_is_not_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipes = stderr_lines._Pipes()
    first, second = pipes.open(), pipes.open()
    with (tmp_path / "stderr").open("w") as errors:
        monkeypatch.setattr(sys, "stderr", errors)
        log = Log()
        log.configure()
        monkeypatch.setattr(stderr_lines, "log", log)
        thread = threading.Thread(target=pipes.pass_on)
        thread.start()
        os.write(first, b"unfin")
        os.write(second, b'{"of": "the second"}\n')
        wait_until((tmp_path / "stderr").read_bytes, "the line of the second")
        os.write(first, b"ished\nand more")
        os.close(first)
        os.close(second)
        pipes.stop()
        thread.join(PATIENCE_SECONDS)

    said = [json.loads(line) for line in (tmp_path / "stderr").read_text().splitlines()]
    assert said[0] == {"of": "the second"}
    assert [line["event"] for line in said[1:]] == ["unfinished", "and more"]


# PROCESS-14
def test_a_child_has_the_stderr_of_its_parent_where_nothing_is_captured() -> None:
    fd = stderr_lines.for_child()

    try:
        assert os.path.sameopenfile(fd, 2)
    finally:
        os.close(fd)
