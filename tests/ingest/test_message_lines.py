"""The log's lines of a commit are written together, and are what json.dumps would write."""

from __future__ import annotations

import json
import os
import select
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fencepost.ingest import message_lines
from fencepost.ingest.message_lines import Facts, log_stored
from fencepost.log.log import Log, render_json
from fencepost.store.types.messages.draft import Address
from fencepost.store.types.messages.receipt import Receipt

from .inbox import Inbox, github, github_app


def test_lines_that_are_gathered_are_written_with_few_calls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    write = os.write

    def counted(fd: int, data: bytes) -> int:
        sizes.append(len(data))
        return write(fd, data)

    with (tmp_path / "stderr").open("w") as errors:
        monkeypatch.setattr(sys, "stderr", errors)
        log = Log()
        log.configure()
        monkeypatch.setattr("fencepost.log.stream.os.write", counted)
        log.gather()
        for n in range(100):
            log.info("accepted", n=n)
        log.warning("long", text="x" * 10_000)
        other = threading.Thread(target=log.info, args=("of another thread",))
        other.start()
        other.join()
        before = len(sizes)
        log.flush()
        log.info("after")

    lines = [json.loads(line) for line in (tmp_path / "stderr").read_text().splitlines()]
    assert [line["event"] for line in lines[:2]] == ["of another thread", "accepted"]
    assert [line.get("n") for line in lines[1:101]] == list(range(100))
    assert [line["event"] for line in lines[101:]] == ["long", "after"]
    assert before == 1
    assert len(sizes) <= 1 + 100 * 90 // select.PIPE_BUF + 1 + 3
    assert [size for size in sizes if size > select.PIPE_BUF] == [max(sizes)]


def test_each_message_of_a_commit_has_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "stderr").open("w") as errors:
        monkeypatch.setattr(sys, "stderr", errors)
        log = Log()
        log.configure()
        for module in ("ingest.message_lines", "ingest.committer"):
            monkeypatch.setattr(f"fencepost.{module}.log", log)
        with Inbox(github_app(tmp_path / "hooks.db")) as inbox:
            for n in range(3):
                inbox.post(b"{}", github(key=f"k{n}"))

    lines = [json.loads(line) for line in (tmp_path / "stderr").read_text().splitlines()]
    assert [(line["event"], line["key"]) for line in lines] == [
        ("accepted", f"k{n}") for n in range(3)
    ]


@given(
    st.dictionaries(
        st.text(max_size=5),
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(st.characters()),
        max_size=5,
    )
)
def test_a_line_is_what_json_dumps_makes_of_it(fields: dict[str, object]) -> None:
    assert render_json(fields) == json.dumps(fields)


# LOG-7
@given(st.none() | st.text(), st.text() | st.just("k" * 40_000), st.lists(st.text(), max_size=2))
def test_the_line_of_a_stored_message_is_what_any_other_would_be(
    key: str | None, event: str, queues: list[str]
) -> None:
    facts = Facts("github", key, event, [Address(queue) for queue in queues], False, 0.0)
    lines: list[bytes] = []

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(message_lines, "log", log := Log())
        patch.setattr(log, "_configured", True)
        patch.setattr(log._stream, "write", lines.append)
        log_stored(facts, Receipt("duplicate", 7, "done"))

    fields = json.loads(lines[0])
    as_any = {
        "timestamp": fields["timestamp"],
        "level": "info",
        "event": "duplicate",
        "source": "github",
        "key": key,
        "message": "m7",
        "event_name": event,
        "queues": ", ".join(queues),
        "duration_ms": fields["duration_ms"],
    }
    assert lines == [render_json(as_any).encode()]
