"""Looking at queues and deliveries, and changing them by hand."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest

from fencepost import Store, connect
from fencepost.store.types.durable.step import StepRecord

from ..processes import fencepost
from ..store.suspended import wait
from .command import Command
from .shown import HOSTILE, ISO, times
from .terminal import Terminal

# As the contract lists them.
COLUMNS = {"id", "message_id", "queue", "source", "key", "event", "state", "attempt", "fence"}
COLUMNS |= {"error", "received_at"}
STATS = {"ready", "scheduled", "leased", "asleep", "done", "dead", "cancelled", "oldest_ready_age"}
STATS |= {"paused", "max_leased"}


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    """An open store, beside the commands that look at it."""
    with connect(str(path)) as opened:
        yield opened


def one_of_each(store: Store) -> dict[str, int]:
    """Make a delivery in every state; return their ids."""
    queue = store.queue("mail")
    for state in ("done", "dead", "leased", "cancelled", "ready"):
        queue.enqueue(state.encode(), key=state)
    done, dead, leased = queue.claim(limit=3, lease=600)
    done.ack({"sent": True})
    dead.bury("no such address")
    store.cancel(4)
    return {"done": done.id, "dead": dead.id, "leased": leased.id, "cancelled": 4, "ready": 5}


def test_an_empty_store_is_shown_as_empty(store: Store, command: Command) -> None:
    assert command("status", "--json").json() == {
        "queues": {},
        "pools": [],
        "scale": None,
        "unserved": [],
        "unrouted": {"total": 0, "events": []},
        "conflicts": {},
        "routes": [],
    }
    assert command("messages", "list", "--json").json() == []
    assert command("status").code == command("messages", "list").code == 0


def test_status_has_the_stats_of_every_queue(store: Store, command: Command) -> None:
    one_of_each(store)
    store.queue("later").enqueue(b"", delay=3600)

    shown = command("status", "--json")
    table = command("status")

    queues = shown.json()["queues"]
    assert (shown.code, shown.err) == (0, "")
    assert set(queues) == {"mail", "later"}
    assert set(queues["mail"]) == STATS
    for state in ("ready", "leased", "done", "dead", "cancelled"):
        assert queues["mail"][state] == 1
    assert (queues["later"]["scheduled"], queues["later"]["ready"]) == (1, 0)
    assert re.search(r"^mail +1 +0 +1 +1 +1 +1 ", table.out, re.MULTILINE)


def test_status_has_every_pool_with_its_workers(store: Store, command: Command) -> None:
    running = store.engine.pools
    for queues in (None, ["mail", "fax"]):
        running.begin(queues, 2)
    for pool in (2, 1, 2, 9):
        running.register(pool)

    pools = command("status", "--json").json()["pools"]

    assert [(pool["id"], len(pool["workers"])) for pool in pools] == [(1, 1), (2, 2), (9, 1)]
    assert [(pool["state"], pool["size"]) for pool in pools[:2]] == [("starting", 2)] * 2
    assert [pool["queues"] for pool in pools] == [None, ["mail", "fax"], None]
    assert (pools[2]["state"], pools[2]["pid"]) == ("lost", None)
    worker = pools[0]["workers"][0]
    assert (worker["pid"], worker["state"], worker["handled"]) == (os.getpid(), "starting", 0)
    assert len(times(pools)) == 12
    assert all(ISO.fullmatch(time) for time in times(pools))


def test_a_list_has_a_row_for_each_delivery_newest_first(store: Store, command: Command) -> None:
    ids = one_of_each(store)

    shown = command("messages", "list", "--json")

    rows = shown.json()
    assert (shown.code, shown.err) == (0, "")
    assert {row["state"]: row["id"] for row in rows} == ids
    assert [row["id"] for row in rows] == [5, 4, 3, 2, 1]
    assert all(set(row) >= COLUMNS for row in rows)
    assert all(ISO.fullmatch(time) for time in times(rows))
    assert [row["error"] for row in rows if row["state"] == "dead"] == ["no such address"]


def test_a_list_is_cut_to_what_was_asked_for(store: Store, command: Command) -> None:
    one_of_each(store)
    store.queue("other").enqueue(b"", key="else")

    def keys(*options: str) -> list[str]:
        return [row["key"] for row in command("messages", "list", "--json", *options).json()]

    assert keys("--state", "dead") == ["dead"]
    assert keys("--queue", "other") == ["else"]
    assert keys("--queue", "other", "--state", "dead") == []
    assert keys("--queue", "unheard-of") == []
    assert keys("--limit", "2") == ["else", "ready"]


@pytest.mark.parametrize("state", ["done", "dead", "leased", "cancelled", "ready"])
def test_one_is_shown_with_its_message(store: Store, command: Command, state: str) -> None:
    id = one_of_each(store)[state]

    shown = command("messages", "show", str(id), "--json").json()
    text = command("messages", "show", str(id)).out

    assert (shown["id"], shown["state"], shown["key"]) == (id, state, state)
    body, encoding = (None, None) if state == "done" else (state, "utf-8")
    assert (shown["body"], shown["body_encoding"]) == (body, encoding)
    assert shown["result"] == ({"sent": True} if state == "done" else None)
    assert all(ISO.fullmatch(time) for time in times(shown))
    assert f"state: {state}\n" in text
    assert f"body: {body or '-'}\n" in text


# SLEEP-7
@pytest.mark.parametrize("seconds", [60, None, 0])
def test_a_list_says_where_a_delivery_sleeps_and_until_when(
    store: Store, command: Command, seconds: float | None
) -> None:
    store.queue("mail").enqueue(b"body")
    (claim,) = store.queue("mail").claim()
    wait(store, claim, seconds)

    (row,) = command("messages", "list", "--state", "sleeping", "--json").json()
    said = command("messages", "list").out

    until = "what it waits for comes" if seconds is None else row["due_at"]
    until += ": waits for a worker" * (seconds == 0)
    assert f"asleep at 'approval' until {until}\n" in said


# STEP-9
def test_what_a_handler_has_recorded_is_shown(store: Store, command: Command) -> None:
    store.queue("mail").enqueue(b"body", key="k")
    (claim,) = store.queue("mail").claim()
    records = [
        StepRecord(1, "", 1, "now", None, None, "1", claim.fence, "v1"),
        StepRecord(2, "charge", 1, "call", b"", "[]", "1", claim.fence, "v1"),
        StepRecord(3, "charge", 2, "call", b"", "[]", "1", claim.fence, None),
        StepRecord(4, "cool\u200ddown", 1, "sleep", None, None, "1", claim.fence, None),
    ]
    store.engine.durable.steps.record([(claim.hold, each) for each in records])

    shown = command("messages", "show", f"d{claim.id}", "--json").json()["steps"]
    of_message = command("messages", "show", f"m{claim.message.id}", "--json").json()["steps"]
    told = command("messages", "show", f"d{claim.id}").out.splitlines()

    assert shown == of_message
    assert [(each["name"], each["occurrence"], each["kind"]) for each in shown] == [
        ("charge", 1, "call"),
        ("charge", 2, "call"),
        ("cool\u200ddown", 1, "sleep"),
    ]
    assert [each["version"] for each in shown] == ["v1", None, None]
    assert all(ISO.fullmatch(each["recorded_at"]) for each in shown)
    steps = [line.partition(", ")[0] for line in told if line.startswith("  step ")]
    assert steps == [
        "  step charge: call",
        "  step charge (2): call",
        "  step cool\\u200ddown: sleep",
    ]


def test_a_body_that_is_no_text_is_shown_in_base64(store: Store, command: Command) -> None:
    store.queue("mail").enqueue(b"\xff\x00")

    shown = command("messages", "show", "1", "--json").json()

    assert (shown["body"], shown["body_encoding"]) == ("/wA=", "base64")


def test_a_webhook_is_shown_with_its_url_and_without_its_secret(
    store: Store, command: Command
) -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    receipt = store.outbox("https://example.com/hooks", b"{}", secret=secret)
    (delivery,) = store.deliveries(queue="outbox")

    shown = [
        command("messages", verb, *ids, *form).out
        for verb, *ids in (
            ("show", f"d{delivery.id}"),
            ("show", f"m{receipt.message_id}"),
            ("list",),
        )
        for form in ((), ("--json",))
    ]

    assert "url: https://example.com/hooks" in shown[0].splitlines()
    assert json.loads(shown[1])["url"] == "https://example.com/hooks"
    assert all(secret not in said for said in shown)


def test_what_is_not_there_is_one_line_and_exit_1(store: Store, command: Command) -> None:
    for verb in ("show", "replay", "cancel"):
        ended = command("messages", verb, "42")

        assert ended.complains(1), ended
        assert "no " in ended.err
        assert "delivery" in ended.err


@pytest.mark.parametrize(
    ("verb", "state", "after"),
    [
        ("replay", "dead", "ready"),
        ("replay", "cancelled", "ready"),
        ("cancel", "ready", "cancelled"),
        ("cancel", "dead", "cancelled"),
    ],
)
def test_an_operator_changes_what_may_be_changed(
    store: Store, command: Command, verb: str, state: str, after: str
) -> None:
    id = one_of_each(store)[state]

    ended = command("messages", verb, str(id))

    found = store.delivery(id)
    assert (ended.code, ended.err) == (0, "")
    assert str(id) in ended.out
    assert found is not None
    assert found.state == after


@pytest.mark.parametrize(
    ("verb", "state"),
    [
        ("replay", "done"),
        ("replay", "leased"),
        ("replay", "ready"),
        ("cancel", "done"),
        ("cancel", "leased"),
        ("cancel", "cancelled"),
    ],
)
def test_an_operator_is_told_why_not(store: Store, command: Command, verb: str, state: str) -> None:
    id = one_of_each(store)[state]

    ended = command("messages", verb, str(id))

    found = store.delivery(id)
    assert ended.complains(1), ended
    assert state in ended.err
    assert found is not None
    assert found.state == state


# CLAIM-38
def test_cancelling_a_leased_delivery_says_which_process_holds_it(
    store: Store, command: Command
) -> None:
    store.queue("mail").enqueue(b"")
    worker = store.engine.pools.register(1)
    store.engine.queue.claim(["mail"], limit=1, lease_ms=600_000, owner=worker)

    ended = command("messages", "cancel", "1")

    assert ended.complains(1)
    assert f"process {os.getpid()}" in ended.err


def test_of_several_ids_each_is_tried_and_one_refusal_is_exit_1(
    store: Store, command: Command
) -> None:
    ids = one_of_each(store)

    ended = command("messages", "replay", str(ids["done"]), "77", str(ids["dead"]))

    assert ended.code == 1
    assert ended.out == f"replayed d{ids['dead']}\n"
    assert len(ended.err.splitlines()) == 2


def hostile(store: Store) -> None:
    """Store a dead message with all that a stranger can put into one."""
    queue = store.queue("mail")
    body = HOSTILE.encode()
    # Keys refuse most control characters; C1 and bidirectional ones get through.
    queue.enqueue(body, key="k\x9b31m\u202e", headers={f"x{HOSTILE}": HOSTILE}, lane="l\x9b")
    (claim,) = queue.claim()
    claim.bury(HOSTILE)


@pytest.mark.parametrize(
    "words", [("messages", "list"), ("messages", "show", "1"), ("messages", "list", "--json")]
)
def test_nothing_that_a_terminal_would_obey_is_printed(
    store: Store, command: Command, words: tuple[str, ...]
) -> None:
    hostile(store)

    shown = command(*words)

    printed = shown.out.replace("\n", "") + shown.err
    assert shown.code == 0
    assert not [c for c in printed if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp")]
    assert "pwned" in printed
    assert r"\u001b[2J" in printed or r"\x1b[2J" in printed


def test_shown_as_json_a_hostile_message_is_whole(store: Store, command: Command) -> None:
    hostile(store)

    shown = command("messages", "show", "1", "--json").json()

    assert shown["body"] == shown["error"] == HOSTILE
    assert list(shown["headers"].values()) == [HOSTILE]


def test_a_long_error_costs_a_list_no_other_column(store: Store, command: Command) -> None:
    queue = store.queue("mail")
    queue.enqueue(b"", key="k" * 512)
    (claim,) = queue.claim()
    claim.bury("e" * 4000)

    shown = command("messages", "list").out

    assert "e" * 4000 in shown
    assert "k" * 512 in shown
    assert re.search(r"^d1 +dead +mail ", shown, re.MULTILINE)


# FIND-8
@pytest.mark.parametrize("columns", [60, 80, 200])
def test_on_a_terminal_a_list_fits_and_keeps_its_ids(
    store: Store, path: Path, columns: int
) -> None:
    for n in range(3):
        store.queue("mail").enqueue(b"", key=f"{n}" * 512)
    (claim,) = store.queue("mail").claim()
    claim.bury("no route to host " * 30)

    shown = Terminal("messages", "list", "--store", str(path), columns=columns).read()

    lines = [re.sub("\x1b.*?m", "", line) for line in shown.splitlines()]
    assert max(map(len, lines)) <= columns
    assert re.findall(r"^(d[0-9]+) +(ready|dead) +mail ", "\n".join(lines), re.MULTILINE) == [
        ("d3", "ready"),
        ("d2", "ready"),
        ("d1", "dead"),
    ]
    assert "2" * (columns // 20) in shown


# FIND-8
@pytest.mark.parametrize("words", [("status",), ("workers", "list"), ("messages", "list")])
def test_eighty_columns_are_enough_for_a_table(
    store: Store, path: Path, words: tuple[str, ...]
) -> None:
    queue = store.queue("send_the_newsletter_to_subscribers")
    queue.enqueue_many({"body": b"", "key": f"order-{n:030}"} for n in range(3))
    worker = store.engine.pools.register(store.engine.pools.begin([queue.name], 2))
    store.engine.queue.claim([queue.name], limit=1, lease_ms=60_000, owner=worker)

    shown = Terminal(*words, "--store", str(path), columns=80).read()

    lines = [re.sub("\x1b.*?m", "", line) for line in shown.splitlines()]
    tables = [line for line in lines if not line.startswith("unserved: ")]
    assert max(map(len, tables)) <= 80, tables
    assert any("send_the" in line for line in tables)


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_reader_that_has_gone_away_is_nothing_to_talk_about(
    store: Store, path: Path, options: list[str]
) -> None:
    store.queue("mail").enqueue_many([{"body": b"", "key": f"{n:0400}"} for n in range(500)])
    words = ["messages", "list", "--store", str(path), "--limit", "600", *options]
    reading, writing = os.pipe()
    os.close(reading)

    ended = subprocess.run(
        [sys.executable, *fencepost(*words)],
        check=False,
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(writing)

    assert (ended.returncode, ended.stderr) == (1, "")


@pytest.mark.parametrize("words", [["status"], ["status", "--json"], ["messages", "list"]])
def test_an_output_that_is_full_is_one_line_and_exit_1(
    store: Store, path: Path, words: list[str]
) -> None:
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [sys.executable, *fencepost(*words, "--store", str(path))],
            check=False,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )

    assert ended.returncode == 1
    assert ended.stderr.startswith("Error: ")
    assert ended.stderr.count("\n") == 1


def test_json_is_one_document_and_nothing_else(store: Store, command: Command) -> None:
    one_of_each(store)

    for words in (("status",), ("messages", "list"), ("messages", "show", "1"), ("doctor",)):
        shown = command(*words, "--json")

        document, end = json.JSONDecoder().raw_decode(shown.out)
        assert document
        assert (shown.out[end:], shown.err) == ("\n", "")


# INPUT-5
def test_all_the_dead_of_a_queue_are_replayed_at_once(store: Store, command: Command) -> None:
    for name in ("mail", "other"):
        queue = store.queue(name)
        queue.enqueue_many({"body": b""} for _ in range(1100))
        for claim in queue.claim(limit=1050):
            claim.bury("no")

    ended = command("messages", "replay", "--all", "--queue", "mail")

    assert (ended.code, ended.out, ended.err) == (0, "replayed 1050\n", "")
    assert (store.queue("mail").stats().dead, store.queue("mail").stats().ready) == (0, 1100)
    assert store.queue("other").stats().dead == 1050


# INPUT-5
def test_all_that_waits_is_cancelled_at_once(store: Store, command: Command) -> None:
    queue = store.queue("mail")
    queue.enqueue_many({"body": b"", "delay": 60 * n} for n in range(3))
    queue.claim()

    ended = command("messages", "cancel", "--all")

    assert (ended.code, ended.out) == (0, "cancelled 2\n")
    assert (queue.stats().cancelled, queue.stats().leased) == (2, 1)


# PROC-6, INGRESS-13
def test_a_long_list_is_read_page_by_page(store: Store, command: Command) -> None:
    store.queue("mail").enqueue_many({"body": b"", "key": f"{n}"} for n in range(5))

    def page(*options: str) -> list[int]:
        rows = command("messages", "list", "--json", "--limit", "2", *options).json()
        return [row["id"] for row in rows]

    assert [page(), page("--before", "4"), page("--before", "2")] == [[5, 4], [3, 2], [1]]
