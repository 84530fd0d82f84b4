"""Work in a forked process, for what is to die many times and costs little each time."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from typing import NoReturn

from ...linux.parentage import die_with_parent


def forked(work: Callable[..., object], *arguments: object) -> int:
    """Call `work` in a fork of this process and wait; return its exit code, 0 when it returned.

    Of one that was killed that is the signal's number, negative. This process must have no
    store open, and no thread but this one.
    """
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        exit_after(_live, parent, work, *arguments)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def exit_after(work: Callable[..., object], *arguments: object) -> NoReturn:
    """Call `work` and end this forked process: with 0, or 1 and a traceback when it raised.

    Nothing of its parent's code is returned into.
    """
    code = 1
    try:
        work(*arguments)
        code = 0
    except BaseException:  # noqa: BLE001 - it must not return into the parent's code
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _live(parent: int, work: Callable[..., object], *arguments: object) -> None:
    die_with_parent(parent)
    work(*arguments)
