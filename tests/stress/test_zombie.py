"""The scenario in which holders are stopped, and what they hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from fencepost import LeaseLost, connect
from fencepost.store import Store
from fencepost.stress.records.history import Recorder, read
from fencepost.stress.scenarios.store import zombie
from fencepost.stress.workloads import grants
from fencepost.stress.workloads.grants import Holding

from .tiny import Tiny


def test_a_small_run_finds_nothing(tiny: Tiny) -> None:
    result = tiny(zombie.SCENARIO, {"stops": 1})

    assert result.findings == []
    assert result.figures["trials"] == 70
    assert result.figures["refused_as_stale"] == 3 * 14 + 3 + 1


def _take(history: Recorder, store: Store) -> list[Holding]:
    return [
        *grants.claim(history, store, "here", 60),
        *grants.acquire(history, store, "here", 60, "me"),
        *grants.claim_keys(store, "here", 60),
    ]


def test_every_verb_is_refused_once_another_has_its_holding(tmp_path: Path) -> None:
    history = Recorder(tmp_path / "history", "me")
    with connect(tmp_path / "store.db") as store:
        with store.transaction() as tx:
            tx.execute(grants.LEDGER)
        grants.prepare(store, "here")
        held = _take(history, store)
        for each in held:
            grants.use(history, store, each, 60, "release")
        _take(history, store)

        assert len(held) == sum(map(len, grants.VERBS.values()))
        for each in held:
            if each.verb == "release" and each.kind != "claim":  # twice is as good as once
                continue
            with pytest.raises(LeaseLost):
                grants.use(history, store, each, 60)

    assert {call.answer.get("error") for call in read(tmp_path / "history")} == {None, "lease_lost"}
