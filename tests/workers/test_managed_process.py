"""What the supervisor tells a process, in which order."""

from __future__ import annotations

import signal

import pytest

from fencepost.workers.process.managed_process import ManagedProcess


# PROCESS-9
def test_a_process_has_its_signal_before_the_word_at_which_it_may_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[object] = []
    monkeypatch.setattr(ManagedProcess, "signal", lambda _, number: told.append(number))
    monkeypatch.setattr(ManagedProcess, "send", lambda _, word: told.append(word))
    process = object.__new__(ManagedProcess)

    process.leave()

    assert process.leaving
    assert told == [signal.SIGTERM, b"leave"]
