"""docs/behaviours.md and the tests that it names say the same."""

from __future__ import annotations

import ast
import re
from collections import Counter
from functools import cache
from pathlib import Path

from .root import ROOT

ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in (ROOT / "docs/behaviours.md").read_text().splitlines()
    if line.startswith("| ") and not line.startswith("| id |")
]
IDS = {row[0] for row in ROWS}
WITHOUT_A_TEST = re.compile(r"(by design|not built|later|not in scope)(: .+)?")


@cache
def _tagged(path: Path) -> dict[str, set[str]]:
    """Return the ids in the comments right above each test of a file, by its name."""
    lines = path.read_text().splitlines()
    found = {}
    for test in ast.parse("\n".join(lines)).body:
        if isinstance(test, ast.FunctionDef) and test.name.startswith("test_"):
            at = min([test.lineno, *(mark.lineno for mark in test.decorator_list)]) - 1
            ids = found[test.name] = set[str]()
            while at and lines[at - 1].startswith("#"):
                at -= 1
                ids.update(re.findall(r"\b[A-Z]+-\d+\b", lines[at]))
    return found


def _carries(named: str, id: str) -> bool:
    path, _, test = named.partition("::")
    return (ROOT / path).is_file() and id in _tagged(ROOT / path).get(test, ())


def test_every_row_has_an_id_of_its_own_a_rule_and_what_shows_it() -> None:
    assert [row for row in ROWS if len(row) != 3 or not re.fullmatch(r"[A-Z]+-\d+", row[0])] == []
    assert [id for id, count in Counter(row[0] for row in ROWS).items() if count > 1] == []


def test_a_rule_is_shown_by_tests_that_carry_its_id_or_says_why_not() -> None:
    wrong = [
        (id, shown)
        for id, _, shown in ROWS
        if not WITHOUT_A_TEST.fullmatch(shown)
        and not all(_carries(named.strip("`"), id) for named in shown.split(", "))
    ]

    assert wrong == []


def test_every_id_above_a_test_has_a_row() -> None:
    tagged = {
        (path.name, test): ids
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        for test, ids in _tagged(path).items()
    }

    assert {test: ids - IDS for test, ids in tagged.items() if ids - IDS} == {}
