"""How many workers the load wants."""

from __future__ import annotations

from fencepost.workers.supervisor.scaling.autoscale import Autoscaler


def _run(scaler: Autoscaler, size: int, ages: dict[float, float]) -> list[int]:
    sizes = []
    for now, age in ages.items():
        size = scaler.size(now, size, age)
        sizes.append(size)
    return sizes


def test_work_that_waits_brings_workers_up_to_the_most() -> None:
    ages = {float(second): 5.0 for second in range(20)}

    sizes = _run(Autoscaler(2, 16), 2, ages)

    assert sizes[0] == 3
    assert sizes[-1] == 16
    assert sizes == sorted(sizes)
    # Those that were added get time to show.
    assert sizes[:4] == [3, 3, 3, 5]


def test_workers_leave_one_by_one_when_nothing_has_waited_for_long() -> None:
    ages = {0.0: 5.0} | {float(second): 0.0 for second in range(1, 200)}

    sizes = _run(Autoscaler(2, 4), 3, ages)

    assert sizes[0] == 4
    assert sizes[29] == 4
    assert sizes[30] == 3
    assert sizes[59] == 3
    assert sizes[60] == 2
    assert sizes[-1] == 2


def test_a_size_outside_of_the_bounds_is_brought_inside() -> None:
    assert Autoscaler(2, 4).size(0.0, 9, 0.0) == 4
    assert Autoscaler(2, 4).size(0.0, 0, 0.0) == 2
