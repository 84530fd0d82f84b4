"""Log lines of other origin: servers, Python warnings, and uncaught exceptions."""

from __future__ import annotations

import logging
import sys
import threading
import warnings
from typing import TextIO

from .log import log

# The lines of these loggers always go to the log, whatever the app does to logging.
_SERVERS = ("uvicorn",)
_LEVELS = {logging.WARNING: log.warning, logging.INFO: log.info, logging.DEBUG: log.debug}


class _Handler(logging.Handler):
    """Writes a record of the logging module as a log line."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = record.getMessage()
        except Exception:  # noqa: BLE001 - the app's arguments
            text = str(record.msg)
        write = _LEVELS.get(record.levelno // 10 * 10, log.error)
        error = record.exc_info[1] if record.exc_info else None
        write(text, logger=record.name, **({"exc_info": error} if error else {}))


def install() -> None:
    """Send them to the log in this process; what the app configures for logging stays."""
    handler = _Handler(logging.WARNING)
    logging.lastResort = handler  # for loggers that nobody has configured
    for name in _SERVERS:
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
    warnings.showwarning = _warned
    sys.excepthook = lambda _, error, __: log.error("uncaught exception", exc_info=error)
    sys.unraisablehook = _unraisable
    threading.excepthook = _in_thread


def _warned(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    at = f"{filename}:{lineno}"
    log.warning("Python warning", category=category.__name__, text=str(message), at=at)


def _unraisable(what: sys.UnraisableHookArgs) -> None:
    event = what.err_msg or "not raised: an error in a destructor or callback"
    log.error(event, object=repr(what.object)[:200], exc_info=what.exc_value)


def _in_thread(what: threading.ExceptHookArgs) -> None:
    if what.exc_type is not SystemExit:
        name = None if what.thread is None else what.thread.name
        log.error("uncaught exception in a thread", thread=name, exc_info=what.exc_value)
