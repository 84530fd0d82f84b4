"""What a killed process had written and not yet synced is made durable before it is told of."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from fencepost import connect
from fencepost.stress.sqlite.disk import Disk, disk


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
