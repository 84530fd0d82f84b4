"""What the machine and its disk can do, measured within the run."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path

from .. import engines
from ..records.percentiles import quantile
from ..records.report import Machine

_FDATASYNCS = 300


def fdatasync_ms(folder: Path, times: int = _FDATASYNCS) -> list[float]:
    """Append 4 KB to a file and sync it, so many times; return how long each sync took, ascending."""
    path = folder / "probe"
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    took = []
    try:
        for _ in range(times):
            os.write(fd, bytes(4096))
            began = time.perf_counter()
            os.fdatasync(fd)
            took.append((time.perf_counter() - began) * 1000)
    finally:
        os.close(fd)
        path.unlink()
    return sorted(took)


def machine(folder: Path) -> Machine:
    """Return what this machine is, and how fast the disk under `folder` syncs."""
    syncs = fdatasync_ms(folder)
    return Machine(
        cores=len(os.sched_getaffinity(0)),
        python=platform.python_version(),
        sqlite=engines.module(folder, "version").version(),
        system=f"{platform.system()} {platform.release()}",
        filesystem=_filesystem(folder),
        fdatasync_p50_ms=round(quantile(syncs, 0.5), 3),
        fdatasync_p99_ms=round(quantile(syncs, 0.99), 3),
    )


def _filesystem(folder: Path) -> str:
    """Return the type of the file system that a folder is in, by the longest mount point."""
    best, kind = "", "unknown"
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, at, type_, *_ = line.split()
        inside = os.path.commonpath([at, folder.resolve()]) == at
        if inside and len(at) >= len(best):
            best, kind = at, type_
    return kind
