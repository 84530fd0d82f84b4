"""The workers: processes that do what the store keeps."""

from .command import Commands
from .context import Context, Discard, Retry
from .handler import Application, Handler
from .incarnation import Role
from .pool import PoolOptions, run_pool
from .target import Target

__all__ = [
    "Application",
    "Commands",
    "Context",
    "Discard",
    "Handler",
    "PoolOptions",
    "Retry",
    "Role",
    "Target",
    "run_pool",
]
