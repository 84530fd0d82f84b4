"""Work in a forked process, for what is to die many times and costs little each time."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable

from ..workers.orphan import die_with_parent


def forked(work: Callable[..., object], *arguments: object) -> int:
    """Call `work` in a fork of this process and wait; return its exit code, 0 when it returned.

    Of one that was killed that is the signal's number, negative. This process must have no
    store open, and no thread but this one.
    """
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            die_with_parent(parent)
            work(*arguments)
            code = 0
        except BaseException:  # noqa: BLE001 - it must not return into the parent's code
            traceback.print_exc()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
