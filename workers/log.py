"""The log: one line an event on stderr, for people on a terminal, JSON elsewhere."""

from __future__ import annotations

import contextlib
import sys

import structlog

log: structlog.stdlib.BoundLogger = structlog.get_logger()


def configure() -> None:
    """Send the log of this process to stderr."""
    people = sys.stderr is not None and sys.stderr.isatty()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([] if people else [structlog.processors.format_exc_info]),
            structlog.dev.ConsoleRenderer() if people else structlog.processors.JSONRenderer(),
        ],
        logger_factory=lambda *_: _Stderr(),
    )


class _Stderr:
    """Writes lines, and lets nothing fail because nobody reads them any more."""

    def msg(self, line: str) -> None:
        with contextlib.suppress(OSError, ValueError, AttributeError):
            print(line, file=sys.stderr, flush=True)

    debug = info = warning = error = critical = exception = msg
