"""The quickstart's second half, typed as printed: a job that fails, and its replay."""

from __future__ import annotations

import re
from pathlib import Path

from .root import ROOT
from .test_first_hour import Terminal


def test_a_job_that_fails_is_a_dead_letter_until_it_is_replayed(tmp_path: Path) -> None:
    text = (ROOT / "docs/quickstart.md").read_text()
    (handler,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    failing, replaying = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    (tmp_path / "shop.py").write_text(handler)
    terminal = Terminal(tmp_path, 0)

    failed = [terminal.run(line) for line in failing.splitlines()]
    replayed = [terminal.run(line) for line in replaying.splitlines()]

    assert "dead" in failed[-1]
    assert "smtp.conf is missing" in failed[-1]
    assert "replayed d1" in replayed[1]
    assert "state: done" in replayed[-1]
