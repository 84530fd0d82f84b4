"""The pool: worker processes that handle the deliveries of a store."""

from .options import PoolOptions
from .pool import run_pool
from .process.managed_process import Role

__all__ = ["PoolOptions", "Role", "run_pool"]
