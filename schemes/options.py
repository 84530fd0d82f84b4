"""Checking the options of a source."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from datetime import timedelta

# Whitespace or a byte order mark around a secret, or a control character in it.
_STRAY = re.compile(r"\A[\s\ufeff\u200b]|[\s\ufeff\u200b]\Z|[\x00-\x1f\x7f-\x9f]")

# Source: RFC 9110, section 5.6.2 (token)
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def usable_secrets(secrets: Sequence[str]) -> tuple[str, ...]:
    """Return the secrets; errors never show a secret."""
    if isinstance(secrets, str | bytes) or not isinstance(secrets, Sequence) or not secrets:
        raise ValueError("secrets is a list of at least one secret.")
    if any(isinstance(secret, str) and not secret.strip() for secret in secrets):
        raise ValueError("the secret is empty" if len(secrets) == 1 else "one secret is empty")
    if not all(isinstance(secret, str) and _encodes(secret) for secret in secrets):
        raise ValueError("Each secret is a string that encodes as UTF-8.")
    if any(_STRAY.search(secret) for secret in secrets):
        raise ValueError(
            "A secret begins or ends with whitespace, or has a control character in it. "
            "No signature would match. Remove the newline at the end of the file or variable."
        )
    return tuple(secrets)


def usable_tolerance(tolerance: float | timedelta) -> float:
    """Return the tolerance in seconds."""
    seconds = tolerance.total_seconds() if isinstance(tolerance, timedelta) else tolerance
    number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if not number or not math.isfinite(seconds) or seconds <= 0:
        raise ValueError("tolerance is a number of seconds above 0.")
    return seconds


def usable_header(name: str, *, option: str) -> bytes:
    """Return the name of a header as requests carry it: bytes, in lower case."""
    if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
        raise ValueError(f'{option} needs a header name, such as "X-Signature".')
    return name.lower().encode("ascii")


def usable_prefix(prefix: str) -> bytes:
    """Return the text in front of a signature."""
    if not isinstance(prefix, str) or not prefix.isascii() or not prefix.isprintable():
        raise ValueError('prefix is printable ASCII text, such as "sha256=".')
    return prefix.encode("ascii")


def usable_choice(value: str, *, option: str, allowed: Iterable[str]) -> str:
    """Return one of the allowed values."""
    choices = tuple(allowed)
    if value not in choices:
        raise ValueError(f"{option} is one of {listed(choices)}.")
    return value


def listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def _encodes(secret: str) -> bool:
    try:
        secret.encode()
    except UnicodeEncodeError:
        return False
    return True
