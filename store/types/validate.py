"""Checks of arguments: names, keys, durations, counts."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TypeVar
from urllib.parse import urlsplit

from msgspec import UNSET, UnsetType

from ..errors import InvalidInput, LimitExceeded
from .messages.draft import LANE_POLICIES, REDELIVERIES, LanePolicy, Redelivery
from .messages.message import MAX_BODY_BYTES
from .schedule import SCHEDULES
from .transaction import Parameters

# Names become queue columns and URL segments, never file names.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

MAX_KEY_BYTES = 512
_MAX_ERROR = 4000  # room for what went wrong; the traceback belongs in a log
_MAX_SECONDS = 100 * 365 * 86_400

Duration = float | timedelta
T = TypeVar("T")


def name(value: object, what: str) -> str:
    """Return a source, queue or handler name, or raise InvalidInput."""
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise InvalidInput(
            f"{what} must be 1 to 128 characters from A-Z a-z 0-9 _ . - and must not begin with"
            f" . or -, not {value!r}"
        )
    return value


def source(value: object, what: str) -> str:
    """Return a source of messages: the name of one, or that of a schedule."""
    if isinstance(value, str) and value.startswith(SCHEDULES):
        return SCHEDULES + name(value.removeprefix(SCHEDULES), what)
    return name(value, what)


def web_address(value: object, what: str) -> str:
    """Return an address to which a path can be added, such as https://hooks.example.com/mount."""
    if not isinstance(value, str) or not _is_web_address(value):
        raise InvalidInput(f"{what} must be like https://hooks.example.com, not {value!r}")
    return value


def _is_web_address(text: str) -> bool:
    try:
        found = urlsplit(text)
        port = found.port
    except ValueError:  # a bracket too many, a port that is none
        return False
    return (
        found.scheme in ("http", "https")
        and bool(found.hostname)
        and port != 0
        and text.isprintable()
        and " " not in text
        and "@" not in found.netloc
        and not (found.query or found.fragment)
    )


def key(value: object, what: str = "key") -> str:
    """Return a dedupe key: 1 to 512 bytes of UTF-8 without control characters."""
    if not isinstance(value, str):
        raise InvalidInput(f"{what} must be a str, not {type(value).__name__}")
    if value.isascii() and value.isprintable() and 1 <= len(value) <= MAX_KEY_BYTES:
        return value  # what is below does the same, and takes longer
    try:
        size = len(value.encode())
    except UnicodeEncodeError as error:
        raise InvalidInput(f"{what} is not valid Unicode: {error.reason}") from error
    if not 1 <= size <= MAX_KEY_BYTES or _CONTROL.search(value):
        raise InvalidInput(f"{what} must be 1 to {MAX_KEY_BYTES} bytes without control characters")
    return value


def path(value: object, what: str) -> str:
    """Return a path as a str; whether it will do is for the file system to say."""
    found = os.fspath(value) if isinstance(value, str | os.PathLike) else None
    if not isinstance(found, str):
        raise InvalidInput(f"{what} must be a path as str, not {value!r}")
    return found


def milliseconds(value: object, what: str, *, least: int = 0) -> int:
    """Return seconds or a timedelta as whole milliseconds, rounded up, at least `least`."""
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise InvalidInput(f"{what} must be seconds or a timedelta, not {value!r}")
    if not 0 <= seconds <= _MAX_SECONDS:
        raise InvalidInput(f"{what} must be between 0 and {_MAX_SECONDS} s, not {value!r}")
    result = -int(-seconds * 1000 // 1)
    if result < least:
        raise InvalidInput(f"{what} must be at least {least} ms, not {value!r}")
    return result


def count(value: object, what: str, *, least: int = 1, most: int = 2**31) -> int:
    """Return a whole number between `least` and `most`."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise InvalidInput(f"{what} must be a whole number from {least} to {most}, not {value!r}")
    return value


def cap(value: int | UnsetType | None, what: str) -> int | UnsetType | None:
    """Return a bound; None is no bound."""
    if value is None or value is UNSET:
        return value
    return count(value, what, most=2**62)


def lane(value: object) -> str | None:
    """Return the name of a lane; None, which "" stands for too, is no lane."""
    return None if value is None or value == "" else key(value, "lane")


def lane_policy(value: object) -> LanePolicy:
    """Return what a lane does while its head cannot run."""
    for policy in LANE_POLICIES:
        if value == policy:
            return policy
    raise InvalidInput(f"lane_policy must be one of {', '.join(LANE_POLICIES)}, not {value!r}")


def redelivery(value: object) -> Redelivery:
    """Return what a message does that is delivered again."""
    for way in REDELIVERIES:
        if value == way:
            return way
    raise InvalidInput(f"redelivery must be one of {', '.join(REDELIVERIES)}, not {value!r}")


def id(value: object) -> int:
    """Return a delivery's number."""
    return count(value, "id", most=2**63 - 1)


def each(values: Iterable[T], what: str) -> Iterator[T]:
    """Return an iterator over what can be gone through; over a text one would go by letters."""
    if isinstance(values, str):
        raise InvalidInput(f"{what} must be a list, not {values!r}")
    try:
        return iter(values)
    except TypeError as error:
        raise InvalidInput(f"{what} must be iterable, not {values!r}") from error


def headers(value: object) -> dict[str, str]:
    """Return headers with their names in lower case."""
    if not isinstance(value, Mapping) or not all(
        isinstance(text, str) for pair in value.items() for text in pair
    ):
        raise InvalidInput("headers must be a mapping of str to str")
    # Of a class of the caller's own the text alone is kept.
    found = {str.lower(name): str.__str__(said) for name, said in value.items()}
    try:
        "".join((*found, *found.values())).encode()
    except UnicodeEncodeError as error:
        raise InvalidInput(f"headers are not valid Unicode: {error.reason}") from error
    return found


def body(value: object) -> bytes:
    """Return a message's body; str is refused because its encoding would be a guess."""
    if type(value) is bytes and len(value) <= MAX_BODY_BYTES:
        return value
    if not isinstance(value, bytes | bytearray | memoryview):
        raise InvalidInput(f"body must be bytes, not {type(value).__name__}")
    size = memoryview(value).nbytes  # its len() counts items, of whatever size
    if size > MAX_BODY_BYTES:
        raise LimitExceeded(f"body of {size} bytes is over the {MAX_BODY_BYTES} allowed")
    return bytes(value)


def statement(value: object) -> str:
    """Return SQL."""
    if not isinstance(value, str):
        raise InvalidInput(f"sql must be a str, not {type(value).__name__}", operation="read")
    return value


def parameters(value: object) -> Parameters:
    """Return a statement's parameters; over a text one would go by letters."""
    if isinstance(value, str | bytes | bytearray) or not isinstance(value, Sequence | Mapping):
        raise InvalidInput(
            f"parameters must be a sequence or a mapping, not {type(value).__name__}",
            operation="read",
        )
    return value


def error_text(error: object) -> str:
    """Return what an error says, in a form that can be stored: nothing of it raises."""
    try:
        said = str(error)
    except BaseException as unspeakable:  # noqa: BLE001 - a class of others may raise anything
        said = f"{type(error).__name__}, whose message raises {type(unspeakable).__name__}"
    return said.encode(errors="backslashreplace").decode()[:_MAX_ERROR]
