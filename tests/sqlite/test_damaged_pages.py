"""Damaged pages: every verb is right or says StoreCorrupt, in one line and in time."""

from __future__ import annotations

from pathlib import Path
from random import Random

import apsw
import pytest

from fencepost import Store, StoreCorrupt, connect

from .damage import behind_index, bounded, damage, fill, pages_of, wrong_of
from .inside import ask, connection, traced

SEEDS = 8

# For each index something that it does not hear of.
CHANGES = {
    "fp_delivery_fresh": "update fp_delivery set state = 'done' where state = 'ready'",
    "fp_delivery_ready": "update fp_delivery set state = 'done' where state = 'ready' and fence",
    "fp_delivery_apart": "update fp_delivery set state = 'done' where due_at_ms is not null",
    "fp_delivery_due": "update fp_delivery set due_at_ms = null where due_at_ms is not null",
    "fp_delivery_scheduled": "update fp_delivery set due_at_ms = 1 where due_at_ms is not null",
    "fp_delivery_until": "update fp_delivery set lease_until_ms = 1 where state = 'leased'",
    "fp_delivery_lane": "update fp_delivery set lane = 'other' where lane = 'lane-1' and behind",
    "fp_delivery_head": "update fp_delivery set behind = 1 where lane = 'lane-1'",
    "fp_delivery_message": "delete from fp_delivery where id % 3 = 0",
    "fp_delivery_queue": "update fp_delivery set queue = 'other' where id % 5 = 0",
    "fp_delivery_age": "update fp_delivery set changed_at_ms = 1",
    "fp_message_key": "update fp_message set key = 'other-' || id where id % 3 = 0",
    "fp_message_expiry": "update fp_message set expires_at_ms = 1 where id % 4 = 0",
    "fp_message_body": "update fp_message set body_until_ms = 1",
    "fp_entry_key": "delete from fp_entry where id % 3 = 0",
    "fp_entry_age": "update fp_entry set created_at_ms = 5",
    "fp_entry_expiry": "update fp_entry set expires_at_ms = null",
    "fp_namespace_name": "update fp_namespace set name = 'another'",
    "fp_lease_expiry": "update fp_lease set expires_at_ms = 1",
    "fp_once_key": "delete from fp_once where id % 2 = 0",
    "fp_once_expiry": "update fp_once set expires_at_ms = 1",
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes, dict[str, list[int]]]:
    """A store's file, what it was earlier, and where its tables and indexes are."""
    path = tmp_path_factory.mktemp("whole") / "store.db"
    earlier = fill(path)
    return path.read_bytes(), earlier, pages_of(path)


@pytest.fixture
def path(tmp_path: Path, whole: tuple[bytes, bytes, dict[str, list[int]]]) -> Path:
    """A copy of it to damage."""
    path = tmp_path / "store.db"
    path.write_bytes(whole[0])
    path.chmod(0o600)
    return path


def test_the_whole_store_answers_everything(path: Path) -> None:
    assert wrong_of(path, Random(0)) == []


# DAMAGE-2
@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_damaged_page_is_told_as_damage_and_nothing_hangs(
    path: Path, whole: tuple[bytes, bytes, dict[str, list[int]]], seed: int
) -> None:
    data, earlier, pages = bytearray(whole[0]), whole[1], whole[2]
    random = Random(seed)
    where = random.choice(sorted(pages))
    what = damage(data, earlier, random, pages[where])
    path.write_bytes(data)

    assert (what, wrong_of(path, random)) == (what, [])


# DAMAGE-2
@pytest.mark.parametrize("index", CHANGES)
def test_an_index_that_disagrees_with_its_table_is_told_as_damage(path: Path, index: str) -> None:
    behind_index(path, index, CHANGES[index])

    assert wrong_of(path, Random(index)) == []


# DAMAGE-1
@pytest.mark.parametrize("state", ["done", "dead", "leased"])
def test_a_claim_that_its_index_misleads_ends_at_once(path: Path, state: str) -> None:
    sql = f"update fp_delivery set state = '{state}', lease_until_ms = 1 where state = 'ready'"  # noqa: S608
    behind_index(path, "fp_delivery_fresh", sql)

    with connect(path) as store, bounded(10), pytest.raises(StoreCorrupt) as told:
        store.queue("plain").claim(limit=100)

    assert (told.value.operation, told.value.path) == ("claim", str(path))
    assert "\n" not in str(told.value)


# DAMAGE-1
def test_a_claim_does_not_bury_what_its_index_gives_it_again_and_again(path: Path) -> None:
    with connect(path) as store:
        connection(store).execute("update fp_message set headers = '{broken'")
    other = apsw.Connection(str(path))
    other.execute("pragma writable_schema = on")
    # An index that nothing takes an entry out of: its condition never holds for what is changed.
    other.execute(
        "update sqlite_schema set sql = replace(sql, 'behind = 0', 'behind = 7')"
        " where name = 'fp_delivery_fresh'"
    )
    other.close()

    with pytest.raises(StoreCorrupt), bounded(10), connect(path) as store:
        store.queue("plain").claim(limit=5)


# DAMAGE-3
def test_what_cannot_be_read_is_buried_in_short_transactions(store: Store) -> None:
    queue = store.queue("mail")
    queue.enqueue_many({"body": b"work"} for _ in range(1_200))
    connection(store).execute("update fp_message set headers = '' where id <= 1190")

    with traced(store) as statements:
        claims = queue.claim(limit=20)

    assert len(claims) == 10
    assert statements.count("commit") == 3
    assert queue.stats().dead == 1_190


# DAMAGE-4
def test_a_store_whose_own_row_is_gone_does_not_give_its_fences_out_again(path: Path) -> None:
    other = apsw.Connection(str(path))
    other.execute("delete from fp_store")
    other.close()

    with pytest.raises(StoreCorrupt, match="fp_store") as told:
        connect(path)

    assert (told.value.operation, told.value.path) == ("open", str(path))
    assert ask(path, "select count(*) from fp_store") == [(0,)]


# DAMAGE-2
def test_what_a_users_own_tables_do_is_not_taken_for_damage(store: Store) -> None:
    store.queue("mail").enqueue(b"work", key="k", keep_for=0.001)
    (claim,) = store.queue("mail").claim()
    with store.transaction() as tx:
        tx.execute("create table mine (message integer references fp_message (id))")
        tx.execute("insert into mine values (?)", (claim.message.id,))
    claim.ack()
    connection(store).execute("update fp_delivery set expires_at_ms = 1")

    with pytest.raises(Exception, match="FOREIGN KEY") as told:
        store.sweep()

    assert getattr(told.value, "code", "") == "sql_error"
