"""Each fault that is planted in the plain engine makes a test of the store fail."""

from __future__ import annotations

import json
import subprocess
import sys

from ..root import ROOT
from .mutations import MUTATIONS


def test_each_fault_in_the_plain_engine_is_noticed_by_a_test_of_the_store() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "tests.conformance"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr + ran.stdout

    noticed = json.loads(ran.stdout.splitlines()[-1])

    assert noticed.pop("none") is None
    assert len(MUTATIONS) >= 20
    assert [name for name, test in noticed.items() if test is None] == []
    assert noticed.keys() == {mutation.name for mutation in MUTATIONS}
