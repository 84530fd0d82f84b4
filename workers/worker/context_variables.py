"""The context variables that a handler starts with: those of the app, not of other messages."""

from __future__ import annotations

import contextvars
import sys


def fresh_context() -> contextvars.Context:
    """Return a copy of this thread's context, for one handler to change as it likes."""
    context = contextvars.copy_context()
    if (decimal := sys.modules.get("decimal")) is not None:
        # Its context is changed in place, which a copy of the variable does not keep apart.
        context.run(lambda: decimal.setcontext(decimal.getcontext().copy()))
    return context
