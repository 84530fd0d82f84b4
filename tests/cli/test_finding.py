"""Finding a message: its id, its conditions, and all that is known of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fencepost import Store, connect
from fencepost.cli.messages.conditions import since
from fencepost.store.types.messages.draft import Address, Draft

from .command import Command


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    """A store with message 1 for two handlers, a dead job 2, a later one 3, and 4 for nobody."""
    with connect(str(path)) as opened:
        opened.queue("deploy", keep_body_for=3600)
        webhook(opened, "github", "push", "k1", "deploy", "notify")
        opened.queue("mail").enqueue(b"job", key="k2")
        (claim,) = opened.queue("mail").claim()
        claim.bury("HTTPError: Connection refused")
        opened.queue("mail").enqueue(b"job", key="k3", delay=3600)
        webhook(opened, "github", "issues.opened", "k4")
        yield opened


def webhook(store: Store, source: str, event: str, key: str, *queues: str) -> None:
    """Store a message as a receiver does."""
    addresses = [Address(queue) for queue in queues]
    store.engine.queue.enqueue([Draft(source, source, key, event, {}, b'{"n": 1}', addresses)])


# FIND-3
def test_ids_are_printed_and_taken_with_what_they_are_of(store: Store, command: Command) -> None:
    table = command("messages", "list").out
    rows = command("messages", "list", "--json").json()

    assert re.findall(r"^([a-z]?[0-9]+) ", table, re.MULTILINE) == ["d4", "d3", "d2", "d1"]
    assert [(row["id"], row["message_id"]) for row in rows] == [(4, 3), (3, 2), (2, 1), (1, 1)]
    for id in ("3", "d3", "D3", " d3 "):
        text = command("messages", "show", id).out
        assert text.startswith("id: d3\nmessage_id: m2\n")
        assert command("messages", "show", id, "--json").json()["id"] == 3
    assert command("messages", "show", "m2", "--json").json()["message_id"] == 2
    assert command("messages", "list", "--before", "d3", "--json").json() == rows[2:]
    assert command("messages", "cancel", "d4").out == "cancelled d4\n"
    assert command("messages", "replay", "3").out == "replayed d3\n"


# FIND-3
@pytest.mark.parametrize("id", ["x3", "d", "d0", "m-1", "3d", "d9223372036854775808", "", "{}"])
def test_what_is_no_id_is_wrong_usage(store: Store, command: Command, id: str) -> None:
    for verb in ("show", "replay", "cancel"):
        assert command("messages", verb, "--", id).complains(2)
    assert command("messages", "list", "--before", "m1").complains(2)


# FIND-4
@pytest.mark.parametrize(
    "answer",
    [
        ['{"id":1,"status":"accepted"}'],
        ['{"id": 1, "status": "duplicate"}'],
        ["{id:", "1,", "status:", "accepted}"],
        ["id:1", "status:accepted"],
        ['{"status": "accepted", "id": 1}'],
        ["m1"],
    ],
)
def test_a_receivers_answer_names_its_message(
    store: Store, command: Command, answer: list[str]
) -> None:
    shown = command("messages", "show", "--json", *answer).json()

    assert (shown["message_id"], shown["key"]) == (1, "k1")
    assert [each["queue"] for each in shown["deliveries"]] == ["deploy", "notify"]


# FIND-5
def test_a_message_is_shown_with_all_its_deliveries(store: Store, command: Command) -> None:
    (claim,) = store.queue("notify").claim()
    claim.bury("no")

    shown = command("messages", "show", "m1", "--json").json()
    text = command("messages", "show", "m1").out
    alone = command("messages", "show", "m2", "--json").json()
    nobody = command("messages", "show", "m4")

    assert (shown["source"], shown["event"], shown["body"]) == ("github", "push", '{"n": 1}')
    assert [(each["id"], each["state"]) for each in shown["deliveries"]] == [
        (1, "ready"),
        (2, "dead"),
    ]
    assert text.startswith("message_id: m1\n")
    assert "id: d1\nqueue: deploy\n" in text
    assert "id: d2\nqueue: notify\n" in text
    assert (alone["id"], alone["state"]) == (3, "dead")
    assert (nobody.code, "no route" in nobody.out) == (0, True)
    assert command("messages", "show", "m9").complains(1)
    assert command("messages", "show", "d9").complains(1)


# FIND-5
def test_a_result_is_shown_as_json(store: Store, command: Command) -> None:
    (claim,) = store.queue("deploy").claim()
    claim.ack({"sent": True, "to": ["ключ"], "none": None})

    shown = command("messages", "show", "d1").out

    assert 'result: {"sent": true, "to": ["ключ"], "none": null}\n' in shown


# FIND-5
def test_a_copy_and_its_original_show_each_other(store: Store, command: Command) -> None:
    (claim,) = store.queue("deploy").claim()
    claim.ack()
    (other,) = store.queue("notify").claim()
    other.ack()

    replayed = command("messages", "replay", "d1")

    assert (replayed.code, replayed.out) == (0, "copied d1 as d5 (message m5)\n")
    assert "copies: m5\n" in command("messages", "show", "d1").out
    assert "copy_of: m1\n" in command("messages", "show", "d5").out
    assert command("messages", "show", "m1", "--json").json()["copies"] == [5]
    assert command("messages", "show", "m5", "--json").json()["copy_of"] == 1


# FIND-6
@pytest.mark.parametrize(
    ("options", "ids"),
    [
        (["--key", "k1"], [2, 1]),
        (["--source", "github"], [2, 1]),
        (["--event", "pu*"], [2, 1]),
        (["--error", "connection refused"], [3]),
        (["--state", "scheduled"], [4]),
        (["--state", "ready"], [4, 2, 1]),
        (["--since", "2h", "--queue", "mail"], [4, 3]),
        (["--since", "2020-01-01"], [4, 3, 2, 1]),
        (["--since", "2100-01-01T00:00:00Z"], []),
        (["--source", "github", "--queue", "notify", "--state", "ready", "--key", "k1"], [2]),
        (["--source", "nobody"], []),
    ],
)
def test_a_list_takes_every_condition(
    store: Store, command: Command, options: list[str], ids: list[int]
) -> None:
    shown = command("messages", "list", "--json", *options)

    assert [row["id"] for row in shown.json()] == ids
    assert (shown.code, shown.err) == (0, "")


# FIND-6
@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("90", timedelta(seconds=90)),
        ("1.5", timedelta(seconds=1.5)),
        ("2h", timedelta(hours=2)),
        ("1h30m", timedelta(minutes=90)),
        ("3D", timedelta(days=3)),
        ("2026-11-30", datetime(2026, 11, 30, tzinfo=UTC)),
        ("2026-11-30t09:00z", datetime(2026, 11, 30, 9, tzinfo=UTC)),
        ("2026-11-30T09:00:00.123+01:00", datetime(2026, 11, 30, 8, 0, 0, 123_000, tzinfo=UTC)),
        ("1800000000", datetime.fromtimestamp(1_800_000_000, UTC)),
    ],
)
def test_a_time_is_written_as_people_do(text: str, meant: timedelta | datetime) -> None:
    assert since(text) == meant


@pytest.mark.parametrize("text", ["", "yesterday", "2x", "-5", "h", "2026-13-01", "9" * 400])
def test_what_is_no_time_is_wrong_usage(store: Store, command: Command, text: str) -> None:
    assert command("messages", "list", f"--since={text}").complains(2)


# FIND-6
def test_messages_without_a_route_are_listed_by_the_same_conditions(
    store: Store, command: Command
) -> None:
    webhook(store, "stripe", "payout", "k5")

    def keys(*options: str) -> list[str]:
        shown = command("messages", "list", "--unrouted", "--json", *options)
        return [row["key"] for row in shown.json()]

    assert keys() == ["k5", "k4"]
    assert keys("--source", "github") == keys("--event", "issues") == ["k4"]
    assert keys("--event", "is*ed", "--since", "1h") == keys("--key", "k4") == ["k4"]
    assert keys("--before", "m5") == ["k4"]
    assert "m5  " in command("messages", "list", "--unrouted").out
    assert command("messages", "list", "--unrouted", "--state", "dead").complains(2)


# FIND-7
@pytest.mark.parametrize("options", [[], ["--json"], ["--unrouted"]])
def test_a_list_that_stopped_at_its_limit_says_so(
    store: Store, command: Command, options: list[str]
) -> None:
    webhook(store, "github", "issues.closed", "k5")
    all_of_them = "2" if "--unrouted" in options else "4"

    stopped = command("messages", "list", "--limit", "1", *options)
    complete = command("messages", "list", "--limit", all_of_them, *options)

    last = "m5" if "--unrouted" in options else "d4"
    assert stopped.err == (
        f"There are more than 1 rows: use --limit N, or --before {last} for the next page.\n"
    )
    assert (stopped.code, complete.code, complete.err) == (0, 0, "")


# REPLAY-7
def test_what_is_done_to_a_message_is_done_to_its_deliveries(
    store: Store, command: Command
) -> None:
    webhook(store, "github", "push", "k5", "deploy", "notify", "third")  # m5: d5, d6, d7
    for id, name in ((5, "deploy"), (6, "notify")):
        store.queue(name).claim()
        (claim,) = store.queue(name).claim()
        assert claim.id == id
        claim.bury("no") if name == "deploy" else claim.ack()

    replayed = command("messages", "replay", "m5")
    again = command("messages", "replay", "m5")
    cancelled = command("messages", "cancel", "m5", "m2")

    assert (replayed.code, replayed.out) == (0, "replayed d5\n")
    assert replayed.err == "left d7: it is ready\n"
    assert (again.code, again.out) == (1, "")
    assert [line.split(":")[0] for line in again.err.splitlines()] == ["Error"] * 2
    assert (cancelled.code, cancelled.out) == (0, "cancelled d5\ncancelled d7\ncancelled d3\n")
    assert cancelled.err == "left d6: it is done\n"
    assert command("messages", "replay", "m9").complains(1)


# REPLAY-7
def test_a_message_that_is_wholly_done_is_replayed_as_copies(
    store: Store, command: Command
) -> None:
    for name in ("deploy", "notify"):
        store.queue(name).claim()[0].ack()

    replayed = command("messages", "replay", "m1")

    assert replayed.out == "copied d1 as d5 (message m5)\ncopied d2 as d6 (message m6)\n"
    assert (replayed.code, replayed.err) == (0, "")


# REPLAY-7
def test_a_message_without_a_route_is_replayed_by_its_id(store: Store, command: Command) -> None:
    replayed = command("messages", "replay", "m4")
    again = command("messages", "replay", "m4")

    assert (replayed.code, replayed.out, replayed.err) == (0, "replayed m4\n", "")
    assert store.unrouted()[0].waiting
    assert (again.code, "worker" in again.err) == (0, True)
    assert command("messages", "cancel", "m4").complains(1)
