"""A damaged row stops nobody but itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from fencepost import Claim, Queue, Store, StoreCorrupt, connect
from fencepost.store.types.messages.draft import Address, Draft
from fencepost.store.types.messages.receipt import Receipt

from .inside import connection

DAMAGES = {
    "headers": "update fp_message set headers = '{broken' where id = 2",
    "headers that are a list": "update fp_message set headers = '[1]' where id = 2",
    "headers with a number": "update fp_message set headers = '{\"a\": 1}' where id = 2",
    "headers in no encoding": "update fp_message set headers = cast(x'ff' as text) where id = 2",
    "body": "update fp_body set body = x'00' where message_id = 2",
    "compressed": "update fp_body set compressed = 1 where message_id = 2",
    "hash": "update fp_message set body_sha256 = x'00' where id = 2",
    "lost": "delete from fp_body where message_id = 2",
}


# QUEUE-10, BLOB-1, BLOB-4, BLOB-5, GC-2, GC-3, INGRESS-6, SET-2
@pytest.mark.parametrize("limit", [1, 2, 10])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_message_that_cannot_be_read_is_dead_and_the_others_go_on(
    queue: Queue, store: Store, damage: str, limit: int
) -> None:
    queue.enqueue_many({"body": b"work %d" % n, "key": f"{n}", "lane": "one"} for n in range(4))
    connection(store).execute(DAMAGES[damage])

    done = []
    while claims := queue.claim(limit=limit):
        for claim in claims:
            done.append(claim.message.key)
            claim.ack()

    (dead,) = store.deliveries(state="dead")
    assert done == ["0", "2", "3"]
    assert dead.key == "1"
    assert (dead.error or "").startswith("cannot be read: ")
    if damage == "lost":
        assert store.replay(dead.id).kind == "unrecoverable"
        connection(store).execute("insert into fp_body values (2, x'', 0, null)")


# SET-2
def test_a_delivery_whose_message_is_gone_is_dead_and_the_others_go_on(tmp_path: Path) -> None:
    with connect(tmp_path / "store.db") as other:
        queue = other.queue("mail")
        queue.enqueue_many({"body": b"work %d" % n} for n in range(4))
        connection(other).execute("pragma foreign_keys = off")
        connection(other).execute("delete from fp_message where id = 2")

        bodies = [claim.message.body for claim in queue.claim(limit=3)]

        assert bodies == [b"work 0", b"work 2", b"work 3"]
        assert queue.claim() == []
        assert queue.stats().dead == 1
        assert queue.stats().leased == 3


# INGRESS-2
def test_a_duplicate_of_a_damaged_message_is_one_and_does_not_mend_it(
    queue: Queue, store: Store
) -> None:
    queue.enqueue(b"work", key="k")
    connection(store).execute("update fp_message set headers = '{broken'")

    assert queue.enqueue(b"work", key="k").status == "duplicate"
    assert queue.claim() == []
    assert queue.enqueue(b"work", key="k").state == "dead"


# REDELIVER-6
def test_a_redelivery_that_meets_damage_changes_nothing_and_stops_no_other(store: Store) -> None:
    whole, other = Address("mail"), Address("other")
    draft = Draft("s", "s", "k", "", {}, b"work", [whole, other], redelivery="revive")
    store.engine.queue.enqueue([draft])
    for queue in ("mail", "other"):
        store.queue(queue).claim()[0].bury("no")
    connection(store).execute("delete from fp_queue where name = 'other'")

    new = Draft("s", "s", "new", "", {}, b"work", [whole])
    damaged, accepted = store.engine.queue.enqueue_each([draft, new])

    assert isinstance(damaged, StoreCorrupt)
    assert isinstance(accepted, Receipt)
    assert [found.state for found in store.deliveries(limit=3)] == ["ready", "dead", "dead"]
    connection(store).execute("insert into fp_queue (name, dead) values ('other', 1)")


# REDELIVER-8
@pytest.mark.parametrize("damage", [name for name in DAMAGES if name != "hash"])
def test_a_redelivery_mends_what_cannot_be_read(store: Store, damage: str) -> None:
    drafts = [
        Draft("s", "s", f"{n}", "", {}, b"work %d" % n, [Address("mail")], redelivery="revive")
        for n in (1, 2)
    ]
    store.engine.queue.enqueue(drafts)
    connection(store).execute(DAMAGES[damage])
    assert [claim.message.key for claim in store.queue("mail").claim(limit=5)] == ["1"]

    receipt = store.engine.queue.enqueue(drafts)[1]

    assert receipt.status == "accepted"
    (mended,) = store.queue("mail").claim(limit=5)
    assert mended.message.body == b"work 2"


@pytest.mark.parametrize("result", ["'{'", "cast(x'ff' as text)", "'NaN'"])
def test_a_damaged_result_is_told_and_no_other_message_is_kept_from_the_store(
    queue: Queue, store: Store, address: str, result: str
) -> None:
    queue.enqueue(b"work", key="seen")
    queue.claim()[0].ack({"n": 1})
    connection(store).execute(f"update fp_delivery set result = {result}")  # noqa: S608

    with pytest.raises(StoreCorrupt) as told:
        queue.enqueue(b"work", key="seen")
    assert (told.value.operation, told.value.path) == ("enqueue", address)
    with pytest.raises(StoreCorrupt):
        store.content(1)
    drafts = [queue._draft(b"work", key=key) for key in ("seen", "new")]
    first, second = store.engine.queue.enqueue_each(drafts)

    assert isinstance(first, StoreCorrupt)
    assert isinstance(second, Receipt)
    assert second.status == "accepted"


@pytest.mark.parametrize("result", ["'{'", "cast(x'ff' as text)"])
def test_a_key_whose_result_is_damaged_is_not_done_again(
    store: Store, address: str, result: str
) -> None:
    store.once("stripe", "evt_1").complete({"n": 1})
    connection(store).execute(f"update fp_once set result = {result}")  # noqa: S608

    for _ in range(2):
        with pytest.raises(StoreCorrupt) as told:
            store.once("stripe", "evt_1")
        assert (told.value.operation, told.value.path) == ("once", address)


# QUEUE-10, INGRESS-6
def test_damage_in_many_does_not_hide_what_is_behind_them(queue: Queue, store: Store) -> None:
    queue.enqueue_many({"body": b"work", "key": f"{n}"} for n in range(300))
    connection(store).execute("update fp_message set headers = '' where id <= 290")

    claims = queue.claim(limit=20)

    assert [claim.message.key for claim in claims] == [f"{n}" for n in range(290, 300)]
    assert queue.stats().dead == 290


# JOIN-4
@pytest.mark.parametrize("damage", DAMAGES)
def test_of_a_group_one_that_cannot_be_read_is_dead_and_the_others_are_handed_over(
    queue: Queue, store: Store, damage: str
) -> None:
    queue.enqueue_many({"body": b"work %d" % n, "key": f"{n}", "lane": "one"} for n in range(4))
    connection(store).execute(DAMAGES[damage])

    (leased,), _ = store.engine.queue.claim(["mail"], limit=9, lease_ms=30_000, joins={"mail": 500})
    claim = Claim(store.engine, leased)
    claim.ack()

    (dead,) = store.deliveries(state="dead")
    assert [message.key for message in claim.messages] == ["0", "2", "3"]
    assert dead.key == "1"
    assert store.queue("mail").stats().done == 3
    if damage == "lost":
        connection(store).execute("insert into fp_body values (2, x'', 0, null)")
