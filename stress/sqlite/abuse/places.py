"""Links planted in place of a store's files, and what everybody may read."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ....store import connect
from ....store.errors import FencepostError
from ...harness.child_processes import Me

_SIDECARS = ("-wal", "-shm", "-gate", "-wakeup", "-alive", "-ballast", "-recovered")
_MASKS = (0o000, 0o022, 0o077)
_PRECIOUS = b"precious"


def plant_links(me: Me, work: str) -> None:
    """Plant links to somebody else's file before an opening, and beside an open store."""
    kinds = ("symbolic link", "hard link", "dangling link")
    cases = [(kind, suffix) for kind in kinds for suffix in ("", *_SIDECARS)]
    for number, (kind, suffix) in enumerate(cases):
        folder = Path(work, f"link-{number}")
        victim = _victim(folder)
        _link(kind, victim, folder / f"store.db{suffix}")
        code = _open(folder / "store.db")
        where = f"{kind} as store.db{suffix}"
        _tell(me, "link planted", _spared(kind, victim, where), ("typed-errors", code, where))
    for number, suffix in enumerate(_SIDECARS):
        folder = Path(work, f"late-link-{number}")
        victim = _victim(folder)
        _use_beside(folder / "store.db", folder / f"store.db{suffix}", victim)
        where = f"symbolic link as store.db{suffix} of an open store"
        _tell(me, "link planted", _spared("symbolic link", victim, where))
    me.ready(done=True)


def _use_beside(path: Path, sidecar: Path, victim: Path) -> None:
    """Use a store of which a sidecar has become a link; what is refused is no matter."""
    with connect(path) as store:
        queue = store.queue("mail")
        queue.enqueue(b"before", key="before")
        sidecar.unlink(missing_ok=True)
        sidecar.symlink_to(victim)
        calls: list[Callable[[], object]] = [
            lambda: queue.enqueue(b"x" * 100_000),
            queue.claim,
            store.engine.ping,
            store.engine.upkeep.tick,
        ]
        for call in calls:
            with contextlib.suppress(FencepostError):
                call()


def check_modes(me: Me, work: str) -> None:
    """Make, use and copy stores under every mask, and look who may read what."""
    for mask in _MASKS:
        folder = Path(work, f"mask-{mask:03o}")
        folder.mkdir(mode=0o700)
        os.umask(mask)
        with connect(folder / "store.db") as store:
            store.queue("mail").enqueue(b"secret")
            store.backup(folder / "copy.db")
            verdicts = [_private(folder, f"umask {mask:03o}")]
            for path in folder.iterdir():
                path.chmod(0o644)
            with connect(folder / "store.db"):
                (folder / "copy.db").chmod(0o600)
                verdicts.append(_private(folder, f"umask {mask:03o}, opened again"))
        os.umask(0o077)
        me.ready(fault="umask changed", verdicts=verdicts)
    me.ready(done=True)


def _tell(me: Me, fault: str, *verdicts: tuple[str, Any, str]) -> None:
    me.ready(
        fault=fault,
        verdicts=[
            (invariant, told is True or told == "store_open_failed", f"{words}: {told}")
            for invariant, told, words in verdicts
        ],
    )


def _victim(folder: Path) -> Path:
    folder.mkdir(mode=0o700)
    victim = folder / "victim"
    victim.write_bytes(_PRECIOUS)
    victim.chmod(0o644)
    return victim


def _link(kind: str, victim: Path, path: Path) -> None:
    if kind == "hard link":
        path.hardlink_to(victim)
    else:
        path.symlink_to(victim if kind == "symbolic link" else victim.with_name("nothing"))


def _spared(kind: str, victim: Path, where: str) -> tuple[str, Any, str]:
    mode = stat.S_IMODE(victim.stat().st_mode)
    if kind == "dangling link":
        return "victim-untouched", not victim.with_name("nothing").exists(), f"{where} was made"
    untouched = victim.read_bytes() == _PRECIOUS and mode == 0o644
    return "victim-untouched", untouched, f"{where}, mode {mode:o}"


def _open(path: Path) -> str:
    try:
        connect(path).close()
    except FencepostError as error:
        return error.code
    return "no error"


def _private(folder: Path, where: str) -> tuple[str, bool, str]:
    modes = {path.name: stat.S_IMODE(path.lstat().st_mode) for path in folder.iterdir()}
    shown = {name: f"{mode:o}" for name, mode in modes.items() if mode != 0o600}
    return "owner-only", not shown, f"{where}: {shown}"
