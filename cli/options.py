"""Options that several commands take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

C = TypeVar("C", bound=Callable[..., Any])

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")

the_store = click.option(
    "--store",
    envvar="FENCEPOST_STORE",
    required=True,
    metavar="URL",
    help="Path or URL of the store.",
)


def row_limit(default: int) -> Callable[[C], C]:
    """Return the option that bounds a listing."""
    return click.option(
        "--limit",
        default=default,
        show_default=True,
        type=click.IntRange(1),
        help="Print at most this many rows.",
    )


# A callback of a click parameter.
Convert = Callable[[click.Context, click.Parameter, str], int | None]


def number_or(word: str, numbers: click.IntRange) -> Convert:
    """Return a callback that reads a number, or a word that stands for None."""

    def convert(context: click.Context, parameter: click.Parameter, value: str) -> int | None:
        if value == word:
            return None
        try:
            number: int = numbers(value, parameter, context)
        except click.BadParameter:
            bounds = f"{numbers.min} to {numbers.max}"
            raise click.BadParameter(
                f"{value!r} is neither {word} nor a whole number from {bounds}",
                context,
                parameter,
            ) from None
        return number

    return convert
