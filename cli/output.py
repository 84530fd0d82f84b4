"""Output: JSON for programs, text for people, without terminal control characters."""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from datetime import UTC, datetime
from typing import Any

import click

_TIMES = ("_at", "_since")


def print_json(value: object) -> None:
    """Print one JSON document."""
    click.echo(json.dumps(value, indent=2))


def give_up_stdout() -> None:
    """Redirect stdout to /dev/null, so that flushing it at exit cannot fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def plain(value: object) -> str:
    """Return a value as text, with control and format characters escaped."""
    if value is None:
        return "-"
    text = f"{value:.1f}" if isinstance(value, float) else str(value)
    return "".join(
        character
        if character == " " or unicodedata.category(character)[0] not in "CZ"
        else character.encode("unicode_escape").decode()
        for character in text
    )


def iso(seconds: float | None) -> str | None:
    """Return Unix seconds as ISO 8601 in UTC."""
    if seconds is None:
        return None
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def record(value: Any) -> dict[str, Any]:
    """Return a dataclass's fields by name, with times in ISO 8601."""
    return {
        name: iso(getattr(value, name)) if name.endswith(_TIMES) else getattr(value, name)
        for name in value.__slots__
    }


def age(seconds: float) -> str:
    """Return an age in its largest unit: 40s, 5m, 7h, 12d."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f}{unit}"
    return f"{max(0, seconds):.0f}s"


def mebibytes(size: int | None) -> str | None:
    """Return a number of bytes as text for people."""
    return None if size is None else f"{size / 1024**2:.0f} MiB"
