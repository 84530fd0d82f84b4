"""Run the tests named by each mutation under it, and print as JSON which test failed first."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from pathlib import Path

import pytest

from .mutations import MUTATIONS

STORE = Path(__file__).parent.parent / "store"
_OPTIONS = ("-q", "-x", "-k", "plain", "-p", "no:xdist", "-p", "no:cacheprovider")


class _First:
    """Keeps the name of the first test that failed."""

    def __init__(self) -> None:
        self.failed: str | None = None

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and self.failed is None:
            self.failed = report.nodeid


def _first_failure(files: set[str] | tuple[str, ...]) -> str | None:
    first = _First()
    with contextlib.redirect_stdout(io.StringIO()) as said:
        code = pytest.main([*_OPTIONS, *(str(STORE / file) for file in sorted(files))], [first])
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        sys.exit(f"pytest ended with {code!r}: {said.getvalue()}")
    return first.failed


def main() -> None:
    """Try all of them, and no fault at all."""
    found = {"none": _first_failure({file for each in MUTATIONS for file in each.tests})}
    for mutation in MUTATIONS:
        with mutation.planted():
            found[mutation.name] = _first_failure(mutation.tests)
    print(json.dumps(found))


main()
