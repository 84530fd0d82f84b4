"""Bits that a disk forgets: in a database with page checksums, and in its WAL."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
from pathlib import Path
from random import Random

from ...store import connect
from ...store.errors import FencepostError
from ..harness.child_processes import Me
from ..machine.forked import forked

_PAGE = 4096
_SECTOR = 512
_KINDS = ("bit", "sector", "page")
_KEYS = 60
_WAL_KEYS = 30  # fewer than a checkpoint waits for


def rot(me: Me, work: str, times: int, wal_times: int) -> None:
    """Damage copies of a store, and read everything that they still say."""
    folder = Path(work, f"rot-{me.name}")
    folder.mkdir(mode=0o700)
    path = folder / "store.db"
    bodies = _bodies(me.random)
    assert forked(_make, path, bodies, False) == 0
    whole = path.read_bytes()
    for number in range(times):
        kind = _KINDS[number % len(_KINDS)]
        damaged = folder / "damaged.db"
        where = _damage(whole, damaged, kind, me.random)
        found, wrong = read_all(damaged, bodies)
        me.ready(
            fault=f"{kind} damaged",
            verdicts=[
                ("integrity", found, f"{kind} at {where}: nobody noticed"),
                ("nothing-unexpected", not wrong, f"{kind} at {where}: {wrong} came out wrong"),
            ],
        )
        for file in folder.glob("damaged.db*"):
            file.unlink()
    _rot_wal(me, folder, bodies, wal_times)
    me.ready(done=True)


def _rot_wal(me: Me, folder: Path, bodies: dict[str, bytes], times: int) -> None:
    """Flip a bit of a WAL: what follows it is gone, but nothing is wrong."""
    bodies = {key: bodies[key] for key in list(bodies)[:_WAL_KEYS]}
    path = folder / "crashed.db"
    assert forked(_make, path, bodies, True) == -signal.SIGKILL
    wal = Path(f"{path}-wal").read_bytes()
    for _ in range(times):
        copy = folder / "copy.db"
        shutil.copy(path, copy)
        where = _damage(wal, Path(f"{copy}-wal"), "bit", me.random)
        kept: list[str] = []
        _, wrong = read_all(copy, bodies, kept)
        me.ready(
            fault="bit of a WAL flipped",
            kept=len(kept) / len(bodies),
            verdicts=[
                ("nothing-unexpected", not wrong, f"bit of the WAL at {where}: {wrong} are wrong")
            ],
        )
        for file in folder.glob("copy.db*"):
            file.unlink()


def _bodies(random: Random) -> dict[str, bytes]:
    sizes = (900, 900, 900, 20_000)
    return {f"{n}": random.randbytes(sizes[n % len(sizes)]) for n in range(_KEYS)}


def _make(path: Path, bodies: dict[str, bytes], crashes: bool) -> None:
    store = connect(path, checksums=True)
    queue, keyed = store.queue("mail"), store.keyed("stress", "seen")
    for key, body in bodies.items():
        queue.enqueue(body, key=key)
        keyed.register(key, hashlib.sha256(body).hexdigest())
    if crashes:
        signal.raise_signal(signal.SIGKILL)
    store.close()


def _damage(whole: bytes, path: Path, kind: str, random: Random) -> int:
    """Write a damaged copy; return at which byte."""
    data = bytearray(whole)
    if kind == "bit":
        at = random.randrange(len(data))
        data[at] ^= 1 << random.randrange(8)
    elif kind == "sector":
        at = random.randrange(len(data) // _SECTOR) * _SECTOR
        data[at : at + _SECTOR] = random.randbytes(_SECTOR)
    else:
        at = random.randrange(len(data) // _PAGE) * _PAGE
        data[at : at + _PAGE] = bytes(_PAGE)
    path.write_bytes(data)
    os.chmod(path, 0o600)
    return at


def read_all(
    path: Path, bodies: dict[str, bytes], kept: list[str] | None = None
) -> tuple[bool, list[str]]:
    """Return whether the damage was noticed, and the keys that came with what is not theirs.

    Args:
        kept: Is given the keys that came as they were stored.
    """
    wrong: list[str] = []
    right = [] if kept is None else kept
    try:
        with connect(path, create=False) as store:
            whole = store.engine.upkeep.integrity().ok
            for claim in store.queue("mail").claim(limit=1000):
                fits = bodies.get(claim.message.key or "") == claim.message.body
                (right if fits else wrong).append(f"{claim.message.key}")
            for entry in store.keyed("stress", "seen").entries():
                body = bodies.get(entry.key)
                if body is None or entry.value != hashlib.sha256(body).hexdigest():
                    wrong.append(f"entry {entry.key}")
            return not whole or len(right) < len(bodies), wrong
    except FencepostError:
        return True, wrong
