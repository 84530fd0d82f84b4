"""SIGKILL at any moment: what was acknowledged is there, and the database is whole."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import pytest

from fencepost import connect

from ..processes import line_of, running
from .inside import ask

KILLS = 30

_WORK = """
import itertools, sys
from fencepost import connect
path, name = sys.argv[1:]
store = connect(path)
queue = store.queue("mail")

def say(what, key):
    print(what, key, flush=True)

for n in itertools.count():
    key = f"{name}-{n}"
    assert queue.enqueue(b"x" * (n % 7 * 1000), key=key).status == "accepted"
    say("stored", key)
    for claim in queue.claim(limit=2, lease=0.001):
        if n % 3:
            claim.ack({"of": claim.message.key})
            say("done", claim.message.key)
"""


# TRIG-9, FP-13
@pytest.mark.parametrize("seed", range(2))
def test_nothing_acknowledged_is_lost_to_kill(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "store.db"
    chance = random.Random(seed)
    stored, done = set[str](), set[str]()

    for round in range(KILLS // 2):
        with running(["-c", _WORK, str(path), f"{seed}-{round}"], cwd=tmp_path) as process:
            lines = [line_of(process) for _ in range(chance.randint(1, 60))]
            process.kill()
            assert process.stdout is not None
            # The last may be cut off in its middle: then nobody has been told.
            lines += [line.strip() for line in process.stdout if line.endswith("\n")]
        for what, key in (line.split() for line in lines):
            (stored if what == "stored" else done).add(key)

    assert (tmp_path / "stderr").read_text() == ""
    assert ask(path, "pragma integrity_check") == [("ok",)]
    found = {row[0] for row in ask(path, "select key from fp_message")}
    assert stored <= found
    ended = ask(
        path,
        "select m.key from fp_message m join fp_delivery d on d.message_id = m.id "
        "where d.state = 'done'",
    )
    assert done <= {row[0] for row in ended}
    assert ask(path, "select count(*) from fp_message") == ask(
        path, "select count(*) from fp_delivery"
    )


def test_what_a_killed_process_held_is_claimed_again_and_finished(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with running(["-c", _WORK, str(path), "k"], cwd=tmp_path) as process:
        lines = [line_of(process) for _ in range(50)]
        process.kill()
    stored = {line.split()[1] for line in lines if line.startswith("stored")}

    with connect(path) as store:
        queue = store.queue("mail")
        for _ in itertools.takewhile(lambda _: queue.stats().done < len(stored), range(10_000)):
            queue.ack_many(queue.claim(limit=100))
        for key in stored:
            assert store.queue("mail").enqueue(b"", key=key).state == "done"
