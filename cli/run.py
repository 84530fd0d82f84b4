"""fencepost up, serve, work: the long-running commands."""

from __future__ import annotations

import sys
from typing import Any

import click

from ..store.errors import InvalidInput
from ..workers import Role, Target, run_pool
from ..workers.log import configure

_workers = click.option(
    "--workers", default=4, show_default=True, type=click.IntRange(0, 256), help="Worker processes."
)
_lease = click.option(
    "--lease",
    default=30.0,
    show_default=True,
    type=click.FloatRange(0.1, 86_400),
    help="Seconds until a stalled worker's message goes to another; renewed at a third of it.",
)
_host = click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
_port = click.option(
    "--port", default=8000, show_default=True, type=click.IntRange(0, 65_535), help="0 picks one."
)


@click.command()
@click.argument("target")
@_workers
@_lease
@_host
@_port
def up(target: str, workers: int, lease: float, host: str, port: int) -> None:
    """Run the receiver and the worker pool of TARGET together.

    Example: fencepost up hooks.py --workers 4 --port 8000
    """
    load, app = _load(target)
    receiver, address = _receiver(load, host, port)
    _run(app, load, workers=workers, lease=lease, others=[receiver], ready=_receiving(app, address))


@click.command()
@click.argument("target")
@_host
@_port
def serve(target: str, host: str, port: int) -> None:
    """Run the receiver of TARGET alone.

    Example: fencepost serve hooks.py --port 8000
    """
    load, app = _load(target)
    receiver, address = _receiver(load, host, port)
    _run(app, load, workers=0, lease=30.0, others=[receiver], ready=_receiving(app, address))


@click.command()
@click.argument("target")
@_workers
@_lease
@click.option("--queue", "queues", multiple=True, metavar="Q", help="Only this one; repeatable.")
@click.option("--drain", is_flag=True, help="Exit when nothing is left to do.")
def work(target: str, workers: int, lease: float, queues: tuple[str, ...], drain: bool) -> None:
    """Run the worker pool of TARGET alone.

    Example: fencepost work hooks.py --workers 8 --drain
    """
    if not workers:
        raise click.BadParameter("at least one worker is needed", param_hint="--workers")
    load, app = _load(target)
    ready = f"working on {', '.join(queues or app.handlers)} with {workers} workers"
    _run(app, load, workers=workers, lease=lease, queues=queues or None, drain=drain, ready=ready)


def _load(text: str) -> tuple[Target, Any]:
    """Return where the app is, and the app; each process loads it for itself again."""
    from ..ingest import App

    configure()
    load = Target(text)
    app = load()
    if not isinstance(app, App):
        raise InvalidInput(f"{text} is a {type(app).__name__}, not a fencepost.App")
    app.check()
    return load, app


def _receiver(load: Target, host: str, port: int) -> tuple[Role, str]:
    from ..ingest.serve import listen, receiver_role, url

    listener = listen(host, port)
    return receiver_role(listener, load), url(listener)


def _receiving(app: Any, address: str) -> str:
    sources = ", ".join(f"{address}/in/{name}" for name in app.sources) or "no source"
    return f"receiving on {address} ({sources})"


def _run(app: Any, load: Target, *, ready: str, **options: Any) -> None:
    if not run_pool(app, load, on_ready=lambda: click.echo(ready), **options):
        sys.exit(1)
