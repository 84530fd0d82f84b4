"""Tables: complete in a pipe, fitted to the width of a terminal."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Collection, Iterable, Sequence

import click
from rich.cells import cell_len, set_cell_size

from .output import plain

_GAP = 2
_LEAST = 4  # the least width of a cell that is cut
# Columns that an operator copies or searches for are never cut.
_WHOLE = frozenset({"id", "message", "pool", "worker", "state", "pid", "age"})


def is_terminal() -> bool:
    """True when stdout is a terminal."""
    return sys.stdout.isatty()


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, whole: Collection[str] = ()
) -> None:
    """Print rows under their columns.

    On a terminal long texts are cut to fit a row into its width, except for numbers, ids,
    states and the columns in `whole`.
    """
    values = [list(row) for row in rows]
    cells = [[plain(value) for value in row] for row in values]
    widths = [
        max([cell_len(name), *(cell_len(row[place]) for row in cells)])
        for place, name in enumerate(columns)
    ]
    people = is_terminal()
    if people:
        kept = _WHOLE.union(whole)
        texts = [
            place
            for place, name in enumerate(columns)
            if name not in kept and any(isinstance(row[place], str) for row in values)
        ]
        _narrow(widths, texts, shutil.get_terminal_size((80, 24)).columns)
    header = _line(columns, widths)
    bold = people and not os.environ.get("NO_COLOR")
    lines = [click.style(header, bold=True) if bold else header]
    lines += (_line(row, widths) for row in cells)
    # Not with click.echo, which writes UTF-8 even to an ASCII terminal.
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def _narrow(widths: list[int], texts: Sequence[int], most: int) -> None:
    """Narrow the widest text columns until a row fits."""
    over = sum(widths) + _GAP * (len(widths) - 1) - most
    while over > 0 and texts:
        widest = max(texts, key=lambda place: widths[place])
        if widths[widest] <= _LEAST:
            return
        widths[widest] -= 1
        over -= 1


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    fitted = [
        set_cell_size(cell, width - 1) + "…"
        if cell_len(cell) > width
        else set_cell_size(cell, width)
        for cell, width in zip(cells, widths, strict=True)
    ]
    return (" " * _GAP).join(fitted).rstrip()
