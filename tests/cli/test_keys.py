"""Keyed state from the command line."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from fencepost import Keyed, Store, connect

from ..sqlite.inside import ask
from .command import Command, run
from .shown import ISO

HOSTILE = "\x9b31m\u202e\u2028"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    """An open store, beside the commands that look at it."""
    with connect(str(path)) as opened:
        yield opened


@pytest.fixture
def keyed(store: Store) -> Keyed:
    keyed = store.keyed("slack", "threads", max_entries=50)
    keyed.register("one", {"n": 1}, ttl=600)
    keyed.register("two", None)
    return keyed


def test_a_namespace_is_listed_oldest_first(keyed: Keyed, command: Command) -> None:
    shown = command("keys", "list", "slack", "threads", "--json")
    table = command("keys", "list", "slack", "threads")

    first, second = shown.json()
    assert (shown.code, shown.err) == (0, "")
    assert (first["key"], first["value"], second["key"], second["value"]) == (
        "one",
        {"n": 1},
        "two",
        None,
    )
    assert ISO.fullmatch(first["created_at"])
    assert ISO.fullmatch(first["expires_at"])
    assert second["expires_at"] is None
    assert re.search(r'^one +\{"n": 1\} +\d', table.out, re.MULTILINE)
    limited = command("keys", "list", "slack", "threads", "--limit", "1", "--json").json()
    assert [row["key"] for row in limited] == ["one"]


# KV-38
def test_without_a_namespace_all_are_listed_with_rows_and_caps(
    store: Store, keyed: Keyed, command: Command
) -> None:
    store.keyed("slack", "other").register("k", 1)

    other, threads = command("keys", "list", "--json").json()

    assert (other["name"], other["rows"], other["max_entries"]) == ("other", 1, None)
    assert (threads["name"], threads["rows"], threads["max_entries"]) == ("threads", 2, 50)
    assert threads["owner_rows"] == 3
    assert re.search("^slack +threads +2 +50 ", command("keys", "list").out, re.MULTILINE)


def test_get_prints_the_value_and_exits_with_1_when_there_is_none(
    keyed: Keyed, command: Command
) -> None:
    assert command("keys", "get", "slack", "threads", "one").json() == {"n": 1}
    assert command("keys", "get", "slack", "threads", " two ").out == "null\n"
    entry = command("keys", "get", "slack", "threads", "one", "--json").json()
    assert set(entry) == {"key", "value", "created_at", "expires_at"}

    missing = command("keys", "get", "slack", "threads", "three", "--json")
    assert missing.complains(1)
    assert "three in slack/threads" in missing.err


# KV-5
def test_delete_tries_every_key_and_exits_with_1_when_one_was_not_there(
    keyed: Keyed, command: Command
) -> None:
    ended = command("keys", "delete", "slack", "threads", "one", "three", "two")

    assert (ended.code, ended.out) == (1, "deleted one\ndeleted two\n")
    assert ended.err == "Error: there is no key three in slack/threads\n"
    assert keyed.count() == 0
    keyed.register("one", 1)
    assert command("keys", "delete", "slack", "threads", "one").code == 0


# KV-7
def test_clear_says_how_many_rows_went(keyed: Keyed, command: Command) -> None:
    assert command("keys", "clear", "slack", "threads").out == "deleted 2\n"
    assert command("keys", "clear", "slack", "threads").out == "deleted 0\n"
    assert keyed.entries() == []


# KV-36
def test_looking_and_deleting_make_no_namespace(store: Store, command: Command) -> None:
    for words in (("list",), ("get",), ("delete",), ("clear",)):
        key = [] if words[0] in ("list", "clear") else ["k"]
        assert command("keys", *words, "no", "body", *key).code in (0, 1)

    assert store.namespaces() == []
    assert command("keys", "list", "--json").json() == []


# KV-3, KV-6
def test_what_is_damaged_is_told_once_and_listed_apart(
    keyed: Keyed, path: Path, command: Command
) -> None:
    other = apsw.Connection(str(path))
    other.execute("update fp_entry set value = '{' where key = 'one'")
    other.close()

    assert command("keys", "get", "slack", "threads", "one").complains(1)
    assert command("keys", "get", "slack", "threads", "one").complains(1)

    (thing,) = command("keys", "list", "--quarantined", "--json").json()
    assert "slack/threads 'one'" in thing["place"]
    assert ISO.fullmatch(thing["found_at"])
    assert "slack/threads" in command("keys", "list", "--quarantined").out
    assert ask(path, "select entries from fp_namespace") == [(1,)]


def test_nothing_that_a_terminal_would_obey_is_printed(store: Store, command: Command) -> None:
    store.keyed("a", "x").register(f"k{HOSTILE}", {HOSTILE: "\x1b[2J" + HOSTILE})

    for words in (("list", "a", "x"), ("get", "a", "x", f"k{HOSTILE}"), ("get", "a", "x", HOSTILE)):
        shown = command("keys", *words)
        printed = (shown.out + shown.err).replace("\n", "")
        assert printed
        assert not [c for c in printed if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp")]


def test_what_the_terminal_has_no_characters_for_is_spelled_out(
    store: Store, path: Path, tmp_path: Path
) -> None:
    store.keyed("a", "x").register("ключ", 1)

    shown = run(
        "keys", "list", "a", "x", "--store", str(path), cwd=tmp_path, PYTHONIOENCODING="ascii"
    )

    assert (shown.code, shown.err) == (0, "")
    assert "\\u043a\\u043b\\u044e\\u0447" in shown.out


def test_looking_makes_no_file(path: Path, command: Command) -> None:
    assert command("keys", "list").complains(2)
    assert command("keys", "get", "a", "x", "k").complains(2)
    assert os.listdir(path.parent) == []
