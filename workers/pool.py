"""A pool: worker processes for an app, under a supervisor."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from functools import partial

from ..app.command.handler import Commands
from ..app.handlers.handler import set_caps
from ..app.interfaces import WorkerApp
from ..app.loading.target import Target
from ..app.sending.built_in import handlers_of, only_sends
from ..log import delivery_lines
from ..log.stderr_lines import captured
from ..store import Store, connect
from ..store.connect import modules_of
from ..store.errors import FencepostError, InvalidInput
from ..store.naming import named
from ..store.types.messages.death import DEATHS
from ..store.types.sending.outgoing import OUTBOX
from ..store.types.validate import milliseconds
from .options import PoolOptions
from .process.app.app_process import AppSpec, Load
from .process.app.source_files import SourceFiles
from .process.managed_process import Role
from .supervisor.damage import Damage
from .supervisor.scaling.autoscale import Autoscaler
from .supervisor.scaling.sizing import Sizing
from .supervisor.supervisor import Plan, Supervisor
from .unserved import AT_END, AT_START, name_unserved
from .worker.main import work

# The supervisor must not wait long for the store.
_PATIENCE_SECONDS = 1.0


def run_pool(
    app: WorkerApp,
    load: Load,
    options: PoolOptions,
    *,
    others: Sequence[Role] = (),
    on_ready: Callable[[], None] = lambda: None,
) -> bool:
    """Run workers, and processes of other roles beside them, until SIGTERM or SIGINT.

    Args:
        load: Called in each worker process to get the app.

    Returns False if processes could not be started, or the store is damaged.

    Raises:
        InvalidInput: A queue has no handler, or there is nothing to do.
        StoreOpenFailed, StoreCorrupt, SchemaUnsupported, StoreBusy: The store cannot be used.
    """
    with named("work", app.store):
        names = _names(app, options)
    handlers = handlers_of(app)
    if DEATHS in handlers and DEATHS not in names:
        names.append(DEATHS)
    if OUTBOX in handlers and options.queues is None and OUTBOX not in names:
        names.append(OUTBOX)
    asked = milliseconds(app.store_options.get("busy_timeout", 5.0), "busy_timeout") / 1000
    patience = min(_PATIENCE_SECONDS, asked)
    open_store = partial(connect, app.store, **{**app.store_options, "busy_timeout": patience})
    with contextlib.ExitStack() as stack:
        # While this store is open, the others do not wait for the gate.
        with connect(app.store, **app.store_options) as first:
            set_caps(first, handlers.values())
            store, renewing = (stack.enter_context(open_store()) for _ in range(2))
        store.engine.queue.on_died(delivery_lines.died)
        sizing = _sizing(store, options, names)
        pool = None
        if options.workers is not None:
            pool = store.engine.pools.begin(names, sizing.size, patience=asked)
            name_unserved(store.engine, AT_START)
        plan = Plan(
            pool=pool,
            app=_app_spec(app, load, options),
            workers=_worker_role(load, pool, options),
            others=others,
            schedules=[each for name, each in app.schedules.items() if name in names],
            files=_files(load) if options.reload else None,
            lease=options.lease,
            grace=options.grace,
            start_seconds=options.start_timeout,
            imports=_imports(app.store),
            is_done=partial(_is_drained, store, app, names, sizing.damage)
            if options.drain
            else None,
            on_ready=on_ready,
        )
        supervisor = Supervisor(store, renewing, sizing, plan)
        try:
            with captured():
                ended_well = supervisor.run()
            if options.drain:
                name_unserved(store.engine, AT_END)
            return ended_well
        finally:
            _end(store, pool)


def _app_spec(app: WorkerApp, load: Load, options: PoolOptions) -> AppSpec:
    return AppSpec(
        load,
        main=_needs_main(load),
        store=app.store,
        queues=options.queues,
        seconds=options.start_timeout,
        most_memory=options.max_memory,
    )


def _worker_role(load: Load, pool: int | None, options: PoolOptions) -> Role:
    arguments = (load, pool, options.queues, options.lease, options.recycle)
    return Role("worker", work, arguments, main=_needs_main(load))


def _needs_main(load: Load) -> bool:
    """True if the app may need what the program's own main module defines."""
    return not isinstance(load, Target | Commands)


def _files(load: Load) -> SourceFiles | None:
    return SourceFiles(load.folder) if isinstance(load, Target) else None


def _names(app: WorkerApp, options: PoolOptions) -> list[str]:
    """Return the queues that the pool serves; refuse options that make no sense."""
    handlers = handlers_of(app)
    if options.queues is not None:
        names = list(options.queues)
    else:
        names = list(handlers if only_sends(app) else app.handlers)
    if unknown := [name for name in names if name not in handlers]:
        raise InvalidInput(f"the app has no handler for {', '.join(unknown)}; it has {_known(app)}")
    if (options.workers or options.autoscale) and not names:
        raise InvalidInput("the app has no handlers: nothing for workers to do")
    options.check()
    return names


def _sizing(store: Store, options: PoolOptions, names: Sequence[str]) -> Sizing:
    autoscaler = None if options.autoscale is None else Autoscaler(*options.autoscale)
    start = options.workers or 0 if autoscaler is None else autoscaler.least
    sizing = Sizing(store, start, autoscaler, names)
    if options.workers is not None:
        sizing.look()
    return sizing


def _is_drained(store: Store, app: WorkerApp, names: Sequence[str], damage: Damage) -> bool:
    try:
        # In this order: the second question finds what is routed between the two.
        operators = store.engine.operators
        if operators.routing.anything_to_route(app.sources):
            return False
        if operators.routes.draining(names, app.sources):
            return False
        return not store.engine.queue.anything_left(names)
    except FencepostError as error:
        damage.met(error)
        return False  # asked again soon


def _imports(store: str) -> list[str]:
    """Return the modules that workers need: for their work, and to open their store."""
    return [__name__.partition(".")[0], work.__module__, *modules_of(store)]


def _end(store: Store, pool: int | None) -> None:
    if pool is not None:
        with contextlib.suppress(FencepostError):  # another pool removes it from the register
            store.engine.pools.end(pool)


def _known(app: WorkerApp) -> str:
    return ", ".join(app.handlers) or "none"
