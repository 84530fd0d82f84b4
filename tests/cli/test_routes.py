"""Routes off and on by command."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fencepost import Store, connect

from ..store.deliveries import deliver
from .command import Command
from .shown import ISO


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    """An open store, beside the commands that look at it."""
    with connect(str(path)) as opened:
        yield opened


# ROUTE-6, TRIG-3, TRIG-13
def test_routes_are_turned_off_and_on_and_saying_it_again_changes_nothing(
    store: Store, command: Command
) -> None:
    store.queue("deploy").enqueue(b"")

    said = [command("routes", verb, "deploy") for verb in ("on", "off", "off")]
    deliver(store)
    said += [command("routes", "on", "deploy")]

    assert [ended.code for ended in said] == [0] * 4
    assert [ended.out for ended in said] == [
        "the routes to deploy are on already\n",
        "the routes to deploy are off\n",
        "the routes to deploy are off already\n",
        "the routes to deploy are on; 1 kept messages are being routed\n",
    ]
    assert [route.state for route in store.routes_off()] == ["draining"]


# ROUTE-6
def test_a_name_that_no_queue_has_yet_is_told(store: Store, command: Command) -> None:
    assert "no queue of that name" in command("routes", "off", "dploy").out
    assert [route.queue for route in store.routes_off()] == ["dploy"]


# ROUTE-6
def test_routes_that_are_off_are_listed_with_what_is_kept(store: Store, command: Command) -> None:
    assert command("routes", "list", "--json").json() == []
    assert command("routes", "list").out == "all routes are on\n"
    command("routes", "off", "deploy")
    message = deliver(store).message_id

    (listed,) = command("routes", "list", "--json").json()
    status = command("status", "--json").json()
    shown = command("messages", "show", f"m{message}")

    assert ISO.fullmatch(listed.pop("changed_at"))
    assert listed == {"queue": "deploy", "state": "off", "kept": 1}
    table = command("routes", "list").out.splitlines()
    assert table[0].split() == ["queue", "state", "since", "kept"]
    assert table[1].split()[:2] == ["deploy", "off"]
    assert [route["kept"] for route in status["routes"]] == [1]
    assert status["unrouted"]["total"] == 0
    (unrouted,) = command("messages", "list", "--unrouted", "--json").json()
    assert (unrouted["message_id"], unrouted["kept_for"]) == (message, ["deploy"])
    assert "kept for deploy" in command("messages", "list", "--unrouted").out
    assert "replayed 0" in command("messages", "replay", "--all", "--unrouted", "--yes").out
    assert "routes: deploy is off, keeps 1, since " in command("status").out
    assert "kept for: deploy, whose routes are off" in shown.out
    assert "no route has matched" not in shown.out
    assert command("messages", "show", f"m{message}", "--json").json()["kept_for"] == ["deploy"]


# ROUTE-3, ROUTE-6
def test_what_was_kept_can_be_discarded(store: Store, command: Command) -> None:
    command("routes", "off", "deploy")
    for n in range(3):
        deliver(store, key=f"{n}")

    ended = command("routes", "on", "deploy", "--discard")

    assert (ended.code, ended.out) == (0, "the routes to deploy are on; 3 discarded\n")
    assert store.routes_off() == []
    assert store.deliveries() == []
    assert deliver(store, key="1").status == "duplicate"
    assert deliver(store, key="4").state == "ready"


# ROUTE-4
def test_a_message_that_is_kept_is_not_replayed(store: Store, command: Command) -> None:
    command("routes", "off", "deploy")
    message = deliver(store).message_id

    refused = command("messages", "replay", f"m{message}")

    assert refused.code == 1
    assert "a route of it is off" in refused.err


# ROUTE-7
def test_doctor_compares_kept_messages_with_their_marks(store: Store, command: Command) -> None:
    command("routes", "off", "deploy")
    message = deliver(store).message_id
    steps = {step["name"]: step for step in command("doctor", "--json").json()["steps"]}
    assert steps["kept messages"]["ok"]
    from ..sqlite.inside import connection

    connection(store).execute("update fp_message set unrouted = 0 where id = ?", (message,))

    steps = {step["name"]: step for step in command("doctor", "--json").json()["steps"]}

    assert not steps["kept messages"]["ok"]
