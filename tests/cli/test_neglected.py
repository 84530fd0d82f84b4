"""status and doctor name what nobody takes care of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fencepost import Store, connect

from ..sqlite.inside import connection
from ..store.deliveries import claim, deliver
from .command import Command


@pytest.fixture
def opened(path: Path) -> Iterator[Store]:
    """The store that the commands are asked about."""
    with connect(path) as store:
        yield store


# UNROUTED-8, UNSERVED-3, CONFLICT-2
def test_a_store_without_any_says_so(opened: Store, command: Command) -> None:
    shown = command("status", "--json").json()

    assert shown["unserved"] == []
    assert shown["unrouted"] == {"total": 0, "events": []}
    assert shown["conflicts"] == {}
    found = {step["name"]: step for step in command("doctor", "--json").json()["steps"]}
    for name in ("unserved queues", "unrouted messages", "conflicts"):
        assert (found[name]["ok"], found[name]["warning"]) == (True, False)


# UNROUTED-8
def test_unrouted_messages_are_counted_in_status_and_named_by_doctor(
    opened: Store, command: Command
) -> None:
    for n in range(3):
        deliver(opened, (), key=f"{n}", event=f"event-{n % 2}")

    unrouted = command("status", "--json").json()["unrouted"]
    table = command("status")
    doctor = command("doctor", "--json")

    assert unrouted["total"] == 3
    assert [(each["source"], each["event"], each["count"]) for each in unrouted["events"]] == [
        ("github", "event-0", 2),
        ("github", "event-1", 1),
    ]
    assert unrouted["events"][0]["oldest_at"].endswith("Z")
    assert "unrouted: 2 of github, event-0, since " in table.out
    (step,) = [step for step in doctor.json()["steps"] if step["name"] == "unrouted messages"]
    assert (doctor.code, step["ok"], step["warning"]) == (0, True, True)
    assert "github: event-0 (2), github: event-1 (1)" in step["detail"]


# UNSERVED-3
def test_unserved_queues_are_listed_in_status_and_named_by_doctor(
    opened: Store, command: Command
) -> None:
    opened.queue("renamed").enqueue(b"", delay=60)
    opened.queue("served").enqueue(b"")
    opened.queue("finished").enqueue(b"")
    claim(opened, "finished").ack()
    opened.engine.pools.begin(["served"], 1)

    assert command("status", "--json").json()["unserved"] == [
        {"queue": "renamed", "waiting": 1, "leased": 0}
    ]
    assert "unserved: queue renamed holds 1, and has no pool" in command("status").out
    doctor = command("doctor")
    assert doctor.code == 0
    assert "no running pool serves renamed (1)" in doctor.out


# CONFLICT-2
def test_conflicts_are_shown_and_doctor_names_a_source_that_has_many(
    opened: Store, command: Command
) -> None:
    for n in range(200):
        deliver(opened, key=f"{n}", source="fine", scope="fine")
    for source, conflicts in (("github", 10), ("fine", 2), ("few", 9)):
        for n in range(conflicts + 1):
            deliver(opened, source=source, scope=source, body=b"%d" % n)

    assert command("status", "--json").json()["conflicts"] == {"few": 9, "fine": 2, "github": 10}
    assert "conflicts: 10 of github, last of key event-1" in command("status").out
    doctor = command("doctor", "--json")
    (step,) = [step for step in doctor.json()["steps"] if step["name"] == "conflicts"]
    assert (doctor.code, step["warning"]) == (0, True)
    assert "github (10, 1 keys known" in step["detail"]
    assert "few" not in step["detail"]
    assert "fine" not in step["detail"]


# UNSERVED-3
def test_a_look_that_fails_is_a_finding_and_hides_no_other(opened: Store, command: Command) -> None:
    deliver(opened, ())
    opened.engine.pools.begin(["mail"], 1)
    connection(opened).execute("update fp_pool set queues = '{'")

    doctor = command("doctor", "--json")

    steps = {step["name"]: step for step in doctor.json()["steps"]}
    assert doctor.code == 1
    assert not steps["unserved queues"]["ok"]
    assert "github: push (1)" in steps["unrouted messages"]["detail"]
    assert steps["integrity"]["ok"]
