"""sd_notify(3) messages to systemd: datagrams to the socket in $NOTIFY_SOCKET."""

from __future__ import annotations

import contextlib
import os
import socket
import time


class Notifier:
    """Sends READY=1 and other messages; without $NOTIFY_SOCKET it sends nothing.

    Attributes:
        due: time.monotonic() at which the next watchdog message is due.
    """

    def __init__(self) -> None:
        # Removed, as by unset_environment of sd_notify: child processes are not the service.
        self._address = os.environ.pop("NOTIFY_SOCKET", "")
        pid = os.environ.pop("WATCHDOG_PID", str(os.getpid()))
        micros = os.environ.pop("WATCHDOG_USEC", "")
        ours = self._address and pid == str(os.getpid()) and micros.isdecimal()
        # Twice in each interval: sd_watchdog_enabled(3).
        self._interval = int(micros) / 2e6 if ours else float("inf")
        self.due = time.monotonic() + self._interval

    def tell(self, *lines: str) -> None:
        """Send assignments; errors are ignored, because the service manager may be gone."""
        if not self._address:
            return
        address = self._address
        if address.startswith("@"):
            address = "\0" + address[1:]  # the abstract namespace: unix(7)
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
            to.sendto("\n".join(lines).encode(), address)

    def feed_watchdog(self) -> None:
        """Send the watchdog message if it is due."""
        if time.monotonic() >= self.due:
            self.due = time.monotonic() + self._interval
            self.tell("WATCHDOG=1")

    def reloading(self) -> None:
        """Tell that a reload has begun; READY=1 ends it (Type=notify-reload)."""
        micros = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self.tell("RELOADING=1", f"MONOTONIC_USEC={micros}")
