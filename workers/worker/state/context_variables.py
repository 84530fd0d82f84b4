"""The context variables that a handler starts with: the app's, without other handlers' changes."""

from __future__ import annotations

import contextvars
import sys


def fresh_context() -> contextvars.Context:
    """Return a copy of this thread's context, which one handler may change."""
    context = contextvars.copy_context()
    if (decimal := sys.modules.get("decimal")) is not None:
        # The decimal context is a mutable object: copying the variable does not copy it.
        context.run(decimal.setcontext, decimal.getcontext().copy())
    return context
