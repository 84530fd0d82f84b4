"""The scenario in which clocks go wrong, and the clocks it uses."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fencepost.store.clock import SystemClock
from fencepost.stress.machine import clocks
from fencepost.stress.machine.clocks import FaultyClock, Machine
from fencepost.stress.scenarios.store import clock

from .tiny import Tiny


def test_a_small_run_finds_nothing(tiny: Tiny) -> None:
    size = {"random": 1, "processes": 1, "steps": 2, "boots": 2}

    result = tiny(clock.SCENARIO, size)

    assert result.findings == []
    assert result.figures["cases"] == len(clock.FAULTS) + 1


def test_a_machine_tells_what_passed_from_what_its_wall_clock_says() -> None:
    machine = Machine(wall=1_000_000)
    boot = machine.boot_ms()

    machine.advance(500)
    machine.step(-70_000)
    machine.slew(1.01)
    machine.advance(1000)

    assert (machine.passed, machine.boot_ms()) == (1500, boot + 1500)
    assert machine.wall_ms() == 1_000_000 + 500 - 70_000 + 1010

    name = machine.boot_id()
    machine.reboot()
    assert machine.boot_id() != name
    assert machine.boot_ms() < boot
    assert machine.passed == 1500


@pytest.mark.parametrize("seconds", [-3600.0, 0.0, 31_536_000.0])
def test_a_process_reads_the_boot_and_the_wall_that_it_is_told(
    tmp_path: Path, seconds: float
) -> None:
    clocks.set_boot(tmp_path, "second", 5000)
    clocks.set_wall(tmp_path, seconds)
    true, faulty = SystemClock(), FaultyClock(tmp_path, fakes_wall=True)

    assert faulty.boot_id() == "second"
    assert abs(true.boot_ms() - faulty.boot_ms() - 5000) < 1000
    assert abs(faulty.wall_ms() - true.wall_ms() - seconds * 1000) < 1000


@pytest.mark.skipif(clocks.library() is None, reason="libfaketime is not installed")
def test_a_process_started_with_the_library_sees_the_wall_that_was_set(tmp_path: Path) -> None:
    clocks.set_wall(tmp_path, -3600)
    seen = "import time; print(time.time(), time.clock_gettime(time.CLOCK_BOOTTIME))"

    with clocks.preloaded(clocks.library(), tmp_path):
        shown = subprocess.run(
            [sys.executable, "-c", seen], check=True, capture_output=True, text=True
        ).stdout

    wall, boot = map(float, shown.split())
    assert abs(time.time() - 3600 - wall) < 60
    assert abs(time.clock_gettime(time.CLOCK_BOOTTIME) - boot) < 60
    assert "LD_PRELOAD" not in os.environ
