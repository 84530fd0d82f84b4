"""The log: one line an event on stderr, for people on a terminal, JSON elsewhere."""

from __future__ import annotations

import atexit
import contextlib
import os
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
    atexit.register(_give_up_unread)


def _give_up_unread() -> None:
    """Drop what nobody reads: the interpreter's own last flush would fail, and exit with 120."""
    try:
        sys.stderr.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    except (ValueError, AttributeError):
        pass  # closed, or none at all


class _Stderr:
    """Writes lines, and lets nothing fail because nobody reads them any more."""

    def msg(self, line: str) -> None:
        with contextlib.suppress(OSError, ValueError, AttributeError):
            print(line, file=sys.stderr, flush=True)

    debug = info = warning = error = critical = exception = msg
