"""The page of a report: whole, by itself, and nothing in it is taken for markup."""

from __future__ import annotations

from xml.etree import ElementTree

from msgspec.structs import replace

from fencepost.stress.records.report import CanaryResult, Chart, Finding, Machine, Report, Result
from fencepost.stress.views.page import render
from fencepost.stress.views.picture import svg

_EVIL = "<script>alert('&')</script>"


def _report() -> Report:
    result = Result(
        "busy",
        5,
        seconds=12.3,
        says=_EVIL,
        figures={_EVIL: 5, "wait_ms": 3.5},
        faults={"kill": 1200},
        checked={"nothing-lost": 12345},
        findings=[Finding("nothing-lost", _EVIL)],
        charts=[
            Chart(_EVIL, "lines", "seconds", "ms", {"p50": [(0, 0.1), (1, 20)]}, bound=250),
            Chart("shares", "bars", "writer", "%", {_EVIL: [("0", 60), ("1", 40)]}),
            Chart("empty", "lines", "x", "y", {"nothing": []}),
        ],
        replay="fencepost stress busy --seed 5",
    )
    machine = Machine(2, "3.11", "3.54", _EVIL, "ext4", 0.2, 0.9)
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
    return Report(5, "ci", "2026-01-02T03:04:05Z", 60.0, machine, [result], [canary])


def test_it_is_whole_and_needs_nothing_else() -> None:
    page = render(_report())

    head, _, rest = page.partition("\n")
    assert head == "<!doctype html>"
    for void in ("meta charset", "meta name"):
        start = rest.index(f"<{void}")
        end = rest.index(">", start)
        rest = f"{rest[:end]}/{rest[end:]}"
    tree = ElementTree.fromstring(rest)
    assert {element.tag for element in tree.iter()} & {"script", "link", "img", "iframe"} == set()
    assert "http" not in page
    assert "url(" not in page
    assert len(tree.findall(".//svg")) == 3


def test_what_was_found_is_on_it() -> None:
    page = render(_report())

    for words in ("failed", "12,345", "1,200 kill", "fencepost stress busy --seed 5", "missed"):
        assert words in page


def test_a_canary_that_was_missed_says_why_and_how_to_see_it_again() -> None:
    page = render(_report())

    for words in ("waits-bounded: it waited", "seed 2005", "busy --seed 5 --profile ci"):
        assert words in page


def test_what_was_not_run_is_not_said_to_have_held() -> None:
    report = _report()
    ran, caught = Result("fine", 5), replace(report.canaries[0], caught=True)
    skipped = Result("cannot", 5, skipped="no such machine")
    whole = replace(report, results=[ran], canaries=[caught])
    part = replace(report, results=[ran, skipped], canaries=[caught, replace(caught, skipped="no")])

    assert "every invariant held, every canary was caught</span></p>" in render(whole)
    assert "every canary was caught of what ran</span>" in render(part)
    assert "not run here: 1 of 2 scenarios and 1 of 2 canaries" in render(part)
    assert "not run here" not in render(whole)


def test_a_value_of_zero_or_a_single_point_can_be_drawn() -> None:
    for points in ([(0.0, 0.0)], [(3.0, 5.0)], [(0.0, 0.0), (1.0, 1e6)]):
        chart = Chart("x", "lines", "x", "y", {"a": [(x, y) for x, y in points]})

        ElementTree.fromstring(svg(chart))
