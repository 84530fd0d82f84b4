"""The pool: worker processes that handle the deliveries of a store."""

from .pool import PoolOptions, run_pool
from .process.process import Role

__all__ = ["PoolOptions", "Role", "run_pool"]
