"""Every Python example of the documents, killed at each of its steps, has the right outcome."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fencepost import App, Message, Store, connect
from fencepost.store.types.messages.draft import Draft

from ..documents import EXAMPLES
from ..processes import PATIENCE_SECONDS, fencepost
from ..root import ROOT
from ..sqlite.inside import ask

CODE = [str(each.values[0]) for each in EXAMPLES]

# More than any example has steps; the test says so when that is no longer true.
_MESSAGES = 40

_APP = """
import sys
sys.path.insert(0, {root!r})
from tests.examples.killer import load
app = load({example!r}, {killed!r})
"""


@dataclass(frozen=True, slots=True)
class Handling:
    """An example with an app: what is delivered to it, and what has come of it in the end.

    Attributes:
        marker: What stands in this example and in no other.
        steps: How many there are at least.
    """

    marker: str

    store: str
    source: str | None
    event: str
    body: Callable[[int], Any]
    check: Callable[[Path, Store], None]
    steps: int = 4


@dataclass(frozen=True, slots=True)
class Program:
    """An example that is run: what is true in its folder after it was run to its end.

    Attributes:
        marker: What stands in this example and in no other.
        leases: How long the leases are that a killed run leaves, as the example spells it.
    """

    marker: str
    check: str
    leases: str = ""


def _pushes(path: Path, _: Store) -> None:
    rows = ask(path, "select key, count(*) from pushes group by key")
    assert sorted(rows) == sorted((f"kill-{n}", 1) for n in range(1, _MESSAGES + 1))


def _reports(path: Path, _: Store) -> None:
    rows = ask(path, "select planned, count(*) from reports where planned like 'kill%' group by 1")
    assert sorted(rows) == sorted((f"kill-{n}", 1) for n in range(1, _MESSAGES + 1))


def _shipped(path: Path, store: Store) -> None:
    rows = ask(path, "select order_id, count(*) from shipped group by order_id")
    assert sorted(rows) == sorted((f"order-{n}", 1) for n in range(1, _MESSAGES + 1))
    assert store.stats()["mail"].done == _MESSAGES  # every order has its mail


def _all_done(_: Path, store: Store) -> None:
    assert sum(stats.done for stats in store.stats().values()) == _MESSAGES


def _fulfilled(path: Path, store: Store) -> None:
    rows = ask(path, "select order_id, charge, count(*) from booked group by order_id, charge")
    assert sorted(rows) == sorted((f"o{n}", f"ch-o{n}", 1) for n in range(1, _MESSAGES + 1))
    charges = [line.split() for line in (path.parent / "charges.txt").read_text().splitlines()]
    assert len({order for order, _ in charges}) == _MESSAGES
    assert len({key for _, key in charges}) == _MESSAGES  # a second call has the first one's key
    assert ask(path, "select count(*) from fp_step") == [(0,)]
    _all_done(path, store)


def _mailed(path: Path, store: Store) -> None:
    rows = ask(path, "select text, count(*), count(distinct customer) from mails group by text")
    assert sorted(rows) == [
        ("welcome", _MESSAGES, _MESSAGES),
        ("your trial is over", _MESSAGES, _MESSAGES),
    ]


def _counted(path: Path, store: Store) -> None:
    assert store.counters() == {"mails": 2 * _MESSAGES, "orders": _MESSAGES}
    _all_done(path, store)


def _refunded(path: Path, store: Store) -> None:
    rows = ask(path, "select id, count(*), max(text = 'nobody answered') from refunds group by id")
    assert sorted(rows) == sorted((f"kill-{n}", 2, 1) for n in range(1, _MESSAGES + 1))
    assert ask(path, "select count(*) from fp_wait") == [(0,)]
    _all_done(path, store)


def _deployed(path: Path, store: Store) -> None:
    rows = ask(path, "select id, count(*), max(text = 'no checks ran') from deploys group by id")
    assert sorted(rows) == sorted((f"kill-{n}", 2, 1) for n in range(1, _MESSAGES + 1))
    assert ask(path, "select count(*) from fp_wait") == [(0,)]
    _all_done(path, store)


def _stocked(path: Path, store: Store) -> None:
    rows = ask(path, "select product, amount, messages from stock order by product")
    by_product = [[n for n in range(1, _MESSAGES + 1) if n % 2 == of] for of in (0, 1)]
    assert rows == [(f"p{of}", ns[-1], len(ns)) for of, ns in enumerate(by_product)]
    _all_done(path, store)


def _all_dead(_: Path, store: Store) -> None:
    assert store.stats()["mail"].dead == _MESSAGES


HANDLING = {
    "first": Handling(
        "def count(message, ctx)",
        "hooks.db",
        "github",
        "push",
        lambda n: {"repository": {"full_name": "a/b"}},
        _pushes,
    ),
    "ship": Handling(
        "def ship(message, ctx)",
        "hooks.db",
        "shop",
        "order",
        lambda n: {"order": f"order-{n}"},
        _shipped,
    ),
    "scheduled": Handling("@app.every(", "shop.db", None, "report", lambda n: {}, _reports),
    "discards": Handling(
        "smtp.conf", "shop.db", None, "mail", lambda n: "hello", _all_dead, steps=3
    ),
    "failures": Handling("class OutOfStock", "hooks.db", None, "orders", lambda n: {}, _all_done),
    "hooks": Handling("async def open_client()", "hooks.db", None, "mail", lambda n: {}, _all_done),
    "steps": Handling(
        "def fulfil(message, ctx)",
        "hooks.db",
        "shop",
        "order.placed",
        lambda n: {"order": f"o{n}"},
        _fulfilled,
        steps=12,
    ),
    "sleep": Handling(
        "def end_trial(message, ctx)",
        "hooks.db",
        None,
        "trial",
        lambda n: "hello",
        _mailed,
        steps=8,
    ),
    "wait": Handling(
        "def refund(message, ctx)", "hooks.db", None, "refund", lambda n: {}, _refunded, steps=8
    ),
    "counters": Handling(
        "def notify(message, ctx)",
        "hooks.db",
        "shop",
        "order.placed",
        lambda n: {"watchers": ["ann", "bob"]},
        _counted,
        steps=10,
    ),
    "event": Handling(
        "def roll_out(message, ctx)", "hooks.db", None, "deploy", lambda n: {}, _deployed, steps=8
    ),
    "joins": Handling(
        "def restock(messages, ctx)",
        "hooks.db",
        "shop",
        "stock",
        lambda n: {"product": f"p{n % 2}", "amount": n},
        _stocked,
        steps=8,
    ),
    "answer": Handling(
        "respond=True", "hooks.db", "slack", "command:/deploys", lambda n: {}, _all_done, steps=2
    ),
    "command": Handling(
        "app.command(",
        "hooks.db",
        "github",
        "push",
        lambda n: "refs/heads/main",
        _all_done,
        steps=2,
    ),
}

PROGRAMS = {
    "queue": Program(
        "jobs.db",
        """
import fencepost
with fencepost.connect("jobs.db") as store:
    with store.transaction() as tx:
        assert tx.execute("select key from sent") == [("greeting-7",)]
    assert store.stats()["mail"].done == 1
""",
        leases="lease=30",
    ),
    "wait for a message": Program(
        "receipt.wait(",
        """
import fencepost
with fencepost.connect("photos.db") as store:
    receipt = store.queue("resize").enqueue(b"photo-7", key="photo-7")
    assert receipt.wait(0) == fencepost.Ended("done", {"width": 200})
""",
        leases="lease=30",
    ),
    "keyed": Program(
        'store.keyed("slack"',
        """
import fencepost
with fencepost.connect("hooks.db") as store:
    assert store.keyed("shop", "seen").lookup("evt_1") is True
    assert store.keyed("shop", "counts").lookup("orders") == 10
""",
    ),
    "leases": Program(
        "store.leases.hold(",
        """
import fencepost
with fencepost.connect("hooks.db") as store:
    assert store.leases.try_acquire("deploy", ttl=1) is not None
    with store.transaction() as tx:
        assert tx.execute("select distinct n from deploys") == [(1,)]
""",
        leases="ttl=30",
    ),
    "once": Program(
        "store.idempotent(",
        """
import fencepost
with fencepost.connect("hooks.db") as store:
    assert store.once("stripe", "evt_1").result == {"ok": True}
    assert store.once("orders", "7").result == {"charged": 3}
""",
        leases="lease=30",
    ),
    "once in a transaction": Program(
        'store.once("orders", "7")\n',
        """
import fencepost
with fencepost.connect("hooks.db") as store:
    with store.transaction() as tx:
        assert tx.execute("select id from orders") == [("7",)]
    assert store.once("orders", "7").done
""",
        leases='"7"',
    ),
}


# What declares and does nothing yet, or lives in a test's process, on a store of the test's.
UNDONE = (
    "@app.on_dead",
    "# POST /in/github",
    'scheme="hmac", secret="hush", header',
    "fencepost.testing import",
    "def tell_customer(message, ctx)",  # killed in tests/sending
)


def _code(marker: str) -> str:
    (found,) = (code for code in CODE if marker in code)
    return found


def test_every_example_is_killed_here() -> None:
    markers = [each.marker for each in HANDLING.values()]
    markers += [each.marker for each in PROGRAMS.values()]

    for code in CODE:
        assert sum(marker in code for marker in (*markers, *UNDONE)) == 1, code


# EXAMPLE-1
@pytest.mark.parametrize("name", HANDLING)
def test_a_handler_killed_at_any_step_has_the_right_outcome(name: str, tmp_path: Path) -> None:
    of = HANDLING[name]
    example, killed, store = tmp_path / "example.py", tmp_path / "killed", tmp_path / of.store
    killed.mkdir()
    example.write_text(_code(of.marker))
    target = tmp_path / "target.py"
    target.write_text(_APP.format(root=str(ROOT), example=str(example), killed=str(killed)))
    _deliver(of, _code(of.marker), store)

    with connect(store) as opened:
        _drain(tmp_path)
        while any(stats.asleep or stats.ready for stats in opened.stats().values()):
            _drain(tmp_path)  # which does not wait for those that sleep
        of.check(store, opened)
    kills = {int(mark.name.removeprefix("kill-")) for mark in killed.iterdir()}
    # Each step in turn. An attempt may have more: a worker asks a busy store again.
    in_turn = next(n for n in range(_MESSAGES + 1) if n + 1 not in kills)
    assert of.steps <= in_turn < _MESSAGES


def _drain(folder: Path) -> None:
    ended = subprocess.run(
        [sys.executable, *fencepost("work", "target.py", "--workers", "4", "--drain")],
        cwd=folder,
        env={**os.environ, "GITHUB_WEBHOOK_SECRET": "s"},
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    assert ended.returncode == 0, ended.stderr


# EXAMPLE-2
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_killed_at_any_step_has_the_right_outcome(name: str, tmp_path: Path) -> None:
    of = PROGRAMS[name]
    example, code = tmp_path / "example.py", _code(of.marker)
    if of.leases:
        assert of.leases in code
    example.write_text(_shorter(code, of.leases))
    driver = Path(__file__).with_name("program.py")

    ended = subprocess.run(
        [sys.executable, str(driver), str(example), str(tmp_path), of.check],
        check=False,
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE_SECONDS,
    )

    assert ended.returncode == 0, ended.stderr
    assert int(ended.stdout.split()[-1]) > 4


def _shorter(code: str, leases: str) -> str:
    """Return an example whose leases end within a second: the dead hold theirs as long."""
    if leases.endswith("=30"):
        return code.replace(leases, leases.replace("30", "1"))
    return code.replace(leases, f"{leases}, lease=1") if leases else code


def _deliver(of: Handling, code: str, store: Path) -> None:
    os.environ.setdefault("GITHUB_WEBHOOK_SECRET", "s")
    names: dict[str, Any] = {}
    exec(compile(code, "example", "exec"), names)  # noqa: S102 - an example of ours
    app: App = names["app"]
    with connect(store) as opened:
        for n in range(1, _MESSAGES + 1):
            body = json.dumps(of.body(n)).encode()
            if of.source is None:
                opened.queue(of.event).enqueue(body, key=f"kill-{n}")
                continue
            message = Message(0, of.source, f"kill-{n}", of.event, {}, body, 0.0)
            addresses = app.addresses(message)
            draft = Draft(of.source, of.source, message.key, of.event, {}, body, addresses)
            opened.engine.queue.enqueue([draft])
