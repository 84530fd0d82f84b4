"""What systemd is told."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from fencepost.linux.sd_notify import Notifier


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The service manager's end."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as there:
        there.bind(str(tmp_path / "notify"))
        there.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield there


def test_the_manager_is_told_and_children_are_not_asked_to(manager: socket.socket) -> None:
    notifier = Notifier()
    notifier.tell("READY=1", "STATUS=4 workers")

    assert manager.recv(100) == b"READY=1\nSTATUS=4 workers"
    assert "NOTIFY_SOCKET" not in os.environ
    assert notifier.due == float("inf")


def test_the_watchdog_is_told_twice_in_its_interval(
    manager: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "2000000")
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    notifier = Notifier()

    notifier.feed_watchdog()
    now = 101.0
    notifier.feed_watchdog()
    notifier.feed_watchdog()

    assert manager.recv(100) == b"WATCHDOG=1"
    with pytest.raises(BlockingIOError):
        manager.recv(100)
    assert notifier.due == 102.0


def test_a_watchdog_of_another_process_is_not_ours(
    manager: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "2000000")
    monkeypatch.setenv("WATCHDOG_PID", "1")

    assert Notifier().due == float("inf")


def test_without_a_manager_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notifier = Notifier()

    notifier.tell("READY=1")
    notifier.feed_watchdog()
