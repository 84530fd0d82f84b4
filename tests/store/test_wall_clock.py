"""Processes whose wall clocks differ, and jump, around one store."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from fencepost import connect

from ..kits import Kit
from ..processes import line_of, running, tell, wait_until

libfaketime = pytest.importorskip("libfaketime")

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(sys.platform != "linux", reason="preloads a library"),
]

_HOLDER = """
import sys, time
from fencepost import connect

with connect(sys.argv[1]) as store:
    (claim,) = store.queue("mail").claim(lease=float(sys.argv[2]))
    lease = store.leases.acquire("deploy", ttl=float(sys.argv[2]))
    print(round(time.time()), flush=True)
    sys.stdin.readline()
    print(round(time.time()), flush=True)
    claim.renew(float(sys.argv[2]))
    lease.renew()
    print("renewed", flush=True)
    sys.stdin.readline()
"""

HOUR = 3600


def _preload(steps: Path) -> dict[str, str]:
    folder = Path(libfaketime.__file__).parent / "vendor/libfaketime/src"
    return {
        "LD_PRELOAD": str(folder / "libfaketime.so.1"),
        "FAKETIME_TIMESTAMP_FILE": str(steps),
        "FAKETIME_NO_CACHE": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }


# LEASE-23, CONN-8
@pytest.mark.parametrize("hours", [1, -1])
def test_a_step_of_the_wall_clock_takes_no_lease_and_lengthens_none(
    kit: Kit, tmp_path: Path, hours: int
) -> None:
    path, steps = kit.address, tmp_path / "step"
    steps.write_text("+0")
    with connect(path) as store:
        queue = store.queue("mail")
        queue.enqueue(b"", key="long")
        holder = ["-c", _HOLDER, str(path), "600"]
        with running(holder, cwd=tmp_path, env=_preload(steps)) as process:
            before = int(line_of(process))
            steps.write_text(f"{hours:+}h")
            tell(process, "go on")
            after = int(line_of(process))
            assert abs(after - before - hours * HOUR) < 600, "the step was not seen"
            assert line_of(process) == "renewed"

            assert queue.claim() == []
            assert store.leases.try_acquire("deploy", ttl=30) is None


@pytest.mark.parametrize("hours", [1, -1])
def test_what_a_process_with_a_wrong_clock_leaves_behind_is_free_in_time(
    kit: Kit, tmp_path: Path, hours: int
) -> None:
    path, steps = kit.address, tmp_path / "step"
    steps.write_text(f"{hours:+}h")
    with connect(path) as store:
        queue = store.queue("mail")
        queue.enqueue(b"", key="short")
        holder = ["-c", _HOLDER, str(path), "0.5"]
        with running(holder, cwd=tmp_path, env=_preload(steps)) as process:
            line_of(process)

        wait_until(queue.claim, "the claim's lease ends")
        wait_until(lambda: store.leases.try_acquire("deploy", ttl=30), "the lease ends")


@pytest.mark.parametrize("hours", [1, -1])
def test_a_store_first_opened_by_a_wrong_clock_keeps_time_for_all(
    kit: Kit, tmp_path: Path, hours: int
) -> None:
    path, steps = kit.address, tmp_path / "step"
    steps.write_text(f"{hours:+}h")
    first = (
        "import sys, fencepost;"
        "store = fencepost.connect(sys.argv[1]);"
        "store.queue('mail').enqueue(b'', delay=600);"
        "print(store.engine.clock.now_ms(), flush=True); sys.stdin.readline()"
    )
    with running(["-c", first, str(path)], cwd=tmp_path, env=_preload(steps)) as process:
        told = int(line_of(process))
        with connect(path) as store:
            assert 0 <= store.engine.clock.now_ms() - told < HOUR * 1000 / 2
            assert store.queue("mail").claim() == []
            assert store.queue("mail").stats().scheduled == 1
