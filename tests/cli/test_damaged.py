"""A damaged store, as a pool, a receiver and every command meet it: one line, and no traceback."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest

from fencepost import connect

from ..ingest.inbox import SECRET, Inbox, github, github_app
from ..sqlite.damage import PAGE, behind_index, bounded, fill, pages_of
from ..sqlite.inside import connection
from .command import Command, run

APP = f"""
from fencepost import App

app = App("hooks.db")
app.source("github", scheme="github", secret={SECRET!r})


@app.on("github")
def note(message, ctx):
    return message.event


@app.task("mail")
def send(message, ctx):
    return "sent"
"""

COMMANDS = (
    ("status",),
    ("status", "--json"),
    ("messages", "list"),
    ("messages", "list", "--state", "dead", "--json"),
    ("messages", "show", "3"),
    ("messages", "replay", "5"),
    ("messages", "cancel", "7"),
    ("keys", "list"),
    ("leases", "list"),
    ("leases", "release", "lease-4"),
    ("workers", "list"),
    ("workers", "show", "1"),
    ("pause", "plain"),
    ("resume", "plain"),
    ("scale", "3"),
    ("enqueue", "plain", "--file", __file__),
    ("sql", "select count(*) from fp_message"),
    ("doctor",),
    ("sweep",),
    ("migrate", "--dry-run"),
    ("backup", "copy.db"),
)


@pytest.fixture
def damaged(path: Path) -> Path:
    """A store whose workers are misled by an index."""
    (path.parent / "app.py").write_text(APP)
    with connect(path) as store:
        store.queue("mail").enqueue_many({"body": b"work"} for _ in range(50))
    behind_index(path, "fp_delivery_fresh", "update fp_delivery set state = 'done'")
    return path


def _lines(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def _says_why(line: str) -> bool:
    return "damaged" in line or line.startswith(("Error: cannot ", "Error: no "))


# DAMAGE-5
@pytest.mark.parametrize("arguments", [("work",), ("up", "--port", "0")])
def test_a_pool_whose_store_is_damaged_ends_with_one_line(
    damaged: Path, arguments: tuple[str, ...]
) -> None:
    command, *options = arguments
    ended = run(command, "app.py", "--workers", "2", *options, cwd=damaged.parent)

    said = [line for line in _lines(ended.err) if line["level"] in ("warning", "error")]
    assert ended.code == 1
    assert [line["event"] for line in said] == ["the store is damaged: the pool ends"]
    assert f"{damaged} is damaged: " in str(said[0]["error"])
    assert "Traceback" not in ended.err


# DAMAGE-5
def test_a_supervisor_does_not_die_of_a_damaged_row_of_the_register(path: Path) -> None:
    (path.parent / "app.py").write_text(APP)
    with connect(path) as store:
        store.engine.pools.begin(["mail"], 1)
        connection(store).execute("update fp_pool set queues = '{'")

    ended = run("work", "app.py", "--workers", "1", cwd=path.parent)

    assert ended.code == 1
    assert ended.err.count("the store is damaged: the pool ends") == 1
    assert "Traceback" not in ended.err


# DAMAGE-6
def test_a_receiver_whose_store_is_damaged_says_503_and_logs_one_line(
    path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    connect(path).close()
    number = pages_of(path)["fp_message_key"][0]
    with path.open("r+b") as file:
        file.seek(number * PAGE)
        file.write(Random(1).randbytes(PAGE))

    with Inbox(github_app(path)) as inbox:
        answers = [inbox.run(inbox.request(b"{}", github(key=f"key-{n}"))) for n in range(5)]

    assert [answer.status for answer in answers] == [503] * 5
    said = [line for line in capfd.readouterr().err.splitlines() if "not stored" in line]
    assert len(said) == 1


# DAMAGE-7
@pytest.mark.parametrize("seed", range(6))
def test_a_command_on_a_damaged_store_says_so_in_one_line(
    path: Path, command: Command, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.chdir(path.parent)
    fill(path)
    pages, data = pages_of(path), bytearray(path.read_bytes())
    random = Random(seed)
    tables = ("fp_delivery", "fp_queue", "fp_message", "fp_store", "fp_entry", "fp_delivery_queue")
    number = random.choice(pages[tables[seed]])
    data[number * PAGE + 8 : (number + 1) * PAGE] = random.randbytes(PAGE - 8)
    path.write_bytes(data)

    for arguments in COMMANDS:
        with bounded(20):
            ended = command(*arguments)
        assert ended.code in (0, 1), (arguments, ended)
        assert len(ended.err.splitlines()) <= 1, (arguments, ended)
        assert "Traceback" not in ended.err, arguments
        assert ended.code == 0 or ended.out or _says_why(ended.err), (arguments, ended)
