"""What an app declares: sources, routes, handlers. The receiver and the pool both read it."""

from .app import App
from .command.handler import Commands
from .context import Context
from .exceptions import Cancelled, Discard, Retry, SoftTimeout
from .handlers.handler import Handler
from .interfaces import WorkerApp
from .loading.target import Target
from .steps.errors import StepChanged, Suspended, WaitTimeout

__all__ = [
    "App",
    "Cancelled",
    "Commands",
    "Context",
    "Discard",
    "Handler",
    "Retry",
    "SoftTimeout",
    "StepChanged",
    "Suspended",
    "Target",
    "WaitTimeout",
    "WorkerApp",
]
