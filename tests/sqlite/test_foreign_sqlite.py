"""Another SQLite library of the same process, which would drop the store's locks, is refused."""

from __future__ import annotations

import contextlib
import gc
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fencepost import Queue, Store, StoreInUse, StoreOpenFailed, connect

from ..processes import line_of, running


def _absolute(path: Path) -> object:
    return str(path)


def _relative(path: Path) -> object:
    return os.path.relpath(path)


def _bytes(path: Path) -> object:
    return os.fsencode(path)


def _path(path: Path) -> object:
    return path


def _symbolic_link(path: Path) -> object:
    (path.parent / "soft.db").symlink_to(path)
    return path.parent / "soft.db"


def _hard_link(path: Path) -> object:
    (path.parent / "hard.db").hardlink_to(path)
    return path.parent / "hard.db"


def _folder_link(path: Path) -> object:
    (path.parent / "folder").symlink_to(path.parent)
    return path.parent / "folder" / ".." / path.parent.name / path.name


def _uri(path: Path) -> object:
    return f"file:{path}"


def _uri_that_only_reads(path: Path) -> object:
    return f"file://localhost{path}?mode=ro&immutable=1#part"


def _uri_with_escapes(path: Path) -> object:
    return f"file://{path.parent}/{path.name.replace('s', '%73')}?cache=shared"


def _relative_uri(path: Path) -> object:
    return f"file:{os.path.relpath(path)}?nolock=1"


SPELLINGS = (
    *(_absolute, _relative, _bytes, _path, _symbolic_link, _hard_link, _folder_link),
    *(_uri, _uri_that_only_reads, _uri_with_escapes, _relative_uri),
)


# FOREIGN-1
@pytest.mark.parametrize("spelled", SPELLINGS)
def test_sqlite3_is_refused_however_the_path_is_spelled(
    store: Store, address: str, spelled: Callable[[Path], Any]
) -> None:
    database = spelled(Path(address))
    try:
        with pytest.raises(StoreInUse, match=r"store\.read") as caught:
            sqlite3.connect(database, uri=True)
    finally:
        for name in ("soft.db", "hard.db", "folder"):
            Path(address).with_name(name).unlink(missing_ok=True)

    assert (caught.value.path, caught.value.operation) == (address, "sqlite3.connect")
    assert isinstance(caught.value, StoreOpenFailed)


# FOREIGN-1
@pytest.mark.parametrize("suffix", ["-wal", "-shm", "-journal"])
def test_sqlite3_is_refused_on_the_files_beside_the_database(
    store: Store, queue: Queue, address: str, suffix: str
) -> None:
    queue.enqueue(b"")

    with pytest.raises(StoreInUse):
        sqlite3.connect(address + suffix)


_AIOSQLITE = """
async def use():
    async with aiosqlite.connect(path) as connection:
        await connection.execute("select 1")
import aiosqlite, asyncio
try:
    asyncio.run(use())
"""

_SQLALCHEMY = """
import sqlalchemy
try:
    sqlalchemy.create_engine(f"sqlite:///{path}").connect()
"""

_DJANGO = """
import django.conf, django.db
databases = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": path}}
django.conf.settings.configure(DATABASES=databases)
django.setup()
try:
    django.db.connection.cursor().execute("select 1")
"""

_TRY = """
import sys
from fencepost import StoreInUse, connect
path = sys.argv[1]
store = connect(path)
%s
except StoreInUse as error:
    print("refused", flush=True)
"""


# FOREIGN-1
@pytest.mark.parametrize("library", [_AIOSQLITE, _SQLALCHEMY, _DJANGO])
def test_what_is_built_upon_sqlite3_is_refused_too(tmp_path: Path, library: str) -> None:
    script = _TRY % library.strip()
    with running(["-c", script, str(tmp_path / "store.db")], cwd=tmp_path) as process:
        assert line_of(process) == "refused"


def _open(path: str) -> None:
    with open(path, "rb") as file:
        file.read(1)


def _os_open(path: str) -> None:
    os.close(os.open(path, os.O_RDWR))


def _copy(path: str) -> None:
    shutil.copy(path, path + ".copy")


def _read_bytes(path: str) -> None:
    Path(path).read_bytes()


# FOREIGN-2
@pytest.mark.parametrize("suffix", ["", "-shm"])
@pytest.mark.parametrize("touch", [_open, _os_open, _copy, _read_bytes])
def test_opening_a_file_that_has_locks_is_refused(
    store: Store, address: str, touch: Callable[[str], None], suffix: str
) -> None:
    with pytest.raises(StoreInUse):
        touch(address + suffix)


# FOREIGN-2
def test_looking_at_a_file_without_opening_it_is_allowed(store: Store, address: str) -> None:
    os.close(os.open(address, os.O_PATH))
    with pytest.raises(FileExistsError):
        Path(address).touch(exist_ok=False)

    assert Path(address).stat().st_size > 0


# FOREIGN-3
def test_other_databases_and_files_are_nobodys_business(store: Store, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for database in (":memory:", "", tmp_path / "other.db", tmp_path / "folder" / "store.db"):
        with contextlib.closing(sqlite3.connect(database)) as connection:
            connection.execute("create table t (x)")
    (tmp_path / "text").write_text("hello")
    with pytest.raises(FileNotFoundError):
        (tmp_path / "missing").read_bytes()
    with pytest.raises(TypeError):
        sqlite3.connect(None)  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="null"):
        Path("a\0b").read_bytes()


# FOREIGN-3
def test_the_file_is_free_once_its_last_store_is_closed(address: str) -> None:
    one, other = connect(address), connect(address)

    one.close()
    with pytest.raises(StoreInUse):
        sqlite3.connect(address)
    other.close()

    with contextlib.closing(sqlite3.connect(address)) as connection:
        assert connection.execute("select count(*) from fp_store").fetchall() == [(1,)]
    Path(address).read_bytes()


# FOREIGN-3
def test_the_file_is_free_once_its_last_store_is_forgotten(address: str) -> None:
    store = connect(address)
    del store
    gc.collect()

    sqlite3.connect(address).close()


_FORKS = """
import os, sqlite3, sys
from fencepost import connect
store = connect(sys.argv[1])
child = os.fork()
if not child:
    connection = sqlite3.connect(sys.argv[1])
    print(connection.execute("select count(*) from fp_store").fetchone()[0], flush=True)
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
print(store.queue("mail").enqueue(b"").status, flush=True)
"""


# FOREIGN-4
def test_a_forked_child_that_has_not_opened_the_store_is_free(tmp_path: Path) -> None:
    with running(["-c", _FORKS, str(tmp_path / "store.db")], cwd=tmp_path) as process:
        assert [line_of(process) for _ in range(2)] == ["1", "accepted"]
