"""fencepost work: the workers alone, for an app or for one command."""

from __future__ import annotations

from typing import Any

import click
from click.core import ParameterSource

from ...app import Commands, Target, WorkerApp
from ...store.types.messages.death import DEATHS
from ...workers import PoolOptions
from .options import (
    choose_number_of_workers,
    exec_options,
    log_options,
    make_folder_option,
    pool_options,
)
from .start import configure_log, load, prepare_folder, run

_FOR_EXEC = ("store", "timeout", "max_attempts")


@click.command()
@click.argument("target", required=False)
@pool_options
@click.option(
    "--queue", "queues", multiple=True, metavar="Q", help="Serve only queue Q; repeatable."
)
@click.option(
    "--drain",
    is_flag=True,
    help="Exit when every delivery is done, dead or cancelled; retries are waited for.",
)
@make_folder_option
@exec_options
@log_options
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

    A delivery that fails is retried for 3 days: ten attempts within 15 minutes, later ones at
    most 1 h apart. Handlers may set max_attempts, retry_for and backoff.

    Example: fencepost work hooks.py --workers 8 --drain

    With --exec there is no TARGET. The command gets the body on stdin and the rest in
    FENCEPOST_... variables. Exit code 0: the delivery is done. 100: it is dead at
    once. Any other code: it is retried.

    Example: fencepost work --exec ./deploy.sh --queue mail --store hooks.db --timeout 60
    """
    configure_log(log_level, log_format)
    choose_number_of_workers(pool)
    if not pool["workers"]:
        raise click.BadParameter("at least one worker is needed", param_hint="--workers")
    app: WorkerApp
    loaded: Target | Commands
    if command is None:
        _refuse_without_exec()
        loaded, app = load(target or "", make_folder)
    else:
        if target is not None:
            raise click.UsageError("give TARGET or --exec, not both")
        if not queues or store is None:
            missing = ["--queue"] * (not queues) + ["--store"] * (store is None)
            raise click.UsageError(f"--exec needs {' and '.join(missing)}")
        loaded = Commands(store, command, queues, timeout, max_attempts)
        app = loaded()
        prepare_folder(store, make_folder)
    options = PoolOptions(queues=queues or None, **pool)
    many = "{} to {}".format(*options.autoscale) if options.autoscale else options.workers
    names = [name for name in queues or app.handlers if name != DEATHS]
    who = "1 worker is" if many == 1 else f"{many} workers are"
    ready = f"{who} processing queue{'s' * (len(names) != 1)} {', '.join(names)}"
    run(loaded, app, options, ready=ready)


def _refuse_without_exec() -> None:
    """Refuse options that need --exec; a store in the environment may be for other commands."""
    context = click.get_current_context()
    for parameter in work.params:
        given = context.get_parameter_source(parameter.name or "")
        if parameter.name == "target" and context.params["target"] is None:
            raise click.UsageError("give TARGET, or --exec COMMAND")
        if parameter.name in _FOR_EXEC and given is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"{parameter.opts[0]} needs --exec")
