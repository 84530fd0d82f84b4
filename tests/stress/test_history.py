"""A history outlives its process, and says what cannot be known."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from fencepost import LeaseLost, OutcomeUnknown, StoreBusy
from fencepost.stress.records.history import Recorder, read

from ..processes import line_of, running

_CUT_OFF = """
import sys
from pathlib import Path
from fencepost.stress.records.history import Recorder
history = Recorder(Path(sys.argv[1]), "cut")
with history.begin("enqueue", key="a") as call:
    call.ok(status="accepted")
with history.begin("enqueue", key="b"):
    print("in it", flush=True)
    sys.stdin.read()
"""


def test_what_was_called_comes_back_with_its_answer_in_the_order_of_beginning(
    tmp_path: Path,
) -> None:
    one, two = Recorder(tmp_path, "one"), Recorder(tmp_path, "two")
    with one.begin("claim", queue="q") as outer:
        with two.begin("ack", id=5):
            pass
        outer.ok(claims=[])
    two.seen("snapshot", rows=3)

    claim, ack, snapshot = read(tmp_path)

    assert (claim.process, claim.op, claim.what, claim.answer) == (
        "one",
        "claim",
        {"queue": "q"},
        {"claims": []},
    )
    assert (ack.process, ack.outcome, ack.answer) == ("two", "ok", {})
    assert snapshot.answer == {"rows": 3}
    assert ack.ended is not None
    assert claim.ended is not None
    assert claim.began < ack.began < ack.ended < claim.ended < snapshot.began


@pytest.mark.parametrize(
    ("error", "outcome", "answer"),
    [
        (
            LeaseLost("x", cause="superseded"),
            "failed",
            {"error": "lease_lost", "cause": "superseded"},
        ),
        (StoreBusy(operation="ack", path="p", waited=5.5), "failed", {"error": "store_busy"}),
        (OutcomeUnknown("COMMIT"), "unknown", {"error": "outcome_unknown"}),
        (ZeroDivisionError(), "unknown", {"error": "untyped ZeroDivisionError"}),
    ],
)
def test_an_error_says_whether_anything_may_have_changed(
    tmp_path: Path, error: Exception, outcome: str, answer: dict[str, object]
) -> None:
    with pytest.raises(type(error)), Recorder(tmp_path, "one").begin("ack"):
        raise error

    (call,) = read(tmp_path)

    assert call.outcome == outcome
    assert answer.items() <= call.answer.items()


def test_a_call_that_its_process_did_not_survive_is_unknown(tmp_path: Path) -> None:
    with running(["-c", _CUT_OFF, str(tmp_path)], cwd=tmp_path) as process:
        assert line_of(process) == "in it"
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    with (tmp_path / "cut.jsonl").open("ab") as file:
        file.write(b'{"at":5,"kin')

    first, second = read(tmp_path)

    assert (first.outcome, first.answer) == ("ok", {"status": "accepted"})
    assert (second.what, second.outcome, second.ended) == ({"key": "b"}, "unknown", None)
