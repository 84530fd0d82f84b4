"""The process that workers are forked from."""

from __future__ import annotations

import pytest
from multiprocess.connection import wait

from fencepost.workers.process import forkserver
from fencepost.workers.process.forkserver import Template

from ..processes import PATIENCE_SECONDS


# A machine under load takes longer than any answer may to start a process.
def test_a_template_that_starts_slowly_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forkserver, "_ANSWER_SECONDS", 0.001)
    started = Template()
    try:
        started.keep_up()
        assert not started.is_up
        assert started.line is not None
        assert wait([started.line], PATIENCE_SECONDS)
        started.hear()
        assert started.is_up
    finally:
        started.end()
