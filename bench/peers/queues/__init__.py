"""Every queue that is measured, by name, in the order of the table."""

from __future__ import annotations

from ..queue import Queue
from .arq import Arq
from .dbos import Dbos
from .dramatiq import Dramatiq
from .fencepost import Fencepost, FencepostKeyed
from .honker import Honker
from .huey import Huey
from .litequeue import LiteQueue, LiteQueueKeyed
from .persist_queue import PersistQueue
from .pgqueuer import PgQueuer
from .procrastinate import Procrastinate
from .rq import Rq, RqSimple

QUEUES: dict[str, Queue] = {
    queue.name: queue
    for queue in (
        Fencepost(),
        FencepostKeyed(),
        Huey(),
        LiteQueue(),
        LiteQueueKeyed(),
        PersistQueue(),
        Honker(),
        Dbos(),
        Procrastinate(),
        PgQueuer(),
        Rq(),
        RqSimple(),
        Dramatiq(),
        Arq(),
    )
}
