"""The process that workers are forked from."""

from __future__ import annotations

import pytest

from fencepost.workers import template
from fencepost.workers.template import Template

from ..processes import wait_until


# A machine under load takes longer than any answer may to start a process.
def test_a_template_that_starts_slowly_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(template, "_ANSWER_SECONDS", 0.001)
    started = Template()
    try:
        assert not started.is_up()
        assert not started.is_up()
        wait_until(started.is_up, "the template to come up")
    finally:
        started.end()
