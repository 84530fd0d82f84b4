"""The log: one line an event on stderr, for people on a terminal, JSON elsewhere."""

from __future__ import annotations

import sys

import structlog

log: structlog.stdlib.BoundLogger = structlog.get_logger()


def configure() -> None:
    """Send the log of this process to stderr."""
    people = sys.stderr.isatty()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([] if people else [structlog.processors.format_exc_info]),
            structlog.dev.ConsoleRenderer() if people else structlog.processors.JSONRenderer(),
        ],
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
    )
