"""Replays and cancels, frees leases, and does the upkeep."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..model.queues import Job
    from ..process import Process
    from ..world import World


def act(world: World, process: Process) -> None:
    """Do one of them."""
    job = _pick(world)
    kind = world.random.randrange(5)
    if job is not None and kind == 0:
        replay(world, process, job)
    elif job is not None and kind == 1:
        cancel(world, process, job)
    else:
        world.random.choice((_free, _sweep, _tick))(world, process)


def replay(world: World, process: Process, job: Job) -> None:
    """Make a dead one ready again."""
    store = process.store
    assert store is not None
    world.call(
        process,
        "queues",
        "replay",
        job.message,
        ask=lambda: store.replay(job.delivery).kind,
    )


def cancel(world: World, process: Process, job: Job) -> None:
    """Give one up."""
    store = process.store
    assert store is not None
    world.call(
        process,
        "queues",
        "cancel",
        job.message,
        ask=lambda: store.cancel(job.delivery).kind,
    )


def _pick(world: World) -> Job | None:
    jobs = [job for job in world.model.queues.jobs if job.delivery]
    ended = [job for job in jobs if job.state in ("dead", "cancelled")]
    return world.random.choice(ended or jobs) if jobs else None


def _free(world: World, process: Process) -> None:
    store = process.store
    assert store is not None
    name = world.random.choice(("deploy", "report"))
    world.call(process, "leases", "free", name, ask=lambda: store.leases.free(name))


def _sweep(world: World, process: Process) -> None:
    store = process.store
    assert store is not None
    world.keep_up(process, store.sweep)


def _tick(world: World, process: Process) -> None:
    store = process.store
    assert store is not None
    world.keep_up(process, store.engine.upkeep.tick)
