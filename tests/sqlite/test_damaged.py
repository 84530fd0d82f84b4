"""A damaged row stops nobody but itself."""

from __future__ import annotations

import pytest

from fencepost import Queue, Store

from .inside import connection

DAMAGES = {
    "headers": "update fp_message set headers = '{broken' where id = 2",
    "body": "update fp_body set body = x'00' where message_id = 2",
    "compressed": "update fp_body set compressed = 1 where message_id = 2",
    "hash": "update fp_message set body_sha256 = x'00' where id = 2",
    "lost": "delete from fp_body where message_id = 2",
}


# QUEUE-10, BLOB-1, BLOB-4, BLOB-5, GC-2, GC-3, INGRESS-6
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
        connection(store).execute("insert into fp_body values (2, x'', 0)")


# INGRESS-2
def test_a_duplicate_of_a_damaged_message_is_one_and_does_not_mend_it(
    queue: Queue, store: Store
) -> None:
    queue.enqueue(b"work", key="k")
    connection(store).execute("update fp_message set headers = '{broken'")

    assert queue.enqueue(b"work", key="k").status == "duplicate"
    assert queue.claim() == []
    assert queue.enqueue(b"work", key="k").state == "dead"


# QUEUE-10, INGRESS-6
def test_damage_in_many_does_not_hide_what_is_behind_them(queue: Queue, store: Store) -> None:
    queue.enqueue_many({"body": b"work", "key": f"{n}"} for n in range(300))
    connection(store).execute("update fp_message set headers = '' where id <= 290")

    claims = queue.claim(limit=20)

    assert [claim.message.key for claim in claims] == [f"{n}" for n in range(290, 300)]
    assert queue.stats().dead == 290
