"""A report in the terminal: all that was found is in it, and nothing is taken for markup."""

from __future__ import annotations

import io

from msgspec.structs import replace

from fencepost.stress.records.report import CanaryResult, Finding, Machine, Report, Result
from fencepost.stress.views.terminal import print_report

_EVIL = "[red]alert('&')[/red]"


def _report() -> Report:
    result = Result(
        "busy",
        5,
        seconds=12.3,
        says=_EVIL,
        faults={"kill": 1200},
        checked={"nothing-lost": 12345},
        findings=[Finding("nothing-lost", _EVIL)],
        replay="fencepost stress busy --seed 5",
    )
    machine = Machine(2, "3.11", "3.54", "Linux", "ext4", 0.2, 0.9)
    canary = CanaryResult(
        "no-gate",
        _EVIL,
        "busy",
        "shares-fair",
        False,
        1.0,
        seed=2005,
        instead=[Finding("waits-bounded", "it waited")],
        replay="fencepost stress busy --seed 5 --profile ci",
    )
    return Report(
        *(5, "ci", "2026-01-02T03:04:05Z", 60.0, machine, [result], [canary]),
        invariants={"nothing-lost": "nothing is lost"},
    )


def _printed(report: Report) -> str:
    file = io.StringIO()
    print_report(report, kept=None, file=file)
    return file.getvalue()


def test_what_was_found_is_in_it_as_it_was_said() -> None:
    printed = _printed(_report())

    for words in ("FAILED", "12,345", "1,200", "fencepost stress busy --seed 5", "MISSED"):
        assert words in printed
    assert printed.count(_EVIL) == 3
    assert "every invariant held" not in printed


def test_a_canary_that_was_missed_says_why_and_how_to_see_it_again() -> None:
    printed = _printed(_report())

    for words in ("waits-bounded: it waited", "seed 2005", "busy --seed 5 --profile ci"):
        assert words in printed


def test_what_was_not_run_is_not_said_to_have_held() -> None:
    report = _report()
    ran, caught = Result("fine", 5), replace(report.canaries[0], caught=True)
    skipped = Result("cannot", 5, skipped="no such machine")
    whole = replace(report, results=[ran], canaries=[caught])
    part = replace(report, results=[ran, skipped], canaries=[caught, replace(caught, skipped="no")])

    assert "every invariant held, every canary was caught\n" in _printed(whole)
    assert "every canary was caught, of what ran\n" in _printed(part)
    assert "not run here: 1 of 2 scenarios and 1 of 2 canaries" in _printed(part)
    assert "not run here" not in _printed(whole)
