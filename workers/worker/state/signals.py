"""The signals of a process: their handlers, their mask and their timers."""

from __future__ import annotations

import signal

from .quick_look import plain_signal
from .restoring import BeyondRepair, Restore, value

# faulthandler handles it, not Python: see entry_point.
_STACKS = signal.SIGUSR1.value

_TIMERS = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)


def handlers() -> Restore:
    """What handles each signal."""
    numbers = sorted(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})
    each = [int(number) for number in numbers]
    before = list(map(plain_signal.getsignal, each))

    def restore() -> bool:
        now = list(map(plain_signal.getsignal, each))
        if now == before:
            return False
        for number, was, current in zip(each, before, now, strict=True):
            if current != was:
                signal.signal(number, _nothing if number == _STACKS else was)
        if before[each.index(_STACKS)] != now[each.index(_STACKS)]:
            raise BeyondRepair
        return True

    return restore


def wakeup_fd() -> Restore:
    """The descriptor that signals are written to."""
    before = signal.set_wakeup_fd(-1)

    def restore() -> bool:
        found = signal.set_wakeup_fd(before, warn_on_full_buffer=False)
        return found != before

    signal.set_wakeup_fd(before, warn_on_full_buffer=False)
    return restore


def signal_mask() -> Restore:
    """Which signals are blocked."""
    return value(
        lambda: plain_signal.pthread_sigmask(signal.SIG_BLOCK, ()),
        lambda before: signal.pthread_sigmask(signal.SIG_SETMASK, before),
    )


def timers() -> Restore:
    """The interval timers."""
    before = [signal.getitimer(timer) for timer in _TIMERS]
    none_runs = before == [(0.0, 0.0)] * len(_TIMERS)

    def restore() -> bool:
        if none_runs and list(map(signal.getitimer, _TIMERS)) == before:
            return False
        changed = False
        for timer, (was_due, interval) in zip(_TIMERS, before, strict=True):
            due, again = signal.getitimer(timer)
            if (again, bool(due)) != (interval, bool(was_due)):
                signal.setitimer(timer, interval, interval)
                changed = True
        return changed

    return restore


def _nothing(*_: object) -> None:
    pass
