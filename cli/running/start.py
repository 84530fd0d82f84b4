"""Loading an app and running its processes, for up, serve and work."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from ...app import App, Commands, Target, WorkerApp
from ...log import foreign_lines, log
from ...log.stderr_lines import captured
from ...store.connect import make_folder
from ...workers import PoolOptions, Role, run_pool
from ..output import give_up_stdout


def configure_log(level: str, format: str | None) -> None:
    """Configure the log of this process and of every process that it starts."""
    os.environ[log.LEVEL] = level
    if format is not None:
        os.environ[log.FORMAT] = format
    log.configure()
    foreign_lines.install()


def load(text: str, make_folder: bool) -> tuple[Target, App]:
    """Return the TARGET and its app; each process of the pool loads it again.

    Raises:
        InvalidInput: There is no app, its code raised, or a route names an unknown source.
    """
    target = Target(text)
    with captured():  # the app's code may print, or warn
        app = target.app()
    app.check()
    prepare_folder(app.store, make_folder)
    return target, app


def prepare_folder(store: str, wanted: bool) -> None:
    """Create the store's folder when --make-folder was given."""
    if wanted:
        make_folder(store)


def receive(target: Target, app: App, host: str, port: int, options: PoolOptions) -> None:
    """Run the receiver, and the workers that `options` ask for, until a signal ends them."""
    from ...ingest.web.serve import listen, serve, url
    from ...workers.process.receiver import receiver_role

    with listen(host, port) as listener:
        address = url(listener)
        sources = ", ".join(f"{address}/in/{name}" for name in app.sources) or "no source"
        ready = f"receiving on {address} ({sources})"
        run(
            target,
            app,
            options,
            ready=ready,
            others=[receiver_role(serve, listener.fileno(), target)],
        )


def run(
    load: Target | Commands,
    app: WorkerApp,
    options: PoolOptions,
    *,
    ready: str,
    others: Sequence[Role] = (),
) -> None:
    """Run a pool until a signal ends it; print the line `ready` once it works.

    Raises:
        SystemExit: Its processes could not be started.
    """

    def say() -> None:
        try:
            click.echo(ready)
        except OSError:  # no reader, or a full disk: the pool works all the same
            give_up_stdout()

    if not run_pool(app, load, options, others=others, on_ready=say):
        sys.exit(1)
