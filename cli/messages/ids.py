"""Ids on the command line: d7 for a delivery, m7 for a message, or a receiver's answer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import click

_MOST = 2**63 - 1
_ID = re.compile(r"([dm]?)([0-9]{1,19})", re.IGNORECASE)
# A receiver's answer, with or without the quotes that a shell removes.
_ANSWER = re.compile(r'(?<!\w)id"?\s*:\s*([0-9]{1,19})(?!\w)')


class Id(NamedTuple):
    """A delivery or a message."""

    kind: str
    number: int

    def __str__(self) -> str:
        return f"{self.kind}{self.number}"


def any_id(text: str) -> Id:
    """Read an argument that names a delivery or a message."""
    found = parse(text)
    if found is None:
        raise click.BadParameter(f"{text!r} is not an id: give d7 for a delivery, m7 for a message")
    return found


def parse(text: str) -> Id | None:
    """Return the id in a text; None when it has none."""
    if (match := _ID.fullmatch(text.strip())) is not None:
        found = Id(match[1].lower() or "d", int(match[2]))
    elif (match := _ANSWER.search(text)) is not None:
        found = Id("m", int(match[1]))
    else:
        return None
    return found if 1 <= found.number <= _MOST else None


def delivery(number: int | None) -> str | None:
    """Return a delivery's id as it is printed."""
    return None if number is None else f"d{number}"


def message(number: int | None) -> str | None:
    """Return a message's id as it is printed."""
    return None if number is None else f"m{number}"


def messages(numbers: Sequence[int]) -> str | None:
    """Return several messages' ids as they are printed."""
    return ", ".join(f"m{number}" for number in numbers) or None
