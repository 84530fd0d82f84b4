"""The rows of ears: one for each opening of the store by which somebody waits."""

from __future__ import annotations

import os

from ...errors import StoreFailed
from ..locks import ear_fifo
from ..locks.ear_fifo import Ear
from ..session.session import Write

_OPEN = "insert into fp_ear (pid, opened_at_ms) values (:pid, :now)"

_ALL = "select id from fp_ear order by id limit :limit"

_TELLS_NOBODY = "delete from fp_told where ear = :ear"

_CLOSE = "delete from fp_ear where id = :ear"


def open_ear(write: Write) -> Ear:
    """Make an ear; it can be heard by before anybody knows its row."""
    write.run(_OPEN, {"pid": os.getpid(), "now": write.now_ms})
    try:
        return Ear(write.path, write.last_id)
    except OSError as error:
        raise StoreFailed(
            f"cannot make a FIFO beside {write.path}: {error}", operation="wait", path=write.path
        ) from error


def sweep(write: Write, limit: int) -> int:
    """Forget the ears of processes that have ended; return how many."""
    gone = [
        id for (id,) in write.run(_ALL, {"limit": limit}) if not ear_fifo.is_heard(write.path, id)
    ]
    for id in gone:
        write.run(_TELLS_NOBODY, {"ear": id})
        write.run(_CLOSE, {"ear": id})
        ear_fifo.remove(write.path, id)
    return len(gone)
