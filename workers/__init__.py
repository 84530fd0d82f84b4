"""The workers: processes that do what the store keeps."""

from .context import Context, Discard, Retry
from .handler import Application, Handler
from .pool import run_pool
from .slot import Role
from .target import Target

__all__ = ["Application", "Context", "Discard", "Handler", "Retry", "Role", "Target", "run_pool"]
