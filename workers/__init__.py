"""The workers: processes that do what the store keeps."""

from .command import Commands
from .context import Cancelled, Context, Discard, Retry, SoftTimeout
from .handler import Application, Handler
from .incarnation import Role
from .pool import PoolOptions, run_pool
from .target import Target

__all__ = [
    "Application",
    "Cancelled",
    "Commands",
    "Context",
    "Discard",
    "Handler",
    "PoolOptions",
    "Retry",
    "Role",
    "SoftTimeout",
    "Target",
    "run_pool",
]
