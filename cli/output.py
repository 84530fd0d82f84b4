"""Printing: JSON for programs, tables for people, nothing that a terminal would obey."""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

# rich would make all columns narrower, ids included, to fit the terminal.
_ANY_WIDTH = 1_000_000
_LONG = 60
_TIMES = ("_at", "_since")

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")

the_store = click.option(
    "--store",
    envvar="FENCEPOST_STORE",
    required=True,
    metavar="URL",
    help="Path or URL of the store.",
)


def print_json(value: object) -> None:
    """Print one JSON document."""
    click.echo(json.dumps(value, indent=2))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows under their columns; on a terminal what is very long is cut."""
    console = Console(highlight=False, width=_ANY_WIDTH)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, no_wrap=True)
    for row in rows:
        table.add_row(*(Text(_cut(plain(value), console.is_terminal)) for value in row))
    console.print(table, crop=False)


def give_up_stdout() -> None:
    """Keep the interpreter from flushing, at its end, into what takes no more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def plain(value: object) -> str:
    """Return a value as text whose control and format characters are spelled out."""
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


def mebibytes(size: int | None) -> str | None:
    """Return a number of bytes as text for people."""
    return None if size is None else f"{size / 1024**2:.0f} MiB"


def _cut(text: str, people: bool) -> str:
    return text[: _LONG - 1] + "…" if people and len(text) > _LONG else text
