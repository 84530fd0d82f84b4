"""Who is to blame for the end of a worker: the table in the module, one row a test."""

from __future__ import annotations

import signal

import pytest

from fencepost.store.rules.failures import blame as rules
from fencepost.store.rules.failures.blame import Blame, Consequence, Exit, blame, consequence, stage
from fencepost.store.types.worker import Progress

HANDLER, PROCESS, SUPERVISOR, NOBODY = Blame
CRASHES = ["SIGSEGV", "SIGBUS", "SIGABRT", "SIGILL", "SIGFPE", "SIGSYS", "SIGTRAP"]

# How a process ended, and who is to blame when it ran no handler, and when it ran some.
CASES: list[tuple[Exit, Blame, Blame]] = [
    (Exit(signal.SIGKILL, by_supervisor=True), SUPERVISOR, SUPERVISOR),
    (Exit(code=1, by_supervisor=True), SUPERVISOR, SUPERVISOR),  # it ended as it was killed
    *((Exit(signal.Signals[name]), PROCESS, HANDLER) for name in CRASHES),
    (Exit(code=1), PROCESS, HANDLER),
    (Exit(code=255), PROCESS, HANDLER),
    (Exit(), NOBODY, HANDLER),
    (Exit(signal.SIGKILL), NOBODY, HANDLER),
    (Exit(signal.SIGTERM), NOBODY, NOBODY),
    (Exit(signal.SIGINT), NOBODY, NOBODY),
    (Exit(signal.SIGALRM), NOBODY, NOBODY),
    (Exit(40), NOBODY, NOBODY),  # a real-time signal
]


@pytest.mark.parametrize(("exit", "idle", "busy"), CASES)
def test_the_end_of_a_process_has_one_to_blame(exit: Exit, idle: Blame, busy: Blame) -> None:
    running = Exit(exit.signal, exit.code, exit.by_supervisor, claims=1)

    assert blame(exit) is idle
    assert blame(running) is busy


@pytest.mark.parametrize(
    ("killed_before", "others_since", "whose"),
    [
        (False, False, HANDLER),
        (False, True, HANDLER),
        (True, False, HANDLER),
        (True, True, NOBODY),
    ],
)
def test_a_second_sigkill_counts_unless_another_delivery_was_hit_in_between(
    killed_before: bool, others_since: bool, whose: Blame
) -> None:
    killed = Exit(signal.SIGKILL, claims=1)

    found = blame(killed, killed_before=killed_before, others_since=others_since)

    assert found is whose


@pytest.mark.parametrize(
    ("crashed", "overdue", "claims", "expected"),
    [
        (True, None, 1, Consequence.CRASHED),
        (True, None, 2, Consequence.SUSPECTED),
        (False, 1, 1, Consequence.OVERDUE),
        (False, 1, 2, Consequence.OVERDUE),
        (False, 2, 2, Consequence.UNCOUNTED),
        (False, None, 1, Consequence.LOST),
        (False, None, 2, Consequence.LOST),
    ],
)
def test_what_follows_for_a_delivery_whose_worker_ended(
    crashed: bool, overdue: int | None, claims: int, expected: Consequence
) -> None:
    assert consequence(1, crashed=crashed, overdue=overdue, claims=claims) is expected


# PREFETCH-6
@pytest.mark.parametrize("crashed", [True, False])
@pytest.mark.parametrize("overdue", [1, 2, None])
@pytest.mark.parametrize(
    ("fence", "expected"),
    [
        (10, Consequence.UNBEGUN),
        (21, Consequence.UNBEGUN),
        (11, Consequence.DONE),
        (12, Consequence.LOST),
    ],
)
def test_what_its_handler_was_not_running_when_the_worker_ended_is_never_to_blame(
    fence: int, expected: Consequence, overdue: int | None, crashed: bool
) -> None:
    at = stage(Progress(20, unbegun={10}, done={11}, ended={12}), fence)

    assert consequence(1, crashed=crashed, overdue=overdue, claims=1, stage=at) is expected
    assert stage(Progress(20), fence) == ("unbegun" if fence > 20 else "running")


def test_the_table_names_each_verdict() -> None:
    table = rules.__doc__ or ""

    for each in (*Blame, *Consequence):
        assert f"| {each.name}" in table
