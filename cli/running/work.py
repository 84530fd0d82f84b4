"""fencepost up, serve, work: the long-running commands."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from ..app import Commands, Target
from ..log import foreign_lines, log
from ..log.stderr_lines import captured
from ..store.connect import make_folder
from ..store.errors import InvalidInput
from ..store.types.message import DEATHS
from ..store.types.worker import MAX_WORKERS
from ..workers import PoolOptions, Role, run_pool
from .output import give_up_stdout


class _Bounds(click.ParamType[tuple[int, int]]):
    """MIN:MAX."""

    name = "MIN:MAX"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        try:
            least, most = (int(part) for part in value.split(":"))
        except ValueError:
            self.fail(f"{value!r} is not MIN:MAX", param, ctx)
        if not 0 <= least <= most <= MAX_WORKERS:
            self.fail(f"{value!r} is not within 0:{MAX_WORKERS}, in that order", param, ctx)
        return least, most


class _Bytes(click.ParamType[int]):
    """A number of bytes, or one with K, M or G after it."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        number, unit = (value[:-1], value[-1]) if value[-1:] in _UNITS else (value, "")
        if not number.isdecimal() or not int(number):
            self.fail(f"{value!r} is not a size such as 512M", param, ctx)
        return int(number) * _UNITS[unit]


_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}

_POOL = (
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
        type=click.FloatRange(0.1, 86_400),
        help="Seconds until another worker may claim a stalled worker's message; renewed after a third.",
    ),
    click.option(
        "--grace",
        default=25.0,
        show_default=True,
        type=click.FloatRange(0, 86_400),
        help="Seconds that running handlers have after SIGTERM before they are cancelled.",
    ),
    click.option(
        "--start-timeout",
        default=60.0,
        show_default=True,
        type=click.FloatRange(0.1, 86_400),
        help="Replace a process that has not started after so many seconds.",
    ),
    click.option(
        "--max-handled",
        type=click.IntRange(1, 2**31),
        help="Replace a worker after so many messages, up to a tenth fewer.",
    ),
    click.option(
        "--max-memory",
        type=_Bytes(),
        metavar="SIZE",
        help="Replace a worker that uses so much memory, such as 512M.",
    ),
    click.option(
        "--max-age",
        type=click.FloatRange(0.1, 31_536_000),
        help="Replace a worker after so many seconds, up to a tenth fewer.",
    ),
)
_COMMANDS = (
    click.option("--exec", "command", metavar="COMMAND", help="Run COMMAND for each message."),
    click.option(
        "--store",
        envvar="FENCEPOST_STORE",
        metavar="URL",
        help="With --exec: path or URL of the store.",
    ),
    click.option(
        "--timeout",
        type=click.FloatRange(0.001, 86_400),
        help="With --exec: kill the command after so many seconds, and retry the message.",
    ),
    click.option(
        "--max-attempts",
        type=click.IntRange(1, 2**31),
        help="With --exec: give a message up after so many attempts; without it, after 3 days.",
    ),
)
_OF_COMMANDS = ("store", "timeout", "max_attempts")
_host = click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
_port = click.option(
    "--port",
    default=8000,
    show_default=True,
    type=click.IntRange(0, 65_535),
    help="Port to listen on; 0: any free port.",
)

_folder = click.option(
    "--make-folder",
    is_flag=True,
    help="Create the store's folder with mode 0700 if it is missing. If others may write in the"
    " folder, create a folder in it and keep the store there.",
)

_LOG = (
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

_Command = TypeVar("_Command", bound=Callable[..., None])


def _pool(command: _Command) -> _Command:
    for option in reversed(_POOL):
        command = option(command)
    return command


def _logging(command: _Command) -> _Command:
    for option in reversed(_LOG):
        command = option(command)
    return command


def _commands(command: _Command) -> _Command:
    for option in reversed(_COMMANDS):
        command = option(command)
    return command


@click.command()
@click.argument("target")
@_pool
@_folder
@_host
@_port
@click.option(
    "--reload", is_flag=True, help="For development: reload the app when one of its files changes."
)
@_logging
def up(
    target: str,
    make_folder: bool,
    host: str,
    port: int,
    log_level: str,
    log_format: str | None,
    **pool: Any,
) -> None:
    """Run the receiver and the workers of TARGET.

    A message that fails is retried for 3 days: ten attempts within 15 minutes, later ones at
    most 1 h apart. Handlers may set max_attempts, retry_for and backoff.

    Example: fencepost up hooks.py --workers 4 --port 8000
    """
    _log_as(log_level, log_format)
    _prefer_autoscale(pool)
    load, app = _load(target, make_folder)
    _receive(load, app, host, port, PoolOptions(**pool))


@click.command()
@click.argument("target")
@_folder
@_host
@_port
@_logging
def serve(
    target: str,
    make_folder: bool,
    host: str,
    port: int,
    log_level: str,
    log_format: str | None,
) -> None:
    """Run only the receiver of TARGET.

    Example: fencepost serve hooks.py --port 8000
    """
    _log_as(log_level, log_format)
    load, app = _load(target, make_folder)
    _receive(load, app, host, port, PoolOptions(workers=None))


@click.command()
@click.argument("target", required=False)
@_pool
@click.option(
    "--queue", "queues", multiple=True, metavar="Q", help="Serve only queue Q; repeatable."
)
@click.option("--drain", is_flag=True, help="Exit when the queues are empty.")
@_folder
@_commands
@_logging
def work(
    target: str | None,
    make_folder: bool,
    queues: tuple[str, ...],
    command: str | None,
    store: str | None,
    timeout: float | None,
    max_attempts: int | None,
    log_level: str,
    log_format: str | None,
    **pool: Any,
) -> None:
    """Run only the workers of TARGET, or a command.

    A message that fails is retried for 3 days: ten attempts within 15 minutes, later ones at
    most 1 h apart. Handlers may set max_attempts, retry_for and backoff.

    Example: fencepost work hooks.py --workers 8 --drain

    With --exec there is no TARGET. The command gets the body on stdin and the rest in
    FENCEPOST_... variables. Exit code 0: the message is done. 100: it is dead at once.
    Any other code: it is retried.

    Example: fencepost work --exec ./deploy.sh --queue mail --store hooks.db --timeout 60
    """
    _log_as(log_level, log_format)
    _prefer_autoscale(pool)
    if not pool["workers"]:
        raise click.BadParameter("at least one worker is needed", param_hint="--workers")
    load: Target | Commands
    if command is None:
        _refuse_without_exec()
        load, app = _load(target or "", make_folder)
    else:
        if target is not None:
            raise click.UsageError("give TARGET or --exec, not both")
        if not queues or store is None:
            raise click.UsageError("--exec needs --queue and --store")
        load = Commands(store, command, queues, timeout, max_attempts)
        app = load()
        _prepare(store, make_folder)
    options = PoolOptions(queues=queues or None, **pool)
    many = "{} to {}".format(*options.autoscale) if options.autoscale else options.workers
    names = [name for name in queues or app.handlers if name != DEATHS]
    who = "1 worker is" if many == 1 else f"{many} workers are"
    ready = f"{who} processing queue{'s' * (len(names) != 1)} {', '.join(names)}"
    _run(load, app, options, ready=ready)


def _refuse_without_exec() -> None:
    """Refuse what only a command takes; a store in the environment may be for others."""
    context = click.get_current_context()
    for parameter in work.params:
        given = context.get_parameter_source(parameter.name or "")
        if parameter.name == "target" and context.params["target"] is None:
            raise click.MissingParameter(ctx=context, param=parameter)
        if parameter.name in _OF_COMMANDS and given is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"{parameter.opts[0]} is for --exec")


def _log_as(level: str, format: str | None) -> None:
    """Have the log of this process and of all that it starts be so."""
    os.environ[log.LEVEL] = level
    if format is not None:
        os.environ[log.FORMAT] = format
    log.configure()
    foreign_lines.install()


def _prefer_autoscale(pool: dict[str, Any]) -> None:
    """Let --autoscale say how many workers there are, unless --workers says so too."""
    source = click.get_current_context().get_parameter_source
    both = (source("workers"), source("autoscale"))
    if both[0] is both[1] or ParameterSource.DEFAULT in both:
        if pool["autoscale"] is not None and both[0] is not ParameterSource.DEFAULT:
            raise click.UsageError("give --workers or --autoscale, not both")
    elif both[0] is ParameterSource.COMMANDLINE:  # the other is from the environment
        pool["autoscale"] = None


def _load(text: str, make_folder: bool) -> tuple[Target, Any]:
    """Return where the app is, and the app; each process loads it for itself again."""
    from ..app import App

    load = Target(text)
    with captured():  # it may print, or warn
        app = load()
    if not isinstance(app, App):
        raise InvalidInput(f"{text} is a {type(app).__name__}, not a fencepost.App")
    app.check()
    _prepare(app.store, make_folder)
    return load, app


def _prepare(store: str, wanted: bool) -> None:
    """Have the store's folder made; every process finds it from then on."""
    if wanted:
        make_folder(store)


def _receive(load: Target, app: Any, host: str, port: int, options: PoolOptions) -> None:
    from ..ingest.web.serve import listen, serve, url
    from ..workers.process.receiver import receiver_role

    with listen(host, port) as listener:
        address = url(listener)
        sources = ", ".join(f"{address}/in/{name}" for name in app.sources) or "no source"
        ready = f"receiving on {address} ({sources})"
        _run(
            load, app, options, ready=ready, others=[receiver_role(serve, listener.fileno(), load)]
        )


def _run(
    load: Target | Commands,
    app: Any,
    options: PoolOptions,
    *,
    ready: str,
    others: Sequence[Role] = (),
) -> None:
    def say() -> None:
        try:
            click.echo(ready)
        except OSError:  # nobody reads it, or the disk is full: no reason not to work
            give_up_stdout()

    if not run_pool(app, load, options, others=others, on_ready=say):
        sys.exit(1)
