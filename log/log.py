"""The log: one line on stderr for each event, as text on a terminal, else as JSON.

It is independent of the app: what the app does to structlog, logging or sys.stderr does not
change it, and it changes nothing of theirs. Errors in it are never raised.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from math import isfinite

from .stream import LogStream

# Of one field; a handler's error may have any length.
_MOST_CHARACTERS = 32_768

LEVELS = ("debug", "info", "warning", "error")
FORMATS = ("console", "json")
# The environment variables by which a pool configures its processes.
LEVEL = "FENCEPOST_LOG_LEVEL"
FORMAT = "FENCEPOST_LOG_FORMAT"

Fields = dict[str, object]

_RANKS = {level: rank for rank, level in enumerate(LEVELS)}
_quoted = json.encoder.encode_basestring_ascii


class Log:
    """Writes events with their fields; what cannot be written is dropped.

    `exc_info` is an exception, or True for the one that is being handled. Its traceback becomes
    the field `exception`.
    """

    def __init__(self) -> None:
        self._stream = LogStream()
        self._render: Callable[[Fields], str] = render_json
        self._least = LEVELS.index("info")
        self._configured = False
        self._second = (-1, "")  # the last one that was written out

    def configure(self) -> None:
        """Write to stderr as it is now, even if sys.stderr is replaced later.

        LEVEL, FORMAT and NO_COLOR are read from the environment, so that all processes of a
        pool log in the same way.
        """
        self._stream.open()
        level = os.environ.get(LEVEL, "").lower()
        self._least = LEVELS.index(level if level in LEVELS else "info")
        self._configured = True
        people = self._stream.is_terminal
        format = os.environ.get(FORMAT) or ("console" if people else "json")
        colors = people and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        self._render = _for_people(colors) if format == "console" else render_json

    def writes(self, level: str) -> bool:
        """True if lines of this level are written for each message.

        They are not in a program that uses Fencepost without configuring its log.
        """
        return self._configured and _RANKS[level] >= self._least

    @property
    def is_json(self) -> bool:
        """True if it is configured, has a descriptor, and writes JSON."""
        return self._stream.is_open and self._render is render_json

    @property
    def renders_json(self) -> bool:
        """True if its lines are JSON objects, also before it is configured."""
        return self._render is render_json

    def gather(self) -> None:
        """Hold back the lines of this thread until `flush`, which writes them together."""
        self._stream.gather()

    def flush(self) -> None:
        """Write the lines that were held back."""
        self._stream.flush()

    def pass_on(self, line: bytes) -> None:
        """Write a line of another process of the pool unchanged."""
        self._stream.write(line)

    def debug(self, event: str, **fields: object) -> None:
        """Write a detail that helps to find a fault."""
        self._write("debug", event, fields)

    def info(self, event: str, **fields: object) -> None:
        """Write a normal event."""
        self._write("info", event, fields)

    def info_json(self, event: str, fields: str) -> None:
        """Write a normal event whose fields are the text of JSON members, made by `json_text`.

        For lines of which there is one for each message, and only if it `renders_json`.
        """
        if _RANKS["info"] >= self._least:
            start = f'{{"timestamp": "{self._now()}", "level": "info", "event": "{event}", '
            self._stream.write(f"{start}{fields}}}".encode())

    def warning(self, event: str, **fields: object) -> None:
        """Write an event that an operator should look at some time."""
        self._write("warning", event, fields)

    def error(self, event: str, **fields: object) -> None:
        """Write an event that an operator should look at."""
        self._write("error", event, fields)

    def exception(self, event: str, **fields: object) -> None:
        """Write an error with the traceback of the exception that is being handled."""
        self._write("error", event, {"exc_info": True, **fields})

    def _write(self, level: str, event: str, fields: Fields) -> None:
        if _RANKS[level] < self._least:
            return
        try:
            error = fields.pop("exc_info", None)
            if error is True:
                error = sys.exception()
            if isinstance(error, BaseException):
                fields["exception"] = _traceback(error)
            line = self._render(
                {"timestamp": self._now(), "level": level, "event": event, **fields}
            )
        except Exception:  # noqa: BLE001 - a log must not fail the work
            line = json.dumps({"level": level, "event": str(event)})
        self._stream.write(line.encode(errors="backslashreplace"))

    def _now(self) -> str:
        second, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
        known, text = self._second
        if known != second:
            text = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
            self._second = second, text
        return f"{text}.{nanoseconds // 1000:06}Z"


def render_json(fields: Fields) -> str:
    """Return one line of ASCII: a JSON object."""
    parts = []
    for name, value in fields.items():
        if type(value) is str and len(value) <= _MOST_CHARACTERS:
            parts.append(f"{_quoted(name)}: {_quoted(value)}")
        else:
            parts.append(f"{_quoted(name)}: {_json(_value(value))}")
    return "{" + ", ".join(parts) + "}"


def json_text(value: str | None) -> str:
    """Return a field's value as JSON."""
    if value is None or len(value) > _MOST_CHARACTERS:
        return _json(_value(value))
    return _quoted(value)


def _json(value: object) -> str:
    """Return what json.dumps does, in less time."""
    if type(value) is str:
        return _quoted(value)
    if value is None:
        return "null"
    return repr(value) if type(value) in (int, float) else json.dumps(value)


def _for_people(colors: bool) -> Callable[[Fields], str]:
    # Some hundred modules, with rich among them: lines for machines need none of them.
    import structlog

    renderer = structlog.dev.ConsoleRenderer(
        colors=colors, exception_formatter=structlog.dev.plain_traceback
    )
    return lambda fields: str(renderer(None, "", _plain(fields)))


def _plain(fields: Fields) -> Fields:
    return {name: _value(value) for name, value in fields.items()}


def _value(value: object) -> object:
    """Return a value that JSON has, or its text; a handler's may raise when it is asked for it."""
    if value is None or type(value) in (bool, int) or (type(value) is float and isfinite(value)):
        return value
    try:
        text = str(value)
    except BaseException as error:  # noqa: BLE001 - it is the app's code
        text = f"({type(value).__name__}, whose text raises {type(error).__name__})"
    return text if len(text) <= _MOST_CHARACTERS else text[: _MOST_CHARACTERS - 1] + "…"


def _traceback(error: BaseException) -> str:
    try:
        return "".join(traceback.format_exception(error)).rstrip("\n")
    except BaseException as wrong:  # noqa: BLE001 - the app's exceptions may raise of their own
        return f"{type(error).__name__}, whose traceback raises {type(wrong).__name__}"


log = Log()


def configure() -> None:
    """Send the log of this process to its stderr, as that is now."""
    log.configure()
