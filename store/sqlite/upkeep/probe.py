"""The probe: each thing that a store must be able to do."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Sequence

import apsw

from ...clock import HostClock
from ...errors import FencepostError, StoreBusy
from ...types.probe import ProbeReport, ProbeStep
from ..file import permissions
from ..locks import lock_holders
from ..session.session import Session

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


def probe(session: Session, clock: HostClock) -> ProbeReport:
    """Return one step for each ability; a failed one does not hide the next."""
    held: list[StoreBusy] = []
    steps: list[tuple[str, Callable[[], tuple[str, bool]]]] = [
        (
            "sqlite",
            lambda: (f"SQLite {apsw.sqlite_lib_version()}, apsw {apsw.apsw_version()}", False),
        ),
        ("permissions", lambda: _permissions(session)),
        ("place", lambda: _place(session)),
        ("writer", lambda: _writer(session, held)),
        ("write", lambda: _NOT_TRIED if held else _write(session)),
        ("checkpoint", lambda: _NOT_TRIED if held else _checkpoint(session)),
        ("wal", lambda: _wal(session.path)),
        ("clock", lambda: _clock(session, clock)),
    ]
    return ProbeReport(tuple(attempt(name, work) for name, work in steps))


def integrity(session: Session) -> ProbeStep:
    """Return what SQLite's own check of the whole file says."""

    def check() -> tuple[str, bool]:
        found = [str(row[0]) for row in session.read("pragma integrity_check(10)")]
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


def _permissions(session: Session) -> tuple[str, bool]:
    if session.exposed:
        names = ", ".join(session.exposed)
        raise FencepostError(f"other accounts had access to {names} until now and may have read it")
    if names := ", ".join(permissions.exposed(session.path)):
        raise FencepostError(f"other accounts have access to {names}; run chmod 600 on it")
    if names := ", ".join(permissions.foreign(session.path)):
        raise FencepostError(f"{names} belongs to another account; run chown on it")
    remarks = {
        ", in a folder in which others may write": permissions.shared_folder(session.path),
        "; running as root, a separate account would be safer": os.geteuid() == 0,
    }
    said = "".join(remark for remark, applies in remarks.items() if applies)
    return f"0600{said}", bool(said)


def _place(session: Session) -> tuple[str, bool]:
    session.identity.require("probe")
    if session.has_moved():
        raise FencepostError(f"{session.path} is not the file that is open")
    return "the store's file was not moved or replaced", False


def _writer(session: Session, held: list[StoreBusy]) -> tuple[str, bool]:
    before = lock_holders.writers(session.path)
    started = time.monotonic()
    try:
        with session.write("probe"):
            waited = time.monotonic() - started
    except StoreBusy as error:
        held.append(error)  # waited for once is enough
        said = (
            f"{lock_holders.said(error.holders)} has held the write lock for {error.waited:.1f} s"
        )
        if _are_working(session, error.holders):
            return f"{said}: a worker, whose handler is in a transaction", True
        raise FencepostError(said) from error
    if before:
        return f"{lock_holders.said(before)} held the write lock; had after {waited:.1f} s", False
    return "nobody held the write lock", False


def _are_working(session: Session, pids: Sequence[int]) -> bool:
    """True for workers of this store that run; one that was stopped holds the lock for ever."""
    workers = {pid for (pid,) in session.read(_WORKERS)}
    return bool(pids) and all(pid in workers and not lock_holders.is_stopped(pid) for pid in pids)


def _write(session: Session) -> tuple[str, bool]:
    with session.write("probe") as write:
        write.run(_INSERT, {"now": write.now_ms})
        row = {"id": write.last_id}
        if write.run(_SELECT, row) != [(1,)]:
            raise FencepostError("a row written was not found again")
        write.run(_DELETE, row)
    return "wrote a row, read it, deleted it", False


def _checkpoint(session: Session) -> tuple[str, bool]:
    report = session.checkpoint()
    held_back = "" if report.complete else "; a reader holds back the rest"
    return f"{report.moved} of {report.pages} pages moved{held_back}", not report.complete


def _wal(path: str) -> tuple[str, bool]:
    size = 0
    with contextlib.suppress(FileNotFoundError):
        size = os.stat(path + "-wal").st_size
    if size > _WAL_ALARM_BYTES:
        raise FencepostError(f"the WAL has {size} bytes: some reader never ends its transaction")
    return f"{size} bytes", False


def _clock(session: Session, clock: HostClock) -> tuple[str, bool]:
    drift = clock.wall_ms() - session.now_ms()
    detail = f"{drift / 1000:+.1f} s from the store's clock to the wall's"
    return detail, abs(drift) > _CLOCK_ALARM_MS
