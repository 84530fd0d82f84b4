"""Trying, on a live database, what a store must be able to do."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Sequence

import apsw

from ...clock import Clock
from ...errors import FencepostError, StoreBusy
from ...types.probe import ProbeReport, ProbeStep
from ..file import paths
from ..locks import lock_holders
from ..session.session import Door

_WAL_ALARM_BYTES = 64 * 1024 * 1024
_CLOCK_ALARM_MS = 60_000

_NOT_TRIED = ("not tried, because the write lock was not free", True)

_INSERT = """
insert into fp_message (scope, event, headers, body_sha256, received_at_ms, keep_ms)
values ('fencepost/probe', '', '{}', x'', :now, 0)
"""

_SELECT = "select count(*) from fp_message where id = :id"

_DELETE = "delete from fp_message where id = :id"

_WORKERS = "select pid from fp_worker"


def probe(door: Door, clock: Clock) -> ProbeReport:
    """Return one step for each ability; a failed one does not hide the next."""
    held: list[StoreBusy] = []
    steps: list[tuple[str, Callable[[], tuple[str, bool]]]] = [
        (
            "sqlite",
            lambda: (f"SQLite {apsw.sqlite_lib_version()}, apsw {apsw.apsw_version()}", False),
        ),
        ("permissions", lambda: _permissions(door)),
        ("place", lambda: _place(door)),
        ("writer", lambda: _writer(door, held)),
        ("write", lambda: _NOT_TRIED if held else _write(door)),
        ("checkpoint", lambda: _NOT_TRIED if held else _checkpoint(door)),
        ("wal", lambda: _wal(door.path)),
        ("clock", lambda: _clock(door, clock)),
    ]
    return ProbeReport(tuple(attempt(name, work) for name, work in steps))


def integrity(door: Door) -> ProbeStep:
    """Return what SQLite's own check of the whole file says."""

    def check() -> tuple[str, bool]:
        found = [str(row[0]) for row in door.read("pragma integrity_check(10)")]
        if found != ["ok"]:
            raise FencepostError("; ".join("; ".join(found).split("\n")))
        return "integrity_check: ok", False

    return attempt("integrity", check)


def attempt(name: str, work: Callable[[], tuple[str, bool]]) -> ProbeStep:
    """Return the step of a check, which answers with its detail and whether to warn."""
    try:
        detail, warning = work()
    except (FencepostError, OSError) as error:
        return ProbeStep(name, False, str(error))
    return ProbeStep(name, True, detail, warning)


def _permissions(door: Door) -> tuple[str, bool]:
    if door.exposed:
        names = ", ".join(door.exposed)
        raise FencepostError(f"other accounts had access to {names} until now and may have read it")
    if names := ", ".join(paths.exposed(door.path)):
        raise FencepostError(f"other accounts have access to {names}; run chmod 600 on it")
    if names := ", ".join(paths.foreign(door.path)):
        raise FencepostError(f"{names} belongs to another account; run chown on it")
    remarks = {
        ", in a folder in which others may write": paths.shared_folder(door.path),
        "; running as root, a separate account would be safer": os.geteuid() == 0,
    }
    said = "".join(remark for remark, applies in remarks.items() if applies)
    return f"0600{said}", bool(said)


def _place(door: Door) -> tuple[str, bool]:
    door.place.require("probe")
    if door.has_moved():
        raise FencepostError(f"{door.path} is not the file that is open")
    return "the store's file was not moved or replaced", False


def _writer(door: Door, held: list[StoreBusy]) -> tuple[str, bool]:
    before = lock_holders.writers(door.path)
    started = time.monotonic()
    try:
        with door.write("probe"):
            waited = time.monotonic() - started
    except StoreBusy as error:
        held.append(error)  # waited for once is enough
        said = (
            f"{lock_holders.said(error.holders)} has held the write lock for {error.waited:.1f} s"
        )
        if _are_working(door, error.holders):
            return f"{said}: a worker, whose handler is in a transaction", True
        raise FencepostError(said) from error
    if before:
        return f"{lock_holders.said(before)} held the write lock; had after {waited:.1f} s", False
    return "nobody held the write lock", False


def _are_working(door: Door, pids: Sequence[int]) -> bool:
    """True for workers of this store that run; one that was stopped holds the lock for ever."""
    workers = {pid for (pid,) in door.read(_WORKERS)}
    return bool(pids) and all(pid in workers and not lock_holders.is_stopped(pid) for pid in pids)


def _write(door: Door) -> tuple[str, bool]:
    with door.write("probe") as write:
        write.run(_INSERT, {"now": write.now_ms})
        row = {"id": write.last_id}
        if write.run(_SELECT, row) != [(1,)]:
            raise FencepostError("a row written was not found again")
        write.run(_DELETE, row)
    return "wrote a row, read it, deleted it", False


def _checkpoint(door: Door) -> tuple[str, bool]:
    report = door.checkpoint()
    held_back = "" if report.complete else "; a reader holds back the rest"
    return f"{report.moved} of {report.pages} pages moved{held_back}", not report.complete


def _wal(path: str) -> tuple[str, bool]:
    size = 0
    with contextlib.suppress(FileNotFoundError):
        size = os.stat(path + "-wal").st_size
    if size > _WAL_ALARM_BYTES:
        raise FencepostError(f"the WAL has {size} bytes: some reader never ends its transaction")
    return f"{size} bytes", False


def _clock(door: Door, clock: Clock) -> tuple[str, bool]:
    drift = clock.wall_ms() - door.now_ms()
    detail = f"{drift / 1000:+.1f} s from the store's clock to the wall's"
    return detail, abs(drift) > _CLOCK_ALARM_MS
