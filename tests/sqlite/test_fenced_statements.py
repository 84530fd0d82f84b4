"""Each statement that ends or renews something under a fence refuses a stale one by itself."""

from __future__ import annotations

from array import array
from types import ModuleType

import apsw
import pytest

from fencepost import Store
from fencepost.store.sqlite.leases import named_leases, once
from fencepost.store.sqlite.operators import move, operate
from fencepost.store.sqlite.queue import claim, reap, settle
from fencepost.store.sqlite.queue.arrival import redelivery
from fencepost.store.sqlite.queue.sets import claim as claim_set
from fencepost.store.sqlite.queue.sets import end as end_set
from fencepost.store.sqlite.queue.sets.ids import OnIds
from fencepost.store.sqlite.steps import suspend

from .inside import connection

_BY_CLAIM = [
    *((settle, name) for name in ("_ACK", "_RETRY", "_RELEASE", "_BURY", "_RENEW")),
    (suspend, "_SUSPEND"),
]
_AS_SEEN = [
    (settle, "_GIVE_UP"),
    *((reap, name) for name in ("_CRASH", "_RETURN", "_UNDO", "_EXHAUST")),
    (redelivery, "_REVIVE"),
    (operate, "_REPLAY"),
    (operate, "_CANCEL"),
    (move, "_MOVE"),
]
_OTHERS = {
    "alone": 0,
    "anew": 0,
    "at": "nap",
    "behind": 0,
    "due": None,
    "error": None,
    "lane": None,
    "now": 2,
    "parked": 0,
    "queue": "other",
    "result": None,
    "pid": 1,
    "why": "why",
    "worker": None,
}


@pytest.fixture
def claimed(store: Store) -> dict[str, object]:
    """What proves a claim, and what was seen of its row."""
    queue = store.queue("mail")
    queue.enqueue(b"hello")
    queue.enqueue(b"another")
    (held,) = queue.claim()
    columns = "id, fence, token, state as was, lease_until_ms as until"
    sql = f"select {columns} from fp_delivery where id = {held.id}"  # noqa: S608 - a number
    cursor = connection(store).execute(sql)
    names = [column[0] for column in cursor.get_description()]
    return dict(zip(names, next(cursor), strict=True))


def _changed(store: Store, module: ModuleType | OnIds, name: str, given: dict[str, object]) -> int:
    """Return how many rows a statement changes; none of it stays."""
    inside = connection(store)
    inside.execute("begin immediate")
    try:
        inside.execute(vars(module)[name], {**_OTHERS, **given}).fetchall()
        return inside.changes()
    finally:
        inside.execute("rollback")


# CLAIM-42
@pytest.mark.parametrize(("module", "name"), _BY_CLAIM)
@pytest.mark.parametrize("stale", [{"fence": 0}, {"token": "another"}, {"id": 2}])
def test_what_ends_a_claim_asks_for_its_fence_and_token(
    store: Store,
    claimed: dict[str, object],
    module: ModuleType,
    name: str,
    stale: dict[str, object],
) -> None:
    given = {**claimed, "until": 3}

    assert _changed(store, module, name, given) == 1
    assert _changed(store, module, name, {**given, **stale}) == 0


# SET-3
@pytest.mark.parametrize("statement", [end_set._ACK, end_set._RELEASE])
@pytest.mark.parametrize(
    ("stale", "left"),
    [
        ({}, 3),
        ({"offset": 1}, 0),
        ({"token": "another"}, 0),
        ({"queue": "other"}, 0),
        ({"ids": [1, 2, 4], "first": 2, "last": 4}, 2),
    ],
)
@pytest.mark.parametrize("text", ["run", "any"])
def test_what_ends_a_set_of_claims_ends_those_of_one_token_and_one_distance_alone(
    store: Store, statement: OnIds, stale: dict[str, object], left: int, text: str
) -> None:
    queue = store.queue("mail")
    queue.enqueue_many({"body": b"work"} for _ in range(5))
    held = queue.claim(limit=3)
    queue.claim(limit=2)
    given: dict[str, object] = {
        "ids": [claim.id for claim in held],
        "first": held[0].id,
        "last": held[-1].id,
        "offset": held[0].fence - held[0].id,
        "token": held[0].token,
        "queue": "mail",
        "keep": 1,
        **stale,
    }
    ids = given["ids"]
    assert isinstance(ids, list)
    given["ids"] = apsw.carray(array("q", ids))

    assert _changed(store, statement, text, given) == left


# CLAIM-42
@pytest.mark.parametrize(("module", "name"), _AS_SEEN)
@pytest.mark.parametrize("stale", [{"fence": 0}, {"was": "ready"}, {"until": 1}])
def test_what_changes_a_row_that_was_read_asks_whether_it_is_still_so(
    store: Store,
    claimed: dict[str, object],
    module: ModuleType,
    name: str,
    stale: dict[str, object],
) -> None:
    assert _changed(store, module, name, claimed) == 1
    assert _changed(store, module, name, {**claimed, **stale}) == 0


# SET-3
@pytest.mark.parametrize("statement", [claim_set._LEASE, claim_set._LEASE_WITH_LIMITS])
@pytest.mark.parametrize("text", ["run", "any"])
def test_what_claims_a_set_takes_only_what_can_be_claimed(
    store: Store, claimed: dict[str, object], statement: OnIds, text: str
) -> None:
    given = {**claimed, "max_attempts": 1, "retry_for": 1, "max_crashes": 1, "once": 0, "offset": 9}
    given |= {"ids": apsw.carray(array("q", [1, 2])), "first": 1, "last": 2}

    assert _changed(store, statement, text, given) == 1


# CLAIM-42
@pytest.mark.parametrize("name", ["_LEASE", "_LEASE_WITH_LIMITS"])
def test_what_claims_asks_whether_it_can_be_claimed(
    store: Store, claimed: dict[str, object], name: str
) -> None:
    given = {**claimed, "max_attempts": 1, "retry_for": 1, "max_crashes": 1, "once": 0}

    assert _changed(store, claim, name, {**given, "id": 2}) == 1
    assert _changed(store, claim, name, given) == 0


# CLAIM-42
def test_a_live_lease_is_not_taken_by_the_statement_alone(store: Store) -> None:
    lease = store.leases.acquire("deploy", ttl=30)
    given: dict[str, object] = {"name": "deploy", "owner": "me", "fence": 9, "token": "t"}

    taken = {**given, "now": store.engine.clock.now_ms(), "until": store.engine.clock.now_ms() + 1}
    assert _changed(store, named_leases, "_TAKE", taken) == 0
    again = {**taken, "fence": lease.fence, "was": lease.token}
    assert _changed(store, named_leases, "_ENTER_AGAIN", again) == 1
    assert _changed(store, named_leases, "_ENTER_AGAIN", {**again, "was": "another"}) == 0
    assert _changed(store, named_leases, "_ENTER_AGAIN", {**again, "fence": 0}) == 0
    lease.release()
    assert _changed(store, named_leases, "_TAKE", taken) == 1


# CLAIM-42
def test_a_key_in_work_is_not_claimed_by_the_statement_alone(store: Store) -> None:
    work = store.once("stripe", "evt_1", lease=30)
    given: dict[str, object] = {"namespace": "stripe", "key": "evt_1", "holder": "me", "fence": 9}
    taken = {**given, "token": "t", "payload": None, "now": store.engine.clock.now_ms(), "until": 1}

    assert _changed(store, once, "_CLAIM", taken) == 0
    work.release()
    assert _changed(store, once, "_CLAIM", taken) == 1
