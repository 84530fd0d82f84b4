"""The options of up, serve and work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from ...log import log
from ...store.types.worker import MAX_WORKERS

C = TypeVar("C", bound=Callable[..., Any])


def _all(*options: Callable[[C], C]) -> Callable[[C], C]:
    """Return a decorator that gives a command several options, in this order."""

    def decorate(command: C) -> C:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


class _Bounds(click.ParamType[tuple[int, int]]):
    """Bounds written MIN:MAX."""

    name = "MIN:MAX"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        try:
            least, most = (int(part) for part in value.split(":"))
        except ValueError:
            self.fail(f"{value!r} is not two numbers; {_GIVE_BOUNDS}", param, ctx)
        if least > most:
            self.fail(f"{value!r}: MIN is greater than MAX; {_GIVE_BOUNDS}", param, ctx)
        if least < 0 or most > MAX_WORKERS:
            self.fail(f"{value!r} is out of range; {_GIVE_BOUNDS}", param, ctx)
        return least, most


_GIVE_BOUNDS = f"give MIN:MAX, both from 0 to {MAX_WORKERS}"


class _Seconds(click.FloatRange):
    """A number of seconds within bounds."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        try:
            seconds: float = super().convert(value, param, ctx)
        except click.BadParameter:
            self.fail(
                f"{value!r} is not a number of seconds from {self.min} to {self.max}", param, ctx
            )
        return seconds


class _Bytes(click.ParamType[int]):
    """A number of bytes, or a number followed by K, M or G."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        number, unit = (value[:-1], value[-1]) if value[-1:] in _UNITS else (value, "")
        if not number.isdecimal() or not int(number):
            self.fail(f"{value!r} is not a size such as 512M", param, ctx)
        return int(number) * _UNITS[unit]


_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}

pool_options = _all(
    click.option(
        "--workers",
        default=4,
        show_default=True,
        type=click.IntRange(0, MAX_WORKERS),
        help="Number of worker processes.",
    ),
    click.option(
        "--autoscale",
        type=_Bounds(),
        help="Adapt the number of workers to the load, within these bounds; replaces --workers.",
    ),
    click.option(
        "--lease",
        default=30.0,
        show_default=True,
        type=_Seconds(0.1, 86_400),
        help="Length of a lease in seconds: a delivery whose worker stalls may be claimed by another"
        " worker after it. Running handlers' leases are renewed after a third of it.",
    ),
    click.option(
        "--grace",
        default=25.0,
        show_default=True,
        type=_Seconds(0, 86_400),
        help="Seconds that running handlers have after SIGTERM before they are cancelled.",
    ),
    click.option(
        "--start-timeout",
        default=60.0,
        show_default=True,
        type=_Seconds(0.1, 86_400),
        help="Replace a process that has not started after this many seconds.",
    ),
    click.option(
        "--max-handled",
        type=click.IntRange(1, 2**31),
        help="Replace a worker after this many deliveries, or up to a tenth fewer.",
    ),
    click.option(
        "--max-memory",
        type=_Bytes(),
        metavar="SIZE",
        help="Replace a worker that uses more memory than this, such as 512M, or up to a tenth less.",
    ),
    click.option(
        "--max-age",
        type=_Seconds(0.1, 31_536_000),
        help="Replace a worker after this many seconds, or up to a tenth earlier.",
    ),
)

exec_options = _all(
    click.option("--exec", "command", metavar="COMMAND", help="Run COMMAND for each delivery."),
    click.option(
        "--store",
        envvar="FENCEPOST_STORE",
        metavar="URL",
        help="With --exec: path or URL of the store.",
    ),
    click.option(
        "--timeout",
        type=_Seconds(0.001, 86_400),
        help="With --exec: kill the command after this many seconds, and retry the delivery.",
    ),
    click.option(
        "--max-attempts",
        type=click.IntRange(1, 2**31),
        help="With --exec: a delivery is dead after this many attempts; by default after 3 days.",
    ),
)

address_options = _all(
    click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on."),
    click.option(
        "--port",
        default=8000,
        show_default=True,
        type=click.IntRange(0, 65_535),
        help="Port to listen on; 0: any free port.",
    ),
)

make_folder_option = click.option(
    "--make-folder",
    is_flag=True,
    help="Create the store's folder with mode 0700 if it is missing. If others may write in the"
    " folder, create a folder in it and keep the store there.",
)

log_options = _all(
    click.option(
        "--log-level",
        envvar=log.LEVEL,
        type=click.Choice(log.LEVELS, case_sensitive=False),
        default="info",
        show_default=True,
        help="Lowest level that is logged; at info there is a line for each message.",
    ),
    click.option(
        "--log-format",
        envvar=log.FORMAT,
        type=click.Choice(log.FORMATS, case_sensitive=False),
        help="Log text or JSON.  [default: console on a terminal, else json]",
    ),
)


def choose_number_of_workers(pool: dict[str, Any]) -> None:
    """Prefer --autoscale to the default of --workers.

    Raises:
        UsageError: Both were given.
    """
    source = click.get_current_context().get_parameter_source
    both = (source("workers"), source("autoscale"))
    if both[0] is both[1] or ParameterSource.DEFAULT in both:
        if pool["autoscale"] is not None and both[0] is not ParameterSource.DEFAULT:
            raise click.UsageError("give --workers or --autoscale, not both")
    elif both[0] is ParameterSource.COMMANDLINE:  # the other is from the environment
        pool["autoscale"] = None
