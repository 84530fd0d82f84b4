"""What was written and not yet synced, and is found there again."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from random import Random

import pytest

from fencepost import OutcomeUnknown, Store, connect
from fencepost.stress.sqlite.disk.disk import Disk, disk


class _Killed(BaseException):
    pass


def _kill(here: Disk) -> None:
    raise _Killed


@pytest.mark.parametrize("seed", range(5))
def test_a_duplicate_of_what_was_recovered_survives_a_power_loss(tmp_path: Path, seed: int) -> None:
    path = str(tmp_path / "store.db")
    with disk() as here:
        store = connect(path)
        store.queue("q").enqueue(b"first", key="first")
        here.inject("sync", 1, lambda: _kill(here))
        with pytest.raises(_Killed):
            store.queue("q").enqueue(b"second", key="second")
        with here.killed():
            store.close()

        store = connect(path)
        receipt = store.queue("q").enqueue(b"second", key="second")
        assert receipt.status == "duplicate"  # whoever is told so sends it no more
        with here.lose_power(Random(seed)):
            store.close()

        with connect(path) as store:
            again = store.queue("q").enqueue(b"second", key="second")
            assert (again.status, again.message_id) == ("duplicate", receipt.message_id)


def _replay(store: Store) -> bool:
    return bool(store.replay(1))


def _delete(store: Store) -> bool:
    return store.keyed("a", "x").delete("key")


def _free(store: Store) -> bool:
    return store.leases.free("name")


@pytest.mark.parametrize("verb", [_replay, _delete, _free])
def test_what_was_done_and_not_synced_is_not_answered_with_not_done(
    tmp_path: Path, verb: Callable[[Store], bool]
) -> None:
    with disk() as here, connect(tmp_path / "store.db") as store:
        queue = store.queue("q")
        queue.enqueue(b"", key="dead")
        queue.claim()[0].bury("hopeless")
        store.keyed("a", "x").register("key", 1)
        store.leases.acquire("name")
        here.inject("sync", 1, "ENOSPC", for_ever=True)

        with pytest.raises(OutcomeUnknown):
            verb(store)
        here.heal()


@pytest.mark.parametrize("for_ever", [False, True])
def test_a_claim_whose_sync_met_a_full_disk_takes_no_more_than_it_gives(
    tmp_path: Path, for_ever: bool
) -> None:
    with disk() as here, connect(tmp_path / "store.db") as store:
        queue = store.queue("q")
        queue.enqueue_many({"body": b""} for _ in range(3))
        here.inject("sync", 1, "ENOSPC", for_ever=for_ever)

        with pytest.raises(OutcomeUnknown) if for_ever else nullcontext():
            assert len(queue.claim()) == 1
        here.heal()

        assert (queue.stats().leased, queue.stats().ready) == (1, 2)
