"""Changing many deliveries with one command."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fencepost import Store, connect
from fencepost.store.types.messages.draft import Address, Draft

from .command import Command
from .terminal import Terminal


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    """An empty store that stays open."""
    with connect(str(path)) as opened:
        yield opened


def dead(store: Store, name: str, count: int, error: str = "no") -> None:
    """Make dead letters."""
    queue = store.queue(name)
    queue.enqueue_many({"body": b"", "key": f"{n}"} for n in range(count))
    with store.transaction():
        pass
    for claim in queue.claim(limit=count):
        claim.bury(error)


# REPLAY-8
def test_conditions_say_what_is_changed(store: Store, command: Command) -> None:
    dead(store, "mail", 2, "HTTPError: 503")
    dead(store, "post", 1, "KeyError: 'a'")
    for n in (1, 2):
        draft = Draft("github", "github", f"w{n}", f"push.{n}", {}, b"", [Address("deploy")])
        store.engine.queue.enqueue([draft])

    replayed = command("messages", "replay", "--all", "--error", "httperror", "--since", "1h")
    cancelled = command("messages", "cancel", "--all", "--source", "github", "--event", "push.2")
    gone = command("messages", "cancel", "--all", "--state", "dead")
    none = command("messages", "replay", "--all", "--key", "nothing")

    assert [ended.out for ended in (replayed, cancelled, gone, none)] == [
        *("replayed 2\n", "cancelled 1\n", "cancelled 1\n", "replayed 0\n")
    ]
    stats = store.stats()
    assert (stats["mail"].ready, stats["post"].cancelled) == (2, 1)
    assert (stats["deploy"].ready, stats["deploy"].cancelled) == (1, 1)


# REPLAY-8
def test_cancelled_deliveries_are_replayed_in_bulk(store: Store, command: Command) -> None:
    store.queue("mail").enqueue_many({"body": b""} for _ in range(3))

    cancelled = command("messages", "cancel", "--all")
    replayed = command("messages", "replay", "--all", "--state", "cancelled")

    assert (cancelled.out, replayed.out) == ("cancelled 3\n", "replayed 3\n")
    assert store.queue("mail").stats().ready == 3


# REPLAY-8
def test_what_is_done_is_replayed_in_bulk_as_copies(store: Store, command: Command) -> None:
    for name, kept in (("mail", 3600), ("post", 0)):
        queue = store.queue(name, keep_body_for=kept)
        queue.enqueue_many({"body": b""} for _ in range(2))
        queue.ack_many(queue.claim(limit=2))

    ended = command("messages", "replay", "--all", "--state", "done")

    assert (ended.code, ended.out) == (0, "copied 2\n")
    assert ended.err.startswith("left 2: it is done and its body is gone (keep_body_for=")
    assert (store.queue("mail").stats().ready, store.queue("post").stats().ready) == (2, 0)


# REPLAY-8
def test_a_lane_is_replayed_in_its_order(store: Store, command: Command) -> None:
    queue = store.queue("mail")
    queue.enqueue_many({"body": b"", "lane": "a"} for _ in range(3))
    for _ in range(3):
        queue.claim()[0].bury("no")
    command("messages", "replay", "--all")

    order = []
    while claims := queue.claim(limit=5):
        order += [claim.id for claim in claims]
        queue.ack_many(claims)

    assert order == [1, 2, 3]


# REPLAY-8
def test_messages_without_a_route_are_replayed_in_bulk(store: Store, command: Command) -> None:
    for n in range(3):
        event = f"issues.{n}"
        store.engine.queue.enqueue([Draft("github", "github", f"w{n}", event, {}, b"{}", [])])

    some = command("messages", "replay", "--all", "--unrouted", "--event", "issues.[01]")

    assert (some.code, some.out, some.err) == (0, "replayed 2\n", "")
    assert [each.waiting for each in store.unrouted()] == [False, True, True]
    assert command("messages", "replay", "--all", "--unrouted", "--queue", "q").complains(2)


# REPLAY-9
@pytest.mark.parametrize(("answer", "code", "left"), [("y", 0, 0), ("n", 1, 5), ("", 1, 5)])
def test_on_a_terminal_it_asks_first(
    store: Store, path: Path, answer: str, code: int, left: int
) -> None:
    dead(store, "mail", 3)
    dead(store, "post", 2)

    terminal = Terminal("messages", "replay", "--all", "--store", str(path), columns=200)
    asked = terminal.wait_for("[y/N]")
    assert "replay 5 deliveries of queues mail (3), post (2)" in asked
    assert sum(found.dead for found in store.stats().values()) == 5
    terminal.say(f"{answer}\n")
    shown = terminal.read()

    assert terminal.code == code
    assert ("replayed 5" if code == 0 else "Nothing was changed") in shown
    assert sum(found.dead for found in store.stats().values()) == left


# REPLAY-9
@pytest.mark.parametrize("words", [("replay",), ("cancel", "--state", "dead")])
def test_yes_asks_nothing(store: Store, path: Path, words: tuple[str, ...]) -> None:
    dead(store, "mail", 3)

    terminal = Terminal("messages", *words, "--all", "--yes", "--store", str(path))

    assert f"{words[0]}" in terminal.read()
    assert terminal.code == 0
    assert store.queue("mail").stats().dead == 0


# REPLAY-11
def test_on_a_terminal_it_shows_how_far_it_is(store: Store, path: Path) -> None:
    store.queue("mail").enqueue_many({"body": b""} for _ in range(1200))

    terminal = Terminal("messages", "cancel", "--all", "--yes", "--store", str(path))

    shown = terminal.read()
    assert all(f"{tried} of 1200" in shown for tried in (500, 1000, 1200))
    assert shown.endswith("cancelled 1200\n")


# REPLAY-10
def test_a_rate_is_kept(store: Store, command: Command) -> None:
    dead(store, "mail", 6)
    began = time.monotonic()

    ended = command("messages", "replay", "--all", "--rate", "10")

    assert (ended.code, ended.out) == (0, "replayed 6\n")
    assert time.monotonic() - began >= 0.4
    assert command("messages", "replay", "--all", "--rate", "0").complains(2)
    assert command("messages", "replay", "d1", "--rate", "5").complains(2)


# REPLAY-11
def test_ctrl_c_says_how_far_it_came(store: Store, path: Path) -> None:
    dead(store, "mail", 20)
    words = ("messages", "replay", "--all", "--yes", "--rate", "1")
    terminal = Terminal(*words, "--store", str(path))
    deadline = time.monotonic() + 60
    while store.queue("mail").stats().ready == 0:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    terminal.signal(signal.SIGINT)

    shown = terminal.read()

    replayed = store.queue("mail").stats().ready
    assert terminal.code == 130
    assert 1 <= replayed < 20
    assert f"replayed {replayed}\n" in shown
    assert f"Interrupted after {replayed}; {20 - replayed} were not changed." in shown


# MOVE-8
def test_a_queue_is_moved_by_command(store: Store, command: Command) -> None:
    draft = Draft("s", "s", "k", "e", {}, b"", [Address("old"), Address("new")])
    store.engine.queue.enqueue([draft])
    queue = store.queue("old")
    queue.enqueue_many({"body": b""} for _ in range(3))
    queue.enqueue(b"", delay=60)
    claim = queue.claim(limit=2)[1]

    ended = command("messages", "move", "--from", "old", "--to", "new")
    rest = command("messages", "move", "--from", "old", "--to", "other")

    assert (ended.code, ended.out, ended.err) == (
        *(0, "moved 3, left 2 that are leased\n"),
        "",
    )
    assert (rest.out, claim.id) == ("moved 0, left 2 that are leased\n", 3)
    assert store.queue("new").stats().scheduled == 1


# MOVE-8
def test_a_move_that_makes_no_sense_is_refused(store: Store, command: Command) -> None:
    store.queue("old").enqueue(b"")

    assert command("messages", "move", "--from", "olt", "--to", "new").complains(1)
    assert command("messages", "move", "--from", "old", "--to", "old").complains(2)
    assert command("messages", "move", "--from", "old", "--to", "").complains(2)
    assert command("messages", "move", "--from", "old").complains(2)
    new = command("messages", "move", "--from", "old", "--to", "new")
    assert (new.out, "did not exist" in new.err) == ("moved 1\n", True)
