"""A pool: worker processes for an app, under a supervisor."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence

from ..store import connect
from ..store.errors import InvalidInput
from ..store.validate import count, milliseconds
from .child import Load, work
from .handler import Application, set_caps
from .slot import Role
from .supervisor import Supervisor

LEASE_SECONDS = 30.0

_MOST_WORKERS = 256


def run_pool(
    app: Application,
    load: Load,
    *,
    workers: int,
    queues: Sequence[str] | None = None,
    drain: bool = False,
    others: Sequence[Role] = (),
    on_ready: Callable[[], None] | None = None,
    lease: float = LEASE_SECONDS,
) -> bool:
    """Run workers, and processes of other roles beside them, until SIGTERM or SIGINT.

    Args:
        load: Called in each worker process to get the app anew.
        queues: Only these; None for all that the app has handlers for.
        drain: End when none of the queues has a delivery that is not at its end.

    Returns False when a process could not be started.

    Raises:
        InvalidInput: A queue has no handler, or there is nothing to do.
        StoreOpenFailed, StoreCorrupt, SchemaUnsupported, StoreBusy: The store cannot be used.
    """
    names = list(app.handlers) if queues is None else list(queues)
    if unknown := [name for name in names if name not in app.handlers]:
        raise InvalidInput(f"no handler for {', '.join(unknown)}; there are {_known(app)}")
    if workers and not names:
        raise InvalidInput("the app has no handlers: nothing for workers to do")
    count(workers, "workers", least=0, most=_MOST_WORKERS)
    milliseconds(lease, "lease", least=1)
    with connect(app.store, **app.store_options) as store:
        set_caps(store, app.handlers.values())
        pool = Role("worker", workers, work, (load, secrets.token_hex(4), queues, lease))
        supervisor = Supervisor(
            store,
            [*others, pool],
            done=(lambda: not store.engine.anything_left(names)) if drain else None,
            on_ready=on_ready,
        )
        return supervisor.run()


def _known(app: Application) -> str:
    return ", ".join(app.handlers) or "none"
