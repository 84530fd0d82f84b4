"""Addresses of stores: the table of schemes, what each engine can do, and no secret shown."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import pytest

from fencepost import FencepostError, InvalidInput, Store, Unsupported, connect
from fencepost.store.connect import (
    adopt,
    exists,
    make_folder,
    migrate,
    modules_of,
    quarantine,
    restore,
    why_not_made,
)
from fencepost.store.engine.driver import Driver, Instead, OpenOptions
from fencepost.store.naming import shown

CONNECT = sys.modules["fencepost.store.connect"]
ADDRESS = "elsewhere://me:hunter2@db.example:5432/shop?sslpassword=hunter3"


def _refuse(address: str, options: OpenOptions) -> NoReturn:
    raise InvalidInput(f"{shown(ADDRESS)} is not reached")


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine without files, in the table of schemes."""
    module = ModuleType("elsewhere_driver")
    instead = {
        name: Instead(f"use {name}_tool")
        for name in ("checksums", "migrate", "make_folder", "set_aside", "restore", "adopt")
    }
    vars(module)["DRIVER"] = Driver(
        name="Elsewhere",
        open=_refuse,
        exists=lambda address: True,
        why_not_made=lambda address: None,
        **instead,
    )
    monkeypatch.setitem(sys.modules, "elsewhere_driver", module)
    monkeypatch.setitem(CONNECT._DRIVERS, "elsewhere", "elsewhere_driver")
    monkeypatch.setitem(CONNECT._PREFIXES, "elsewhere", "elsewhere://")


# FP-27
@pytest.mark.parametrize(
    ("call", "instead"),
    [
        (lambda: connect(ADDRESS, checksums=True), "use checksums_tool"),
        (lambda: migrate(ADDRESS, dry_run=True), "use migrate_tool"),
        (lambda: make_folder(ADDRESS), "use make_folder_tool"),
        (lambda: quarantine(ADDRESS), "use set_aside_tool"),
        (lambda: restore("b", ADDRESS), "use restore_tool"),
        (lambda: adopt(ADDRESS), "use adopt_tool"),
    ],
)
@pytest.mark.usefixtures("elsewhere")
def test_what_an_engine_cannot_do_names_what_to_use_in_its_place(
    call: Callable[[], object], instead: str
) -> None:
    with pytest.raises(Unsupported) as told:
        call()

    assert isinstance(told.value, InvalidInput)
    assert (told.value.code, told.value.instead) == ("unsupported", instead)
    assert str(told.value).startswith("Elsewhere stores have no ")
    assert str(told.value).endswith(f": {instead}")


# FP-28
@pytest.mark.usefixtures("elsewhere")
def test_no_error_shows_what_is_secret_in_an_address() -> None:
    calls: list[Callable[[], object]] = [
        lambda: connect(ADDRESS),
        lambda: connect(ADDRESS, durability="odd"),
        lambda: connect(ADDRESS.replace("elsewhere", "nowhere")),
        lambda: migrate(ADDRESS, dry_run=True),
        lambda: restore("b", ADDRESS),
    ]
    for call in calls:
        with pytest.raises(FencepostError) as told:
            call()
        assert told.value.path.partition("://")[2] == "db.example:5432/shop"
        assert "hunter" not in f"{told.value} {told.value!r} {vars(told.value)}"


# FP-28
@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("hooks.db", "hooks.db"),
        ("a@b/c?d.db", "a@b/c?d.db"),
        ("sqlite:///hooks.db", "sqlite:///hooks.db"),
        ("postgresql://u:p@h1,h2:5432/db?schema=x", "postgresql://h1,h2:5432/db"),
        ("postgresql://u:p%40@h/db", "postgresql://h/db"),
        ("postgresql://u:p/q@h/db", "postgresql://h/db"),
        ("postgresql:///db?password=p", "postgresql:///db"),
        ("postgresql://h", "postgresql://h"),
        ("postgresql://h/db?x=a@b", "postgresql://h/db"),
        ("postgresql://u:p?w@h/db", "postgresql://..."),
        ("sqlite:///a@b.db", "sqlite:///a@b.db"),
    ],
)
def test_an_address_is_shown_without_user_password_and_options(address: str, said: str) -> None:
    assert shown(address) == said


# FP-22
def test_an_unknown_scheme_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidInput, match="no engine for nosql://; use a path or sqlite:///path"):
        connect("nosql://here")
    with pytest.raises(InvalidInput, match="no engine for sqlite://"):
        connect("sqlite://here")


def test_a_path_and_its_url_are_one_address(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    url = f"sqlite:///{path}"
    assert not exists(path)
    assert not exists(url)
    connect(url).close()

    assert exists(path)
    assert exists(url)
    assert modules_of(url) == modules_of(path) == ("fencepost.store.sqlite.driver",)
    assert why_not_made(path) is None
    assert why_not_made(tmp_path / "gone" / "a.db") == f"the folder {tmp_path}/gone does not exist"


# KV-24
def test_a_token_is_good_after_the_store_was_moved(tmp_path: Path) -> None:
    with connect(tmp_path / "before.db") as store:
        store.keyed("a", "x").register("k", 1)
        token = store.keyed("a", "x").observe("k").token
        id = store.engine.identity.store_id
    (tmp_path / "before.db").rename(tmp_path / "after.db")

    with connect(tmp_path / "after.db") as store:
        assert store.engine.identity.store_id == id
        assert store.keyed("a", "x").compare_and_set("k", token, 2).status == "applied"
    with connect(tmp_path / "other.db") as store, pytest.raises(InvalidInput, match="token"):
        store.keyed("a", "x").compare_and_set("k", token, 2)


@pytest.mark.sql
def test_a_table_has_the_names_of_its_columns_and_says_when_there_is_more(store: Store) -> None:
    sql = "select 1 as a union select 2"

    assert store.table(sql, limit=1) == (["a"], [(1,)], True)
    assert store.table(sql) == (["a"], [(1,), (2,)], False)


def test_a_store_says_where_it_is_and_what_time_it_has(store: Store, clock: Any) -> None:
    assert store.address == store.engine.identity.address
    assert store.address in repr(store)
    assert store.now() == clock.wall / 1000
    assert all(step.ok for step in store.examine())
    assert store.wanted_workers() is None
    store.scale(3)
    assert store.wanted_workers() == 3
    assert store.sweep_all().keys() >= {"messages", "entries"}
